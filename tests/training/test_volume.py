"""The volume chain in both protocols, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from _exchange.errors import InputError
from _exchange.frames import head_world_from_original_mesh
from training.clearing import EMPTY
from training.lattice import (
    color_volume,
    crop_mask,
    cull_mask,
    density_from_sigma,
    lattice_points,
    volume_from_sigma,
)
from training.surface import mesh_from_volume


def test_true_lattice_is_a_grid_in_the_documented_order() -> None:
    axis = np.linspace(-0.35, 0.35, 5)
    expected = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    np.testing.assert_allclose(lattice_points(5, "true"), expected, atol=1e-7)


def test_sheared_lattice_by_hand() -> None:
    """N = 4, step 0.7/3, point n = 27 = (1·4 + 2)·4 + 3: z = 3, y = 27/4 mod 4 = 2.75, x = 27/16 = 1.6875 steps."""
    step = 0.7 / 3
    expected = np.array([1.6875, 2.75, 3]) * step - 0.35
    np.testing.assert_allclose(lattice_points(4, "sheared")[27], expected, atol=1e-6)
    overshoot = lattice_points(4, "sheared").max(0) - 0.35
    assert 0 < overshoot[0] < step
    assert 0 < overshoot[1] < step
    assert overshoot[2] == pytest.approx(0, abs=1e-6)


def test_a_lattice_needs_two_points() -> None:
    with pytest.raises(InputError, match="at least 2"):
        lattice_points(1, "true")


def test_density_by_hand() -> None:
    """σ = 1: softplus(0) = ln 2, so the density is ½."""
    np.testing.assert_allclose(density_from_sigma(np.array([1.0, -1000, 1000])), [0.5, 0, 1], atol=1e-7)


def test_crop_leaves_y_alone() -> None:
    points = np.array([[0.26, 0, 0], [0, 0.34, 0], [0, 0, -0.26], [0.24, -0.34, 0.24]])
    np.testing.assert_array_equal(crop_mask(points), [True, False, True, False])


def test_cull_of_sigma_and_the_accident_on_densities() -> None:
    """σ ≈ 1 is the threshold on σ; after a second activation only σ beyond about 16.72 survives."""
    sigma = np.array([0.9, 1.1, 16.0, 17.5])
    np.testing.assert_array_equal(cull_mask(sigma), [True, False, False, False])
    np.testing.assert_array_equal(cull_mask(density_from_sigma(sigma)), [True, True, True, False])


def ball_sigma(points: np.ndarray, centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """σ = 1 on the sphere, growing inwards."""
    return 1 + 20 * (radius - np.linalg.norm(points - centre, axis=1))


def test_corrected_mesh_of_a_ball_lies_on_the_ball() -> None:
    """A 41-point grid has 17.5 mm steps; linear interpolation of a curved density leaves below 0.6 mm."""
    centre, radius = (0.03, -0.05, 0.02), 0.15
    points = lattice_points(41, "true")
    volume = volume_from_sigma(ball_sigma(points, centre, radius), points, "density_half")
    mesh = mesh_from_volume(volume, color_volume(points.T), "true")
    verts_head_world = head_world_from_original_mesh(mesh.verts)
    distances = np.linalg.norm(verts_head_world - np.array(centre, np.float32), axis=1)
    np.testing.assert_allclose(distances, radius, atol=6e-4)
    # Colours were the points themselves: each vertex carries a grid point of its own cell.
    steps = np.abs(mesh.colors - verts_head_world) / (0.7 / 40)
    assert steps.max() < 1 + 1e-3


def test_paper_mesh_is_a_voxel_hull() -> None:
    """Between 1 and −1000 the level ½ lies 0.0005 of a step outside solid points, on lattice indices."""
    points = lattice_points(16, "sheared")
    sigma = np.where(np.linalg.norm(points, axis=1) < 0.15, 30.0, 0.0)
    volume = volume_from_sigma(sigma, points, "double_activation")
    assert set(np.unique(volume)) == {np.float32(EMPTY), np.float32(1)}
    mesh = mesh_from_volume(volume, color_volume(points.T), "sheared")
    index = (mesh.verts + 0.35) / 0.7 * 16
    assert np.abs(index - np.rint(index)).max() < 1e-3


def test_axis_x_of_volumes_is_reversed() -> None:
    values = np.arange(8.0)
    np.testing.assert_array_equal(color_volume(values[None])[0, 0].ravel(), [4, 5, 6, 7])


def test_a_volume_without_surface_is_refused() -> None:
    flat = np.zeros((4, 4, 4), np.float32)
    with pytest.raises(InputError, match="no surface"):
        mesh_from_volume(flat, np.zeros((3, 4, 4, 4)), "true")
    with pytest.raises(InputError, match="a cube of points, found 7"):
        color_volume(np.zeros((1, 7)))
