"""Lattice, density, crop, cull and marching cubes, stage by stage. Source: spec/measure.md §3."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.parity.fixtures import measure_files
from training.lattice import crop_mask, cull_mask, density_from_sigma, lattice_points
from training.surface import mesh_from_volume

MARCHING_CUBES = measure_files("marching_cubes*.npz")
SIGMA_THAT_SATURATES = 16.72


@pytest.mark.parametrize("path", MARCHING_CUBES)
def test_sheared_lattice(path: Path) -> None:
    fixture = np.load(path)
    keys = [key for key in fixture.files if re.fullmatch(r"grid\d+_points", key)]
    assert keys
    for key in keys:
        size = int(re.findall(r"\d+", key)[0])
        points = lattice_points(size, "sheared")
        np.testing.assert_allclose(points, fixture[key].reshape(-1, 3), rtol=0, atol=1e-6)
        assert 0.7 / (size - 1) == pytest.approx(float(fixture[f"grid{size}_voxel_size"]))


@pytest.mark.parametrize("path", MARCHING_CUBES)
def test_density_crop_and_cull(path: Path) -> None:
    fixture = np.load(path)
    sigma = fixture["sigma"]
    density = density_from_sigma(sigma)
    np.testing.assert_allclose(density, fixture["density"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(crop_mask(fixture["crop_points"]), fixture["crop_mask"][..., 0])
    decided = np.abs(sigma - SIGMA_THAT_SATURATES) > 0.02
    from_density = cull_mask(fixture["density"])
    np.testing.assert_array_equal(from_density[decided], fixture["cull_mask_from_density"][decided])
    np.testing.assert_array_equal(cull_mask(sigma)[decided], fixture["cull_mask_from_sigma"][decided])


@pytest.mark.parametrize("path", MARCHING_CUBES)
@pytest.mark.parametrize(("volume", "suffix"), [("volume", "1"), ("volume_culled", "2")])
def test_mesh(path: Path, volume: str, suffix: str) -> None:
    fixture = np.load(path)
    mesh = mesh_from_volume(fixture[volume], fixture["rgb"], "sheared")
    assert len(mesh.faces) == len(fixture[f"f{suffix}"])
    expected = fixture[f"v{suffix}"]
    ours_order, expected_order = np.lexsort(mesh.verts.T), np.lexsort(expected.T)
    np.testing.assert_allclose(mesh.verts[ours_order], expected[expected_order], rtol=0, atol=1e-5)
    if f"c{suffix}" in fixture.files:
        np.testing.assert_array_equal(mesh.colors[ours_order], fixture[f"c{suffix}"][expected_order])
