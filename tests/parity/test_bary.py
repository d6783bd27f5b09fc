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
from tests.parity.fixtures import arrays_of, measure_files

BARY = measure_files("bary*.npz")


def triangles(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces."""
    mesh = arrays_of(path.with_name(path.name.replace("bary", "mesh", 1)))
    return mesh["verts_a"], mesh["faces_a"]


@pytest.mark.parametrize("path", BARY)
def test_barycentric_to_cartesian(path: Path) -> None:
    fixture, (verts, faces) = arrays_of(path), triangles(path)
    ours = values_at(faces, verts, fixture["face_idx"], fixture["bary"])
    np.testing.assert_allclose(ours, fixture["cart"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", BARY)
def test_values_of_corners(path: Path) -> None:
    fixture = arrays_of(path)
    ours = corner_values_at(fixture["facevals"], fixture["face_idx"], fixture["bary"])
    np.testing.assert_allclose(ours, fixture["cart_facevals"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", BARY)
def test_cartesian_to_barycentric(path: Path) -> None:
    fixture, (verts, faces) = arrays_of(path), triangles(path)
    corners = verts[faces[fixture["face_idx"]]]
    np.testing.assert_allclose(barycentric(fixture["query"], corners), fixture["query_bary"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", BARY)
def test_degenerate_triangles(path: Path) -> None:
    fixture = arrays_of(path)
    corners, query = fixture["degenerate_verts"][fixture["degenerate_faces"]], fixture["query"]
    points = query[: len(corners)] if len(query) >= len(corners) else corners[:, 0]
    ours = barycentric(points, corners)
    np.testing.assert_allclose(ours, fixture["degenerate_bary"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", BARY)
def test_texels_at_points(path: Path) -> None:
    fixture, (_, faces) = arrays_of(path), triangles(path)
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


@pytest.mark.parametrize("path", BARY)
def test_texels_at_vertices(path: Path) -> None:
    fixture = arrays_of(path)
    at_vertices = nearest_texel_at_vertices(fixture["uv"], fixture["tex_image"])
    np.testing.assert_array_equal(at_vertices, fixture["sampled_nearest_per_vertex"])
