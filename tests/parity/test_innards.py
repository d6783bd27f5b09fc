"""Removal of inner surfaces and the path to the head surface. Source: spec/measure.md §6.1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from _exchange.frames import head_model_from_model
from _exchange.mesh import Mesh
from _measure.true_surface import INNER_WINDING, cut_to_box, keep_vertices, winding_numbers, without_inner_surfaces
from tests.parity.fixtures import measure_files


@pytest.mark.parametrize("path", measure_files("innards*.npz"))
def test_inner_surfaces_are_removed(path: Path) -> None:
    fixture = np.load(path)
    mesh = Mesh(fixture["verts"], fixture["faces"])
    winding = winding_numbers(mesh)
    # Fast winding numbers are an approximation; versions of libigl differ by up to 0.05 (README).
    np.testing.assert_allclose(winding, fixture["winding"], rtol=0, atol=5e-2)
    kept = keep_vertices(mesh, winding < float(fixture["threshold"]))
    np.testing.assert_array_equal(kept.verts, fixture["kept_verts"])
    np.testing.assert_array_equal(kept.faces, fixture["kept_faces"])
    assert float(fixture["threshold"]) == INNER_WINDING


@pytest.mark.parametrize("path", measure_files("vrm*.npz"))
def test_character_surface_without_inner_parts_then_centred_and_cut(path: Path) -> None:
    fixture = np.load(path)
    visible = without_inner_surfaces(Mesh(fixture["verts"], fixture["faces"]))
    np.testing.assert_allclose(visible.verts, fixture["verts_no_innards"], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(visible.faces, fixture["faces_no_innards"])
    centred = head_model_from_model(visible.verts.astype(np.float64), fixture["loc_origin"])
    head = cut_to_box(Mesh(centred, visible.faces), bounds_y=True)
    np.testing.assert_allclose(head.verts, fixture["head_verts"], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(head.faces, fixture["head_faces"])
