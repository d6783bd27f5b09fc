"""Surfaces for the viewer: thinning keeps shape and colours, rounding is small, large models are made small."""

from __future__ import annotations

import numpy as np
import pytest

from _exchange.errors import InputError
from _exchange.items import Region, TruthFiles
from _exchange.mesh import Mesh
from _exchange.protocol import CORRECTED
from _measure.mesh_file import read_mesh_file
from _measure.report.surfaces import MOST_VERTS, distance_coloured, shown_glb, thinned
from _measure.surface_distance import distance_to_surface


def sphere(rings: int) -> Mesh:
    """A sphere of radius 0.3 m of rings × 2·rings cells, coloured by direction."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings), indexing="ij")
    unit = np.stack([np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], -1).reshape(-1, 3)
    corner = (2 * rings * np.arange(rings - 1)[:, None] + np.arange(2 * rings - 1)).ravel()
    right, below, across = corner + 1, corner + 2 * rings, corner + 2 * rings + 1
    faces = np.concatenate([np.stack([corner, right, across], 1), np.stack([corner, across, below], 1)])
    colours = np.concatenate([np.rint(127.5 * (unit + 1)), np.full((len(unit), 1), 255)], axis=1).astype(np.uint8)
    return Mesh(0.3 * unit, faces, colours)


def test_small_surfaces_stay_as_they_are() -> None:
    mesh = sphere(20)
    assert thinned(mesh) is mesh


def test_a_thinned_surface_keeps_its_shape_with_vertices_and_colours_of_its_own() -> None:
    mesh = sphere(100)
    small = thinned(mesh, 2000)
    assert 1000 < len(small.verts) <= 2000
    own = {(*vert, *colour) for vert, colour in zip(mesh.verts.tolist(), mesh.colors.tolist())}
    assert all((*vert, *colour) in own for vert, colour in zip(small.verts.tolist(), small.colors.tolist()))
    a, b, c = small.faces.T
    assert not ((a == b) | (b == c) | (c == a)).any()
    # Cells of about 2 cm: a chord of that length leaves a sphere of 30 cm by less than half a millimetre.
    assert distance_to_surface(mesh.verts, small).max() < 0.01


def test_shown_positions_are_rounded_by_less_than_a_tenth_of_a_millimetre(tmp_path) -> None:
    mesh = sphere(30)
    path = tmp_path / "shown.glb"
    path.write_bytes(shown_glb(mesh))
    shown = read_mesh_file(path)
    assert np.abs(shown.verts - mesh.verts).max() <= 0.5 / 8192 + 1e-7
    np.testing.assert_array_equal(shown.faces, mesh.faces)
    np.testing.assert_array_equal(shown.colors, mesh.colors)


def test_a_large_surface_stays_within_its_limit(tmp_path) -> None:
    path = tmp_path / "shown.glb"
    path.write_bytes(shown_glb(sphere(200)))
    assert len(read_mesh_file(path).verts) <= MOST_VERTS


def test_a_surface_outside_the_region_has_no_distances(tmp_path) -> None:
    truth = TruthFiles("a/b/c/d/e", {}, tmp_path / "none.vrm", Region(0, 0, 4, 4), "corrected", 15)
    with pytest.raises(InputError, match="predicted triangles inside the region"):
        distance_coloured(sphere(20), truth, CORRECTED)
