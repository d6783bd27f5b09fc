"""The page of frames: every point in the suite is in one of these, in metres, y up, right-handed.

`model`        Origin: the file's. The character faces −z (VRM 1.0 is turned on reading), its left is −x.
               Used by the reader.
`head_model`   Origin: head bone + (0, 0.1, 0). The same axes as `model`.
               Used by drawn meshes, position maps on disk and `paper`'s region rule.
`head_world`   Origin: the same. The character faces +z, its left is +x: image right of the front view.
               Used by cameras, labels, networks, predictions and every `mesh.glb`.

    head_model = model − loc_origin,  loc_origin = head bone + HEAD_OFFSET
    head_world = diag(−1, 1, −1) · head_model

The working volume is the cube of side `BOX_SIDE` around the origin of the head frames; pictures are
`IMAGE_SIZE` pixels square, and (row, col) pixel coordinates put pixel centres at half-integers.
Source: spec/renderer.md §3.2, spec/measure.md §2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HEAD_OFFSET = (0.0, 0.1, 0.0)
"""From the head bone to the origin of the head frames, metres."""
BOX_SIDE = 0.7
"""Side of the working cube (`boxwarp`), metres."""
IMAGE_SIZE = 512
"""Height and width of every dataset picture, pixels."""

_TURN = np.array([-1.0, 1.0, -1.0])


def head_model_from_model(points_model: NDArray, loc_origin: NDArray) -> NDArray:
    """Shift (…, 3) points from `model` to `head_model`; `loc_origin` is (3,) in `model`."""
    return points_model - np.asarray(loc_origin, points_model.dtype)


def head_world_from_head_model(points_head_model: NDArray) -> NDArray:
    """Turn (…, 3) points or directions by 180° about y; keeps their dtype."""
    return points_head_model * _TURN.astype(points_head_model.dtype)


def head_model_from_head_world(points_head_world: NDArray) -> NDArray:
    """Inverse of `head_world_from_head_model`, and equal to it: the turn is its own inverse."""
    return head_world_from_head_model(points_head_world)


def head_world_from_original_mesh(points: NDArray) -> NDArray:
    """Vertices of the original's mesh pickles are `head_world` with x negated (spec/measure.md §3.7)."""
    return points * np.array([-1.0, 1.0, 1.0], points.dtype)
