"""Marching by closed forms: fog of even density, opaque walls, nothing at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.march import interval_weights, march, over_background, turned


def _ray(count: int = 11, start: float = 0.5, end: float = 1.5) -> torch.Tensor:
    return torch.linspace(start, end, count).reshape(1, 1, count, 1)


@pytest.mark.parametrize("sigma", [-2.0, 0.0, 3.0])
def test_even_fog_lets_through_what_beer_and_lambert_say(sigma: float) -> None:
    depths = _ray()
    marched = march(torch.ones(1, 1, 11, 2), torch.full_like(depths, sigma), depths)
    expected = 1 - np.exp(-np.log1p(np.exp(sigma - 1)) * 1.0)
    # 1e-10 is added to what passes each interval.
    np.testing.assert_allclose(marched.opacity.flatten(), expected, atol=1e-6)
    np.testing.assert_allclose(marched.channels.flatten(), [expected] * 2, atol=1e-6)


def test_an_opaque_wall_hides_what_is_behind() -> None:
    depths, sigma = _ray(), torch.full((1, 1, 11, 1), -1000.0)
    sigma[0, 0, 4:6] = 1e6
    colours = torch.arange(11.0).reshape(1, 1, 11, 1)
    marched = march(colours, sigma, depths)
    assert marched.opacity.item() == pytest.approx(1)
    # The interval before the wall averages −1000 and 10⁶, and is opaque already: its middle is at 0.85.
    assert marched.depth.item() == pytest.approx(0.85, abs=1e-6)
    assert marched.channels.item() == pytest.approx(3.5, abs=1e-6)


def test_an_empty_ray_is_infinitely_deep_and_shows_the_background() -> None:
    depths = _ray()
    marched = march(torch.ones(1, 1, 11, 3), torch.full_like(depths, -1000.0), depths)
    assert marched.opacity.item() == 0
    assert marched.depth.item() == np.inf
    assert over_background(marched.channels, marched.opacity, white_back=True).flatten().tolist() == [1, 1, 1]
    assert over_background(marched.channels, marched.opacity, white_back=False).flatten().tolist() == [0, 0, 0]


def test_a_culled_neighbour_of_a_solid_sample_leaves_half_a_fog() -> None:
    """−1000 and +1000 average to 0, whose softplus(−1) is 0.3133."""
    depths = torch.tensor([0.0, 1.0]).reshape(1, 1, 2, 1)
    weights = interval_weights(torch.tensor([-1000.0, 1000.0]).reshape(1, 1, 2, 1), depths)
    assert weights.item() == pytest.approx(1 - np.exp(-0.31326169), abs=1e-6)


def test_weights_telescope_to_the_total_opacity() -> None:
    generator = torch.Generator().manual_seed(0)
    sigma, depths = torch.randn(2, 3, 9, 1, generator=generator) * 3, _ray(9).expand(2, 3, 9, 1)
    lengths = (depths[..., 1:, 0].double() - depths[..., :-1, 0].double()).numpy()
    middle = ((sigma[..., 1:, 0].double() + sigma[..., :-1, 0].double()) / 2).numpy()
    through = np.exp(-(np.log1p(np.exp(middle - 1)) * lengths).sum(-1))
    np.testing.assert_allclose(interval_weights(sigma, depths).sum((-1, -2)), 1 - through, atol=1e-6)


def test_gradients_of_empty_rays_are_finite() -> None:
    depths = _ray()
    sigma = torch.full_like(depths, -1000.0, requires_grad=True)
    marched = march(torch.ones(1, 1, 11, 3), sigma, depths)
    (marched.channels.sum() + marched.depth.clamp(max=2).sum() + marched.opacity.sum()).backward()
    assert sigma.grad is not None
    assert sigma.grad.isfinite().all()


def test_the_display_frame_is_turned_by_half_a_turn_about_y() -> None:
    assert turned(torch.tensor([1.0, 2.0, 3.0])).tolist() == [-1, 2, -3]
