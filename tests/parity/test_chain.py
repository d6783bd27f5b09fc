"""From points and σ to a coloured mesh, all steps in a row. Source: spec/measure.md §3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.parity.fixtures import measure_files
from training.lattice import color_volume, lattice_points, volume_from_sigma
from training.surface import mesh_from_volume


@pytest.mark.parametrize("path", measure_files("chain*.npz"))
def test_volume_and_mesh(path: Path) -> None:
    fixture = np.load(path)
    points = lattice_points(int(fixture["N"]), "sheared")
    np.testing.assert_allclose(points, fixture["points"], rtol=0, atol=1e-6)
    volume = volume_from_sigma(fixture["sigma"], points, "double_activation")
    np.testing.assert_allclose(volume, fixture["volume"], rtol=0, atol=1e-6)
    mesh = mesh_from_volume(volume, color_volume(fixture["rgb"]), "sheared")
    np.testing.assert_allclose(mesh.verts, fixture["verts"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, fixture["faces"])
    np.testing.assert_array_equal(mesh.colors, fixture["colors"])
