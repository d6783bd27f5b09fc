"""Position maps: coordinates as colours.

A value of 0..255 is a coordinate of −0.35..+0.35 m in `head_model`: steps of 2.7 mm. Pixels with alpha 0 mean nothing;
in reduced maps (`ortho_xyza`) pixels with less than full alpha are blends of two surfaces.
Source: spec/renderer.md §5, §7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from _exchange.frames import BOX_SIDE, head_world_from_head_model


def encode(points_head_model: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(…, 3) points, metres, as (…, 3) bytes: (q + 0.35)/0.7 clamped to 0..1, rounded to nearest."""
    unit = (points_head_model + BOX_SIDE / 2) / BOX_SIDE
    return (np.clip(unit, 0, 1) * 255 + 0.5).astype(np.uint8)


def decode(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(…, 3 or 4) bytes as (…, 3) points in `head_model`, metres."""
    return picture[..., :3] / 255 * BOX_SIDE - BOX_SIDE / 2


def decode_head_world(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(…, 3 or 4) bytes as (…, 3) points in `head_world`, metres."""
    return head_world_from_head_model(decode(picture))
