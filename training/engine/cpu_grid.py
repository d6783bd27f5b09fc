"""Raw densities where coordinates cross: planes are resampled along the axes, in place of three look-ups a point.

A plane of x and y sees every pair (x, y) of a grid once for all z, so its bilinear part is worked out once, slice by
slice, and a point only mixes two slices of each plane. The plain twin is `Engine.sigma_on_grid`.
Source: spec/generator.md §5.1, §8.
"""

# ruff: noqa: PLR0917 - calls inside compiled loops cannot take records

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from _render.compiling import LEAF, kernel
from training.engine.cpu_lanes import LANES, add, fma, load, multiply, spread, store
from training.engine.cpu_points import (
    SECOND_STEP,
    Floats,
    PackedField,
    Scratch,
    decode_samples,
    locate_points,
    scratch_for,
)

_ZERO, _THIRD = np.float32(0), np.float32(1 / 3)
_PLACES, _SHARES = 6, 4
BLOCK = 4
"""Points along a side of a block."""


class Axes(NamedTuple):
    """Coordinates x (X,), y (Y,), z (Z,) of a grid, `head_world`, metres."""

    x: Floats
    y: Floats
    z: Floats


class GridScratch(NamedTuple):
    """Room for a grid.

    Attributes:
        points: room for sixteen points.
        places: (3, longest axis, 6) of every coordinate: two column, two row and two slice offsets.
        shares: (3, longest axis, 4) of two texels and of two slices.
        of_xy: flat (Y, depth, C), plane 0 along the current x.
        of_xz: flat (Z, depth, C), plane 1 along the current x.
        of_last: flat (Y, Z, depth, C), plane 2 of y and z; or (Z, depth, C), plane 2 of z and x along the current x.
    """

    points: Scratch
    places: NDArray[np.int32]
    shares: Floats
    of_xy: Floats
    of_xz: Floats
    of_last: Floats


def grid_scratch_for(field: PackedField, axes: Axes) -> GridScratch:
    """Room for this field on this grid."""
    longest, texel = max(axis.size for axis in axes), field.depth * field.channels
    rows = axes.y.size if field.use_triplane else 1
    return GridScratch(
        scratch_for(field),
        np.zeros((3, longest, _PLACES), np.int32),
        np.zeros((3, longest, _SHARES), np.float32),
        np.zeros(axes.y.size * texel, np.float32),
        np.zeros(axes.z.size * texel, np.float32),
        np.zeros(rows * axes.z.size * texel, np.float32),
    )


@njit(**LEAF)
def _locate_axes(field: Any, axes: Any, scratch: Any) -> None:
    """Fill `places` and `shares`."""
    points = scratch.points
    for start in range(0, scratch.places.shape[1], LANES):
        for lane in range(LANES):
            index = start + lane
            points.points[lane] = axes.x[index] if index < axes.x.size else _ZERO
            points.points[LANES + lane] = axes.y[index] if index < axes.y.size else _ZERO
            points.points[2 * LANES + lane] = axes.z[index] if index < axes.z.size else _ZERO
        locate_points(field, points)
        for axis in range(3):
            for lane in range(min(LANES, scratch.places.shape[1] - start)):
                for upper in range(2):
                    texel, slice_ = (2 * axis + upper) * LANES + lane, (6 + 2 * axis + upper) * LANES + lane
                    scratch.places[axis, start + lane, upper] = points.places[texel]
                    scratch.places[axis, start + lane, 2 + upper] = points.places[texel + SECOND_STEP]
                    scratch.places[axis, start + lane, 4 + upper] = points.places[slice_]
                    scratch.shares[axis, start + lane, upper] = points.shares[texel]
                    scratch.shares[axis, start + lane, 2 + upper] = points.shares[slice_]


@njit(**LEAF)
def _resample(field: Any, plane: int, column: Any, row: Any, scratch: Any, found: Any, at: int) -> None:
    """Write all slices of a plane at a (column, row), each an (axis, index), to `found` from `at` on."""
    places, shares, texels = scratch.places, scratch.shares, field.texels
    texel = field.depth * field.channels
    start = plane * field.side * field.side * texel
    left, right = places[column[0], column[1], 0], places[column[0], column[1], 1]
    top, bottom = start + places[row[0], row[1], 2], start + places[row[0], row[1], 3]
    left_share, right_share = spread(shares[column[0], column[1], 0]), spread(shares[column[0], column[1], 1])
    top_share, bottom_share = spread(shares[row[0], row[1], 0]), spread(shares[row[0], row[1], 1])
    for lane in range(0, texel, LANES):
        upper = multiply(left_share, load(texels, top + left + lane))
        upper = fma(right_share, load(texels, top + right + lane), upper)
        lower = multiply(left_share, load(texels, bottom + left + lane))
        lower = fma(right_share, load(texels, bottom + right + lane), lower)
        store(found, at + lane, fma(bottom_share, lower, multiply(top_share, upper)))


@njit(**LEAF)
def _add_slices(found: Any, at: int, axis: int, index: int, scratch: Any, sums: Any) -> Any:
    """Add sixteen channels between the two slices that a coordinate lies between."""
    near, far = scratch.places[axis, index, 4], scratch.places[axis, index, 5]
    sums = fma(spread(scratch.shares[axis, index, 2]), load(found, at + near), sums)
    return fma(spread(scratch.shares[axis, index, 3]), load(found, at + far), sums)


@njit(**LEAF)
def _resample_at_x(field: Any, axes: Any, scratch: Any, i: int) -> None:
    """What planes hold along the x of index i."""
    texel = field.depth * field.channels
    for j in range(axes.y.size):
        _resample(field, 0, (0, i), (1, j), scratch, scratch.of_xy, j * texel)
    for k in range(axes.z.size):
        _resample(field, 1, (0, i), (2, k), scratch, scratch.of_xz, k * texel)
        if not field.use_triplane:
            _resample(field, 2, (2, k), (0, i), scratch, scratch.of_last, k * texel)


@kernel
def grid_kernel(field: Any, axes: Any, scratch: Any, wanted: Any, sigma: Any) -> None:
    """Raw densities (X, Y, Z), written in the `wanted` blocks only: uint8 by block, or (0, 0, 0) for everywhere."""
    _locate_axes(field, axes, scratch)
    texel, across = field.depth * field.channels, axes.z.size
    if field.use_triplane:
        for j in range(axes.y.size):
            for k in range(across):
                _resample(field, 2, (1, j), (2, k), scratch, scratch.of_last, (j * across + k) * texel)
    samples, hidden = scratch.points.samples, scratch.points.hidden
    for i in range(axes.x.size):
        _resample_at_x(field, axes, scratch, i)
        for j in range(axes.y.size):
            for k in range(across):
                if wanted.size > 0 and wanted[i // BLOCK, j // BLOCK, k // BLOCK] == 0:
                    continue
                for start in range(0, field.channels, LANES):
                    sums = _add_slices(scratch.of_xy, j * texel + start, 2, k, scratch, spread(_ZERO))
                    sums = add(sums, _add_slices(scratch.of_xz, k * texel + start, 1, j, scratch, spread(_ZERO)))
                    if field.use_triplane:
                        at = (j * across + k) * texel + start
                        last = _add_slices(scratch.of_last, at, 0, i, scratch, spread(_ZERO))
                    else:
                        last = _add_slices(scratch.of_last, k * texel + start, 1, j, scratch, spread(_ZERO))
                    store(samples, start, multiply(add(sums, last), spread(_THIRD)))
                sigma[i, j, k] = decode_samples(field, samples, 0, hidden, 0)
