"""The CPU engine against the plain one, and what it must give by itself.

Tolerances: densities are hundreds, rounded at about 1e-4 of a unit in either engine; a ray amplifies that (README of
the generator's fixtures), so rays are held to its share and mean, sharpened to what was measured.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from _exchange.errors import InputError
from tests.training.random_fields import constant_field, pinhole_rays, random_field
from torch_utils.determinism import GeneratorDraws
from training.engine.cpu import CpuEngine
from training.engine.interface import Clearing, Composite, Field, Rays, Sampling
from training.engine.plain import PlainEngine

FAST, PLAIN = CpuEngine(), PlainEngine()
SAMPLING = Sampling(0.5, 1.5, 40, 40, white_back=True)
EVALUATION = Clearing(triplane_crop=0.1, cull_clouds=0.5)
OUTPUTS = ("features", "depth", "opacity", "xyz")

FIELDS = {
    "published": {},
    "one slice, EG3D's planes": {"channels": 32, "depth": 1, "use_triplane": False},
    "few channels, MipNeRF sigmoid": {"channels": 5, "depth": 2, "side": 17, "plain_sigmoid": False},
    "EG3D's planes, many slices": {"channels": 20, "depth": 4, "use_triplane": False, "batch": 2},
    "other decoder": {"hidden": 40, "features": 7, "batch": 2},
    "wide decoder": {"hidden": 130, "features": 50, "side": 8},
}
fields = pytest.mark.parametrize("options", FIELDS.values(), ids=FIELDS.keys())


def render(
    field: Field, rays: Rays, sampling: Sampling = SAMPLING, clearing: Clearing = EVALUATION, seed: int = 3
) -> tuple[Composite, Composite]:
    """The fast engine's answer and the plain one's, with the same draws."""
    fast = FAST.render(field, rays, sampling, clearing, GeneratorDraws.seeded(seed))
    return fast, PLAIN.render(field, rays, sampling, clearing, GeneratorDraws.seeded(seed))


def assert_same_picture(fast: Composite, plain: Composite) -> None:
    for name in OUTPUTS:
        found, expected = getattr(fast, name), getattr(plain, name)
        assert found.shape == expected.shape
        assert found.isfinite().all()
        difference = (found - expected).abs()
        if name == "depth":  # of an almost empty ray it is a quotient of roundings
            difference = difference * plain.opacity.clamp(max=1)
        assert float((difference <= 1e-4).double().mean()) >= 0.995, name
        assert float(difference.mean()) < 5e-6, name


def points_around(batch: int, count: int = 3001) -> Tensor:
    """Points in the box and around it; the number is no multiple of a register."""
    return (torch.rand(batch, count, 3, generator=torch.Generator().manual_seed(5)) - 0.5) * 1.2


@fields
def test_points_agree(options: dict) -> None:
    field = random_field(**options)
    points = points_around(len(field.planes))
    fast, plain = FAST.decode(field, points), PLAIN.decode(field, points)
    assert torch.allclose(fast.sigma, plain.sigma, rtol=0, atol=5e-3)
    assert torch.allclose(fast.features, plain.features, rtol=0, atol=2e-6)
    assert torch.equal(FAST.sigma(field, points), fast.sigma)


@fields
def test_grids_agree(options: dict) -> None:
    field = random_field(**options)
    x, y, z = torch.linspace(-0.4, 0.35, 9), torch.linspace(-0.35, 0.35, 35), torch.linspace(-0.2, 0.6, 6)
    found = FAST.sigma_on_grid(field, x, y, z)
    assert found.shape == (len(field.planes), 9, 35, 6)
    assert torch.allclose(found, PLAIN.sigma_on_grid(field, x, y, z), rtol=0, atol=5e-3)


@fields
def test_pictures_agree(options: dict) -> None:
    field = random_field(**options)
    assert_same_picture(*render(field, pinhole_rays(12, *range(0, 70 * len(field.planes), 70))))


VARIANTS: dict[str, tuple[Sampling, Clearing]] = {
    "nothing cleared": (SAMPLING, Clearing()),
    "binarised and cropped": (SAMPLING, Clearing(0.05, 0.0, 0.6)),
    "binarised": (SAMPLING, Clearing(0.0, 0.5, 0.3)),
    "culled": (SAMPLING, Clearing(0.0, 0.45)),
    "all culled": (SAMPLING, Clearing(0.0, 1.5)),
    "no fine samples": (replace(SAMPLING, depth_resolution_importance=0), EVALUATION),
    "many fine samples": (replace(SAMPLING, depth_resolution=7, depth_resolution_importance=75), EVALUATION),
    "fewest samples": (replace(SAMPLING, depth_resolution=3, depth_resolution_importance=1), EVALUATION),
    "two samples": (replace(SAMPLING, depth_resolution=2, depth_resolution_importance=0), EVALUATION),
    "black background": (replace(SAMPLING, white_back=False), EVALUATION),
    "disparity": (replace(SAMPLING, disparity_space_sampling=True), EVALUATION),
    "limits of the box": (replace(SAMPLING, ray_start="auto", ray_end="auto"), EVALUATION),
    "depths of each view": (replace(SAMPLING, depth_clamp="view"), EVALUATION),
}


@pytest.mark.parametrize(("sampling", "clearing"), VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("spread", [300.0, 8.0], ids=["steep", "foggy"])
def test_every_option_agrees(sampling: Sampling, clearing: Clearing, spread: float) -> None:
    field = random_field(batch=2, spread=spread, seed=1)
    assert_same_picture(*render(field, pinhole_rays(7, 20.0, 200.0, fov=50.0), sampling, clearing))


def test_rays_that_all_miss_the_box_agree() -> None:
    rays = pinhole_rays(6, 0.0)
    away = Rays(rays.origins, -rays.directions)
    assert_same_picture(*render(random_field(), away, replace(SAMPLING, ray_start="auto", ray_end="auto")))


@pytest.mark.parametrize("clearing", [EVALUATION, Clearing()], ids=["cleared", "whole"])
def test_opacity_is_that_of_the_picture(clearing: Clearing) -> None:
    field, rays = random_field(batch=2), pinhole_rays(12, 0.0, 90.0)
    alone = FAST.opacity(field, rays, SAMPLING, clearing, GeneratorDraws.seeded(3))
    assert torch.equal(alone, render(field, rays, SAMPLING, clearing)[0].opacity)


def test_views_of_one_field_share_its_planes() -> None:
    field, rays = random_field(), pinhole_rays(8, 0.0, 45.0, 90.0)
    together = replace(field, planes=field.planes.expand(3, -1, -1, -1, -1))
    apart = replace(field, planes=field.planes.repeat(3, 1, 1, 1, 1))
    assert torch.equal(render(together, rays)[0].features, render(apart, rays)[0].features)


def test_an_empty_field_shows_the_background() -> None:
    fast, plain = render(constant_field(-1000.0), pinhole_rays(6, 0.0))
    assert torch.equal(fast.opacity, torch.zeros(1, 36, 1))
    assert torch.equal(fast.features, torch.ones(1, 36, 32))
    assert torch.equal(fast.xyz, torch.tensor([-1.0, 1.0, -1.0]).expand(1, 36, 3))
    assert torch.equal(fast.depth, plain.depth), "the largest sample depth"


def test_a_solid_field_is_opaque_at_its_first_interval() -> None:
    rays = Rays(torch.tensor([[[0.0, 0.0, 1.0]]]), torch.tensor([[[0.0, 0.0, -1.0]]]))
    # A step of 0.04 m in σ = 5000 lets exp(−200) through. Colours are sigmoid(0).
    sampling = Sampling(0.5, 1.5, 26, 0)
    fast, plain = render(constant_field(5000.0), rays, sampling, Clearing())
    assert torch.equal(fast.opacity, torch.ones(1, 1, 1))
    assert torch.allclose(fast.features, torch.zeros(1, 1, 32), atol=1e-6)
    assert 0.5 <= float(fast.depth) <= 0.58
    assert torch.allclose(fast.depth, plain.depth, atol=1e-6)


def test_nothing_behind_an_opaque_wall_is_missed_by_more_than_rounding() -> None:
    # Two intervals of the wall let 4e-5 and 1.6e-9 through: the march stops within it, and no output notices.
    rays, sampling = pinhole_rays(8, 0.0), Sampling(0.5, 1.5, 48, 0, white_back=True)
    fast, plain = render(constant_field(480.0), rays, sampling, Clearing())
    for name in OUTPUTS:
        assert torch.allclose(getattr(fast, name), getattr(plain, name), rtol=0, atol=1e-6), name


def test_points_that_are_not_finite_do_no_harm() -> None:
    field, points = random_field(side=9), points_around(1, 20)
    expected = FAST.sigma(field, points)
    odd = points.clone()
    odd[0, ::3, 0], odd[0, 1::3, 1] = torch.nan, 1e30
    found = FAST.sigma(field, odd)
    assert torch.equal(found[0, 2::3], expected[0, 2::3])
    assert found[0, 1::3].isfinite().all()


PARTS: dict[str, Callable[[Tensor], Tensor]] = {"first": lambda x: x[:, :37], "rest": lambda x: x[:, 37:]}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
def test_rays_do_not_depend_on_their_company(part: Callable[[Tensor], Tensor]) -> None:
    class Given(GeneratorDraws):
        def uniform(self, name: str, shape: object, *args: object, **kwargs: object) -> Tensor:
            drawn = {"stratified_jitter": jitter, "importance_u": u}[name]
            return drawn.reshape(tuple(shape))  # type: ignore[call-overload]

    field, rays = random_field(), pinhole_rays(9, 10.0)
    all_jitter, all_u = torch.rand(1, 81, 40, 1), torch.rand(1, 81, 40)
    jitter, u = all_jitter, all_u
    whole = FAST.render(field, rays, SAMPLING, EVALUATION, Given())
    jitter, u = part(all_jitter), part(all_u)
    some = FAST.render(field, Rays(part(rays.origins), part(rays.directions)), SAMPLING, EVALUATION, Given())
    for name in ("features", "opacity", "xyz"):
        assert torch.equal(getattr(some, name), part(getattr(whole, name))), name


PROGRAM = """
import hashlib
import torch
from tests.training.random_fields import pinhole_rays, random_field
from tests.training.test_engine_cpu import EVALUATION, FAST, SAMPLING
from torch_utils.determinism import GeneratorDraws
field = random_field()
seen = FAST.render(field, pinhole_rays(12, 30.0), SAMPLING, EVALUATION, GeneratorDraws.seeded(0))
grid = FAST.sigma_on_grid(field, *[torch.linspace(-0.35, 0.35, 12)] * 3)
print(hashlib.sha256(b"".join(part.numpy().tobytes() for part in (*vars(seen).values(), grid))).hexdigest())
"""


def test_fresh_processes_give_the_same_bytes() -> None:
    runs = [subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True).stdout for _ in range(2)]
    assert runs[0] == runs[1] != b""


@pytest.mark.parametrize("options", [FIELDS["published"], FIELDS["other decoder"]], ids=["one", "two characters"])
def test_a_prepared_field_gives_the_same_bytes(options: dict) -> None:
    field = random_field(**options)
    prepared = FAST.prepared(field)
    rays, points = pinhole_rays(6, *[20.0, 130.0][: len(field.planes)]), torch.rand(len(field.planes), 50, 3) - 0.5
    first, second = (
        FAST.render(one, rays, SAMPLING, EVALUATION, GeneratorDraws.seeded(1)) for one in (field, prepared)
    )
    assert all(torch.equal(getattr(first, name), getattr(second, name)) for name in OUTPUTS)
    assert torch.equal(FAST.sigma(field, points), FAST.sigma(prepared, points))
    assert torch.equal(PLAIN.sigma(field, points), PLAIN.sigma(prepared, points))
    assert PLAIN.prepared(field) is field


def test_inputs_stay_as_they_are() -> None:
    field, rays = random_field(), pinhole_rays(6, 0.0)
    tensors = (field.planes, *(getattr(field.decoder, name) for name in ("w0", "b0", "w2", "b2")), *vars(rays).values())
    before = [tensor.clone() for tensor in tensors]
    render(field, rays)
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(tensors, before))


def test_density_noise_is_left_to_the_plain_engine() -> None:
    noisy = replace(SAMPLING, density_noise=20.0)
    fast, plain = render(random_field(side=8), pinhole_rays(5, 0.0), noisy)
    assert torch.equal(fast.features, plain.features)


def test_nothing_asked_is_nothing_given() -> None:
    field = random_field(side=8)
    assert FAST.sigma(field, torch.zeros(1, 0, 3)).shape == (1, 0, 1)
    nobody = Rays(torch.zeros(1, 0, 3), torch.zeros(1, 0, 3))
    assert FAST.opacity(field, nobody, SAMPLING, EVALUATION, GeneratorDraws.seeded(0)).shape == (1, 0, 1)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda field: replace(field, planes=field.planes.double()), "float64"),
        (lambda field: replace(field, planes=field.planes.requires_grad_()), "gradients"),
        (lambda field: replace(field, planes=field.planes.to("meta")), "meta"),
        (lambda field: replace(field, triplane_depth=2), r"\(B, 3, 32, R, R\)"),
        (lambda field: replace(field, planes=field.planes[..., :-1]), "R, R"),
    ],
)
def test_fields_that_do_not_fit_are_refused(spoil: Callable[[Field], Field], named: str) -> None:
    with pytest.raises(InputError, match=named):
        FAST.sigma(spoil(random_field(side=8)), torch.zeros(1, 4, 3))


def test_fine_samples_need_three_coarse_ones() -> None:
    sampling = replace(SAMPLING, depth_resolution=2)
    with pytest.raises(InputError, match="at least 3"):
        FAST.render(random_field(side=8), pinhole_rays(2, 0.0), sampling, EVALUATION, GeneratorDraws.seeded(0))
