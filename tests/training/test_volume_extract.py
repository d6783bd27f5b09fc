"""Volumes and meshes of a whole generator: what of the inputs counts, and that the surface is where the field says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from _exchange.errors import InputError
from _exchange.protocol import CORRECTED, PAPER, Protocol
from tests.training.small_generator import inputs, rendering_kwargs, small_generator
from training.engine.choose import engine_named
from training.engine.plain import PlainEngine
from training.surface import is_watertight
from training.triplane import TriPlaneGenerator
from training.volume import extract_mesh, extract_volume, field_of

PLAIN = PlainEngine()
EVALUATION = {"triplane_crop": 0.1, "cull_clouds": 0.5}


@pytest.fixture(scope="module")
def generator() -> TriPlaneGenerator:
    return small_generator()


def test_raw_densities_are_those_of_sample_mixed_at_the_coordinates(generator: TriPlaneGenerator) -> None:
    """With the constant noise, and styles as `f` finds them."""
    x = inputs()
    volume = extract_volume(generator, x, 9, PAPER, engine=PLAIN, channels=32)
    ws = generator.mapping(torch.from_numpy(np.random.RandomState(3).randn(1, 24)).float(), None)
    points = torch.from_numpy(volume.coordinates()).reshape(1, 3, -1).transpose(1, 2)
    again = generator.f({**x, "ws": ws}, noise_mode="const")["triplane"]
    expected = PLAIN.decode(generator.field(again), points)
    np.testing.assert_allclose(volume.sigmas.ravel(), expected.sigma.ravel(), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(volume.rgbs.reshape(32, -1).T, expected.features[0], rtol=0, atol=1e-5)


def test_the_density_is_one_half_on_the_surface(generator: TriPlaneGenerator) -> None:
    """In `head_world`, without a flip: at vertices that are not on a cap, σ is 1 to a hundredth of its spread."""
    mesh = extract_mesh(generator, {**inputs(), **EVALUATION}, 48, CORRECTED)
    assert is_watertight(mesh)
    free = (np.abs(mesh.verts) < [0.249, 0.349, 0.249]).all(1)
    assert free.sum() > 100
    decoded = PLAIN.decode(field_of(generator, inputs()), torch.from_numpy(mesh.verts[free])[None])
    volume = extract_volume(generator, inputs(), 16, CORRECTED)
    assert (decoded.sigma - 1).abs().mean() < 0.01 * volume.sigmas.std()
    np.testing.assert_allclose(mesh.colors[free, :3], decoded.features[0, :, :3].clamp(0, 1) * 255, atol=0.5 + 1e-2)


@pytest.mark.parametrize("protocol", [PAPER, CORRECTED])
def test_the_fast_engine_gives_the_same_surface(generator: TriPlaneGenerator, protocol: Protocol) -> None:
    """Raw densities agree to 1e-3 and mostly rise by hundreds a step, so vertices agree to a thousandth of one.

    A lattice point that close to the limit may fall on the other side, with the few vertices around it.
    """
    x = {**inputs(), "triplane_crop": 0.1, "cull_clouds": 0.4}
    plain, fast = (extract_mesh(generator, x, 32, protocol, engine=engine_named(name)) for name in ("plain", "fast"))
    for here, there in ((plain, fast), (fast, plain)):
        distance, nearest = cKDTree(there.verts).query(here.verts)
        same = distance < 0.7 / 31 * 1e-3
        assert same.mean() > 0.999
        assert np.abs(here.colors.astype(int) - there.colors[nearest])[same].max() <= 1


def test_the_view_in_the_inputs_plays_no_part_and_nothing_is_written(generator: TriPlaneGenerator) -> None:
    x = {**inputs(), "latent_injection": {"dw": torch.ones(1, 16)}, "camera_params": torch.rand(1, 25)}
    kept = dict(x)
    turned = {**x, "elevations": torch.tensor([-20.0]), "azimuths": torch.tensor([150.0])}
    first, second = (extract_volume(generator, given, 8, PAPER) for given in (x, turned))
    np.testing.assert_array_equal(first.sigmas, second.sigmas)
    assert x.keys() == kept.keys()
    assert all(x[key] is kept[key] for key in x)


def test_labels_are_those_of_the_front_view_where_they_count() -> None:
    conditioned = small_generator(rendering_kwargs=rendering_kwargs(c_gen_conditioning_zero=False))
    x = inputs()
    front = {**x, "elevations": [0.0], "azimuths": [0.0]}
    turned, ahead = (conditioned.f(given, noise_mode="const", return_more=True)["more"]["ws"] for given in (x, front))
    assert not torch.equal(turned, ahead)
    with_ws = field_of(conditioned, {"cond": x["cond"], "ws": ahead}).planes
    torch.testing.assert_close(field_of(conditioned, x).planes, with_ws)


def test_random_noise_is_that_of_seed_zero(generator: TriPlaneGenerator) -> None:
    first, second, constant = (field_of(generator, inputs(), mode).planes for mode in ("random", "random", "const"))
    assert torch.equal(first, second)
    assert not torch.equal(first, constant)


def test_several_characters_are_refused(generator: TriPlaneGenerator) -> None:
    with pytest.raises(InputError, match="found"):
        extract_mesh(generator, inputs(batch=2), 8, PAPER)


def test_weights_that_are_not_finite_are_refused(generator: TriPlaneGenerator) -> None:
    broken = small_generator()
    broken.get_parameter("decoder.net.2.bias")[0] = torch.nan
    with pytest.raises(InputError, match=r"finite raw densities.* Check the checkpoint"):
        extract_mesh(broken, inputs(), 8, CORRECTED)
