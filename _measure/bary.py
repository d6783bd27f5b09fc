"""Barycentric coordinates and nearest texture look-ups on surfaces. Source: spec/measure.md §6.7.

The benchmark itself asks for no colour; these serve colour queries on surface samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def values_at(faces: NDArray, values: NDArray, face_index: NDArray, bary: NDArray) -> NDArray[np.float64]:
    """Interpolate per-vertex values: (F, 3) faces, (V, C) values, (N,) triangles, (N, 3) weights → (N, C)."""
    return corner_values_at(values[faces], face_index, bary)


def corner_values_at(corner_values: NDArray, face_index: NDArray, bary: NDArray) -> NDArray[np.float64]:
    """Interpolate values given per triangle corner: (F, 3, C) → (N, C)."""
    return np.einsum("nk,nkc->nc", bary, corner_values[face_index])


def barycentric(points: NDArray, corners: NDArray) -> NDArray[np.float64]:
    """(N, 3) weights of points (N, 3) in the planes of triangles (N, 3 corners, 3).

    A degenerate triangle's zero denominator is replaced by 1.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    u, v, w = b - a, c - a, points - a
    uu, uv, vv = _dots(u, u), _dots(u, v), _dots(v, v)
    wu, wv = _dots(w, u), _dots(w, v)
    denominator = uu * vv - uv * uv
    denominator = np.where(denominator == 0, 1.0, denominator)
    weight_b = (vv * wu - uv * wv) / denominator
    weight_c = (uu * wv - uv * wu) / denominator
    return np.stack([1 - weight_b - weight_c, weight_b, weight_c], axis=1)


def nearest_texel_at_points(
    *,
    faces: NDArray,
    uv: NDArray,
    textures: NDArray,
    texture_of_vertex: NDArray,
    factors: NDArray,
    face_index: NDArray,
    bary: NDArray,
) -> NDArray[np.float64]:
    """(N, 4) colours in [0, 1] at surface points.

    Args:
        faces: (F, 3) indices.
        uv: (V, 2) texture coordinates, repeated, v downwards.
        textures: (T, 4, n, n) byte values, u before v.
        texture_of_vertex: (V,) texture index; that of a triangle's first vertex counts.
        factors: (T, 4) base colour factors.
        face_index, bary: (N,), (N, 3): the points.
    """
    texture = texture_of_vertex[faces[face_index, 0]]
    at = values_at(faces, uv, face_index, bary)
    at = at - np.floor(at)
    texel = np.floor(at * (textures.shape[-1] - 1) + 0.5).astype(np.int64)
    return textures[texture, :, texel[:, 0], texel[:, 1]] / 255 * factors[texture]


def nearest_texel_at_vertices(uv: NDArray, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(V, C) texels in [0, 1] of an (H, W, C) uint8 image at (V, 2) texture coordinates, without any factor."""
    height, width = image.shape[:2]
    at = uv - np.floor(uv)
    rows = np.rint(at[:, 1] * (height - 1)).astype(np.int64)
    cols = np.rint(at[:, 0] * (width - 1)).astype(np.int64)
    return image[rows, cols].astype(np.float64) / 255


def _dots(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    return np.einsum("nk,nk->n", a, b)
