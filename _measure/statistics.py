"""Means, their standard errors and bootstrap intervals, with infinity and NaN passed on instead of hidden."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
"""Resamples of a bootstrap interval: half of them drawn, the other half their mirror images."""
BOOTSTRAP_SEED = 68
"""Seed of every interval: the same values give the same interval, in any order and on any machine."""
_DRAWS_AT_ONCE = 1 << 16
_SQUARE_OVERFLOWS = 1e150


@dataclass(frozen=True)
class Interval:
    """A 95 % interval; both ends are NaN where there is none."""

    low: float
    high: float

    @property
    def exists(self) -> bool:
        """Whether there is one."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def contains_zero(self) -> bool:
        """Whether 0 lies in it or on one of its ends; an interval that does not exist contains nothing."""
        return self.low <= 0 <= self.high


NO_INTERVAL = Interval(math.nan, math.nan)


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, exactly rounded; ±inf where all infinities agree, NaN with NaN or with both infinities.

    >>> mean([0.1] * 10)
    0.1
    >>> mean([1.0, math.inf])
    inf
    """
    if not values:
        raise ValueError("mean of no values")
    if _are_plain(values):
        return math.fsum(values) / len(values)
    return sum(values) / len(values)


def standard_error(values: Sequence[float]) -> float:
    """Sample standard deviation over √n; NaN for fewer than two values or where one is not finite.

    >>> standard_error([1.0, 3.0])  # deviation √2, over √2
    1.0
    """
    if len(values) < 2 or not _are_plain(values):
        return math.nan
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1) / len(values))


def mean_interval(values: Sequence[float]) -> Interval:
    """Bootstrap 95 % interval of the mean over items: the percentile interval, expanded for few items.

    The plain percentile interval is narrower than Student's, by √((n−1)/n) and by the normal quantile: on normal
    values it covers 94 % for 68 items, 91 % for 12 and 87 % for 6. So the share of resampled means beyond each end is
    not 2.5 % but Φ(−t·√(n/(n−1))), with t the 97.5 % point of Student's distribution of n − 1 degrees: 2.2 % for 68
    items, 1.1 % for 12. BCa corrects skewness and not that, has no value where values tie (0/0), and would break the
    laws that a paired comparison rests on and that hold exactly here: the interval of −x is that of x mirrored, and
    constant values have width zero. No end lies beyond the smallest or largest value, so below six items the
    interval is still too narrow.

    Half of the `RESAMPLES` are drawn from the *sorted* values with the bits of PCG64(`BOOTSTRAP_SEED`), whose stream
    NumPy keeps through its versions, and the other half takes the mirrored ranks (n − 1 − rank) of the first. So the
    result depends neither on the order of items nor on the sign of the scale.

    Args:
        values: one per item.

    Returns:
        The interval; none for fewer than two values or where one is not finite.

    Source: Hesterberg, What Teachers Should Know About the Bootstrap (2015), §3.3 on the expanded percentile interval.

    >>> mean_interval([0.0, 1.0])  # each end has a quarter of all resamples
    Interval(low=0.0, high=1.0)
    """
    if len(values) < 2 or not _are_plain(values):
        return NO_INTERVAL
    if min(values) == max(values):
        return Interval(values[0], values[0])
    centre, tail = mean(values), _tail(len(values))
    means = _resampled_means(np.sort(np.asarray(values, dtype=np.float64)) - centre)
    ends = np.partition(means, (tail - 1, RESAMPLES - tail))
    return Interval(centre + float(ends[tail - 1]), centre + float(ends[RESAMPLES - tail]))


def _tail(count: int) -> int:
    """Resampled means at or beyond each end, of `RESAMPLES`, for so many values."""
    from scipy.special import ndtr, stdtrit  # only where an interval is taken

    student = float(stdtrit(count - 1, 0.975))
    return max(1, round(RESAMPLES * float(ndtr(-student * math.sqrt(count / (count - 1))))))


def _are_plain(values: Sequence[float]) -> bool:
    """Whether all are finite, and so are sums of their squares."""
    return all(abs(value) < _SQUARE_OVERFLOWS for value in values)


def _resampled_means(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of all resamples of (n,) ascending values: (RESAMPLES,)."""
    count = len(ordered)
    bits = np.random.PCG64(BOOTSTRAP_SEED)
    mirrored = ordered[::-1]
    sums: list[NDArray[np.float64]] = []
    left = RESAMPLES // 2
    while left:
        rows = min(left, max(1, _DRAWS_AT_ONCE // count))
        uniform = bits.random_raw(rows * count).reshape(rows, count) >> np.uint64(32)
        ranks = ((uniform * np.uint64(count)) >> np.uint64(32)).astype(np.intp)  # ⌊u·n⌋ with u of 32 bits
        sums += [ordered[ranks].sum(axis=1), mirrored[ranks].sum(axis=1)]
        left -= rows
    return np.concatenate(sums) / count
