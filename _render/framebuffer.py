"""From drawn pixels to saved pictures: blended floats to bytes, the 2:1 reduction, the white background.

Source: spec/renderer.md §6.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from PIL import Image

from _exchange.pictures import composite_on_white


def reduced(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A (2H, 2W, 4) uint8 picture at half its size: Pillow's BILINEAR, on premultiplied bytes."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))


def on_white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A (H, W, 4) uint8 picture composited on white; still four channels, alpha 255 everywhere."""
    result = np.full_like(picture, 255)
    result[..., :3] = composite_on_white(picture)
    return result


@njit(cache=True, error_model="numpy")
def resolve(accumulator, picture):  # type: ignore[no-untyped-def]
    """Premultiplied floats to straight-alpha bytes, rounded to nearest; untouched pixels stay as they are."""
    for row in range(accumulator.shape[0]):
        for col in range(accumulator.shape[1]):
            alpha = np.float64(accumulator[row, col, 3])
            if alpha > 0.0:
                for channel in range(3):
                    picture[row, col, channel] = _byte(accumulator[row, col, channel] * 255.0 / alpha)
                picture[row, col, 3] = _byte(alpha * 255.0)


@njit(cache=True, error_model="numpy")
def _byte(value):  # type: ignore[no-untyped-def]
    return np.uint8(min(max(value, 0.0), 255.0) + 0.5)
