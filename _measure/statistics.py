"""Means and their standard errors, with infinity and NaN passed on instead of hidden."""

from __future__ import annotations

import math
from collections.abc import Sequence


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, exactly rounded; ±inf where all infinities agree, NaN with NaN or with both infinities.

    >>> mean([0.1] * 10)
    0.1
    >>> mean([1.0, math.inf])
    inf
    """
    if not values:
        raise ValueError("mean of no values")
    if all(map(math.isfinite, values)):
        return math.fsum(values) / len(values)
    return sum(values)


def standard_error(values: Sequence[float]) -> float:
    """Sample standard deviation over √n; NaN for fewer than two values or where one is not finite.

    >>> standard_error([1.0, 3.0])  # deviation √2, over √2
    1.0
    """
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return math.nan
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1) / len(values))
