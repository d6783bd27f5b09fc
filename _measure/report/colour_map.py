"""The colour map of error pictures and distances: white for no error, then yellow, red and violet to almost black.

Lightness falls in equal steps of OKLab, so equal differences of error look equally different, also in greyscale and
to colour-blind eyes. Source: B. Ottosson, "A perceptual color space for image processing" (2020).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from _exchange.glb import srgb_from_linear

FULL_SCALE = 0.5
"""Mean absolute difference over the channels, pictures in [0, 1], at which the map ends."""
FULL_DISTANCE_M = 0.02
"""Distance between two surfaces, metres, at which the map ends."""
_STEPS = 256
_LIGHTNESS = (1.0, 0.2)
_HUE_DEGREES = (100.0, -75.0)
_CHROMA_AT = (0.0, 0.12, 0.45, 0.75, 1.0)
_CHROMA = (0.0, 0.11, 0.185, 0.135, 0.06)
_CONE_FROM_LAB = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_LINEAR_FROM_CONE = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@cache
def colour_table() -> NDArray[np.uint8]:
    """(256, 3) uint8 sRGB, from no error to `FULL_SCALE`."""
    share = np.linspace(0.0, 1.0, _STEPS)
    lightness = np.interp(share, (0, 1), _LIGHTNESS)
    hue = np.radians(np.interp(share, (0, 1), _HUE_DEGREES))
    chroma = np.interp(share, _CHROMA_AT, _CHROMA)
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
    linear = (lab @ _CONE_FROM_LAB.T) ** 3 @ _LINEAR_FROM_CONE.T
    table = np.rint(srgb_from_linear(np.clip(linear, 0, 1)) * 255).astype(np.uint8)
    table.setflags(write=False)
    return table


def mean_difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(H, W) mean over the channels of |first − second| / 255 of two (H, W, 3) pictures.

    >>> mean_difference(np.array([[[0, 0, 0]]], np.uint8), np.array([[[51, 102, 0]]], np.uint8))  # (0.2 + 0.4 + 0)/3
    array([[0.2]])
    """
    return np.abs(first.astype(np.int16) - second.astype(np.int16)).mean(axis=2) / 255


def error_picture(difference: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(H, W) differences in [0, 1] to (H, W, 3) colours; from `FULL_SCALE` on the last colour."""
    return _colours(difference / FULL_SCALE)


def distance_colours(distance_m: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(V,) distances in metres to (V, 4) opaque colours; from `FULL_DISTANCE_M` on the last colour."""
    opaque = np.full((len(distance_m), 1), 255, np.uint8)
    return np.concatenate([_colours(distance_m / FULL_DISTANCE_M), opaque], axis=1)


def _colours(share: NDArray[np.float64]) -> NDArray[np.uint8]:
    return colour_table()[np.rint(np.clip(share, 0, 1) * (_STEPS - 1)).astype(np.intp)]


def legend_picture(width: int = _STEPS, height: int = 1) -> NDArray[np.uint8]:
    """(height, width, 3) strip from no error on the left to `FULL_SCALE` on the right."""
    strip = error_picture(np.linspace(0.0, FULL_SCALE, width)[None, :])
    return np.repeat(strip, height, axis=0)
