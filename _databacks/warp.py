"""The warp that brings an illustration into the 512² frame of the datasets.

Pictures are [row, col, channel]; matrices are (3, 3), source pixel → aligned pixel, on (row, col, 1) with pixel
centres at integers. Source: spec/data.md §6.4, §4.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from _exchange.errors import InputError
from _exchange.frames import IMAGE_SIZE
from _exchange.pictures import bytes_from_unit, composite_on_white, unit_from_bytes


def warp(rgba: NDArray[np.uint8], matrix: NDArray[np.floating], size: int = IMAGE_SIZE) -> NDArray[np.float32]:
    """The aligned picture as (size, size, 4) float32 in [0, 1]: colours on white, and alpha by itself.

    Colours are composited on white, interpolated bilinearly and blended with white where the footprint of a sample
    leaves the source; alpha likewise with 0.

    Raises:
        InputError: not a (H, W, 4) uint8 picture, or a matrix that has no inverse.
    """
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8:
        raise InputError(f"Expected an RGBA picture of bytes, found {rgba.dtype} of shape {rgba.shape}.")
    try:
        affine = np.vstack([np.asarray(matrix, np.float64)[:2], [0, 0, 1]])  # only the top 2 × 3 counts
        source_from_aligned = np.linalg.inv(affine)
    except np.linalg.LinAlgError as error:
        raise InputError(f"Expected an alignment matrix with an inverse, found {matrix!r}.") from error
    white = unit_from_bytes(composite_on_white(rgba))
    fills = [(white[..., channel], 1.0) for channel in range(3)] + [(unit_from_bytes(rgba[..., 3]), 0.0)]
    warped = [_warp_channel(plane, fill, source_from_aligned, size) for plane, fill in fills]
    return np.stack(warped, axis=-1)


def _warp_channel(
    plane: NDArray[np.float32], fill: float, source_from_aligned: NDArray[np.float64], size: int
) -> NDArray[np.float32]:
    return ndimage.affine_transform(
        plane,
        source_from_aligned[:2, :2],
        source_from_aligned[:2, 2],
        (size, size),
        order=1,
        mode="grid-constant",  # the border counts as pixels of the fill value, so footprints blend with it
        cval=fill,
    )


def aligned_illustration(
    rgba: NDArray[np.uint8], matrix: NDArray[np.floating], mask: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """The dataset picture of an illustration: (512, 512, 4) bytes, its alpha replaced by a (512, 512) person mask.

    Raises:
        InputError: the mask has another size; or as `warp`.
    """
    picture = bytes_from_unit(warp(rgba, matrix))
    return picture if mask is None else with_alpha(picture, mask)


def with_alpha(rgba: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with a (H, W) mask as its alpha."""
    if mask.shape != rgba.shape[:2]:
        raise InputError(f"Expected a mask of shape {rgba.shape[:2]}, found {mask.shape}.")
    return np.concatenate([rgba[..., :3], mask[..., None]], axis=-1)
