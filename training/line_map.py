"""The line map of a drawing: pixels darker than their surroundings, by a difference of Gaussians, and their dilation.

Pictures are [row, col, channel] in [0, 1]; maps are [row, col]. Source: spec/linefill.md §1.3, §2, §5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from _exchange.errors import InputError

THRESHOLD = 0.5
"""Pixels whose difference of Gaussians is greater are lines."""
GREY_WEIGHTS = (0.299, 0.587, 0.114)
_SMALLEST_WINDOW = 3


@dataclass(frozen=True)
class LineParameters:
    """What counts as a line.

    Attributes:
        strength: t, factor of the difference.
        sigma: standard deviation of the narrow Gaussian, pixels.
        ratio: k; the wide Gaussian has ratio · sigma.
        offset: ε, how much darker than its surroundings a line is.
        window_factor: f; a Gaussian is cut off at the whole part of f standard deviations, and never below one pixel.

    Raises:
        InputError: a value is not finite, or a size is not positive.
    """

    strength: float = 2.0
    sigma: float = 1.0
    ratio: float = 1.6
    offset: float = 0.01
    window_factor: float = 4.0

    def __post_init__(self) -> None:
        values = (self.strength, self.sigma, self.ratio, self.offset, self.window_factor)
        if not all(math.isfinite(value) for value in values) or min(self.sigma, self.ratio, self.window_factor) <= 0:
            raise InputError(f"Expected finite line parameters with positive sizes, found {self}.")


LINE_FILLING = LineParameters(strength=1.0, sigma=0.5)
"""The parameters of line filling."""


def gaussian_taps(sigma: float, window_factor: float) -> NDArray[np.float64]:
    """(window,) taps exp(−x² / 2σ²) at whole x, of sum 1; window = max(2 · int(σ · f) + 1, 3)."""
    window = max(2 * int(sigma * window_factor) + 1, _SMALLEST_WINDOW)
    offsets = np.arange(window) - window // 2
    taps = np.exp(-(offsets**2) / (2 * sigma**2))
    return taps / taps.sum()


def signed_difference(picture: NDArray[np.floating], parameters: LineParameters = LINE_FILLING) -> NDArray[np.float32]:
    """(H, W) float32 ½ + t · (wide − narrow) − ε of the grey picture, not limited; edge pixels are repeated outside.

    Args:
        picture: (H, W, 3) RGB in [0, 1].
        parameters: of the two Gaussians.

    Raises:
        InputError: another shape, or no pixels.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise InputError(f"Expected an RGB picture of shape (H, W, 3), found shape {picture.shape}.")
    grey = picture.astype(np.float64) @ np.array(GREY_WEIGHTS)
    narrow = _blurred(grey, parameters.sigma, parameters.window_factor)
    wide = _blurred(grey, parameters.sigma * parameters.ratio, parameters.window_factor)
    return (0.5 + parameters.strength * (wide - narrow) - parameters.offset).astype(np.float32)


def difference_of_gaussians(
    picture: NDArray[np.floating], parameters: LineParameters = LINE_FILLING
) -> NDArray[np.float32]:
    """`signed_difference` limited to [0, 1]."""
    return signed_difference(picture, parameters).clip(0, 1)


def line_map(picture: NDArray[np.floating], parameters: LineParameters = LINE_FILLING) -> NDArray[np.bool_]:
    """(H, W) pixels of an (H, W, 3) picture in [0, 1] that are locally darker by more than ε / t."""
    return difference_of_gaussians(picture, parameters) > THRESHOLD


def dilated(mask: NDArray[np.bool_], window: int) -> NDArray[np.bool_]:
    """A (…, H, W) mask grown by a window × window square; what lies outside the picture is not set.

    Args:
        mask: what grows, in its last two axes.
        window: 1 changes nothing; odd windows are centred; even ones grow one pixel further down and right, as in the
            released models (newer morphology libraries: up and left). With 2, pixel (i, j) is set where one of (i, j),
            (i − 1, j), (i, j − 1), (i − 1, j − 1) was.

    Raises:
        InputError: the window is no positive whole number.
    """
    if not isinstance(window, (int, np.integer)) or window < 1:
        raise InputError(f"Expected a dilation window of 1 pixel or more, found {window}.")
    grown = np.array(mask, np.uint8)
    for axis in (-2, -1):
        grown = ndimage.maximum_filter1d(grown, window, axis=axis, mode="constant", cval=0)
    return grown.astype(bool)


def _blurred(grey: NDArray[np.float64], sigma: float, window_factor: float) -> NDArray[np.float64]:
    taps = gaussian_taps(sigma, window_factor)
    for axis in (0, 1):
        grey = ndimage.correlate1d(grey, taps, axis=axis, mode="nearest")
    return grey
