"""The face texture: skin with painted shading, blush, nose and mouth, and the eyes of `eyes`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from _databacks.characters.canvas import Canvas, ellipse_field
from _databacks.characters.curves import bump, smoothstep, spline
from _databacks.characters.eyes import paint_brows, paint_eyes
from _databacks.characters.head import EAR_CENTRE, EAR_RADII, FACE_WINDOW, FACE_WINDOW_CENTRE_Y
from _databacks.characters.palette import WHITE, Rgb, mix, rgb
from _databacks.characters.traits import Traits

FACE_SIZE = 1024
SKIN_SIZE = 128


def face_pixels(traits: Traits) -> NDArray[np.uint8]:
    """(1024, 1024, 3) texture of the head."""
    scale = FACE_SIZE / FACE_WINDOW
    skin = traits.palette.skin
    pixels = np.empty((FACE_SIZE, FACE_SIZE, 3))
    pixels[:] = skin.base
    canvas = Canvas(pixels, (scale, -scale), (FACE_SIZE / 2, FACE_SIZE / 2 + FACE_WINDOW_CENTRE_Y * scale))
    _paint_shading(canvas, traits)
    _paint_blush(canvas, traits)
    _paint_nose(canvas, traits)
    _paint_mouth(canvas, traits)
    paint_eyes(canvas, traits.eyes, traits.palette)
    paint_brows(canvas, traits.eyes, traits.palette)
    return canvas.bytes()


def skin_pixels(traits: Traits) -> NDArray[np.uint8]:
    """(128, 128, 3) texture of neck, ears and hands: left half the neck, right half an ear above plain skin."""
    skin = traits.palette.skin
    rows = (np.arange(SKIN_SIZE) + 0.5) / SKIN_SIZE
    share = 0.95 * (1 - smoothstep(rows, 0.30, 0.62))
    pixels = np.empty((SKIN_SIZE, SKIN_SIZE, 3))
    pixels[:] = skin.base
    pixels[:, : SKIN_SIZE // 2] += share[:, None, None] * (np.array(skin.shadow) - skin.base)
    pixels[:, SKIN_SIZE // 2 :] += 0.15 * (np.array(skin.shadow) - skin.base)
    canvas = Canvas(pixels, (SKIN_SIZE, SKIN_SIZE), (0.0, 0.0))
    along, down = np.array(EAR_RADII)
    hollow = spline(
        [(-0.35, 0.45), (-0.10, -0.05), (-0.05, -0.50), (0.35, -0.62), (0.52, -0.20), (0.30, 0.25), (0, 0.5)], 40
    )
    centre = np.array(EAR_CENTRE)
    canvas.polygon(centre + hollow * (along, down), mix(skin.shadow, skin.lip, 0.25), 0.75)
    rim = spline([(-0.15, -0.72), (0.40, -0.85), (0.75, -0.35), (0.50, 0.30), (0.12, 0.72)], 30)
    canvas.stroke(centre + rim * (along, down), 0.022 * bump(np.linspace(-0.9, 0.9, 30)), skin.shadow, 0.8)
    return canvas.bytes()


def _paint_shading(canvas: Canvas, traits: Traits) -> None:
    """Shadow of the fringe on the forehead, of the hair at the sides and below the chin."""
    window = canvas.window((-FACE_WINDOW, -FACE_WINDOW), (FACE_WINDOW, FACE_WINDOW))
    shadow = traits.palette.skin.shadow
    forehead = smoothstep(window.y, traits.hair.fringe_y - 0.012, traits.hair.fringe_y + 0.03)
    sides = smoothstep(np.abs(window.x), 0.074, 0.098) * 0.5
    under = 1 - smoothstep(window.y, traits.face.chin_y + 0.001, traits.face.chin_y + 0.014)
    share = 1 - (1 - 0.75 * forehead) * (1 - sides) * (1 - 0.7 * under)
    window.blend(share, shadow)


def _paint_blush(canvas: Canvas, traits: Traits) -> None:
    eyes, skin = traits.eyes, traits.palette.skin
    height = eyes.y - eyes.height / 2 - 0.008
    for side in (-1, 1):
        centre = side * (eyes.x + 0.010), height
        window = canvas.window((centre[0] - 0.03, height - 0.02), (centre[0] + 0.03, height + 0.02))
        field = ellipse_field(window.x, window.y, centre, (0.025, 0.013))
        window.blend(np.maximum(1 - field, 0.0) ** 2 * traits.face.blush, skin.blush)
        if traits.face.blush_lines:
            for step in (-1, 0, 1):
                x = centre[0] + 0.0062 * step
                line = [(x - 0.0016, height - 0.003), (x + 0.0016, height + 0.003)]
                canvas.stroke(line, 0.0009, mix(skin.blush, skin.lip, 0.4), 0.7)


def _paint_nose(canvas: Canvas, traits: Traits) -> None:
    skin = traits.palette.skin
    tip = -0.0815
    mark = spline([(0.0005, tip + 0.0055), (0.0042, tip + 0.001), (0.0012, tip - 0.0018), (-0.001, tip - 0.0012)], 16)
    canvas.stroke(mark, 0.0015 * bump(np.linspace(-0.95, 0.95, 16)), mix(skin.shadow, skin.lip, 0.45), 0.9)
    window = canvas.window((-0.006, tip), (0.006, tip + 0.012))
    field = ellipse_field(window.x, window.y, (-0.0008, tip + 0.0055), (0.0024, 0.0030))
    window.blend(np.maximum(1 - field, 0.0) ** 2 * 0.7, mix(skin.base, WHITE, 0.7))


def _paint_mouth(canvas: Canvas, traits: Traits) -> None:
    width, height = traits.mouth.width / 2, traits.face.chin_y + traits.mouth.y
    skin = traits.palette.skin
    line: Rgb = mix(skin.lip, rgb("5a2530"), 0.55)
    kind = traits.mouth.kind
    if kind == "open":
        _paint_open_mouth(canvas, traits, line)
        return
    curves = {
        "smile": [(-width, 0.0028), (-0.5 * width, 0.0002), (0, -0.0008), (0.5 * width, 0.0002), (width, 0.0028)],
        "neutral": [(-0.7 * width, 0.0), (0, 0.0006), (0.7 * width, 0.0)],
        "cat": [
            (-width, 0.003),
            (-0.62 * width, -0.0012),
            (-0.2 * width, -0.0005),
            (0, 0.0026),
            (0.2 * width, -0.0005),
            (0.62 * width, -0.0012),
            (width, 0.003),
        ],
        "pout": [(-0.5 * width, -0.0012), (0, 0.0012), (0.5 * width, -0.0012)],
    }
    points = spline(curves[kind], 40) + np.array([0.0, height])
    widths = 0.0023 * (0.35 + 0.65 * bump(np.linspace(-0.9, 0.9, 40)))
    canvas.stroke(points, widths, line)
    below = spline([(-0.3 * width, -0.0065), (0, -0.0075), (0.3 * width, -0.0065)], 16) + np.array([0.0, height])
    canvas.stroke(below, 0.0012 * bump(np.linspace(-0.95, 0.95, 16)), mix(skin.shadow, skin.lip, 0.25), 0.8)


def _paint_open_mouth(canvas: Canvas, traits: Traits, line: Rgb) -> None:
    width, height = traits.mouth.width * 0.42, traits.face.chin_y + traits.mouth.y
    upper = spline([(-width, 0.004), (0, 0.0022), (width, 0.004)], 20)
    lower = spline(
        [(width, 0.004), (0.62 * width, -0.0045), (0, -0.0075), (-0.62 * width, -0.0045), (-width, 0.004)], 30
    )
    outline = np.concatenate([upper, lower]) + np.array([0.0, height])
    canvas.stroke(np.concatenate([outline, outline[:1]]), 0.0016, line)
    canvas.polygon(outline, rgb("8a2f3c"))
    window = canvas.window(outline.min(axis=0), outline.max(axis=0))
    inside = window.coverage(outline)
    tongue = ellipse_field(window.x, window.y, (0.0, height - 0.0075), (0.75 * width, 0.0055))
    window.blend(inside * np.clip((1 - np.sqrt(tongue)) * 12 + 0.5, 0, 1), rgb("e8808a"))
    teeth = smoothstep(window.y, height + 0.0010, height + 0.0014)
    window.blend(inside * teeth * np.ones_like(window.x), rgb("fff8f4"))
    canvas.stroke(upper + np.array([0.0, height]), 0.0016, line)
