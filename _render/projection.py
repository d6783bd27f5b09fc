"""Vertices from `head_model` to pixels: compiled loops in a fixed order, so that every run gives the same bits."""

# ruff: noqa: PLR0917 - calls inside compiled loops cannot take records
from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from _render.clipping import GUARD_PIXELS
from _render.compiling import kernel

GUARD = 2.0 * GUARD_PIXELS
LARGEST_SCREEN = 512.0 * GUARD_PIXELS
"""Farthest screen coordinate, 1/256 pixel, so that areas fit into 64 bits: clipped corners reach half as far, and only
rounding of huge coordinates leaves others."""


@kernel
def project(positions, clip_from_head, size, screen, inverse_w, window_z):  # type: ignore[no-untyped-def]
    """Fill (V, 2) int64 screen x, y (1/256 pixel, y down), (V,) 1/w and (V,) z in 0..1; whether all are drawable.

    Not drawable: nearer than the near plane, or farther to the side than the guard band.
    """
    drawable = True
    scale = size * 128.0
    for v in range(len(positions)):
        p0, p1, p2 = np.float64(positions[v, 0]), np.float64(positions[v, 1]), np.float64(positions[v, 2])
        x = clip_from_head[0, 0] * p0 + clip_from_head[0, 1] * p1 + clip_from_head[0, 2] * p2 + clip_from_head[0, 3]
        y = clip_from_head[1, 0] * p0 + clip_from_head[1, 1] * p1 + clip_from_head[1, 2] * p2 + clip_from_head[1, 3]
        z = clip_from_head[2, 0] * p0 + clip_from_head[2, 1] * p1 + clip_from_head[2, 2] * p2 + clip_from_head[2, 3]
        w = clip_from_head[3, 0] * p0 + clip_from_head[3, 1] * p1 + clip_from_head[3, 2] * p2 + clip_from_head[3, 3]
        if not (z + w >= 0.0 and abs(x) * size <= GUARD * w and abs(y) * size <= GUARD * w):
            drawable = False
        _divide(v, x, y, z, w, scale, screen, inverse_w, window_z)
    return drawable


@kernel
def project_clip(clip, size, screen, inverse_w, window_z):  # type: ignore[no-untyped-def]
    """The second half of `project`, for (V, 4) clip coordinates."""
    for v in range(len(clip)):
        _divide(v, clip[v, 0], clip[v, 1], clip[v, 2], clip[v, 3], size * 128.0, screen, inverse_w, window_z)


@kernel
def _divide(v, x, y, z, w, scale, screen, inverse_w, window_z):  # type: ignore[no-untyped-def]
    if w > 0.0:
        inverse = 1.0 / w
        left, top = x * inverse, y * inverse
        if abs(left) * scale < LARGEST_SCREEN and abs(top) * scale < LARGEST_SCREEN:
            screen[v, 0] = math.floor((left + 1.0) * scale + 0.5)
            screen[v, 1] = math.floor((1.0 - top) * scale + 0.5)
        inverse_w[v] = inverse
        window_z[v] = (z * inverse + 1.0) * 0.5


def clip_coordinates(positions: NDArray[np.float32], clip_from_head: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V, 4) clip coordinates of (V, 3) points, summed in the order of `project`."""
    x, y, z = (positions[:, axis : axis + 1].astype(np.float64) for axis in range(3))
    return x * clip_from_head[:, 0] + y * clip_from_head[:, 1] + z * clip_from_head[:, 2] + clip_from_head[:, 3]
