"""The illustration pass: a character as a drawn portrait with known ground truth.

Flat colours, soft cel shading and ink lines, registered with the colour picture of the same camera: both have the same
alpha. Everything is computed at twice the finished size and reduced as the dataset's pictures are
(spec/renderer.md §6). Colours (also what only blends, such as lashes) come from the scene that is given, geometry is
always the CPU rasteriser's: with a scene of the CPU back end every run gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from _exchange.camera import Camera
from _exchange.frames import IMAGE_SIZE
from _render.cel_shading import lit_share, shadow_colours
from _render.flat_colours import flat_colours
from _render.framebuffer import reduced
from _render.illustration_style import IllustrationStyle
from _render.ink_lines import ink_colours, ink_coverage
from _render.scene import GeometryBuffers, Scene

__all__ = ["DEFAULT_STYLE", "IllustrationLayers", "IllustrationStyle", "draw_illustration", "illustration_layers"]

DEFAULT_STYLE = IllustrationStyle()
SUPERSAMPLING = 2
MARGIN = 8
"""Pixels of the finished picture around what is drawn that are worked on too."""


@dataclass(frozen=True, eq=False)
class IllustrationLayers:
    """An illustration and what it is made of; uint8, row 0 at the top, each reduced on its own.

    Attributes:
        picture: (512, 512, 4) straight alpha: the finished drawing.
        flat: (512, 512, 4) straight alpha: flat colours alone.
        shade: (512, 512) light: 255 lit, 0 in shadow.
        lines: (512, 512) coverage with ink: 255 full.
        alpha: (512, 512) alpha of the drawing, equal to that of the `ortho` picture of the same camera.
    """

    picture: NDArray[np.uint8]
    flat: NDArray[np.uint8]
    shade: NDArray[np.uint8]
    lines: NDArray[np.uint8]
    alpha: NDArray[np.uint8]


def draw_illustration(scene: Scene, camera: Camera, style: IllustrationStyle = DEFAULT_STYLE) -> NDArray[np.uint8]:
    """The (512, 512, 4) uint8 drawing of a character, straight alpha, transparent background."""
    return illustration_layers(scene, camera, style).picture


def illustration_layers(scene: Scene, camera: Camera, style: IllustrationStyle = DEFAULT_STYLE) -> IllustrationLayers:
    """The drawing of a character together with its flat colours, shading and lines."""
    size = SUPERSAMPLING * IMAGE_SIZE
    whole = scene.draw(camera, "colour", size)
    window = _window(whole[..., 3])
    colour, alpha = whole[window], whole[..., 3][window]
    buffers = _cut(scene.geometry_buffers(camera, size), window)
    flat = flat_colours(colour, style, SUPERSAMPLING)
    lit = lit_share(buffers, camera, style, SUPERSAMPLING)
    ink = ink_coverage(alpha, flat, buffers, style, SUPERSAMPLING)
    shadow = (np.float32(min(1.0, style.shade_strength)) * (1 - lit))[..., None]
    painted = flat + (shadow_colours(flat) - flat) * shadow
    covered = (ink * np.float32(min(1.0, style.line_strength)))[..., None]
    drawn = painted + (ink_colours(painted, style.ink_darkness) - painted) * covered
    picture = _finished(drawn, whole, window)
    return IllustrationLayers(
        picture=picture,
        flat=_finished(flat, whole, window),
        shade=_finished_plane(lit, 1.0, size, window),
        lines=_finished_plane(ink, 0.0, size, window),
        alpha=picture[..., 3],
    )


def _window(alpha: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Rows and columns that hold everything drawn, with a margin wider than any filter's reach into it."""
    rows, cols = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    if not len(rows):
        return slice(0, 2), slice(0, 2)
    margin = MARGIN * SUPERSAMPLING
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
        slice(max(0, int(cols[0]) - margin), int(cols[-1]) + 1 + margin),
    )


def _cut(buffers: GeometryBuffers, window: tuple[slice, slice]) -> GeometryBuffers:
    return GeometryBuffers(**{entry.name: getattr(buffers, entry.name)[window] for entry in fields(buffers)})


def _finished(rgb: NDArray[np.float32], whole: NDArray[np.uint8], window: tuple[slice, slice]) -> NDArray[np.uint8]:
    """The picture `whole` with these colours (0..1) in the window, reduced."""
    picture = whole.copy()
    picture[window][..., :3] = _bytes(rgb)
    return reduced(picture)


def _finished_plane(
    values: NDArray[np.float32], elsewhere: float, size: int, window: tuple[slice, slice]
) -> NDArray[np.uint8]:
    plane = np.full((size, size, 4), 255, np.uint8)
    plane[..., :3] = _bytes(np.array(elsewhere, np.float32))
    plane[window][..., :3] = _bytes(values)[..., None]
    return reduced(plane)[..., 0]


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (np.clip(values, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
