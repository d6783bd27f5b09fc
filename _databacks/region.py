"""The region of interest of a character that has none: head and hair as the front picture shows them.

Source: spec/renderer.md §12.5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _exchange.frames import BOX_SIDE
from _exchange.items import Region

_MARGIN = 8
_VISIBLE = 127


def region_of_head(front: NDArray[np.uint8], neck_height: float) -> Region:
    """Bounding box of what is visible at or above the neck, grown by 8 pixels and clipped to the picture.

    Args:
        front: (S, S, 4) uint8 front orthographic picture; visible = alpha > 127.
        neck_height: y of the neck joint in `head_model`, metres.

    Raises:
        InputError: nothing is visible there.
    """
    size = front.shape[0]
    heights = BOX_SIDE / 2 - (np.arange(size) + 0.5) / size * BOX_SIDE
    visible = (front[..., 3] > _VISIBLE) & (heights >= neck_height)[:, None]
    rows, cols = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if not len(rows):
        raise InputError("Expected a character with something visible above its neck in the front view, found nothing.")
    top, left = max(int(rows[0]) - _MARGIN, 0), max(int(cols[0]) - _MARGIN, 0)
    bottom, right = min(int(rows[-1]) + 1 + _MARGIN, size), min(int(cols[-1]) + 1 + _MARGIN, size)
    return Region(top, left, bottom - top, right - left)
