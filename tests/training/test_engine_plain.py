"""The plain engine: fields of known shape, parts that do not matter, gradients, engines by name."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from _exchange.camera import Camera
from _exchange.errors import InputError, MissingComponent
from torch_utils.determinism import GeneratorDraws
from training.engine import choose
from training.engine.choose import engine_named
from training.engine.interface import Clearing, DecoderWeights, Field, Rays, Sampling
from training.engine.plain import PlainEngine
from training.rays import orthographic_rays

SAMPLING = Sampling(0.5, 1.5, 24, 24, white_back=True)


def _decoder(width: int = 1, density_gain: float = 0.0, density: float = 0.0) -> DecoderWeights:
    """Density = `density` + `density_gain` · softplus(mean of the plane samples); features are sigmoid(0)."""
    w2 = torch.zeros(33, 2)
    w2[0, 0] = density_gain
    b2 = torch.zeros(33)
    b2[0] = density
    w0 = torch.zeros(2, width)
    w0[0] = 100.0
    return DecoderWeights(w0, torch.zeros(2), w2, b2, plain_sigmoid=True)


def _even(density: float) -> Field:
    return Field(torch.zeros(1, 3, 3, 8, 8), _decoder(density=density), 0.7, 3, True)


def _half_space() -> Field:
    """Solid at world x above 0: planes (x, y) and (x, z) hold a step along their columns."""
    planes = torch.full((1, 3, 3, 64, 64), -1.0)
    planes[:, :2, :, :, 32:] = 3.0
    planes[:, 2] = 0
    return Field(planes, _decoder(density_gain=1000.0, density=-1000.0), 0.7, 3, True)


def _random(batch: int = 2) -> Field:
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(shape, generator=generator) for shape in ((16, 4), (16,), (33, 16), (33,))]
    drawn[2][0] *= 10
    return Field(torch.randn(batch, 3, 12, 8, 8, generator=generator), DecoderWeights(*drawn, True), 0.7, 3, True)


def _rays(batch: int = 2, size: int = 5) -> Rays:
    cameras = [Camera(10.0 * index, 40.0 * index, 1.0 + 0.1 * index) for index in range(batch)]
    return orthographic_rays(cameras, size, 0.7)


def _draws() -> GeneratorDraws:
    return GeneratorDraws.seeded(5)


def test_an_opaque_half_space_is_hit_at_its_face() -> None:
    """Solid at x > 0, seen from −x at distance 1: the face lies at depth 1, blurred by half a texel and a step."""
    behind = orthographic_rays([Camera(0.0, -90.0, 1.0)], 4, 0.4)
    face = PlainEngine().render(_half_space(), behind, Sampling(0.7, 1.3, 48, 48), Clearing(), _draws())
    torch.testing.assert_close(face.depth, torch.full_like(face.depth, 1.0), rtol=0, atol=0.6 / 47 + 0.35 / 64)
    torch.testing.assert_close(face.xyz[..., 0].abs(), torch.zeros_like(face.xyz[..., 0]), rtol=0, atol=0.02)


def test_empty_space_shows_white_at_the_corner_of_the_display_frame() -> None:
    seen = PlainEngine().render(_even(-1000.0), _rays(1), SAMPLING, Clearing(), _draws())
    assert not seen.opacity.any()
    assert torch.equal(seen.features, torch.ones_like(seen.features))
    assert torch.equal(seen.xyz, torch.tensor([-1.0, 1.0, -1.0]).expand_as(seen.xyz))
    without = Sampling(0.5, 1.5, 24, 24)
    black = PlainEngine().render(_even(-1000.0), _rays(1), without, Clearing(), _draws())
    assert torch.equal(black.features, -torch.ones_like(black.features))
    assert not black.xyz.any()


def test_even_fog_has_the_opacity_of_its_length() -> None:
    """softplus(1 − 1) = ln 2 over the sampled length, which jitter makes known only from the depths themselves."""
    seen = PlainEngine().render(_even(1.0), _rays(1), SAMPLING, Clearing(), _draws())
    step = 1 / 23
    low, high = (1 - 2 ** -torch.tensor(length) for length in (1.0 - step, 1.0 + step))
    assert ((seen.opacity > low) & (seen.opacity < high)).all()


@pytest.mark.parametrize("clearing", [Clearing(), Clearing(0.1, 0.5), Clearing(binarize_clouds=0.4)])
@pytest.mark.parametrize("fine", [0, 9])
def test_results_do_not_depend_on_the_parts(clearing: Clearing, fine: int) -> None:
    """Rows of a matrix product are summed alike however many there are, to float32's rounding of values near 10."""
    sampling = Sampling(0.5, 1.5, 10, fine, white_back=True, density_noise=0.1)
    parts = [PlainEngine(at_once) for at_once in (1 << 15, 90, 1)]
    seen = [engine.render(_random(), _rays(), sampling, clearing, _draws()) for engine in parts]
    for other in seen[1:]:
        for name in ("features", "depth", "opacity", "xyz"):
            torch.testing.assert_close(getattr(other, name), getattr(seen[0], name), rtol=0, atol=2e-4)
    points = torch.rand(2, 50, 3) - 0.5
    decoded = [engine.decode(_random(), points) for engine in parts]
    torch.testing.assert_close(decoded[1].sigma, decoded[0].sigma, rtol=0, atol=1e-4)
    torch.testing.assert_close(decoded[2].features, decoded[0].features, rtol=0, atol=1e-5)


