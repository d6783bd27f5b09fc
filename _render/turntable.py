"""Turntables: a scene from all around as an endless animation.

The first frame is the front; the camera then moves to the character's left, as the evaluation's turn `SPIN12` does, so
with twelve frames the views are those twelve. Works for characters and for coloured meshes alike.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _exchange import atomic
from _exchange.camera import Camera
from _exchange.errors import InputError
from _render.framebuffer import reduced
from _render.scene import Scene

WHITE = (255, 255, 255)
MIME_TYPES = {".webp": "image/webp", ".gif": "image/gif"}
"""File suffixes of animations, and what a page calls them."""
MOST_BRIEF_FRAME = {".webp": 1, ".gif": 10}
"""Unit of the durations in these files, milliseconds."""


def turntable_cameras(count: int = 24, elev: float = 0.0) -> list[Camera]:
    """Perspective cameras at azimuth 0, 360/count, …, degrees, all at one elevation.

    Raises:
        InputError: count is less than 1.
    """
    if count < 1:
        raise InputError(f"Expected at least one frame in a turntable, found {count}.")
    return [Camera(float(elev), 360.0 * index / count) for index in range(count)]


def draw_turntable(
    scene: Scene, count: int = 24, size: int = 256, background: tuple[int, int, int] = WHITE, elev: float = 0.0
) -> list[NDArray[np.uint8]]:
    """The frames of one turn, each (size, size, 3) uint8 on a plain background (red, green, blue).

    Raises:
        InputError: count or size is less than 1.
    """
    if size < 1:
        raise InputError(f"Expected turntable frames of at least one pixel, found the size {size}.")
    return [
        _on_background(reduced(scene.draw(camera, "colour", 2 * size)), background)
        for camera in turntable_cameras(count, elev)
    ]


def turntable_bytes(frames: Sequence[NDArray[np.uint8]], suffix: str = ".webp", seconds: float = 4.0) -> bytes:
    """An animated picture file that repeats for ever; equal frames give equal bytes with one version of Pillow.

    Args:
        frames: (H, W, 3) uint8, at least one, all of one shape.
        suffix: ``.webp`` (lossy, small) or ``.gif`` (one palette of 256 colours for all frames).
        seconds: duration of one turn.

    Raises:
        InputError: the frames are not such pictures, the suffix is unknown, or the turn takes no time.
    """
    _check_frames(frames)
    if suffix not in MIME_TYPES:
        raise InputError(f"Expected a turntable file ending in {' or '.join(MIME_TYPES)}, found {suffix!r}.")
    milliseconds = round(1000 * seconds / len(frames)) if np.isfinite(seconds) else 0
    if milliseconds < MOST_BRIEF_FRAME[suffix]:
        raise InputError(
            f"Expected turntable frames of at least {MOST_BRIEF_FRAME[suffix]} ms in {suffix} files, "
            f"found a turn of {seconds} seconds in {len(frames)} frames."
        )
    images = [Image.fromarray(frame) for frame in frames]
    stream = io.BytesIO()
    if suffix == ".webp":
        images[0].save(
            stream, "WEBP", save_all=True, append_images=images[1:], duration=milliseconds, loop=0, quality=80, method=4
        )
        return stream.getvalue()
    palette = _common_palette(frames)
    mapped = [_with_palette(image, palette) for image in images]
    starts = np.round(100 * seconds * np.arange(len(frames) + 1) / len(frames)).astype(int)  # hundredths of a second
    durations = (10 * np.diff(starts)).tolist()
    mapped[0].save(stream, "GIF", save_all=True, append_images=mapped[1:], duration=durations, loop=0, disposal=1)
    return stream.getvalue()


def write_turntable(path: Path, frames: Sequence[NDArray[np.uint8]], seconds: float = 4.0) -> None:
    """Replace `path` (.webp or .gif) by the animation of these frames (`turntable_bytes`, written atomically)."""
    atomic.write_bytes(path, turntable_bytes(frames, path.suffix.lower(), seconds))


def _on_background(picture: NDArray[np.uint8], background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(H, W, 4) straight-alpha bytes over an opaque colour, rounded to nearest in whole numbers."""
    alpha = picture[..., 3:].astype(np.uint32)
    mixed = picture[..., :3] * alpha + np.array(background, np.uint32) * (255 - alpha)
    return ((2 * mixed + 255) // 510).astype(np.uint8)


def _check_frames(frames: Sequence[NDArray[np.uint8]]) -> None:
    if not len(frames):
        raise InputError("Expected at least one frame in a turntable, found none.")
    for index, frame in enumerate(frames):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.shape != frames[0].shape:
            raise InputError(
                f"Expected turntable frames of one shape (H, W, 3), uint8, "
                f"found {frame.dtype} of shape {frame.shape} as frame {index}."
            )


def _common_palette(frames: Sequence[NDArray[np.uint8]]) -> Image.Image:
    """256 colours for all frames, so that what does not move does not flicker; the last is the background's."""
    chosen = np.concatenate([frames[index] for index in range(0, len(frames), max(1, len(frames) // PALETTE_FRAMES))])
    palette = Image.fromarray(chosen).quantize(255, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colours = (palette.getpalette() or [])[: 3 * 255]
    palette.putpalette(colours + [0] * (3 * 255 - len(colours)) + frames[0][0, 0].tolist())
    return palette


def _with_palette(image: Image.Image, palette: Image.Image) -> Image.Image:
    """The image in colours of the palette; Pillow looks near ones up coarsely, so the background is set exactly."""
    mapped = image.quantize(palette=palette, dither=Image.Dither.NONE)
    indices = np.array(mapped)
    background = (palette.getpalette() or [])[-3:]
    indices[(np.asarray(image) == np.array(background, np.uint8)).all(axis=-1)] = 255
    result = Image.fromarray(indices, "P")
    result.putpalette(palette.getpalette() or [])
    return result


PALETTE_FRAMES = 8
"""About so many frames are looked at to choose a palette."""
