"""Convolution with 3 × 3 kernels by Winograd's minimal filtering: 16 products for each 2 × 2 pixels instead of 36.

With B, G, A of F(2 × 2, 3 × 3) a tile of results is Aᵀ [(G w Gᵀ) ⊙ (Bᵀ x B)] A (Lavin and Gray, 2015): sixteen matrix
products over channels, between additions. All factors are 0, ±1 and ½, so rounding grows only about twofold. NaN or
infinity reaches whole tiles, so every pixel where the plain twin, `torch.nn.functional.conv2d`, is not finite, and some
beside it. Features are in pixel order (height, width, channels), float32, of even size.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from _render.compiling import kernel

PRODUCTS = 16
STRIP_FLOATS = 1 << 19
"""Numbers of the transformed input of one strip of tiles: with that of the output they stay in a core's own cache."""


@kernel
def _transform(weight, out):  # type: ignore[no-untyped-def]
    """G w Gᵀ of weight (3, 3, I, O) into out (16, I, O), in float64, rounded once."""
    outputs = weight.shape[3]
    half = np.empty((4, 3, outputs), np.float64)
    for i in range(weight.shape[2]):
        for x in range(3):
            for o in range(outputs):
                a, b, c = np.float64(weight[0, x, i, o]), np.float64(weight[1, x, i, o]), np.float64(weight[2, x, i, o])
                half[0, x, o] = a
                half[1, x, o] = 0.5 * (a + b + c)
                half[2, x, o] = 0.5 * (a - b + c)
                half[3, x, o] = c
        for y in range(4):
            for o in range(outputs):
                a, b, c = half[y, 0, o], half[y, 1, o], half[y, 2, o]
                out[4 * y, i, o] = a
                out[4 * y + 1, i, o] = 0.5 * (a + b + c)
                out[4 * y + 2, i, o] = 0.5 * (a - b + c)
                out[4 * y + 3, i, o] = c


def transformed_kernels(weight: Tensor) -> Tensor:
    """G w Gᵀ of (O, I, 3, 3) weights as (16, I, O) matrices, rounded once."""
    out = np.empty((PRODUCTS, weight.shape[1], weight.shape[0]), np.float32)
    _transform(weight.detach().permute(2, 3, 1, 0).contiguous().numpy(), out)
    return torch.from_numpy(out)


@kernel
def _spread(x, first, count, rows, out):  # type: ignore[no-untyped-def]
    """Bᵀ x B of the tiles of `count` tile rows from `first`; out (16, tiles, C); rows (4, width + 2, C) is scratch.

    The first and last column of `rows` stay zero: the padding. Rows outside the image count as zero.
    """
    height, width, channels = x.shape
    across = width // 2
    for strip in range(count):
        top = 2 * (first + strip) - 1
        for j in range(width):
            for c in range(channels):
                a = x[top, j, c] if top >= 0 else np.float32(0)
                d = x[top + 3, j, c] if top + 3 < height else np.float32(0)
                b, e = x[top + 1, j, c], x[top + 2, j, c]
                rows[0, j + 1, c] = a - e
                rows[1, j + 1, c] = b + e
                rows[2, j + 1, c] = e - b
                rows[3, j + 1, c] = b - d
        for y in range(4):
            for j in range(across):
                tile = strip * across + j
                for c in range(channels):
                    a, b = rows[y, 2 * j, c], rows[y, 2 * j + 1, c]
                    e, d = rows[y, 2 * j + 2, c], rows[y, 2 * j + 3, c]
                    out[4 * y, tile, c] = a - e
                    out[4 * y + 1, tile, c] = b + e
                    out[4 * y + 2, tile, c] = e - b
                    out[4 * y + 3, tile, c] = b - d


@kernel
def _gather(m, first, count, out, noise, bias, slope, gain, limit):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """Aᵀ m A into rows of out (height, width, O), then noise, bias, leaky ReLU, gain and clamp."""
    width, channels = out.shape[1:]
    across = width // 2
    row = np.empty((2, 4, channels), np.float32)
    for strip in range(count):
        for j in range(across):
            tile = strip * across + j
            for x in range(4):
                for c in range(channels):
                    b, e = m[4 + x, tile, c], m[8 + x, tile, c]
                    row[0, x, c] = m[x, tile, c] + b + e
                    row[1, x, c] = b - e - m[12 + x, tile, c]
            for y in range(2):
                i = 2 * (first + strip) + y
                for c in range(channels):
                    b, e = row[y, 1, c], row[y, 2, c]
                    value = row[y, 0, c] + b + e + noise[i, 2 * j] + bias[c]
                    value = (value if value >= 0 else slope * value) * gain
                    value = limit if value > limit else value
                    out[i, 2 * j, c] = -limit if value < -limit else value
                    value = b - e - row[y, 3, c] + noise[i, 2 * j + 1] + bias[c]
                    value = (value if value >= 0 else slope * value) * gain
                    value = limit if value > limit else value
                    out[i, 2 * j + 1, c] = -limit if value < -limit else value


def convolve_and_activate(  # noqa: PLR0917
    x: NDArray[np.float32],
    kernels: Tensor,
    noise: NDArray[np.float32],
    bias: NDArray[np.float32],
    slope: np.float32,
    gain: np.float32,
    limit: np.float32,
) -> NDArray[np.float32]:
    """Convolve with padding 1, then what `training.pixel_kernels.activate` does.

    Args:
        x: (r, r, I) with even r.
        kernels: (16, I, O) of `transformed_kernels`.
        noise: (r, r).
        bias: (O,).
        slope: of the leaky ReLU below zero.
        gain: factor after it.
        limit: clamp.

    Returns:
        (r, r, O).
    """
    height, width, inputs = x.shape
    outputs, down, across = kernels.shape[2], height // 2, width // 2
    step = max(1, min(down, STRIP_FLOATS // (PRODUCTS * across * inputs)))
    out = np.empty((height, width, outputs), np.float32)
    rows = np.zeros((4, width + 2, inputs), np.float32)
    spread = torch.empty(PRODUCTS, step * across, inputs)
    products = torch.empty(PRODUCTS, step * across, outputs)
    for first in range(0, down, step):
        count = min(step, down - first)
        _spread(x, first, count, rows, spread.numpy())
        torch.bmm(spread, kernels, out=products)
        _gather(products.numpy(), first, count, out, noise, bias, slope, gain, limit)
    return out
