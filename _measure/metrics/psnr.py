"""Peak signal-to-noise ratio of one pair of pictures. Source: spec/measure.md §5.3."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _measure.metrics.description import Metric

PSNR = Metric("psnr", "psnr", "dB", "higher", -math.inf, math.inf, table_scale=1.0)
Peak = Literal["target", "one"]


def psnr(predicted: NDArray, target: NDArray, peak: Peak = "one") -> float:
    """10·log10(R²/MSE), the mean square over all pixels and channels, in dB.

    Args:
        predicted, target: pictures of one shape and any layout, float, nominally in [0, 1].
        peak: R = 1 (``one``), or max(target, 0) − min(target, 0) (``target``, the rule of the published evaluation).

    Returns:
        +inf for identical pictures; with peak ``target`` and a target of zeros −inf, or NaN if both are zeros.

    Raises:
        InputError: the shapes differ or the pictures are empty.

    >>> zeros, halves = np.zeros((2, 2, 3)), np.full((2, 2, 3), 0.5)
    >>> round(psnr(halves, zeros), 4)  # MSE = 1/4: 10·log10(1/0.25)
    6.0206
    >>> psnr(zeros, halves, peak="target")  # R = 0.5, R²/MSE = 1
    0.0
    """
    if predicted.shape != target.shape or not predicted.size:
        raise InputError(f"Expected two pictures of one shape, found {predicted.shape} and {target.shape}.")
    target64 = target.astype(np.float64)
    mean_square = float(np.mean((predicted.astype(np.float64) - target64) ** 2))
    spread = 1.0 if peak == "one" else max(float(target64.max()), 0.0) - min(float(target64.min()), 0.0)
    if mean_square == 0:
        return math.inf if spread > 0 else math.nan
    return 10 * math.log10(spread**2 / mean_square) if spread > 0 else -math.inf
