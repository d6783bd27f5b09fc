"""From drawn pixels to saved pictures: blended floats to bytes, the 2:1 reduction, the white background.

Source: spec/renderer.md §6; composite: spec/measure.md §4.1.
"""

# ruff: noqa: PLR0917 - compiled loops
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from _exchange.errors import InputError
from _exchange.pictures import composite_on_white
from _render.compiling import LEAF, kernel

_UNIT = 2**22
"""Pillow's resampling weights are whole numbers over this."""
_BORDER = tuple(int(0.5 + weight / 0.875 * _UNIT) for weight in (0.375, 0.375, 0.125))
"""The three taps that remain of 1/8, 3/8, 3/8, 1/8 at a border, renormalised; the outermost first."""


def reduced(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A (2H, 2W, 4) uint8 picture at half its size, byte for byte Pillow's BILINEAR `resize`.

    Colours are premultiplied, each axis is weighed by 1/8, 3/8, 3/8, 1/8 (columns first), and colours are divided by
    alpha again; every stage is rounded to bytes. Only where a picture is more than twice as tall as wide does Pillow
    weigh rows first.

    Raises:
        InputError: it is not such a picture.
    """
    return _reduced(_even(picture), False)


def reduced_on_white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`on_white(reduced(picture))` in one go."""
    return _reduced(_even(picture), True)


def on_white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A (H, W, 4) uint8 picture composited on white; still four channels, alpha 255 everywhere."""
    result = np.full_like(picture, 255)
    result[..., :3] = composite_on_white(picture)
    return result


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width, channels = picture.shape if picture.ndim == 3 else (0, 0, 0)
    if picture.dtype != np.uint8 or channels != 4 or height % 2 or width % 2:
        raise InputError(
            f"Expected a picture to reduce of shape (2H, 2W, 4), uint8, found {picture.dtype} of shape {picture.shape}."
        )
    return np.ascontiguousarray(picture)


@kernel
def resolve(accumulator, picture):  # type: ignore[no-untyped-def]
    """Premultiplied floats to straight-alpha bytes, rounded to nearest; untouched pixels stay as they are."""
    for row in range(accumulator.shape[0]):
        for col in range(accumulator.shape[1]):
            alpha = np.float64(accumulator[row, col, 3])
            if alpha > 0.0:
                for channel in range(3):
                    picture[row, col, channel] = _byte(accumulator[row, col, channel] * 255.0 / alpha)
                picture[row, col, 3] = _byte(alpha * 255.0)


@kernel
def _byte(value):  # type: ignore[no-untyped-def]
    return np.uint8(min(max(value, 0.0), 255.0) + 0.5)


@njit(**LEAF)
def _weighed(a, b, c, d, index, count):  # type: ignore[no-untyped-def]
    """Four neighbours weighed and rounded; the outer one is missing at either border, both of a single pair are."""
    if count == 1:
        return (b + c + 1) >> 1
    if index == 0:
        return (b * _BORDER[0] + c * _BORDER[1] + d * _BORDER[2] + _UNIT // 2) // _UNIT
    if index == count - 1:
        return (a * _BORDER[2] + b * _BORDER[1] + c * _BORDER[0] + _UNIT // 2) // _UNIT
    return (a + 3 * (b + c) + d + 4) >> 3


@njit(**LEAF)
def _premultiply(picture, row, line):  # type: ignore[no-untyped-def]
    """Fill `line` with one row, rounded to bytes; the first and last column that are not transparent."""
    first, last = picture.shape[1], -1
    for col in range(picture.shape[1]):
        alpha = np.int64(picture[row, col, 3])
        if alpha:
            first, last = min(first, col), col
        for channel in range(3):
            product = picture[row, col, channel] * alpha + 128
            line[col + 1, channel] = ((product >> 8) + product) >> 8
        line[col + 1, 3] = alpha
    return first, last


@kernel
def _reduced(picture, white):  # type: ignore[no-untyped-def]
    height, width = picture.shape[0], picture.shape[1]
    rows, cols = height // 2, width // 2
    narrow = np.zeros((height, cols, 4), np.uint8)
    filled = np.zeros((height, 2), np.int64)  # columns of `narrow` that hold anything: first, one past the last
    line = np.zeros((width + 2, 4), np.int64)  # one premultiplied row, with an empty pixel on either side
    for row in range(height):
        first, last = _premultiply(picture, row, line)
        if last < 0:
            continue
        filled[row, 0], filled[row, 1] = max(0, (first - 2) // 2), min(cols, (last + 1) // 2 + 1)
        for col in range(filled[row, 0], filled[row, 1]):
            at = 2 * col
            for channel in range(4):
                narrow[row, col, channel] = _weighed(
                    line[at, channel], line[at + 1, channel], line[at + 2, channel], line[at + 3, channel], col, cols
                )
    result = np.full((rows, cols, 4), np.uint8(255 if white else 0))
    for row in range(rows):
        top, bottom = max(0, 2 * row - 1), min(height, 2 * row + 3)
        first, last = cols, 0
        for near in range(top, bottom):
            if filled[near, 1]:
                first, last = min(first, filled[near, 0]), max(last, filled[near, 1])
        above, below = max(0, 2 * row - 1), min(height - 1, 2 * row + 2)
        for col in range(first, last):
            _finish_pixel(narrow, above, 2 * row, below, row, col, white, result)
    return result


@njit(**LEAF)
def _finish_pixel(narrow, above, middle, below, row, col, white, result):  # type: ignore[no-untyped-def]
    """The vertical weighing of one pixel, division by alpha, and the white background."""
    rows = result.shape[0]
    alpha = _column(narrow, above, middle, below, row, rows, col, 3)
    for channel in range(3):
        value = _column(narrow, above, middle, below, row, rows, col, channel)
        if 0 < alpha < 255:
            value = min(255, 255 * value // alpha)
        if white:
            value = (value * alpha + 255 * (255 - alpha) + 127) // 255
        result[row, col, channel] = value
    if not white:
        result[row, col, 3] = alpha


@njit(**LEAF)
def _column(narrow, above, middle, below, row, rows, col, channel):  # type: ignore[no-untyped-def]
    return _weighed(
        np.int64(narrow[above, col, channel]),
        np.int64(narrow[middle, col, channel]),
        np.int64(narrow[middle + 1, col, channel]),
        np.int64(narrow[below, col, channel]),
        row,
        rows,
    )
