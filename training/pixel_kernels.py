"""Compiled passes over features in pixel order (height, width, channels): what stands between matrix products.

Each makes one pass over memory where the plain operators make four to ten. Filters are those of the taps (1, 3, 3, 1).
Plain twins: `torch_utils.ops.upfirdn2d` and `torch_utils.ops.bias_act`. Arrays are float32 and contiguous.
"""

from __future__ import annotations

import numpy as np

from _render.compiling import kernel

FAR = np.float32(0.25)
NEAR = np.float32(0.75)


@kernel
def activate(x, noise, bias, slope, gain, limit):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """In place: noise (P,), bias (C,), leaky ReLU, gain and clamp of x (P, C)."""
    for p in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = x[p, c] + noise[p] + bias[c]
            value = (value if value >= 0 else slope * value) * gain
            value = limit if value > limit else value
            x[p, c] = -limit if value < -limit else value


@kernel
def smooth_and_activate(x, out, noise, bias, slope, gain, limit):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """The filter after a transposed convolution, then `activate`.

    x (2 r + 1, 2 r + 1, C) becomes out (2 r, 2 r, C); noise is (2 r, 2 r). The filter sums to 4, as upsampling asks.
    """
    height, width, channels = out.shape
    rows = np.zeros((width + 3, channels), np.float32)
    for i in range(height):
        for j in range(width + 1):
            for c in range(channels):
                rows[j + 1, c] = NEAR * (x[i, j, c] + x[i + 1, j, c])
            if i > 0:
                for c in range(channels):
                    rows[j + 1, c] += FAR * x[i - 1, j, c]
            if i + 2 <= height:
                for c in range(channels):
                    rows[j + 1, c] += FAR * x[i + 2, j, c]
        for j in range(width):
            for c in range(channels):
                value = FAR * (rows[j, c] + rows[j + 3, c]) + NEAR * (rows[j + 1, c] + rows[j + 2, c])
                value = value + noise[i, j] + bias[c]
                value = (value if value >= 0 else slope * value) * gain
                value = limit if value > limit else value
                out[i, j, c] = -limit if value < -limit else value


@kernel
def add_upsampled(small, out, bias, limit):  # type: ignore[no-untyped-def]
    """In place: add bias (K,) to out (2 r, 2 r, K), clamp, and add small (r, r, K), upsampled."""
    height, width, channels = small.shape
    row = np.zeros((width + 2, channels), np.float32)
    for i in range(2 * height):
        near = i // 2
        far = near - 1 if i % 2 == 0 else near + 1
        inside = 0 <= far < height
        for j in range(width):
            for c in range(channels):
                row[j + 1, c] = NEAR * small[near, j, c]
            if inside:
                for c in range(channels):
                    row[j + 1, c] += FAR * small[far, j, c]
        for j in range(2 * width):
            middle = j // 2 + 1
            beside = middle - 1 if j % 2 == 0 else middle + 1
            for c in range(channels):
                value = out[i, j, c] + bias[c]
                value = limit if value > limit else value
                value = -limit if value < -limit else value
                out[i, j, c] = value + NEAR * row[middle, c] + FAR * row[beside, c]
