"""Frames of a reconstruction that turns once around, drawn from its surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from _exchange.mesh import Mesh
from _render.choose import renderer
from _render.turntable import draw_turntable, turntable_cameras

FRAMES = 24
SIDE = 288
"""Height and width of a frame, pixels."""
_FARTHER = {"dist": 1.35, "near": 0.8, "far": 1.9}
"""The scored views cut large heads; from here the whole working cube is in the picture."""


def turning_frames(mesh: Mesh, count: int = FRAMES) -> list[NDArray[np.uint8]]:
    """`count` pictures (288, 288, 3) on white; the camera goes around once, in the direction of the scored views.

    Always drawn on the CPU, so that equal meshes give equal frames everywhere.

    Args:
        mesh: `head_world`, with colours.
    """
    scene = renderer("cpu").load_colored_mesh(mesh)
    cameras = [replace(camera, **_FARTHER) for camera in turntable_cameras(count)]
    return draw_turntable(scene, cameras, SIDE)
