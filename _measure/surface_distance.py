"""Unsigned distance from points to the nearest point of a triangle surface: the obvious way and the fast one.

Source: spec/measure.md §6.4. `distance_to_surface_plain` is the truth that tests hold `distance_to_surface` against.
"""

from __future__ import annotations

import igl
import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _exchange.mesh import Mesh


def distance_to_surface(points: NDArray, mesh: Mesh) -> NDArray[np.float64]:
    """(N,) distances of (N, 3) points, metres, by libigl's tree of boxes; points and mesh in one frame.

    Raises:
        InputError: the surface has no triangle or the points are not (N, 3).
    """
    queries = _checked(points, mesh)
    verts = np.ascontiguousarray(mesh.verts, np.float64)
    faces = np.ascontiguousarray(mesh.faces, np.int64)
    _, _, nearest = igl.point_mesh_squared_distance(queries, verts, faces)
    return np.linalg.norm(queries - nearest, axis=1)


def distance_to_surface_plain(points: NDArray, mesh: Mesh) -> NDArray[np.float64]:
    """The same by trying every triangle for every point: plane if the foot lies inside, otherwise the edges."""
    queries = _checked(points, mesh)
    corners = mesh.verts.astype(np.float64)[mesh.faces]
    best = np.full(len(queries), np.inf)
    for a, b, c in corners:
        nearest_edge = np.minimum.reduce([_to_segment(queries, p, q) for p, q in ((a, b), (b, c), (c, a))])
        normal = np.cross(b - a, c - a)
        area = np.linalg.norm(normal)
        if area > 0:
            normal /= area
            inside = np.logical_and.reduce(
                [(queries - p) @ np.cross(normal, q - p) >= 0 for p, q in ((a, b), (b, c), (c, a))]
            )
            nearest_edge = np.where(inside, np.abs((queries - a) @ normal), nearest_edge)
        best = np.minimum(best, nearest_edge)
    return best


def _to_segment(points: NDArray[np.float64], start: NDArray, end: NDArray) -> NDArray[np.float64]:
    direction = end - start
    length_squared = float(direction @ direction)
    along = (
        np.clip((points - start) @ direction / length_squared, 0, 1) if length_squared > 0 else np.zeros(len(points))
    )
    return np.linalg.norm(points - (start + along[:, None] * direction), axis=1)


def _checked(points: NDArray, mesh: Mesh) -> NDArray[np.float64]:
    if not len(mesh.faces):
        raise InputError("Expected a surface with triangles inside the region of interest, found none.")
    if points.ndim != 2 or points.shape[1] != 3:
        raise InputError(f"Expected points (N, 3), found {points.shape}.")
    return np.ascontiguousarray(points, np.float64)