def test_opacity_and_sigma_are_those_of_the_whole() -> None:
    engine, parts = PlainEngine(), (_random(), _rays(), SAMPLING, Clearing(0.1, 0.5))
    assert torch.equal(engine.opacity(*parts, _draws()), engine.render(*parts, _draws()).opacity)
    points = torch.rand(2, 50, 3) - 0.5
    assert torch.equal(engine.sigma(_random(), points), engine.decode(_random(), points).sigma)


def test_depth_is_clamped_to_the_samples_of_the_batch_or_of_the_view() -> None:
    far = _rays(2)
    far = Rays(far.origins, torch.cat([far.directions[:1], far.directions[1:] * 2]))
    empty = Field(torch.zeros(2, 3, 3, 8, 8), _decoder(density=-1000.0), 0.7, 3, True)
    sampling = [Sampling("auto", "auto", 6, 0, depth_clamp=clamp) for clamp in ("batch", "view")]
    batch, view = (PlainEngine().render(empty, far, s, Clearing(), _draws()).depth for s in sampling)
    assert len(batch.unique()) == 1
    assert view[0].unique().numel() == view[1].unique().numel() == 1
    assert view[0].max() > view[1].max()
    assert batch.max() == view.max()


def test_gradients_of_a_render_match_finite_differences() -> None:
    """In double; samples stay where they are, as without fine ones nothing moves them."""
    field, rays = _random(1), _rays(1, 2)
    sampling = Sampling(0.7, 1.2, 6, 0, white_back=True)
    jitter = torch.rand(1, 4, 6, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    class Fixed(GeneratorDraws):
        def uniform(self, *args: object, **kwargs: object) -> torch.Tensor:
            return jitter

    weights = [part.double() for part in (field.decoder.w0, field.decoder.b0, field.decoder.w2, field.decoder.b2)]

    def rendered(planes: torch.Tensor, w2: torch.Tensor) -> torch.Tensor:
        decoder = DecoderWeights(weights[0], weights[1], w2, weights[3], True)
        inside = Field(planes, decoder, 0.7, 3, True)
        seen = PlainEngine().render(
            inside, Rays(rays.origins.double(), rays.directions.double()), sampling, Clearing(), Fixed()
        )
        return torch.cat([seen.features[..., :2], seen.depth, seen.opacity, seen.xyz], -1)

    planes = field.planes.double().requires_grad_()
    assert torch.autograd.gradcheck(rendered, (planes, weights[2].requires_grad_()), fast_mode=True)


def test_engines_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(engine_named("plain", "cuda"), PlainEngine)
    with pytest.raises(InputError, match="plain, fast, found 'quick'"):
        engine_named("quick")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="found meta"):
        engine_named("fast", "meta")
    monkeypatch.setattr(choose, "find_spec", lambda name: None)
    with pytest.raises(MissingComponent, match=r"triton.*pip install triton"):
        engine_named("fast", "cuda")
    assert importlib.util.find_spec("training.engine.cpu") is not None
