"""Removal of inner surfaces and the path to the head surface. Source: spec/measure.md §6.1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from _exchange.frames import head_model_from_model
from _exchange.mesh import Mesh
from _measure.true_surface import INNER_WINDING, cut_to_box, keep_vertices, winding_numbers, without_inner_surfaces
from tests.parity.fixtures import Recorded, arrays_of, measure_files, whatever_is_there

INNARDS = measure_files("innards*.npz")
CHARACTERS = measure_files("vrm*.npz")


def hold(mesh: Mesh, fixture: Recorded, verts: str, faces: str, tolerance: float) -> None:
    with whatever_is_there() as part:
        with part():
            np.testing.assert_allclose(mesh.verts, fixture[verts], rtol=0, atol=tolerance)
        with part():
            np.testing.assert_array_equal(mesh.faces, fixture[faces])


@pytest.mark.parametrize("path", INNARDS)
def test_winding_numbers(path: Path) -> None:
    """Fast winding numbers are an approximation; versions of libigl differ by up to 0.05 (README)."""
    fixture = arrays_of(path)
    winding = winding_numbers(Mesh(fixture["verts"], fixture["faces"]))
    np.testing.assert_allclose(winding, fixture["winding"], rtol=0, atol=5e-2)


@pytest.mark.parametrize("path", INNARDS)
def test_inner_surfaces_are_removed(path: Path) -> None:
    fixture = arrays_of(path)
    kept = without_inner_surfaces(Mesh(fixture["verts"], fixture["faces"]))
    hold(kept, fixture, "kept_verts", "kept_faces", tolerance=0)


@pytest.mark.parametrize("path", INNARDS)
def test_vertices_below_the_threshold_are_kept(path: Path) -> None:
    fixture = arrays_of(path)
    mesh = Mesh(fixture["verts"], fixture["faces"])
    kept = keep_vertices(mesh, fixture["winding"] < float(fixture["threshold"]))
    hold(kept, fixture, "kept_verts", "kept_faces", tolerance=0)


@pytest.mark.parametrize("path", INNARDS)
def test_threshold(path: Path) -> None:
    assert float(arrays_of(path)["threshold"]) == INNER_WINDING


@pytest.mark.parametrize("path", CHARACTERS)
def test_character_surface_without_inner_parts(path: Path) -> None:
    fixture = arrays_of(path)
    visible = without_inner_surfaces(Mesh(fixture["verts"], fixture["faces"]))
    hold(visible, fixture, "verts_no_innards", "faces_no_innards", tolerance=1e-5)


@pytest.mark.parametrize("path", CHARACTERS)
def test_character_surface_without_inner_parts_then_centred_and_cut(path: Path) -> None:
    fixture = arrays_of(path)
    visible = without_inner_surfaces(Mesh(fixture["verts"], fixture["faces"]))
    centred = head_model_from_model(visible.verts.astype(np.float64), fixture["loc_origin"])
    head = cut_to_box(Mesh(centred, visible.faces), bounds_y=True)
    hold(head, fixture, "head_verts", "head_faces", tolerance=1e-5)
