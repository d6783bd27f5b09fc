"""Masks of pasting by other libraries and by hand, and the assembly on a flat wall."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from _exchange.camera import Camera
from _exchange.errors import InputError
from training.engine.interface import Rays
from training.paste import (
    Pasted,
    PasteParams,
    Surface,
    discrepancy_mask,
    edges_mask,
    eroded,
    occlusion_mask,
    occlusion_rays,
    paste_front,
    paste_params_of,
    sample_orthofront,
    sobel_norm,
    weights_mask,
    xyz_discrepancy,
)
from training.rays import as_image, orthographic_rays

SIZE, BOX = 16, 0.7


def _wall(z_world: float = 0.1) -> torch.Tensor:
    """(1, 3, r, r) display-frame positions that the front camera sees on a wall at this z."""
    rays = orthographic_rays([Camera(0.0, 0.0)], SIZE, BOX)
    points = rays.origins + (1.0 - z_world) * rays.directions
    return as_image(points * torch.tensor([-1.0, 1.0, -1.0]))


def _front() -> torch.Tensor:
    return torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def test_sobel_is_that_of_scipy_and_flat_is_not_zero() -> None:
    x = torch.rand(1, 2, 9, 11, generator=torch.Generator().manual_seed(1))
    lengths = [
        scipy.ndimage.sobel(channel, 0, mode="nearest") ** 2 + scipy.ndimage.sobel(channel, 1, mode="nearest") ** 2
        for channel in x[0].double().numpy()
    ]
    expected = np.sqrt(sum(length / 64 + 1e-6 for length in lengths))
    np.testing.assert_allclose(sobel_norm(x)[0, 0], expected, atol=1e-6)
    assert sobel_norm(torch.ones(1, 3, 4, 4)).max().item() == pytest.approx(0.0017, abs=5e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_erosion_is_that_of_scipy(size: int) -> None:
    """SciPy's square is centred at size // 2 as well; outside is ignored, that is, counts as set."""
    mask = (torch.rand(1, 1, 13, 13, generator=torch.Generator().manual_seed(2)) > 0.2).float()
    expected = scipy.ndimage.minimum_filter(mask[0, 0].numpy(), size, mode="constant", cval=np.inf)
    np.testing.assert_array_equal(eroded(mask, size)[0, 0], expected)


def test_the_front_view_looked_up_at_its_own_surface_is_itself() -> None:
    torch.testing.assert_close(sample_orthofront(_front(), _wall(), BOX), _front(), rtol=0, atol=1e-5)


def test_thresholds_are_strict() -> None:
    opacity = torch.full((1, 1, SIZE, SIZE), 0.5)
    assert not weights_mask(opacity, SIZE, 0.5).any()
    assert weights_mask(opacity, SIZE, 0.49).all()
    flat = torch.zeros(1, 3, SIZE, SIZE)
    assert edges_mask(flat, 0.002).all()
    assert not edges_mask(flat, 0.001).any()


def test_occlusion_rays_begin_in_front_of_the_surface_and_run_to_the_front() -> None:
    rays = occlusion_rays(_wall(0.1), ray_start=0.5, offset_occ=0.01)
    first = rays.origins + 0.5 * rays.directions
    np.testing.assert_allclose(first[0, :, 2], 0.11, atol=1e-6)
    np.testing.assert_allclose(first[0, 0, :2], [-0.7 * 15 / 32, 0.7 * 15 / 32], atol=1e-6)
    assert rays.directions[0, 0].tolist() == [0, 0, 1]


def test_the_occlusion_mask_is_soft_between_its_pixels() -> None:
    hidden = torch.tensor([[0.0, 1.0], [0.0, 1.0]])[None, None]
    assert occlusion_mask(hidden, 4, 0.05)[0, 0, 0].tolist() == [1, 0.75, 0.25, 0]


