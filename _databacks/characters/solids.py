"""Solids: closed triangle surfaces with texture coordinates and bones, and the two ways to make them.

Points are `head_model` metres, float64; faces are counter-clockwise seen from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _databacks.characters.curves import Floats

POSITION_STEP = 1e-5
"""Positions are rounded to this many metres, so that mathematics libraries of different machines agree."""


@dataclass(frozen=True, eq=False)
class Solid:
    """One closed surface.

    Attributes:
        positions: (V, 3) metres, rounded to `POSITION_STEP`.
        uv: (V, 2) texture coordinates, v downwards.
        faces: (F, 3) indices.
        material: name of the material.
        weights: bone name → (V,) skin weight; they sum to 1, at most four bones.
    """

    positions: Floats
    uv: Floats
    faces: NDArray[np.int64]
    material: str
    weights: Mapping[str, Floats]


def rigid(positions: Floats, uv: Floats, faces: NDArray[np.int64], material: str, bone: str = "head") -> Solid:
    """A solid that hangs on one bone."""
    return weighted(positions, uv, faces, material, {bone: np.ones(len(positions))})


def weighted(
    positions: Floats, uv: Floats, faces: NDArray[np.int64], material: str, weights: Mapping[str, Floats]
) -> Solid:
    """A solid with given weights: rounds positions, drops collapsed triangles, turns faces outwards."""
    rounded = np.rint(positions / POSITION_STEP) * POSITION_STEP
    corners = np.rint(positions / POSITION_STEP).astype(np.int64)[faces]
    collapsed = np.zeros(len(faces), bool)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        collapsed |= (corners[:, first] == corners[:, second]).all(axis=1)
    kept = faces[~collapsed]
    if signed_volume(rounded, kept) < 0:
        kept = kept[:, ::-1]
    return Solid(rounded, np.rint(uv * 1e5) / 1e5, kept, material, weights)


def signed_volume(positions: Floats, faces: NDArray[np.int64]) -> float:
    """Enclosed volume, positive where faces look outwards, cubic metres."""
    first, second, third = (positions[faces[:, corner]] for corner in range(3))
    return float((np.cross(first, second) * third).sum() / 6)


def grid_faces(rows: int, columns: int, start: int = 0) -> NDArray[np.int64]:
    """(2·(rows−1)·(columns−1), 3) triangles of a grid whose vertices are stored row by row from `start`."""
    index = np.arange(rows * columns).reshape(rows, columns) + start
    corners = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    a, b, c, d = (corner.ravel() for corner in corners)
    return np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])


def grid_solid(points: Floats, uv: Floats, material: str, bone: str = "head") -> Solid:
    """A closed surface from a grid of points.

    Args:
        points: (R, C, 3); first and last column coincide, first and last row are one point each (poles).
        uv: (R, C, 2).
    """
    rows, columns = points.shape[:2]
    return rigid(points.reshape(-1, 3), uv.reshape(-1, 2), grid_faces(rows, columns), material, bone)


def with_poles(rings: Floats) -> Floats:
    """(R + 2, C, 3): a stack of rings (R, C, 3) closed by the centre of its first and of its last ring."""
    first, last = (np.broadcast_to(ring[:-1].mean(axis=0), ring.shape) for ring in (rings[0], rings[-1]))
    return np.concatenate([first[None], rings, last[None]])


def ellipsoid(centre: Floats, radii: Floats, material: str, uv_at: tuple[float, float], bone: str = "head") -> Solid:
    """An ellipsoid of one colour: all its texture coordinates are `uv_at`."""
    polar, around = np.linspace(0, np.pi, 9)[:, None], np.linspace(0, 2 * np.pi, 13)[None, :]
    unit = [np.sin(polar) * np.cos(around), np.cos(polar) * np.ones_like(around), np.sin(polar) * np.sin(around)]
    points = np.stack(unit, axis=-1) * radii + centre
    points[:, -1] = points[:, 0]
    points[0], points[-1] = points[0, 0], points[-1, 0]
    uv = np.broadcast_to(np.array(uv_at), (*points.shape[:2], 2))
    return grid_solid(points, uv, material, bone)


def normals(positions: Floats, faces: NDArray[np.int64]) -> Floats:
    """(V, 3) unit normals, averaged over vertices at one place, so that seams of the texture do not show."""
    corner = positions[faces]
    flat = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    _, place = np.unique(np.rint(positions / POSITION_STEP).astype(np.int64), axis=0, return_inverse=True)
    place = place.reshape(-1)
    total = np.zeros((place.max() + 1, 3))
    for column in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(place[faces[:, column]], flat[:, axis], len(total))
    length = np.sqrt((total**2).sum(axis=1, keepdims=True))
    unit = np.where(length > 1e-12, total / np.maximum(length, 1e-12), [0.0, 1.0, 0.0])
    return np.rint(unit * 1e4)[place] / 1e4
