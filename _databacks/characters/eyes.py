"""Paints eyes and brows onto the face: white, iris, pupil, highlights, lids, lashes.

Local coordinates of an eye: a from −1 (inner corner) to 1 (outer corner), b from −1 (lower lid) to 1 (upper lid).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from _databacks.characters.canvas import Canvas, Window, ellipse_field, soft_inside, stroke_outline
from _databacks.characters.curves import Floats, smoothstep, spline
from _databacks.characters.palette import WHITE, Palette, Rgb, luminance, mix, rgb, shade
from _databacks.characters.traits import EyeTraits

_UPPER = ((-1.0, -0.28), (-0.86, 0.22), (-0.52, 0.74), (0.0, 0.98), (0.5, 0.90), (0.84, 0.50), (1.0, 0.0))
_LOWER = ((1.0, 0.0), (0.92, -0.42), (0.62, -0.80), (0.10, -0.95), (-0.45, -0.88), (-0.84, -0.62), (-1.0, -0.28))
_SHAPES = {  # upper lid: outer drop, inner drop, flattening
    "round": (0.0, 0.0, 0.0),
    "drooping": (-0.22, 0.06, 0.0),
    "raised": (0.24, -0.10, 0.05),
    "calm": (-0.02, 0.0, 0.24),
}


@dataclass(frozen=True)
class _Eye:
    """One eye: side −1 is left in the picture (the character's right)."""

    traits: EyeTraits
    side: int

    def place(self, points: ArrayLike) -> Floats:
        """Local (K, 2) points in picture metres."""
        local = np.asarray(points, np.float64)
        x = self.side * (self.traits.x + local[:, 0] * self.traits.width / 2)
        return np.stack([x, self.traits.y + local[:, 1] * self.traits.height / 2], axis=1)

    def upper(self, count: int = 40) -> Floats:
        """Local upper lid from the inner to the outer corner."""
        outer, inner, flat = _SHAPES[self.traits.shape]
        points = np.array(_UPPER)
        points[:, 1] += outer * smoothstep(points[:, 0], -0.2, 1.0) + inner * smoothstep(-points[:, 0], -0.2, 1.0)
        points[:, 1] -= flat * smoothstep(points[:, 1], 0.0, 1.0)
        return spline(points, count)

    def lower(self, count: int = 40) -> Floats:
        """Local lower lid from the outer to the inner corner."""
        outer, inner, _ = _SHAPES[self.traits.shape]
        points = np.array(_LOWER)
        points[:, 1] += outer * smoothstep(points[:, 0], 0.2, 1.0) + inner * smoothstep(-points[:, 0], 0.2, 1.0)
        return spline(points, count)


def paint_eyes(canvas: Canvas, traits: EyeTraits, palette: Palette) -> None:
    """Both eyes."""
    lash = _lash_color(palette)
    for side, iris in ((-1, palette.iris_right), (1, palette.iris_left)):
        eye = _Eye(traits, side)
        _paint_eyeball(canvas, eye, iris)
        _paint_lids(canvas, eye, palette, lash)


def _lash_color(palette: Palette) -> Rgb:
    return mix(rgb("2b1c24"), shade(palette.hair.base, share=0.8), 0.25)


def _paint_eyeball(canvas: Canvas, eye: _Eye, iris: Rgb) -> None:
    opening = eye.place(np.concatenate([eye.upper(), eye.lower()]))
    window = canvas.window(opening.min(axis=0) - 0.002, opening.max(axis=0) + 0.002)
    inside = window.coverage(opening)
    half_width, half_height = eye.traits.width / 2, eye.traits.height / 2
    white = np.array(mix(WHITE, rgb("e9edf8"), 0.5))
    window.blend(inside, white)
    centre = eye.side * (eye.traits.x - 0.03 * half_width), eye.traits.y + 0.02 * half_height
    radii = eye.traits.iris_share * half_width, 1.0 * half_height
    _paint_iris(window, inside, centre, radii, iris, slit_pupil=eye.traits.slit_pupil)
    upper = eye.upper()
    shadow = np.concatenate([upper, (upper - [0.0, 0.42])[::-1]])
    window.blend(window.coverage(eye.place(shadow)) * inside * 0.38, rgb("4a3f6b"))
    for (a, b), (width, height) in (((-0.36, 0.42), (0.30, 0.25)), ((0.36, -0.42), (0.15, 0.12))):
        spot = centre[0] + a * radii[0], centre[1] + b * radii[1]
        field = ellipse_field(window.x, window.y, spot, (width * radii[0], height * radii[1]))
        window.blend(soft_inside(field, 0.14) * inside, WHITE)


def _paint_iris(
    window: Window,
    inside: Floats,
    centre: tuple[float, float],
    radii: tuple[float, float],
    iris: Rgb,
    *,
    slit_pupil: bool,
) -> None:
    field = ellipse_field(window.x, window.y, centre, radii)
    height = (window.y - centre[1]) / radii[1]
    deep, light = np.array(shade(iris, (0.30, 0.22, 0.42), 0.85)), np.array(mix(iris, WHITE, 0.50))
    up, down = smoothstep(height, -0.15, 0.75)[..., None], smoothstep(-height, 0.05, 0.95)[..., None]
    color = np.array(iris) * (1 - up) * (1 - down) + deep * up + light * down * (1 - up)
    disc = soft_inside(field, 0.05)
    window.blend(disc * inside, np.broadcast_to(color, (window.height, window.width, 3)))
    rim = disc * smoothstep(np.sqrt(field), 0.80, 0.92)
    window.blend(rim * inside * 0.85, shade(iris, (0.25, 0.18, 0.38), 0.9))
    glow = soft_inside(
        ellipse_field(window.x, window.y, (centre[0], centre[1] - 0.50 * radii[1]), (0.56 * radii[0], 0.34 * radii[1])),
        0.35,
    )
    window.blend(glow * inside * 0.55, mix(iris, rgb("fffbe0"), 0.72))
    pupil_radii = (0.14 if slit_pupil else 0.36) * radii[0], (0.56 if slit_pupil else 0.40) * radii[1]
    pupil = soft_inside(ellipse_field(window.x, window.y, (centre[0], centre[1] + 0.06 * radii[1]), pupil_radii), 0.12)
    window.blend(pupil * inside, shade(iris, (0.10, 0.07, 0.16), 0.94))


def _paint_lids(canvas: Canvas, eye: _Eye, palette: Palette, lash: Rgb) -> None:
    upper, lower = eye.upper(), eye.lower()
    share = np.linspace(0, 1, len(upper))
    weight = eye.traits.lash_weight
    crease = spline(upper[6:34] + np.array([0.0, 0.34]), 30)
    fade = np.sin(np.linspace(0, np.pi, 30))
    canvas.stroke(eye.place(crease), 0.0011 * fade, mix(palette.skin.shadow, lash, 0.45), 0.8)
    thickness = weight * (0.07 + 0.22 * smoothstep(share, 0.0, 0.75))
    top = upper + np.stack([np.zeros_like(share), thickness], axis=1)
    corner = upper[-1]
    flick = corner + np.array(
        [(0.03, 0.16), (0.16, 0.20 * weight), (0.34 * weight, 0.26 * weight), (0.17, 0.0), (0.03, -0.14)]
    )
    below = upper[::-1] - [0.0, 0.03]
    canvas.polygon(eye.place(np.concatenate([top, flick, below])), lash)
    for first, last, reach in ((35, 38, (0.30, 0.30)), (32, 35, (0.20, 0.34))):
        tip = upper[last] + np.array(reach) * weight
        spike = np.array(
            [upper[first] + [0.0, 0.10], upper[first] + [0.05, 0.22], tip, upper[last] + [0.04, 0.06], upper[last]]
        )
        canvas.polygon(eye.place(spike), lash)
    outer = lower[: len(lower) * 3 // 5]
    widths = 0.0013 * weight * np.linspace(1.0, 0.15, len(outer))
    canvas.stroke(eye.place(outer), widths, mix(lash, palette.skin.shadow, 0.15))
    rest = lower[len(lower) * 3 // 5 - 1 :]
    canvas.stroke(eye.place(rest), 0.0006, mix(lash, palette.skin.shadow, 0.6), 0.7)


def paint_brows(canvas: Canvas, traits: EyeTraits, palette: Palette) -> None:
    """Two tapered brows above the eyes."""
    dark = luminance(palette.hair.base) < 0.45
    color = mix(palette.hair.base, rgb("3a2a30"), 0.45) if dark else shade(palette.hair.base, share=0.75)
    height = traits.y + traits.height / 2 + traits.brow_lift
    for side in (-1, 1):
        slope = traits.brow_slope * 0.010
        knots = [
            (traits.x - 0.019, height - slope),
            (traits.x - 0.006, height + 0.003),
            (traits.x + 0.010, height + 0.004 + slope * 0.6),
            (traits.x + 0.023, height - 0.002 + slope),
        ]
        line = spline(knots, 24) * [side, 1.0]
        widths = 0.0040 * traits.brow_weight * np.concatenate([np.linspace(0.55, 1.0, 8), np.linspace(1.0, 0.08, 16)])
        canvas.polygon(stroke_outline(line, widths), color)
