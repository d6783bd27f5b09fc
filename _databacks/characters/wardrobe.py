"""The texture of clothes: front and back of the torso, sleeves, and swatches for small things.

Torso texels are a plain projection: the front as seen from the front, the back as seen from behind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from _databacks.characters.canvas import Canvas, ellipse_field
from _databacks.characters.curves import Floats, smoothstep, spline
from _databacks.characters.palette import WHITE, Palette, Rgb, mix, rgb, shade
from _databacks.characters.traits import Traits

WIDTH, HEIGHT = 1024, 512
SCALE = 1250.0
TOP_Y = -0.15
_FRONT, _BACK = 200.0, 600.0
SLEEVE_LEFT, SLEEVE_RIGHT = 808, 952
_SWATCH_LEFT, _SWATCH_SIZE = 960, (32, 128)
_NECK_SIDE = ((-0.086, -0.168), (-0.065, -0.184))
"""Where necklines of front and back meet: the side of the torso."""
SWATCHES = ("cloth", "trim", "accent", "white", "hair", "pink", "dark", "gold")


def torso_uv(points: Floats, front: NDArray[np.bool_]) -> Floats:
    """(…, 2) texture coordinates of torso points: projected to the front or the back half."""
    column = np.where(front, _FRONT - points[..., 0] * SCALE, _BACK + points[..., 0] * SCALE)
    row = (TOP_Y - points[..., 1]) * SCALE
    return np.stack([column / WIDTH, np.clip(row / HEIGHT, 0.002, 0.998)], axis=-1)


def swatch_uv(name: str, shadow: ArrayLike) -> Floats:
    """(…, 2) texture coordinates in a swatch: 0 is lit, 1 in the painted shadow."""
    place = SWATCHES.index(name)
    shadow = np.asarray(shadow, np.float64)
    column = _SWATCH_LEFT + (place % 2 + 0.5) * _SWATCH_SIZE[0]
    row = (place // 2 + 0.08 + 0.84 * shadow) * _SWATCH_SIZE[1]
    return np.stack(np.broadcast_arrays(column / WIDTH, row / HEIGHT), axis=-1)


def clothes_pixels(traits: Traits) -> NDArray[np.uint8]:
    """(512, 1024, 3) texture."""
    palette = traits.palette
    pixels = np.empty((HEIGHT, WIDTH, 3))
    pixels[:] = palette.cloth
    front = Canvas(pixels, (SCALE, -SCALE), (_FRONT, TOP_Y * SCALE))
    back = Canvas(pixels, (SCALE, -SCALE), (_BACK, TOP_Y * SCALE))
    _paint_folds(front, palette)
    _paint_folds(back, palette)
    painters = {"sailor": _sailor, "turtleneck": _turtleneck, "shirt": _shirt, "tee": _tee, "hoodie": _hoodie}
    painters[traits.clothes.outfit](front, back, palette)
    pixels[:, SLEEVE_LEFT - 8 :] = palette.cloth
    _paint_sleeves(pixels, traits)
    _paint_swatches(pixels, palette)
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def _paint_folds(canvas: Canvas, palette: Palette) -> None:
    dark = shade(palette.cloth, share=0.45)
    window = canvas.window((-0.16, -0.56), (0.16, -0.15))
    window.blend(0.8 * smoothstep(np.abs(window.x), 0.085, 0.135) * np.ones_like(window.y), dark)
    for side in (-1, 1):
        fold = spline([(side * 0.100, -0.235), (side * 0.078, -0.262), (side * 0.066, -0.300)], 20)
        canvas.stroke(fold, 0.0045 * np.linspace(1.0, 0.0, 20), dark, 0.8)


def _neckline(canvas: Canvas, palette: Palette, points: ArrayLike, rim: Rgb, width: float) -> None:
    """Skin above a line from the left to the right side of the neck, with a rim along the line."""
    outline = spline(points, 64)
    canvas.polygon(np.concatenate([outline, [[0.12, -0.10], [-0.12, -0.10]]]), palette.skin.base)
    canvas.stroke(outline, width, rim)


def _tee(front: Canvas, back: Canvas, palette: Palette) -> None:
    for canvas, low in ((front, -0.212), (back, -0.188)):
        knots = [*_NECK_SIDE, (-0.036, 0.25 * _NECK_SIDE[1][1] + 0.75 * low), (0.0, low)]
        knots += [(-x, y) for x, y in knots[-2::-1]]
        _neckline(canvas, palette, knots, palette.trim, 0.008)
        canvas.polygon([(-0.2, -0.300), (0.2, -0.300), (0.2, -0.324), (-0.2, -0.324)], palette.trim)


def _turtleneck(front: Canvas, back: Canvas, palette: Palette) -> None:
    dark = shade(palette.cloth, share=0.35)
    for canvas in (front, back):
        window = canvas.window((-0.07, -0.22), (0.07, -0.15))
        field = ellipse_field(window.x, window.y, (0.0, -0.160), (0.066, 0.036))
        window.blend(np.maximum(1 - field, 0) * 0.8, dark)
    for x in (-0.05, -0.025, 0.0, 0.025, 0.05):
        line = spline([(x, -0.21), (x * 1.15, -0.30), (x * 1.1, -0.42), (x, -0.56)], 16)
        front.stroke(line, 0.0016, dark, 0.7)


def _shirt(front: Canvas, back: Canvas, palette: Palette) -> None:
    del back
    dark = shade(palette.cloth, share=0.5)
    front.stroke([(0.0, -0.16), (0.0, -0.56)], 0.0015, dark)
    front.stroke([(0.014, -0.16), (0.014, -0.56)], 0.0012, dark, 0.6)
    for y in (-0.235, -0.285, -0.335, -0.385):
        window = front.window((-0.002, y - 0.006), (0.016, y + 0.006))
        field = ellipse_field(window.x, window.y, (0.007, y), (0.0042, 0.0042))
        window.blend(np.clip((1 - np.sqrt(field)) * 5 + 0.5, 0, 1), mix(palette.trim, WHITE, 0.3))


def _sailor(front: Canvas, back: Canvas, palette: Palette) -> None:
    stripe = mix(WHITE, palette.trim, 0.1)
    knots = [*_NECK_SIDE, (-0.040, -0.212), (0.0, -0.262), (0.040, -0.212), (0.065, -0.184), (0.086, -0.168)]
    for side in (-1, 1):
        flap = [
            (0, -0.262),
            (0.040, -0.205),
            (0.066, -0.15),
            (0.14, -0.15),
            (0.103, -0.206),
            (0.060, -0.262),
            (0.008, -0.312),
        ]
        front.polygon(np.array(flap) * [side, 1], palette.trim)
        edge = np.array([(0.008, -0.299), (0.054, -0.253), (0.094, -0.203), (0.13, -0.155)]) * [side, 1]
        front.stroke(edge, 0.0038, stripe)
    _neckline(front, palette, knots, shade(palette.trim, share=0.3), 0.003)
    nape = [*_NECK_SIDE, (-0.034, -0.181), (0.0, -0.178), (0.034, -0.181), (0.065, -0.184), (0.086, -0.168)]
    back.polygon(
        [(-0.14, -0.15), (0.14, -0.15), (0.103, -0.206), (0.098, -0.305), (-0.098, -0.305), (-0.103, -0.206)],
        palette.trim,
    )
    back.stroke(
        [(0.13, -0.155), (0.094, -0.204), (0.088, -0.295), (-0.088, -0.295), (-0.094, -0.204), (-0.13, -0.155)],
        0.0038,
        stripe,
    )
    _neckline(back, palette, nape, shade(palette.trim, share=0.3), 0.003)


def _hoodie(front: Canvas, back: Canvas, palette: Palette) -> None:
    dark = shade(palette.cloth, share=0.5)
    front.stroke([(0.0, -0.20), (0.0, -0.56)], 0.004, palette.trim)
    for side in (-1, 1):
        cord = spline([(side * 0.022, -0.20), (side * 0.026, -0.25), (side * 0.023, -0.305)], 16)
        front.stroke(cord, 0.0048, palette.trim)
        front.stroke([(side * 0.023, -0.300), (side * 0.023, -0.318)], 0.0065, shade(palette.trim, share=0.3))
    hood = spline([(-0.085, -0.15), (-0.075, -0.25), (0, -0.290), (0.075, -0.25), (0.085, -0.15)], 30)
    back.polygon(np.concatenate([hood, hood[:1]]), mix(palette.cloth, dark, 0.25))
    back.stroke(hood, 0.004, dark)


def _paint_sleeves(pixels: Floats, traits: Traits) -> None:
    palette = traits.palette
    rows = ((np.arange(HEIGHT) + 0.5) / HEIGHT)[:, None, None]
    across = np.linspace(-1, 1, SLEEVE_RIGHT - SLEEVE_LEFT)[None, :, None]
    dark = np.array(shade(palette.cloth, share=0.45))
    sleeve = pixels[:, SLEEVE_LEFT:SLEEVE_RIGHT]
    sleeve += (dark - sleeve) * 0.8 * smoothstep(np.abs(across), 0.45, 0.95)
    cuff = (0.235, 0.262) if not traits.clothes.long_sleeves else (0.90, 0.94)
    band = ((rows > cuff[0]) & (rows < cuff[1])).astype(np.float64)
    sleeve += (np.array(palette.trim) - sleeve) * band


def _paint_swatches(pixels: Floats, palette: Palette) -> None:
    fixed = rgb("f7b9bd"), rgb("3a3440"), rgb("f0c552")
    colors = palette.cloth, palette.trim, palette.accent, WHITE, palette.hair.base, *fixed
    width, height = _SWATCH_SIZE
    fade = smoothstep((np.arange(height) + 0.5) / height, 0.05, 0.95)[:, None, None]
    for place, color in enumerate(colors):
        left, top = _SWATCH_LEFT + place % 2 * width, place // 2 * height
        dark = np.array(shade(color, share=0.42 if place != 3 else 0.25))
        pixels[top : top + height, left : left + width] = np.array(color) + (dark - color) * fade
