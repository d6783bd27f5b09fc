"""What part of each picture is compared: boxes from the region of interest, cutting, white background.

Source: spec/measure.md §4.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _exchange.frames import IMAGE_SIZE
from _exchange.items import Region

Subset = Literal["front", "back", "360"]
MAX_SIDE = 8 * IMAGE_SIZE
"""Boxes higher or wider than this are refused before anything of their size is made, pixels."""


@dataclass(frozen=True)
class Box:
    """Whole pixels of a picture; may reach beyond its border."""

    row: int
    col: int
    height: int
    width: int


def box_of_region(region: Region, subset: Subset) -> Box:
    """The box compared in pictures of a subset: the region, its mirror image (back) or a full-width strip (360).

    The back box is computed from the unfloored numbers, then floored.
    """
    row, height = math.floor(region.row), math.floor(region.height)
    if subset == "360":
        return Box(row, 0, height, IMAGE_SIZE)
    col = region.col if subset == "front" else IMAGE_SIZE - (region.col + region.width)
    return Box(row, math.floor(col), height, math.floor(region.width))


def cut(picture: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 RGBA → (box.height, box.width, 4); what lies outside the picture is transparent black.

    Raises:
        InputError: the picture is not RGBA bytes, or the box is empty or beyond `MAX_SIDE`.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 4:
        raise InputError(f"Expected a uint8 picture (H, W, 4), found {picture.dtype} {picture.shape}.")
    if box.height < 1 or box.width < 1:
        raise InputError(f"Expected a region of at least one pixel, found {box.height} × {box.width}.")
    if max(box.height, box.width) > MAX_SIDE:
        raise InputError(f"Expected a region of at most {MAX_SIDE} pixels a side, found {box.height} × {box.width}.")
    out = np.zeros((box.height, box.width, 4), np.uint8)
    top, left = max(box.row, 0), max(box.col, 0)
    bottom = max(min(box.row + box.height, picture.shape[0]), top)
    right = max(min(box.col + box.width, picture.shape[1]), left)
    out[top - box.row : bottom - box.row, left - box.col : right - box.col] = picture[top:bottom, left:right]
    return out
