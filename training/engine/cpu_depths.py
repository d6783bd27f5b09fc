"""Fine depths of one ray and the order of its samples, in float32 as torch rounds them.

The plain twin is `training.depths.importance_depths`. Source: spec/generator.md §5.5, §5.6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from _render.compiling import LEAF

_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_FLOOR, _LEAST = np.float32(0.01), np.float32(1e-5)


@njit(**LEAF)
def _sort_u(u: Any, counts: Any, found: Any) -> None:
    """Numbers in [0, 1) ascending: by counting those of every equal part, then by insertion."""
    size = u.size
    for part in range(counts.size):
        counts[part] = 0
    for index in range(size):
        counts[_part(u[index], size) + 1] += 1
    for index in range(size):
        counts[index + 1] += counts[index]
    for index in range(size):
        part = _part(u[index], size)
        found[counts[part]] = u[index]
        counts[part] += 1
    for index in range(1, size):
        value, place = found[index], index
        while place > 0 and found[place - 1] > value:
            found[place] = found[place - 1]
            place -= 1
        found[place] = value


@njit(**LEAF)
def _part(value: Any, size: int) -> Any:
    at = value * np.float32(size)
    return min(int(at), size - 1) if at > _ZERO and at < np.float32(size) else 0


@njit(**LEAF)
def _neighbours_most(weights: Any, index: int, count: int) -> Any:
    """Larger of the weights of the two intervals at coarse sample `index`; beyond the ray there is none."""
    if index == 0:
        return weights[0]
    if index == count - 1:
        return weights[count - 2]
    before, after = weights[index - 1], weights[index]
    return after if after > before else before


@njit(**LEAF)
def _store_cdf(weights: Any, count: int, cdf: Any) -> None:
    """The cumulated weights (S − 2,) of smoothed intervals, from 0 to 1. Sums are kept in float64, as torch does."""
    whole = 0.0
    for index in range(1, count - 2):
        smoothed = (_neighbours_most(weights, index, count) + _neighbours_most(weights, index + 1, count)) * _HALF
        cdf[index] = smoothed + _FLOOR + _LEAST
        whole += cdf[index]
    divisor, so_far = np.float32(whole), 0.0
    cdf[0] = _ZERO
    for index in range(1, count - 2):
        so_far += cdf[index] / divisor
        cdf[index] = so_far


@njit(**LEAF)
def draw_fine(scratch: Any, u: Any, count: int) -> None:
    """Write fine depths behind the `count` coarse ones, nearly ascending, from the weights of the coarse march."""
    depths, cdf = scratch.depths, scratch.cdf
    _store_cdf(scratch.weights, count, cdf)
    _sort_u(u, scratch.counts, scratch.sorted_u)
    last, above = count - 3, 0
    for index in range(u.size):
        value = scratch.sorted_u[index]
        while above <= last and cdf[above] <= value:
            above += 1
        lower, upper = max(above - 1, 0), min(above, last)
        rise = cdf[upper] - cdf[lower]
        if rise < _LEAST:
            rise = _ONE
        low = (depths[lower] + depths[lower + 1]) * _HALF
        high = (depths[upper] + depths[upper + 1]) * _HALF
        depths[count + index] = low + (value - cdf[lower]) / rise * (high - low)


@njit(**LEAF)
def _sort_samples(depths: Any, start: int, stop: int, order: Any) -> None:
    """Write the samples `start` to `stop` by depth to the same places of `order`; quick where they nearly are."""
    for index in range(start, stop):
        value, place = depths[index], index
        while place > start and depths[order[place - 1]] > value:
            order[place] = order[place - 1]
            place -= 1
        order[place] = index


@njit(**LEAF)
def merge_order(depths: Any, coarse: int, order: Any, parts: Any) -> None:
    """Write all samples by depth to `order`, coarse ones first among equals; `parts` is room of the same size."""
    count = order.size
    _sort_samples(depths, 0, coarse, parts)
    _sort_samples(depths, coarse, count, parts)
    left, right = 0, coarse
    for place in range(count):
        takes_fine = left == coarse or (right < count and depths[parts[right]] < depths[parts[left]])
        if takes_fine:
            order[place] = parts[right]
            right += 1
        else:
            order[place] = parts[left]
            left += 1
