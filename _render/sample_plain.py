"""Texture filters, texel by texel: the obvious form of those in `rasterise_numba`.

Source: spec/renderer.md §5 (mip chain), §5.1 (filters); anisotropy as in GL_EXT_texture_filter_anisotropic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _exchange.mesh import Texture, Wrap
from _render.textures import MAX_ANISOTROPY, Filter

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PlainTexture:
    """A texture and its mip levels, finest first."""

    sampler: Texture
    levels: list[NDArray[np.uint8]]

    @classmethod
    def of(cls, texture: Texture) -> PlainTexture:
        """With all levels down to 1×1."""
        levels = [texture.pixels]
        while max(levels[-1].shape[:2]) > 1:
            levels.append(next_level(levels[-1]))
        return cls(texture, levels)

    def texel(self, level: int, row: int, col: int) -> Vector:
        """One texel as (4,) values of 0..1, by the sampler's wrapping."""
        height, width = self.levels[level].shape[:2]
        at = wrapped(row, height, self.sampler.wrap_v), wrapped(col, width, self.sampler.wrap_u)
        return self.levels[level][at] / 255


def next_level(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The next mip level: bilinear samples at the new texels' centres, rounded to bytes."""
    height, width = pixels.shape[:2]
    result = np.zeros((max(1, height // 2), max(1, width // 2), 4), np.uint8)
    for row in range(result.shape[0]):
        for col in range(result.shape[1]):
            y = (row + 0.5) * height / result.shape[0] - 0.5
            x = (col + 0.5) * width / result.shape[1] - 0.5
            total = np.zeros(4)
            for near_row in (math.floor(y), math.floor(y) + 1):
                for near_col in (math.floor(x), math.floor(x) + 1):
                    weight = (1 - abs(y - near_row)) * (1 - abs(x - near_col))
                    total += weight * pixels[min(near_row, height - 1), min(near_col, width - 1)]
            result[row, col] = np.floor(total + 0.5)
    return result


def wrapped(index: int, count: int, wrap: Wrap) -> int:
    """A texel index inside the image."""
    if wrap == "repeat":
        return index % count
    if wrap == "clamp":
        return min(max(index, 0), count - 1)
    folded = index % (2 * count)
    return min(folded, 2 * count - 1 - folded)


def sample(texture: PlainTexture, uv: Vector, along_x: Vector, along_y: Vector, texture_filter: Filter) -> Vector:
    """(4,) colour in 0..1 at `uv`, which changes by `along_x` and `along_y` per pixel."""
    height, width = texture.levels[0].shape[:2]
    size = np.array([width, height])
    across, down = along_x * size, along_y * size
    is_smooth = texture.sampler.minify == "trilinear"
    if texture_filter == "mesa" and is_smooth and texture.sampler.magnify == "linear":
        return _ellipse(texture, uv, across, down)
    longer, shorter = sorted((across @ across, down @ down), reverse=True)
    probes = 1
    if is_smooth and longer > shorter:
        probes = MAX_ANISOTROPY
        if longer < shorter * MAX_ANISOTROPY**2:
            probes = math.ceil(math.sqrt(longer / shorter))
    if longer <= probes**2:
        return nearest(texture, uv) if texture.sampler.magnify == "nearest" else bilinear(texture, 0, uv)
    if texture.sampler.minify == "nearest":
        return nearest(texture, uv)
    if texture.sampler.minify == "linear":
        return bilinear(texture, 0, uv)
    last = len(texture.levels) - 1
    position = min(math.floor(128 * math.log2(longer / probes**2) + 0.5) / 256, last)
    level, blend = math.floor(position), position - math.floor(position)
    axis = along_x if across @ across >= down @ down else along_y
    total = np.zeros(4)
    for probe in range(probes):
        at = uv + (probe - (probes - 1) / 2) / probes * axis
        total += (1 - blend) * bilinear(texture, level, at)
        if blend > 0:
            total += blend * bilinear(texture, level + 1, at)
    return total / probes


def nearest(texture: PlainTexture, uv: Vector) -> Vector:
    """The texel of level 0 that holds `uv`."""
    height, width = texture.levels[0].shape[:2]
    return texture.texel(0, math.floor(uv[1] * height), math.floor(uv[0] * width))


def bilinear(texture: PlainTexture, level: int, uv: Vector) -> Vector:
    """Four texels of a level around `uv`; positions are rounded to 1/256 texel, as graphics hardware does."""
    height, width = texture.levels[level].shape[:2]
    x = math.floor((uv[0] * width - 0.5) * 256 + 0.5) / 256
    y = math.floor((uv[1] * height - 0.5) * 256 + 0.5) / 256
    left, top = math.floor(x), math.floor(y)
    upper = (1 - (x - left)) * texture.texel(level, top, left) + (x - left) * texture.texel(level, top, left + 1)
    lower = (1 - (x - left)) * texture.texel(level, top + 1, left) + (x - left) * texture.texel(
        level, top + 1, left + 1
    )
    return (1 - (y - top)) * upper + (y - top) * lower


def _ellipse(texture: PlainTexture, uv: Vector, across: Vector, down: Vector) -> Vector:
    """Mesa's anisotropic filter: Gaussian weights over an ellipse on one level."""
    shorter = min(across @ across, down @ down)
    level = 0 if shorter <= 1 else min(math.floor(0.5 * math.log2(shorter)), len(texture.levels) - 1)
    height, width = texture.levels[0].shape[:2]
    (au, av), (bu, bv) = across / 2**level, down / 2**level
    a, b, c = av**2 + bv**2 + 1, -2 * (au * av + bu * bv), au**2 + bu**2 + 1
    f = a * c - b**2 / 4
    centre_u, centre_v = uv[0] * width / 2**level - 0.5, uv[1] * height / 2**level - 0.5
    total, weights = np.zeros(4), 0.0
    for row in range(math.ceil(centre_v - math.sqrt(a)), math.floor(centre_v + math.sqrt(a)) + 1):
        for col in range(math.ceil(centre_u - math.sqrt(c)), math.floor(centre_u + math.sqrt(c)) + 1):
            u, v = col - centre_u, row - centre_v
            q = (a * u * u + b * u * v + c * v * v) / f
            if q < 1:
                weight = math.exp(-2 * q)
                total += weight * texture.texel(level, row, col)
                weights += weight
    return total / weights
