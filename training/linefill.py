"""Line filling: the contour lines of a drawing are repainted, except in protected parts of the face.

Drawings have contour lines and the renders that the generator knows have none. Pictures are [row, col, channel].
Source: spec/linefill.md §1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from _exchange.errors import InputError
from _exchange.pictures import bytes_from_unit, composite_on_white, unit_from_bytes
from training.face_hull import face_hull
from training.line_map import dilated, line_map
from training.linefill_networks import LineFiller, blended, repainted_fast

LINE_WINDOW = 2
"""Window by which detected lines grow before they are filled, pixels; they grow down and right."""


@dataclass(frozen=True, eq=False)
class FilledPicture:
    """A drawing without its lines.

    Attributes:
        rgba: (H, W, 4) float32; colours on white, between −1 and 1 where repainted, else in [0, 1]; alpha as given.
        mask: (H, W) the pixels that were repainted.
    """

    rgba: NDArray[np.float32]
    mask: NDArray[np.bool_]

    @property
    def rgba_bytes(self) -> NDArray[np.uint8]:
        """(H, W, 4) the picture limited to [0, 1], in bytes (truncated)."""
        return bytes_from_unit(self.rgba)

    @property
    def front(self) -> NDArray[np.uint8]:
        """(H, W, 3) the bytes on white: the generator's front condition."""
        return composite_on_white(self.rgba_bytes)


def lines_to_fill(picture: NDArray[np.floating], hull: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) mask of the pixels to repaint: lines of an (H, W, 3) picture in [0, 1], grown, less the protected ones."""
    return dilated(line_map(picture), LINE_WINDOW) & ~hull


def fill_lines(model: LineFiller, rgba: NDArray[np.uint8], keypoints: NDArray[np.floating]) -> FilledPicture:
    """Repaint the lines of an aligned drawing.

    Args:
        model: in evaluation mode; the work is done on its device.
        rgba: (H, W, 4) uint8, straight alpha, any size.
        keypoints: (28, 2 or 3) row, col[, score] of the landmarks in this picture (not in its source); (0, 2 or 3)
            where none are known: then no part of the face is protected.

    Raises:
        InputError: no such picture or landmarks, or the model is in training mode.
    """
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8 or 0 in rgba.shape:
        raise InputError(f"Expected an RGBA picture of bytes, found {rgba.dtype} of shape {rgba.shape}.")
    if model.training:
        raise InputError("Expected a line filler in evaluation mode, found one in training mode; call eval() first.")
    colours = unit_from_bytes(composite_on_white(rgba))
    hull = face_hull(keypoints, *rgba.shape[:2])
    mask = lines_to_fill(colours, hull)
    if mask.any():
        colours = _repainted(model, colours, mask, hull)
    return FilledPicture(np.concatenate([colours, unit_from_bytes(rgba[..., 3:])], axis=-1), mask)


@torch.no_grad()
def _repainted(
    model: LineFiller, colours: NDArray[np.float32], mask: NDArray[np.bool_], hull: NDArray[np.bool_]
) -> NDArray[np.float32]:
    device = next(model.parameters()).device

    def tensor(array: NDArray) -> Tensor:
        return torch.from_numpy(array.astype(np.float32, copy=False)).to(device)

    image = tensor(colours).permute(2, 0, 1)[None]
    line_mask, face = tensor(mask)[None, None], tensor(hull)[None, None]
    painted = repainted_fast(model, image, line_mask, face)
    result = blended(image, line_mask, painted)[0].permute(1, 2, 0)
    return result.cpu().contiguous().numpy()
