"""Vertex values at the pixels of a covered view: positions, normals, texture coordinates."""

from __future__ import annotations

from numba import njit

from _render.compiling import LEAF, kernel


@njit(**LEAF)
def _weights(row, col, i, j, k, screen, inverse_w):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """Perspective-correct weights of three vertices at a pixel centre; they sum to one for either orientation."""
    x, y = col * 256 + 128, row * 256 + 128
    xi, yi, xj, yj, xk, yk = (
        screen[i, 0] - x,
        screen[i, 1] - y,
        screen[j, 0] - x,
        screen[j, 1] - y,
        screen[k, 0] - x,
        screen[k, 1] - y,
    )
    p = (xj * yk - xk * yj) * inverse_w[i]
    q = (xk * yi - xi * yk) * inverse_w[j]
    r = (xi * yj - xj * yi) * inverse_w[k]
    scale = 1.0 / (p + q + r)
    return p * scale, q * scale, r * scale


@kernel
def interpolate(shown, geometry, values, result):  # type: ignore[no-untyped-def]
    """(V, C) float32 vertex values at every shown pixel into (S, S, C) float32; the others are left as they are."""
    faces, screen, inverse_w = geometry[0], geometry[2], geometry[3]
    for row in range(shown.shape[0]):
        for col in range(shown.shape[1]):
            triangle = shown[row, col]
            if triangle >= 0:
                i, j, k = faces[triangle, 0], faces[triangle, 1], faces[triangle, 2]
                p, q, r = _weights(row, col, i, j, k, screen, inverse_w)
                for channel in range(values.shape[1]):
                    result[row, col, channel] = p * values[i, channel] + q * values[j, channel] + r * values[k, channel]


@kernel
def encode_positions(shown, geometry, side, picture):  # type: ignore[no-untyped-def]
    """Colour of every shown pixel = its position in a cube of this side (`position_map.encode`), alpha 255."""
    faces, screen, inverse_w, positions = geometry[0], geometry[2], geometry[3], geometry[5]
    for row in range(shown.shape[0]):
        for col in range(shown.shape[1]):
            triangle = shown[row, col]
            if triangle >= 0:
                i, j, k = faces[triangle, 0], faces[triangle, 1], faces[triangle, 2]
                p, q, r = _weights(row, col, i, j, k, screen, inverse_w)
                for axis in range(3):
                    point = p * positions[i, axis] + q * positions[j, axis] + r * positions[k, axis]
                    picture[row, col, axis] = min(max((point / side + 0.5) * 255.0, 0.0), 255.0) + 0.5
                picture[row, col, 3] = 255
