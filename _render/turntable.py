"""Turntables: a scene from all around as an endless animation.

The first frame is the front; the camera then moves to the character's left, as the evaluation's turn `SPIN12` does, so
with twelve frames the views are those twelve. Works for characters and for coloured meshes alike.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _exchange.camera import Camera
from _exchange.errors import InputError
from _exchange.pictures import composite_on_white
from _render.framebuffer import reduced
from _render.scene import Scene


def turntable_cameras(count: int = 24, elev: float = 0.0) -> list[Camera]:
    """Perspective cameras at azimuth 0, 360/count, …, degrees, all at one elevation.

    Raises:
        InputError: count is less than 1.
    """
    if count < 1:
        raise InputError(f"Expected at least one frame in a turntable, found {count}.")
    return [Camera(float(elev), 360.0 * index / count) for index in range(count)]


def draw_turntable(scene: Scene, cameras: Sequence[Camera], size: int = 256) -> list[NDArray[np.uint8]]:
    """The frame of every camera, each (size, size, 3) uint8 on white.

    Raises:
        InputError: size is less than 1.
    """
    if size < 1:
        raise InputError(f"Expected turntable frames of at least one pixel, found the size {size}.")
    return [composite_on_white(reduced(scene.draw(camera, "colour", 2 * size))) for camera in cameras]


def turntable_bytes(frames: Sequence[NDArray[np.uint8]], seconds: float = 4.0) -> bytes:
    """An animated WebP (lossy, small) that repeats for ever; equal frames give equal bytes with one version of Pillow.

    Args:
        frames: (H, W, 3) uint8, at least one, all of one shape.
        seconds: duration of one turn.

    Raises:
        InputError: the frames are not such pictures, or a frame would be shown for less than a millisecond.
    """
    _check_frames(frames)
    milliseconds = round(1000 * seconds / len(frames)) if np.isfinite(seconds) else 0
    if milliseconds < 1:
        raise InputError(
            f"Expected turntable frames of at least 1 ms, found a turn of {seconds} seconds in {len(frames)} frames."
        )
    first, *others = [Image.fromarray(frame) for frame in frames]
    stream = io.BytesIO()
    first.save(stream, "WEBP", save_all=True, append_images=others, duration=milliseconds, loop=0, quality=80, method=4)
    return stream.getvalue()


def _check_frames(frames: Sequence[NDArray[np.uint8]]) -> None:
    if not len(frames):
        raise InputError("Expected at least one frame in a turntable, found none.")
    for index, frame in enumerate(frames):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.shape != frames[0].shape:
            raise InputError(
                f"Expected turntable frames of one shape (H, W, 3), uint8, "
                f"found {frame.dtype} of shape {frame.shape} as frame {index}."
            )
