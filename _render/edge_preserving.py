"""Edge-preserving smoothing: a recursive filter that does not reach across steps of its guide.

Source: the recursive filter of the domain transform (Gastal, Oliveira: Domain Transform for Edge-Aware Image and Video
Processing, 2011, equations 11 to 14, 21).
"""

# ruff: noqa: PLR0917 - calls inside compiled loops cannot take records
from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from _render.compiling import kernel

ROUNDS = 2


def smooth_within_edges(
    values: NDArray[np.float32], across: NDArray[np.float32], down: NDArray[np.float32], reach: float
) -> NDArray[np.float32]:
    """(H, W, C) values averaged over about `reach` pixels, less where the guide is steep.

    Args:
        values: (H, W, C).
        across: (H, W) ≥ 1, distance between each pixel and its left neighbour; infinite where nothing may pass.
        down: (H, W) likewise, to the neighbour above.
        reach: standard deviation where all distances are 1, pixels; 0 returns the values.
    """
    result = np.array(values, np.float32, order="C")
    if reach <= 0:
        return result
    for turn in range(ROUNDS):
        sigma = reach * math.sqrt(3) * 2.0 ** (ROUNDS - 1 - turn) / math.sqrt(4.0**ROUNDS - 1)
        rate = np.float32(-math.sqrt(2) / sigma)
        _pass(result, np.exp(rate * across), np.exp(rate * down))
    return result


@kernel
def _pass(values, keep_across, keep_down):  # type: ignore[no-untyped-def]
    """One filter pass to the right, left, down and up, in place; `keep` is the share taken over from the neighbour."""
    height, width = values.shape[0], values.shape[1]
    for row in range(height):
        for col in range(1, width):
            _take_over(values, row, col, row, col - 1, keep_across[row, col])
        for col in range(width - 2, -1, -1):
            _take_over(values, row, col, row, col + 1, keep_across[row, col + 1])
    for row in range(1, height):
        for col in range(width):
            _take_over(values, row, col, row - 1, col, keep_down[row, col])
    for row in range(height - 2, -1, -1):
        for col in range(width):
            _take_over(values, row, col, row + 1, col, keep_down[row + 1, col])


@kernel
def _take_over(values, row, col, from_row, from_col, share):  # type: ignore[no-untyped-def]
    for channel in range(values.shape[2]):
        values[row, col, channel] += share * (values[from_row, from_col, channel] - values[row, col, channel])
