"""Volumes and meshes of fields known in closed form: where the surface is, what closes it, what is never decoded."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from _exchange.errors import InputError, SuiteError
from _exchange.mesh import Mesh
from _exchange.protocol import CORRECTED, PAPER, Protocol
from tests.training.closed_form_fields import ClosedFormEngine, any_field, ball, torus
from training.clearing import EMPTY
from training.lattice import Lattice, lattice_points, points_of_indices
from training.surface import enclosed_volume, is_watertight
from training.volume import Export, mesh_of_field, volume_of_field

CENTRE, RADIUS = (0.03, -0.05, 0.02), 0.15
EVALUATION = {"triplane_crop": 0.1, "cull_clouds": 0.5}


def mesh_of(sigma, resolution: int, protocol: Protocol = CORRECTED, **options: float) -> Mesh:
    export = Export.of(options, resolution, protocol)
    return mesh_of_field(ClosedFormEngine(sigma), any_field(), export)


def sheared(protocol: Protocol) -> Protocol:
    return dataclasses.replace(protocol, lattice="sheared")


# -- the lattice ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [11, 100, 320])
def test_the_sheared_lattice_follows_float32_in_every_bit(size: int) -> None:
    """The indices of spec §8 step 2 as torch computes them, whole numbers divided by a number."""
    index = torch.arange(size**3 - 5000, size**3)[::7]
    kz, ky, kx = index % size, (index.float() / size) % size, (index.float() / size / size) % size
    step = torch.tensor(0.7 / (size - 1), dtype=torch.float32)
    expected = torch.stack([kx, ky, kz], -1) * step - torch.tensor(0.35)
    torch.testing.assert_close(points_of_indices(index, size, "sheared"), expected, rtol=0, atol=0)


def test_lattices_span_the_box_of_the_field() -> None:
    assert float(points_of_indices(torch.tensor([4**3 - 1]), 4, "true", 1.0).max()) == pytest.approx(0.5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("lattice", ["sheared", "true"])
@pytest.mark.parametrize("size", [64, 100])
def test_lattices_are_the_same_bits_on_a_gpu(size: int, lattice: Lattice) -> None:
    index = torch.arange(size**3)
    there = points_of_indices(index.cuda(), size, lattice).cpu()
    torch.testing.assert_close(there, points_of_indices(index, size, lattice), rtol=0, atol=0)


@pytest.mark.parametrize("size", [1, 1025, 8.5])
def test_resolutions_out_of_range_are_refused(size: float) -> None:
    with pytest.raises(InputError, match=f"at least 2 and at most 1024 points a side, found {size}"):
        Export.of({}, size, PAPER)


def test_batches_of_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="max_batch of at least 1 point, found 0"):
        Export.of({}, 8, PAPER, 0)


# -- volumes ----------------------------------------------------------------------------------------------------


def test_a_volume_holds_the_field_at_its_coordinates_with_x_reversed() -> None:
    engine = ClosedFormEngine(lambda points: points[:, 0] + 10 * points[:, 1] + 100 * points[:, 2])
    volume = volume_of_field(engine, any_field(), Export.of({}, 6, CORRECTED), channels=3)
    x, y, z = volume.coordinates()
    np.testing.assert_allclose(volume.sigmas, x + 10 * y + 100 * z, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(volume.rgbs, np.stack([x, y, z]) / 0.7 + 0.5, atol=1e-6)
    assert x[0, 0, 0] == pytest.approx(0.35)
    assert y[0, 0, 0] == z[0, 0, 0] == pytest.approx(-0.35)
    np.testing.assert_allclose(volume.densities, 1 / (1 + np.exp(1 - volume.sigmas)), atol=1e-6)


@pytest.mark.parametrize("protocol", [PAPER, CORRECTED])
@pytest.mark.parametrize("max_batch", [1, 13, 10_000])
def test_parts_do_not_show(protocol: Protocol, max_batch: int) -> None:
    whole = volume_of_field(
        ClosedFormEngine(ball(CENTRE, RADIUS, 300)), any_field(), Export.of(EVALUATION, 7, protocol)
    )
    export = Export.of(EVALUATION, 7, protocol, max_batch)
    parts = volume_of_field(ClosedFormEngine(ball(CENTRE, RADIUS, 300)), any_field(), export)
    np.testing.assert_array_equal(parts.sigmas, whole.sigmas)
    np.testing.assert_array_equal(parts.densities, whole.densities)


@pytest.mark.parametrize("protocol", [PAPER, CORRECTED])
def test_cropped_points_are_never_decoded(protocol: Protocol) -> None:
    engine = ClosedFormEngine(ball(CENTRE, RADIUS, 300))
    volume = volume_of_field(engine, any_field(), Export.of(EVALUATION, 20, protocol))
    asked = torch.cat(engine.asked)
    assert asked[:, [0, 2]].abs().max() <= 0.25
    assert asked[:, 1].abs().max() > 0.34
    cropped = (np.abs(volume.coordinates()[[0, 2]]) > 0.25).any(0)
    assert len(asked) == (~cropped).sum()
    assert (volume.sigmas[cropped] == EMPTY).all()
    assert (volume.densities[cropped] == EMPTY).all()


def test_a_crop_of_nothing_removes_what_overshoots_the_box_and_none_keeps_it() -> None:
    """Spec §10, Q23."""
    for crop, emptied in ((0.0, True), (None, False)):
        export = Export.of({"triplane_crop": crop}, 8, PAPER)
        volume = volume_of_field(ClosedFormEngine(lambda points: points[:, 0] * 0 + 30), any_field(), export)
        beyond = volume.coordinates()[0] > 0.35 + 1e-6
        assert beyond.any()
        assert (volume.densities[beyond] == EMPTY).all() == emptied
        assert (volume.densities[~beyond] == 1).all()


@pytest.mark.parametrize(
    ("cull", "least"), [(0.5, 16.72), (0.45, 2.382), (0.4, 1.383), (0.269, -np.inf), (0.6, np.inf), (None, -np.inf)]
)
def test_the_double_cull_keeps_raw_densities_above_its_odd_limit(cull: float | None, least: float) -> None:
    """The numbers of spec §8 step 6, met within a hundredth."""
    grid = torch.linspace(-5, 25, 8**3)
    engine = ClosedFormEngine(lambda points: grid[: len(points)])
    volume = volume_of_field(engine, any_field(), Export.of({"cull_clouds": cull}, 8, PAPER))
    kept = volume.sigmas[volume.densities != EMPTY]
    assert (kept.min() if kept.size else np.inf) == pytest.approx(max(least, -5), abs=30 / 512 + 0.01)


# -- meshes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steepness", [20.0, 1e3, 1e5])
def test_however_steep_the_field_the_surface_of_a_ball_is_round(steepness: float) -> None:
    """A step is 7 mm. Interpolating σ leaves the curvature between two points, step²/(8 R) = 0.04 mm.

    (Interpolated densities are off by up to half a step in the steepest.)
    """
    mesh = mesh_of(ball(CENTRE, RADIUS, steepness), 101, **EVALUATION)
    radii = np.linalg.norm(mesh.verts - np.array(CENTRE), axis=1)
    assert np.abs(radii - RADIUS).max() < 5e-5
    assert is_watertight(mesh)
    assert enclosed_volume(mesh) == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=2e-3)
    assert mesh.verts.dtype == np.float32


def test_the_surface_of_a_torus_has_its_hole() -> None:
    mesh = mesh_of(torus(0.15, 0.05, 1e4), 64, **EVALUATION)
    shape = trimesh.Trimesh(mesh.verts, mesh.faces, process=False)
    assert is_watertight(mesh)
    assert shape.euler_number == 0
    assert shape.volume == pytest.approx(2 * np.pi**2 * 0.15 * 0.05**2, rel=0.01)


@pytest.mark.parametrize("resolution", [16, 21, 64])
@pytest.mark.parametrize("crop", [None, 0.0, 0.1, 0.05])
def test_a_solid_that_fills_everything_is_closed_at_the_walls(resolution: int, crop: float | None) -> None:
    """Up to 3 thousandths of a step: caps on lattice points stand that far off, here 0.05 mm."""
    mesh = mesh_of(lambda points: 1 + 50 + 0 * points[:, 0], resolution, triplane_crop=crop)
    side = 0.35 - (crop or 0)
    assert is_watertight(mesh)
    np.testing.assert_allclose(mesh.verts.max(0), [side, 0.35, side], atol=1e-4)
    np.testing.assert_allclose(mesh.verts.min(0), [-side, -0.35, -side], atol=1e-4)
    assert enclosed_volume(mesh) == pytest.approx((2 * side) ** 2 * 0.7, rel=0.03)  # edges of the box are bevelled


@pytest.mark.parametrize("seed", range(3))
def test_any_field_gives_a_closed_surface_whose_triangles_have_areas(seed: int) -> None:
    """Waves that cross walls, and values exactly at the level on many lattice points."""
    phase = torch.rand(3, 3, generator=torch.Generator().manual_seed(seed))

    def waves(points: Tensor) -> Tensor:
        sigma = 1 + 500 * torch.sin(points @ (phase * 80) + phase[0]).sum(-1)
        return torch.where(torch.arange(len(points)) % 7 == 0, torch.ones_like(sigma), sigma)

    mesh = mesh_of(waves, 24, **EVALUATION)
    assert is_watertight(mesh)
    assert enclosed_volume(mesh) > 0
    shape = trimesh.Trimesh(mesh.verts.astype(np.float64), mesh.faces, process=False)
    assert shape.area_faces.min() > 0


def test_vertices_of_the_true_lattice_have_the_colour_of_their_own_place() -> None:
    mesh = mesh_of(ball(CENTRE, RADIUS, 1e4), 40, **EVALUATION)
    np.testing.assert_allclose(mesh.colors[:, :3], (mesh.verts / 0.7 + 0.5) * 255, atol=0.5 + 1e-3)
    assert (mesh.colors[:, 3] == 255).all()


def test_vertices_of_the_sheared_lattice_have_the_colour_of_a_lattice_point_of_their_cell() -> None:
    size = 16
    mesh = mesh_of(ball(CENTRE, RADIUS, 1e4), size, PAPER, **EVALUATION)
    # in the reversed volume a vertex truncates to index i, which is lattice index N − 1 − i
    index = np.floor((mesh.verts * [-1, 1, 1] + 0.35) / 0.7 * size + 1e-4).astype(int)
    place = lattice_points(size, "sheared")[((size - 1 - index[:, 0]) * size + index[:, 1]) * size + index[:, 2]]
    np.testing.assert_allclose(mesh.colors[:, :3], (place / 0.7 + 0.5) * 255, atol=0.5 + 1e-3)


def test_meshes_of_paper_look_out_and_stand_on_solid_lattice_points() -> None:
    mesh = mesh_of(ball(CENTRE, RADIUS, 1e4), 32, PAPER, **EVALUATION)
    assert enclosed_volume(mesh) > 0
    index = (mesh.verts * [-1, 1, 1] + 0.35) / 0.7 * 32
    assert np.abs(index - np.rint(index)).max() < 1e-3


@pytest.mark.parametrize("protocol", [sheared(CORRECTED), dataclasses.replace(PAPER, lattice="true")])
def test_each_quirk_can_be_had_alone(protocol: Protocol) -> None:
    """A hull of voxels is up to a step short of the ball: 15 mm of 150 mm, so three times half of that in volume."""
    mesh = mesh_of(ball(CENTRE, RADIUS, 1e4), 48, protocol, **EVALUATION)
    assert enclosed_volume(mesh) == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.2)
    assert np.abs(np.linalg.norm(mesh.verts - np.array(CENTRE), axis=1) - RADIUS).max() < 2.5 * 0.7 / 47


def test_a_higher_cull_moves_the_surface_inwards() -> None:
    """Density 0.9 is σ = 1 + ln 9; with 20 a metre that is 110 mm inside."""
    mesh = mesh_of(ball((0, 0, 0), 0.2, 20), 81, cull_clouds=0.9)
    radii = np.linalg.norm(mesh.verts, axis=1)
    np.testing.assert_allclose(radii, 0.2 - np.log(9) / 20, atol=3e-4)


def test_the_same_field_gives_the_same_bytes() -> None:
    first, second = (mesh_of(torus(0.15, 0.05, 1e4), 40, **EVALUATION) for _ in range(2))
    for name in ("verts", "faces", "colors"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


# -- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [PAPER, CORRECTED])
@pytest.mark.parametrize("sigma", [-50.0, -1e4])
def test_an_empty_field_has_no_surface(protocol: Protocol, sigma: float) -> None:
    with pytest.raises(InputError, match="no surface"):
        mesh_of(lambda points: points[:, 0] * 0 + sigma, 8, protocol, **EVALUATION)


@pytest.mark.parametrize("protocol", [PAPER, CORRECTED])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_densities_that_are_not_finite_are_refused_and_counted(protocol: Protocol, bad: float) -> None:
    def sigma(points: Tensor) -> Tensor:
        return torch.where(torch.arange(len(points)) == 5, bad, 3.0)

    with pytest.raises(InputError, match=r"NaN or infinity at 1 of \d+ points"):
        mesh_of(sigma, 8, protocol)


def test_colours_that_are_not_finite_are_refused() -> None:
    engine = ClosedFormEngine(ball(CENTRE, RADIUS, 100), lambda points: points * np.nan)
    with pytest.raises(InputError, match="finite colours"):
        mesh_of_field(engine, any_field(), Export.of({}, 16, CORRECTED))


def test_one_character_at_a_time() -> None:
    with pytest.raises(InputError, match="one character, found 2"):
        mesh_of_field(ClosedFormEngine(ball(CENTRE, RADIUS, 100)), any_field(batch=2), Export.of({}, 8, PAPER))


@pytest.mark.parametrize("crop", ["0.1", float("nan"), [0.1]])
def test_a_crop_must_be_a_number(crop: object) -> None:
    with pytest.raises(InputError, match="triplane_crop to be a finite number"):
        Export.of({"triplane_crop": crop}, 8, PAPER)


def test_a_crop_below_zero_leaves_the_box_whole() -> None:
    """As in pictures: nothing beyond the box is solid."""
    mesh = mesh_of(lambda points: points[:, 0] * 0 + 30, 9, triplane_crop=-0.1)
    np.testing.assert_allclose(np.abs(mesh.verts).max(0), 0.35, atol=1e-4)
    assert is_watertight(mesh)


def test_a_crop_of_everything_is_refused() -> None:
    with pytest.raises(InputError, match="leaves lattice points"):
        mesh_of(ball(CENTRE, RADIUS, 100), 8, triplane_crop=0.4)


def test_running_out_of_memory_names_what_to_lower() -> None:
    def sigma(points: Tensor) -> Tensor:
        raise MemoryError("no room")

    with pytest.raises(SuiteError, match="Lower the resolution or max_batch"):
        mesh_of(sigma, 8)
