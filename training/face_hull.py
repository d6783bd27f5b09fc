"""The protected regions of a face: eyes, mouth, nose and lashes of 28 landmarks, where no line is filled.

Points are (row, col) pixels of the aligned picture with pixel centres at whole numbers; masks are [row, col].
Source: spec/linefill.md §3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.morphology import convex_hull_image

from _databacks.alignment import LANDMARK_GROUPS, LANDMARKS
from _exchange.errors import InputError
from training.line_map import dilated

DILATION = 5
"""Window by which protected regions grow, pixels."""
FURTHEST = 2**24
"""Landmarks further from the first pixel than this, in pixels, are refused: drawing to them would take for ever."""
_FILLED = ("right_eye", "left_eye", "mouth")
_OUTLINED = ("right_lash", "left_lash")


def face_hull(keypoints: NDArray[np.floating], height: int, width: int, dilation: int = DILATION) -> NDArray[np.bool_]:
    """(height, width) mask of the pixels that line filling must not touch.

    Eyes and mouth are filled convex hulls of their pixels, the nose is one pixel, lashes are lines; the union grows.
    Landmarks outside the canvas count as the nearest pixel of its edge; lashes stop there.

    Args:
        keypoints: (28, 2) row, col or (28, 3) row, col, score; scores are ignored. (0, 2) or (0, 3) says that no
            landmarks are known: nothing is protected.
        height: rows of the canvas.
        width: columns of the canvas.
        dilation: window of the growth; 1 leaves the shapes as they are.

    Raises:
        InputError: another shape, numbers that are not finite or beyond `FURTHEST`, or a canvas without pixels.
    """
    points = checked_keypoints(keypoints)
    if height < 1 or width < 1:
        raise InputError(f"Expected a canvas of at least one pixel, found {height} × {width}.")
    if len(points) == 0:
        return np.zeros((height, width), bool)
    canvas = Image.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    for part in _OUTLINED:
        corners = np.floor(points[LANDMARK_GROUPS[part]]).astype(int)
        draw.line([(int(col), int(row)) for row, col in corners], fill=1)
    mask = np.array(canvas, bool)
    pixels = points.astype(int).clip(0, (height - 1, width - 1))
    for part in _FILLED:
        _fill_hull(mask, pixels[LANDMARK_GROUPS[part]])
    mask[tuple(pixels[LANDMARK_GROUPS["nose"]].T)] = True
    return dilated(mask, dilation)


def checked_keypoints(keypoints: NDArray[np.floating]) -> NDArray[np.float64]:
    """(28, 2) or (0, 2) float64 row, col.

    Raises:
        InputError: see `face_hull`.
    """
    points = np.asarray(keypoints, np.float64)
    if points.ndim != 2 or len(points) not in (0, LANDMARKS) or points.shape[1] not in (2, 3):
        raise InputError(
            f"Expected landmarks of shape (28, 2) or (28, 3), or (0, 3) where none are known, found {points.shape}."
        )
    points = points[:, :2]
    if not (np.abs(points) <= FURTHEST).all():
        raise InputError(f"Expected finite landmarks within {FURTHEST} pixels, found {points.min()} to {points.max()}.")
    return points


def _fill_hull(mask: NDArray[np.bool_], pixels: NDArray[np.int_]) -> None:
    """Set the convex hull of some (n, 2) pixels' diamonds; only their bounding box is looked at."""
    first, last = pixels.min(axis=0), pixels.max(axis=0)
    part = np.zeros(last - first + 1, bool)
    part[tuple((pixels - first).T)] = True
    mask[first[0] : last[0] + 1, first[1] : last[1] + 1] |= convex_hull_image(part)
