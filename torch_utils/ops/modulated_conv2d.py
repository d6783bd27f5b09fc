"""Convolution whose weights are scaled by a style of each sample (spec/generator.md §2.4, §2.8)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from _exchange.errors import InputError
from torch_utils.ops.conv2d_resample import conv2d_resample

EPSILON = 1e-8
SMALLEST = torch.finfo(torch.float32).tiny


def modulated_weights(weight: Tensor, styles: Tensor, demodulate: bool) -> Tensor:
    """The weights of each sample.

    Args:
        weight: (O, I, h, w).
        styles: (B, I).
        demodulate: scale the weights of each output channel to unit length.

    Returns:
        (B, O, I, h, w).
    """
    modulated = weight * styles[:, None, :, None, None]
    if not demodulate:
        return modulated
    return modulated * (modulated.square().sum(dim=[2, 3, 4], keepdim=True) + EPSILON).rsqrt()


def _tamed(weight: Tensor, styles: Tensor) -> tuple[Tensor, Tensor]:
    """Weights and styles that half precision holds; demodulation takes the factors out again. Zeros stay zeros."""
    fan_in = weight[0].numel()
    largest = weight.abs().amax(dim=[1, 2, 3], keepdim=True).clamp(min=SMALLEST)
    return weight / (math.sqrt(fan_in) * largest), styles / styles.abs().amax(dim=1, keepdim=True).clamp(min=SMALLEST)


def _checked(x: Tensor, weight: Tensor, styles: Tensor) -> None:
    if x.ndim != 4 or weight.ndim != 4 or x.shape[1] != weight.shape[1]:
        raise InputError(
            f"Expected images (B, I, H, W) and weights (O, I, h, w), found {tuple(x.shape)} and {tuple(weight.shape)}."
        )
    if styles.shape != (x.shape[0], weight.shape[1]):
        raise InputError(
            f"Expected one style per sample and input channel, {(x.shape[0], weight.shape[1])}, "
            f"found {tuple(styles.shape)}."
        )


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    noise: Tensor | None = None,
    *,
    up: int = 1,
    padding: int | Sequence[int] = 0,
    resample_filter: Tensor | None = None,
    demodulate: bool = True,
    flip_weight: bool = True,
    fused: bool = True,
) -> Tensor:
    """Convolve each sample with its own weights, then add noise.

    Args:
        x: (B, I, H, W) of any floating dtype.
        weight: (O, I, h, w); like the styles, of any floating dtype.
        styles: (B, I) factors of the input channels.
        noise: added to the result: (B, 1, H', W') or (H', W'); None adds nothing.
        up: upsampling factor.
        padding: as for `conv2d_resample`.
        resample_filter: filter of the upsampling.
        demodulate: scale the weights of each sample and output channel to unit length.
        flip_weight: correlate; otherwise a true convolution.
        fused: modulate the weights (one grouped convolution); otherwise scale input and output. Equal to rounding.

    Returns:
        (B, O, H', W'), dtype of x.

    Raises:
        InputError: shapes that do not belong together.
    """
    _checked(x, weight, styles)
    if x.dtype == torch.float16 and demodulate:
        weight, styles = _tamed(weight, styles)
    batch, outputs = x.shape[0], weight.shape[0]
    if fused:
        own = modulated_weights(weight, styles, demodulate).to(x.dtype).flatten(0, 1)
        x = x.reshape(1, -1, *x.shape[2:])
        x = conv2d_resample(x, own, resample_filter, up=up, padding=padding, groups=batch, flip_weight=flip_weight)
        x = x.reshape(batch, outputs, *x.shape[2:])
        return x if noise is None else x + noise.to(x.dtype)
    x = x * styles.to(x.dtype)[:, :, None, None]
    x = conv2d_resample(x, weight.to(x.dtype), resample_filter, up=up, padding=padding, flip_weight=flip_weight)
    if demodulate:
        lengths = styles.square() @ weight.square().sum(dim=[2, 3]).T.to(styles.dtype)
        x = x * (lengths + EPSILON).rsqrt().to(x.dtype)[:, :, None, None]
    return x if noise is None else x + noise.to(x.dtype)
