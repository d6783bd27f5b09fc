"""A canvas for textures: smooth polygons and strokes blended over float colours.

Coverage is counted on a grid of 4 × 4 samples per texel with integer arithmetic, so that textures come out the same on
every machine. Positions are given in the canvas's own units (metres of the picture, y up) through an affine map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from _databacks.characters.curves import Floats

SUPERSAMPLING = 4
_FINER = 16


@dataclass(frozen=True, eq=False)
class Canvas:
    """Colours to paint on.

    Attributes:
        pixels: (H, W, 3) float64 in [0, 1], painted in place.
        scale: texels per unit, (x, y); y is negative where the unit's y grows upwards.
        origin: texel position of the unit's origin.
    """

    pixels: Floats
    scale: tuple[float, float]
    origin: tuple[float, float]

    def texels(self, points: ArrayLike) -> Floats:
        """(K, 2) continuous texel positions (column, row)."""
        return np.asarray(points, np.float64) * self.scale + self.origin

    def window(self, low: ArrayLike, high: ArrayLike) -> Window:
        """The part of the canvas between two corners given in units."""
        corners = self.texels(np.array([low, high]))
        height, width = self.pixels.shape[:2]
        left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
        right, bottom = np.minimum(np.ceil(corners.max(axis=0)), (width, height)).astype(int)
        return Window(self, int(left), int(top), max(int(right - left), 0), max(int(bottom - top), 0))

    def polygon(self, points: ArrayLike, color: ArrayLike, opacity: float = 1.0) -> None:
        """Fill a polygon given in units."""
        points = np.asarray(points, np.float64)
        margin = 1.0 / np.abs(np.asarray(self.scale))
        window = self.window(points.min(axis=0) - margin, points.max(axis=0) + margin)
        window.blend(window.coverage(points) * opacity, color)

    def stroke(self, points: ArrayLike, widths: ArrayLike, color: ArrayLike, opacity: float = 1.0) -> None:
        """Fill a line of varying width (units) along points."""
        self.polygon(stroke_outline(points, widths), color, opacity)

    def bytes(self) -> NDArray[np.uint8]:
        """(H, W, 3) rounded colours."""
        return np.rint(np.clip(self.pixels, 0.0, 1.0) * 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Window:
    """A rectangle of a canvas: `x`, `y` are the units of its texel centres."""

    canvas: Canvas
    left: int
    top: int
    width: int
    height: int

    @property
    def x(self) -> Floats:
        """(1, W) positions of texel centres, units."""
        centres = self.left + np.arange(self.width) + 0.5
        return np.asarray((centres - self.canvas.origin[0]) / self.canvas.scale[0], np.float64)[None, :]

    @property
    def y(self) -> Floats:
        """(H, 1) positions of texel centres, units."""
        centres = self.top + np.arange(self.height) + 0.5
        return np.asarray((centres - self.canvas.origin[1]) / self.canvas.scale[1], np.float64)[:, None]

    def coverage(self, points: ArrayLike) -> Floats:
        """(H, W) share of each texel inside the polygon."""
        if not self.width or not self.height:
            return np.zeros((self.height, self.width))
        fine = (self.canvas.texels(points) - (self.left, self.top)) * SUPERSAMPLING - 0.5
        corners = [tuple(corner) for corner in (np.rint(fine * _FINER) / _FINER).tolist()]
        image = Image.new("L", (self.width * SUPERSAMPLING, self.height * SUPERSAMPLING))
        ImageDraw.Draw(image).polygon(corners, fill=1)
        samples = np.asarray(image).reshape(self.height, SUPERSAMPLING, self.width, SUPERSAMPLING)
        return samples.sum(axis=(1, 3), dtype=np.int64) / SUPERSAMPLING**2

    def blend(self, mask: Floats, color: ArrayLike) -> None:
        """Move the canvas towards a colour, (3,) or (H, W, 3), by (H, W) shares."""
        rows, columns = slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)
        region = self.canvas.pixels[rows, columns]
        region += (np.asarray(color, np.float64) - region) * mask[..., None]


def stroke_outline(points: ArrayLike, widths: ArrayLike) -> Floats:
    """(2K, 2) outline of a line along (K, 2) points with (K,) full widths."""
    points = np.asarray(points, np.float64)
    tangent = np.gradient(points, axis=0)
    length = np.sqrt((tangent**2).sum(axis=1, keepdims=True))
    across = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / np.maximum(length, 1e-12)
    offset = across * np.broadcast_to(np.asarray(widths, np.float64), len(points))[:, None] / 2
    return np.concatenate([points + offset, (points - offset)[::-1]])


def ellipse_field(x: Floats, y: Floats, centre: tuple[float, float], radii: tuple[float, float]) -> Floats:
    """Squared elliptical distance: 0 at the centre, 1 on the ellipse."""
    return ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2


def soft_inside(field: Floats, softness: float) -> Floats:
    """1 where the squared distance is below 1, 0 above, with an edge of relative width `softness`."""
    return np.clip((1 - np.sqrt(field)) / softness + 0.5, 0.0, 1.0)
