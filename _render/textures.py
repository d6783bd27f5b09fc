"""Textures: mip chains, and all images of a character packed into one array of texels.

Source: spec/renderer.md §5 (mip chain), §5.1 (filters).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from _render.compiling import kernel

Filter = Literal["trilinear", "mesa"]
MAX_ANISOTROPY = 16
"""Most probes along the long axis of a pixel's footprint in the filter `trilinear`."""
MAX_LEVELS = 32
"""Rows of the table of levels: more than any image that is read can have (`pictures.MAX_PIXELS`)."""


def mip_chain(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """All levels of a (H, W, 4) uint8 image, finest first, down to 1×1.

    Level n + 1 has max(1, ⌊n/2⌋) texels per axis; each is the bilinear sample of level n at the new texel's centre,
    source position (i + ½)·N_n/N_{n+1} − ½, rounded to a byte. For even sizes that is the mean of 2×2.
    """
    chain = [np.ascontiguousarray(pixels)]
    while max(chain[-1].shape[:2]) > 1:
        chain.append(_half(chain[-1]))
    return chain


@dataclass(frozen=True, eq=False)
class TexelStore:
    """Mip chains of several images behind one another.

    Attributes:
        texels: (N,) uint32, one RGBA texel each, red in the lowest byte.
        levels: (T, MAX_LEVELS, 3) int64: offset into `texels`, width, height of every level.
        level_counts: (T,) int64.
        least_alpha: (T,) the smallest alpha of each image, 0..255.
    """

    texels: NDArray[np.uint32]
    levels: NDArray[np.int64]
    level_counts: NDArray[np.int64]
    least_alpha: NDArray[np.uint8]


def pack(images: Sequence[NDArray[np.uint8]]) -> TexelStore:
    """Build the mip chains of (H, W, 4) uint8 images and put them into one store, in order."""
    count = len(images)
    levels = np.zeros((count, MAX_LEVELS, 3), np.int64)
    level_counts = np.zeros(count, np.int64)
    pieces: list[NDArray[np.uint32]] = []
    offset = 0
    for index, image in enumerate(images):
        chain = mip_chain(image)
        level_counts[index] = len(chain)
        for level, pixels in enumerate(chain):
            height, width = pixels.shape[:2]
            levels[index, level] = offset, width, height
            pieces.append(pixels.reshape(-1, 4).view("<u4").ravel())
            offset += width * height
    texels = np.concatenate(pieces or [np.zeros(0, np.uint32)]).astype(np.uint32, copy=False)
    least = np.array([image[..., 3].min() for image in images], np.uint8)
    return TexelStore(texels, levels, level_counts, least)


@kernel
def _half(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[0], pixels.shape[1]
    new_height, new_width = max(1, height // 2), max(1, width // 2)
    result = np.empty((new_height, new_width, 4), np.uint8)
    for row in range(new_height):
        y = (row + 0.5) * height / new_height - 0.5
        top = int(y)
        down = y - top
        below = min(top + 1, height - 1)
        for col in range(new_width):
            x = (col + 0.5) * width / new_width - 0.5
            left = int(x)
            across = x - left
            right = min(left + 1, width - 1)
            for channel in range(4):
                upper = pixels[top, left, channel] * (1 - across) + pixels[top, right, channel] * across
                lower = pixels[below, left, channel] * (1 - across) + pixels[below, right, channel] * across
                result[row, col, channel] = int(upper * (1 - down) + lower * down + 0.5)
    return result
