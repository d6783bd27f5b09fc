"""Lattice, density, crop, cull and marching cubes, stage by stage. Source: spec/measure.md §3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.parity.fixtures import arrays_of, measure_files, whatever_is_there
from training.lattice import crop_mask, cull_mask, density_from_sigma, lattice_points
from training.surface import mesh_from_volume

MARCHING_CUBES = measure_files("marching_cubes*.npz")
SIGMA_THAT_SATURATES = 16.72


VOLUMES = pytest.mark.parametrize(("volume", "suffix"), [("volume", "1"), ("volume_culled", "2")])


@pytest.mark.parametrize("path", MARCHING_CUBES)
def test_sheared_lattice(path: Path) -> None:
    fixture = arrays_of(path)
    with whatever_is_there() as part:
        for size in fixture.numbers(r"grid\d+_(points|voxel_size)"):
            with part():
                expected = fixture[f"grid{size}_points"].reshape(-1, 3)
                np.testing.assert_allclose(lattice_points(size, "sheared"), expected, rtol=0, atol=1e-6)
            with part():
                assert 0.7 / (size - 1) == pytest.approx(float(fixture[f"grid{size}_voxel_size"]))


@pytest.mark.parametrize("path", MARCHING_CUBES)
def test_density(path: Path) -> None:
    fixture = arrays_of(path)
    np.testing.assert_allclose(density_from_sigma(fixture["sigma"]), fixture["density"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", MARCHING_CUBES)
def test_crop(path: Path) -> None:
    fixture = arrays_of(path)
    np.testing.assert_array_equal(crop_mask(fixture["crop_points"]), fixture["crop_mask"][..., 0])


@pytest.mark.parametrize("path", MARCHING_CUBES)
@pytest.mark.parametrize("name", ["density", "sigma"])
def test_cull(path: Path, name: str) -> None:
    fixture = arrays_of(path)
    decided = np.abs(fixture["sigma"] - SIGMA_THAT_SATURATES) > 0.02
    ours, expected = cull_mask(fixture[name]), fixture[f"cull_mask_from_{name}"]
    np.testing.assert_array_equal(ours[decided], expected[decided])


@pytest.mark.parametrize("path", MARCHING_CUBES)
@VOLUMES
def test_geometry(path: Path, volume: str, suffix: str) -> None:
    fixture = arrays_of(path)
    values = fixture[volume]
    mesh = mesh_from_volume(values, np.zeros((3, *values.shape), np.float32), "sheared")
    with whatever_is_there() as part:
        with part():
            assert len(mesh.faces) == len(fixture[f"f{suffix}"])
        with part():
            expected = fixture[f"v{suffix}"]
            ours_order, expected_order = np.lexsort(mesh.verts.T), np.lexsort(expected.T)
            np.testing.assert_allclose(mesh.verts[ours_order], expected[expected_order], rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", MARCHING_CUBES)
def test_colours(path: Path) -> None:
    """The README gives colours of the first volume only."""
    fixture = arrays_of(path)
    mesh = mesh_from_volume(fixture["volume"], fixture["rgb"], "sheared")
    ours_order, expected_order = np.lexsort(mesh.verts.T), np.lexsort(fixture["v1"].T)
    np.testing.assert_array_equal(mesh.colors[ours_order], fixture["c1"][expected_order])
