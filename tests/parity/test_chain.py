"""From points and σ to a coloured mesh, all steps in a row. Source: spec/measure.md §3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from _exchange.mesh import Mesh
from tests.parity.fixtures import Recorded, arrays_of, measure_files, whatever_is_there
from training.lattice import color_volume, lattice_points, volume_from_sigma
from training.surface import mesh_from_volume

CHAINS = measure_files("chain*.npz")


def hold(mesh: Mesh, fixture: Recorded, names: tuple[str, ...]) -> None:
    with whatever_is_there() as part:
        for name in names:
            with part():
                tolerance = 1e-6 if name == "verts" else 0
                np.testing.assert_allclose(getattr(mesh, name), fixture[name], rtol=0, atol=tolerance)


@pytest.mark.parametrize("path", CHAINS)
def test_points(path: Path) -> None:
    fixture = arrays_of(path)
    points = lattice_points(int(fixture["N"]), "sheared")
    np.testing.assert_allclose(points, fixture["points"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", CHAINS)
def test_volume(path: Path) -> None:
    fixture = arrays_of(path)
    volume = volume_from_sigma(fixture["sigma"], fixture["points"], "double_activation")
    np.testing.assert_allclose(volume, fixture["volume"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", CHAINS)
def test_geometry_of_the_volume(path: Path) -> None:
    fixture = arrays_of(path)
    volume = fixture["volume"]
    black = np.zeros((3, *volume.shape), np.float32)
    hold(mesh_from_volume(volume, black, "sheared"), fixture, ("verts", "faces"))


@pytest.mark.parametrize("path", CHAINS)
def test_all_steps_in_a_row(path: Path) -> None:
    fixture = arrays_of(path)
    volume = volume_from_sigma(fixture["sigma"], lattice_points(int(fixture["N"]), "sheared"), "double_activation")
    hold(mesh_from_volume(volume, color_volume(fixture["rgb"]), "sheared"), fixture, ("verts", "faces", "colors"))
