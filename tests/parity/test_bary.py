"""Barycentric coordinates and nearest texture look-ups. Source: spec/measure.md §6.7.

The fixture's triangles are surface a of the mesh fixture with the same suffix.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from _measure.bary import (
    barycentric,
    corner_values_at,
    nearest_texel_at_points,
    nearest_texel_at_vertices,
    values_at,
)
from tests.parity.fixtures import measure_files

BARY = measure_files("bary*.npz")


def load(path: Path) -> tuple[np.lib.npyio.NpzFile, np.ndarray, np.ndarray]:
    companion = path.with_name(path.name.replace("bary", "mesh", 1))
    if not companion.exists():
        pytest.skip(f"{path.name} needs {companion.name}, which is absent")
    mesh = np.load(companion)
    return np.load(path), mesh["verts_a"], mesh["faces_a"]


@pytest.mark.parametrize("path", BARY)
def test_barycentric_to_cartesian_and_values(path: Path) -> None:
    fixture, verts, faces = load(path)
    at = fixture["face_idx"], fixture["bary"]
    np.testing.assert_allclose(values_at(faces, verts, *at), fixture["cart"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(corner_values_at(fixture["facevals"], *at), fixture["cart_facevals"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", BARY)
def test_cartesian_to_barycentric(path: Path) -> None:
    fixture, verts, faces = load(path)
    corners = verts[faces[fixture["face_idx"]]]
    np.testing.assert_allclose(barycentric(fixture["query"], corners), fixture["query_bary"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", BARY)
def test_degenerate_triangles(path: Path) -> None:
    fixture = np.load(path)
    corners = fixture["degenerate_verts"][fixture["degenerate_faces"]]
    points = fixture["query"][: len(corners)] if len(fixture["query"]) >= len(corners) else corners[:, 0]
    ours = barycentric(points, corners)
    np.testing.assert_allclose(ours, fixture["degenerate_bary"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", BARY)
def test_texture_lookups(path: Path) -> None:
    fixture, _, faces = load(path)
    rgba = nearest_texel_at_points(
        faces=faces,
        uv=fixture["uv"],
        textures=fixture["tex_CUV"],
        texture_of_vertex=fixture["tex_index_per_vertex"],
        factors=fixture["base_colors"],
        face_index=fixture["face_idx"],
        bary=fixture["bary"],
    )
    np.testing.assert_allclose(rgba, fixture["sampled_rgba"], rtol=0, atol=1e-9)
    at_vertices = nearest_texel_at_vertices(fixture["uv"], fixture["tex_image"])
    np.testing.assert_array_equal(at_vertices, fixture["sampled_nearest_per_vertex"])
