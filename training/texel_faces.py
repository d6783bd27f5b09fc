"""Which face of a layout colours each texel of its picture: a compiled loop over faces and the texels around them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from _render.compiling import LEAF, kernel

REACH_TEXELS = 1.5
"""Bilinear look-ups inside a face reach centres that lie up to √2 texels beside it."""
_LEAST_AREA = 1e-12


@dataclass(frozen=True, eq=False)
class TexelFaces:
    """For every texel the nearest face; of equally near ones the first.

    Attributes:
        face: (H, W) int32; −1 where none comes within `REACH_TEXELS` of the texel's centre.
        weights: (H, W, 3) float64 barycentric weights of the face's point that is nearest to the centre.
        distance: (H, W) float64 from the centre to that point, texels; 0 inside the face.
    """

    face: NDArray[np.int32]
    weights: NDArray[np.float64]
    distance: NDArray[np.float64]


def texel_faces(uv: NDArray[np.float32], faces: NDArray[np.int64], width: int, height: int) -> TexelFaces:
    """Lay (F, 3) faces with (V, 2) texture coordinates in [0, 1] over a picture; v grows downwards."""
    places = uv.astype(np.float64) * (width, height) - 0.5
    found = TexelFaces(
        np.full((height, width), -1, np.int32), np.zeros((height, width, 3)), np.full((height, width), np.inf)
    )
    _cover(places, faces, found.face, found.weights, found.distance)
    return found


@kernel
def _cover(places, faces, face, weights, distance):  # type: ignore[no-untyped-def]
    """Places are (V, 2) columns and rows of vertices; texels have their centres at whole numbers."""
    height, width = face.shape
    for number in range(len(faces)):
        i, j, k = faces[number, 0], faces[number, 1], faces[number, 2]
        ax, ay, bx, by, cx, cy = places[i, 0], places[i, 1], places[j, 0], places[j, 1], places[k, 0], places[k, 1]
        left = max(0, math.ceil(min(ax, bx, cx) - REACH_TEXELS))
        right = min(width - 1, math.floor(max(ax, bx, cx) + REACH_TEXELS))
        top = max(0, math.ceil(min(ay, by, cy) - REACH_TEXELS))
        bottom = min(height - 1, math.floor(max(ay, by, cy) + REACH_TEXELS))
        for row in range(top, bottom + 1):
            for col in range(left, right + 1):
                p, q, r, away = _nearest(ax - col, ay - row, bx - col, by - row, cx - col, cy - row)
                if away <= REACH_TEXELS and away < distance[row, col]:
                    distance[row, col], face[row, col] = away, number
                    weights[row, col, 0], weights[row, col, 1], weights[row, col, 2] = p, q, r


@njit(**LEAF)
def _nearest(ax, ay, bx, by, cx, cy):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """Weights of the triangle's point nearest to the origin, and its distance."""
    p, q, r = bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx
    area = p + q + r
    if abs(area) > _LEAST_AREA and p / area >= 0.0 and q / area >= 0.0 and r / area >= 0.0:
        return p / area, q / area, r / area, 0.0
    share_c, to_bc = _nearest_on_edge(bx, by, cx, cy)
    share_a, to_ca = _nearest_on_edge(cx, cy, ax, ay)
    share_b, to_ab = _nearest_on_edge(ax, ay, bx, by)
    if to_bc <= to_ca and to_bc <= to_ab:
        return 0.0, 1.0 - share_c, share_c, to_bc
    if to_ca <= to_ab:
        return share_a, 0.0, 1.0 - share_a, to_ca
    return 1.0 - share_b, share_b, 0.0, to_ab


@njit(**LEAF)
def _nearest_on_edge(ax, ay, bx, by):  # type: ignore[no-untyped-def]
    """Share of b in the point of a segment nearest to the origin, and its distance."""
    x, y = bx - ax, by - ay
    length = x * x + y * y
    share = 0.0 if length == 0.0 else min(max(-(ax * x + ay * y) / length, 0.0), 1.0)
    return share, math.hypot(ax + share * x, ay + share * y)