def test_discrepancy_is_the_distance_from_the_ray() -> None:
    rays = Rays(torch.zeros(1, 1, 3), torch.tensor([[[0.0, 0.0, 1.0]]]))
    assert xyz_discrepancy(torch.tensor([[[3.0, 4.0, 7.0]]]), rays).item() == pytest.approx(5)
    seen = orthographic_rays([Camera(0.0, 0.0)], SIZE, BOX)
    assert discrepancy_mask(_wall(), seen, SIZE, 5e-6).all()
    assert not discrepancy_mask(_wall() + torch.tensor([1e-3, 0, 0]).reshape(1, 3, 1, 1), seen, SIZE, 5e-6).any()


def _pasted(**changes: object) -> tuple[torch.Tensor, Pasted]:
    picture = torch.full((1, 3, SIZE, SIZE), 0.25)
    options = {"hidden": torch.zeros(1, SIZE * SIZE, 1), "params": PasteParams(), **changes}
    surface = Surface(torch.ones(1, 1, SIZE, SIZE), _wall(), orthographic_rays([Camera(0.0, 0.0)], SIZE, BOX))
    pasted = paste_front(
        picture,
        _front(),
        surface,
        options["params"],
        box_warp=BOX,
        ray_start=0.5,
        occlusion=lambda rays: options["hidden"],
        front_opacity=lambda: torch.ones(1, 1, SIZE, SIZE),
    )
    return picture, pasted


def test_a_wall_seen_from_the_front_takes_the_front_image() -> None:
    _, pasted = _pasted(params=PasteParams(thresh_edges=0.2))
    assert pasted.mask.all()
    torch.testing.assert_close(pasted.image, _front(), rtol=0, atol=1e-5)
    assert pasted.frontweight is None


def test_what_hides_the_surface_keeps_the_rendered_colour() -> None:
    picture, pasted = _pasted(params=PasteParams(thresh_edges=0.2), hidden=torch.ones(1, SIZE * SIZE, 1))
    assert not pasted.mask.any()
    assert torch.equal(pasted.image, picture)


def test_the_front_weight_ignores_what_lies_outside_the_picture() -> None:
    _, pasted = _pasted(params=PasteParams(thresh_edges=0.2, front_weight_erosion=3))
    assert pasted.frontweight is not None
    torch.testing.assert_close(pasted.mask_frontweight, torch.ones(1, 1, SIZE, SIZE))


@pytest.mark.parametrize("grad_sample", [False, True])
def test_gradients_flow_through_the_lookup_only_when_asked_for(grad_sample: bool) -> None:
    xyz = _wall().requires_grad_()
    surface = Surface(torch.ones(1, 1, SIZE, SIZE), xyz, orthographic_rays([Camera(0.0, 0.0)], SIZE, BOX))
    pasted = paste_front(
        torch.zeros(1, 3, SIZE, SIZE, requires_grad=True),
        _front(),
        surface,
        PasteParams(thresh_edges=0.2, grad_sample=grad_sample),
        box_warp=BOX,
        ray_start=0.5,
        occlusion=lambda rays: torch.zeros(1, SIZE * SIZE, 1),
        front_opacity=lambda: torch.ones(1, 1, SIZE, SIZE),
    )
    pasted.image.sum().backward()
    assert (xyz.grad is not None) == grad_sample
    assert not pasted.mask.requires_grad


def test_another_picture_can_be_looked_up_and_unknown_thresholds_are_refused() -> None:
    other = torch.zeros(1, 3, SIZE, SIZE)
    _, pasted = _pasted(params=PasteParams(thresh_edges=0.2, force_image=other))
    assert torch.equal(pasted.paste, other)
    assert vars(paste_params_of({})) == vars(PasteParams())
    with pytest.raises(InputError, match=r"thresh_weight.*found 'thresh_wieght'"):
        paste_params_of({"thresh_wieght": 0.9})
    with pytest.raises(InputError, match="thresh_occ to be a finite number, found 'low'"):
        paste_params_of({"thresh_occ": "low"})
    with pytest.raises(InputError, match="front_weight_erosion to be a whole number"):
        paste_params_of({"front_weight_erosion": 1.5})
