"""The illustration pass: a character as a drawn portrait with known ground truth.

Flat colours, soft cel shading and ink lines, registered with the colour picture of the same camera: both have the same
alpha. Everything is computed at twice the finished size and reduced as the dataset's pictures are
(spec/renderer.md §6). Colours (also what only blends, such as lashes) come from the scene that is given, geometry is
always the CPU rasteriser's: with a scene of the CPU back end every run gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _exchange.camera import Camera
from _exchange.frames import IMAGE_SIZE
from _render.cel_shading import lit_share, shadow_colours
from _render.flat_colours import flat_colours
from _render.framebuffer import reduced
from _render.illustration_style import IllustrationStyle
from _render.ink_lines import ink_colours, ink_coverage
from _render.scene import Scene

__all__ = ["DEFAULT_STYLE", "IllustrationLayers", "IllustrationStyle", "draw_illustration", "illustration_layers"]

DEFAULT_STYLE = IllustrationStyle()
SUPERSAMPLING = 2


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
    colour = scene.draw(camera, "colour", size)
    buffers = scene.geometry_buffers(camera, size)
    alpha = colour[..., 3]
    flat = flat_colours(colour, style, SUPERSAMPLING)
    lit = lit_share(buffers, camera, style, SUPERSAMPLING)
    ink = ink_coverage(alpha, flat, buffers, style, SUPERSAMPLING)
    depth_of_shadow = (np.float32(style.shade_strength) * (1 - lit))[..., None]
    painted = flat + (shadow_colours(flat) - flat) * depth_of_shadow
    ink_rgb = ink_colours(painted, alpha, style.ink_darkness, SUPERSAMPLING)
    drawn = painted + (ink_rgb - painted) * (ink * np.float32(style.line_strength))[..., None]
    picture = reduced(_with_alpha(drawn, alpha))
    return IllustrationLayers(
        picture=picture,
        flat=reduced(_with_alpha(flat, alpha)),
        shade=_reduced_plane(lit),
        lines=_reduced_plane(ink),
        alpha=picture[..., 3],
    )


def _with_alpha(rgb: NDArray[np.float32], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 4) bytes, rounded to nearest."""
    return np.dstack([_bytes(rgb), alpha])


def _reduced_plane(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    opaque = np.full((*values.shape, 4), 255, np.uint8)
    opaque[..., :3] = _bytes(values)[..., None]
    return reduced(opaque)[..., 0]


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (np.clip(values, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
