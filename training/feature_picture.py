"""What the feature extractor looks at: the drawing on black, and its mirror, with a shorter side of 256 pixels.

Source: spec/features.md §1.1–§1.3.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from _exchange.errors import InputError
from _exchange.pictures import unit_from_bytes

SHORT_SIDE = 256
"""Length of the shorter side after resizing, pixels."""
LONGEST_SIDE = 64 * SHORT_SIDE
"""Pictures that would become longer than this are refused."""


def composite_on_black(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(…, 4) straight-alpha bytes over opaque black as (…, 3): ⌊v·a/255 + ½⌋, in whole numbers."""
    weighted = rgba[..., :3] * rgba[..., 3:].astype(np.uint16)  # at most 255²: 16 bits suffice
    return ((weighted + 127) // 255).astype(np.uint8)


def feature_picture(rgba: NDArray[np.uint8]) -> Tensor:
    """(1, 3, h, w) float32 in [0, 1]: a (H, W, 4) uint8 picture on black, resized.

    Raises:
        InputError: no such picture, or one so narrow that it would become longer than `LONGEST_SIDE`.
    """
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8 or 0 in rgba.shape:
        raise InputError(f"Expected an RGBA picture of bytes, found {rgba.dtype} of shape {rgba.shape}.")
    return resized(_batch(composite_on_black(rgba)))


def feature_pair(rgba: NDArray[np.uint8]) -> Tensor:
    """(2, 3, h, w) `feature_picture` of a picture and of its left-right mirror."""
    return torch.cat([feature_picture(rgba), feature_picture(rgba[:, ::-1])])


def resized_size(height: int, width: int) -> tuple[int, int]:
    """(h, w) after resizing: the shorter side is 256, the longer ⌊256 · long / short⌋."""
    long = int(SHORT_SIDE * max(height, width) / min(height, width))
    return (SHORT_SIDE, long) if height <= width else (long, SHORT_SIDE)


def resized(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) → (B, 3, h, w): bilinear between pixel centres, each axis with its own scale, not antialiased.

    Raises:
        InputError: the longer side would exceed `LONGEST_SIDE`.
    """
    height, width = pictures.shape[-2:]
    size = resized_size(height, width)
    if max(size) > LONGEST_SIDE:
        raise InputError(
            f"Expected a picture at most {LONGEST_SIDE // SHORT_SIDE} times as long as wide, found {height} × {width}."
        )
    return functional.interpolate(pictures, size=size, mode="bilinear", align_corners=False, antialias=False)


def _batch(picture: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(unit_from_bytes(picture).transpose(2, 0, 1)))[None]
