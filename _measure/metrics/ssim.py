"""Structural similarity of one pair of pictures, per channel, window 3. Source: spec/nova3d.md §4.2.

Recent scikit-image, called as the originals call it, filters over the channel axis as well; that number is another
metric and is not computed here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _measure.metrics.description import Metric

SSIM = Metric("ssim", "ssim", "", "higher", -1.0, 1.0)
WINDOW = 3
_C1, _C2 = 0.01**2, 0.03**2


def ssim(predicted: NDArray, target: NDArray) -> float:
    """Mean over pixels (border of 1 left out) and channels, data range 1.

    Uniform 3×3 windows, sample covariance (×9/8), K₁ = 0.01, K₂ = 0.03.

    Args:
        predicted, target: (H, W, C) float pictures in [0, 1], H and W at least 3.

    Raises:
        InputError: the shapes differ or are smaller than the window.

    >>> bars = np.tile(np.array([0.0, 1.0, 0.0])[None, :, None], (3, 1, 1))
    >>> round(ssim(bars, bars), 12)
    1.0
    >>> flat = np.full((3, 3, 1), 0.5)  # both variances are 0: (2·0.5·1 + C1)/(0.25 + 1 + C1)
    >>> round(ssim(flat, np.ones((3, 3, 1))), 6)
    0.800016
    """
    if predicted.shape != target.shape or predicted.ndim != 3 or min(predicted.shape[:2]) < WINDOW:
        raise InputError(
            f"Expected two pictures (H, W, C) of one shape, at least {WINDOW} pixels wide and high, "
            f"found {predicted.shape} and {target.shape}."
        )
    # One channel at a time: its few arrays stay in the cache.
    channels = zip(np.moveaxis(predicted, 2, 0), np.moveaxis(target, 2, 0))
    return float(np.mean([_channel_ssim(x.astype(np.float64), y.astype(np.float64)) for x, y in channels]))


def _channel_ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Mean similarity of one (H, W) channel."""
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    squares = mean_x * mean_x + mean_y * mean_y
    product = mean_x * mean_y
    covariance = unbiased * (_window_mean(x * y) - product)
    variances = unbiased * (_window_mean(x * x + y * y) - squares)
    similarity = (2 * product + _C1) * (2 * covariance + _C2) / ((squares + _C1) * (variances + _C2))
    return float(similarity.mean())


def _window_mean(channel: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W) → (H − 2, W − 2) means of full 3×3 windows."""
    rows = channel[:-2] + channel[1:-1] + channel[2:]
    return (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / WINDOW**2
