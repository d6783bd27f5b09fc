"""Upsample, filter, downsample images with a finite filter (spec/generator.md §3.2).

Filters are float32 tensors made by `setup_filter`: (h, w), or (n,) where the filter is separable and applied along
both axes. Images are (B, C, H, W) of any floating dtype; the filter is cast to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from _exchange.errors import InputError

SEPARABLE_FROM = 8
"""Taps from which a one-dimensional filter stays one-dimensional."""


def setup_filter(
    f: Tensor | Sequence[float] | Sequence[Sequence[float]] | float | None,
    *,
    normalize: bool = True,
    flip_filter: bool = False,
    gain: float = 1,
    separable: bool | None = None,
) -> Tensor:
    """A filter as the other functions take it.

    Args:
        f: taps (n,) or (h, w); a number or None is one tap.
        normalize: divide by the sum.
        flip_filter: reverse every axis.
        gain: multiply by gain^(axes / 2), so that two passes of a separable filter give the gain once.
        separable: keep (n,) as it is, or make its outer product; None: keep from 8 taps on.

    Raises:
        InputError: no numbers, more than two axes, no taps, a sum of zero, `separable` for a two-dimensional filter, or
            a negative gain of a filter of one axis.
    """
    try:
        taps = torch.as_tensor(1.0 if f is None else f, dtype=torch.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"Expected a filter of numbers, found {f!r:.80}.") from error
    if taps.ndim > 2 or taps.numel() == 0:
        raise InputError(f"Expected a filter of one or two axes and at least one tap, found shape {tuple(taps.shape)}.")
    taps = taps.reshape(1) if taps.ndim == 0 else taps.clone()
    if separable is None:
        separable = taps.ndim == 1 and taps.numel() >= SEPARABLE_FROM
    if separable and taps.ndim == 2:
        raise InputError(f"Expected a filter of one axis to apply separably, found shape {tuple(taps.shape)}.")
    if taps.ndim == 1 and not separable:
        taps = torch.outer(taps, taps)
    if normalize:
        total = taps.sum()
        if total == 0:
            raise InputError("Expected a filter whose taps do not cancel, found a sum of 0: it cannot be normalised.")
        taps = taps / total
    if flip_filter:
        taps = taps.flip(list(range(taps.ndim)))
    return _amplified(taps, gain)


def _amplified(taps: Tensor, gain: float) -> Tensor:
    """Taps whose passes, one for (h, w) and two for (n,), multiply by the gain together."""
    if taps.ndim == 1 and gain < 0:
        raise InputError(f"Expected a gain of at least 0 for a filter that is applied twice, found {gain}.")
    return taps * (gain if taps.ndim == 2 else math.sqrt(gain))


def pair(value: int | Sequence[int], name: str, low: int | None = None) -> tuple[int, int]:
    """(x, y) of one number or two, each at least `low`."""
    both = (value, value) if isinstance(value, int) else tuple(value)
    if len(both) != 2 or not all(isinstance(number, int) and (low is None or number >= low) for number in both):
        limit = "" if low is None else f" of at least {low}"
        raise InputError(f"Expected {name} as one or two whole numbers{limit} (x, y), found {value}.")
    return both[0], both[1]


def parse_padding(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """(x before, x after, y before, y after) of one number, (x, y) or all four."""
    if isinstance(padding, int) or len(padding) != 4:
        across, down = pair(padding, "padding")
        return across, across, down, down
    if not all(isinstance(number, int) for number in padding):
        raise InputError(f"Expected padding of whole numbers, found {tuple(padding)}.")
    return padding[0], padding[1], padding[2], padding[3]


def filter_size(f: Tensor | None) -> tuple[int, int]:
    """(width, height) of a filter in taps."""
    if f is None:
        return 1, 1
    if f.ndim not in {1, 2} or f.numel() == 0:
        raise InputError(f"Expected a filter of one or two axes with at least one tap, found shape {tuple(f.shape)}.")
    return f.shape[-1], f.shape[0]


def _stuffed(x: Tensor, up: tuple[int, int]) -> Tensor:
    """Zeros after every sample: (B, C, H, W) to (B, C, H · up_y, W · up_x)."""
    if up == (1, 1):
        return x
    batch, channels, height, width = x.shape
    x = functional.pad(x.reshape(batch, channels, height, 1, width, 1), [0, up[0] - 1, 0, 0, 0, up[1] - 1])
    return x.reshape(batch, channels, height * up[1], width * up[0])


def _padded(x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    """Zeros around an image; negative numbers crop."""
    if padding == (0, 0, 0, 0):
        return x
    x = functional.pad(x, [max(side, 0) for side in padding])
    left, right, top, bottom = (max(-side, 0) for side in padding)
    return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]


def _correlate(x: Tensor, kernel: Tensor, down: tuple[int, int]) -> Tensor:
    """Every channel with the same (h, w) kernel, keeping every down-th result."""
    channels = x.shape[1]
    return functional.conv2d(
        x, kernel.expand(channels, 1, -1, -1).contiguous(), stride=(down[1], down[0]), groups=channels
    )


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    *,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1,
) -> Tensor:
    """Insert zeros after samples, pad, filter, keep every down-th sample.

    Args:
        x: (B, C, H, W).
        f: a filter of `setup_filter`; None is one tap.
        up: factor, or (x, y).
        down: factor, or (x, y).
        padding: in upsampled samples: a number, (x, y), or (x before, x after, y before, y after); negative crops.
        flip_filter: correlate; otherwise a true convolution.
        gain: factor of the result.

    Returns:
        (B, C, H', W') with W' = ⌊(W · up + padding − taps) / down⌋ + 1, dtype of x.

    Raises:
        InputError: x is no batch of images, or is smaller than the filter after padding; a negative gain of a separable
            filter.
    """
    if x.ndim != 4:
        raise InputError(f"Expected images of shape (B, C, H, W), found shape {tuple(x.shape)}.")
    up, down, padding = pair(up, "up", 1), pair(down, "down", 1), parse_padding(padding)
    across, along = filter_size(f)
    width = x.shape[3] * up[0] + padding[0] + padding[1]
    height = x.shape[2] * up[1] + padding[2] + padding[3]
    if width < across or height < along:
        raise InputError(
            f"Expected a padded image at least as large as the filter of {across} × {along} taps, "
            f"found {width} × {height}."
        )
    x = _padded(_stuffed(x, up), padding)
    taps = x.new_ones(1, 1) if f is None else f.to(x.dtype).to(x.device)
    taps = _amplified(taps, gain)
    if not flip_filter:
        taps = taps.flip(list(range(taps.ndim)))
    if taps.ndim == 2:
        return _correlate(x, taps, down)
    return _correlate(_correlate(x, taps[None, :], (down[0], 1)), taps[:, None], (1, down[1]))


def filter2d(
    x: Tensor, f: Tensor | None, *, padding: int | Sequence[int] = 0, flip_filter: bool = False, gain: float = 1
) -> Tensor:
    """Filter images and keep their size, plus `padding`."""
    (across, along), own = filter_size(f), parse_padding(padding)
    around = [own[0] + across // 2, own[1] + (across - 1) // 2, own[2] + along // 2, own[3] + (along - 1) // 2]
    return upfirdn2d(x, f, padding=around, flip_filter=flip_filter, gain=gain)


def upsample_padding(
    f: Tensor | None, up: tuple[int, int], padding: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """`padding` and what centres the filter when an image grows `up` times."""
    across, along = filter_size(f)
    return (
        padding[0] + (across + up[0] - 1) // 2,
        padding[1] + (across - up[0]) // 2,
        padding[2] + (along + up[1] - 1) // 2,
        padding[3] + (along - up[1]) // 2,
    )


def downsample_padding(
    f: Tensor | None, down: tuple[int, int], padding: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """`padding` and what centres the filter when an image shrinks `down` times."""
    across, along = filter_size(f)
    return (
        padding[0] + (across - down[0] + 1) // 2,
        padding[1] + (across - down[0]) // 2,
        padding[2] + (along - down[1] + 1) // 2,
        padding[3] + (along - down[1]) // 2,
    )


def upsample2d(
    x: Tensor,
    f: Tensor | None,
    *,
    up: int | Sequence[int] = 2,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1,
) -> Tensor:
    """Images `up` times as large, filtered, of the same brightness."""
    factors = pair(up, "up", 1)
    around = upsample_padding(f, factors, parse_padding(padding))
    return upfirdn2d(x, f, up=factors, padding=around, flip_filter=flip_filter, gain=gain * factors[0] * factors[1])


def downsample2d(
    x: Tensor,
    f: Tensor | None,
    *,
    down: int | Sequence[int] = 2,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1,
) -> Tensor:
    """Images filtered and `down` times as small."""
    factors = pair(down, "down", 1)
    around = downsample_padding(f, factors, parse_padding(padding))
    return upfirdn2d(x, f, down=factors, padding=around, flip_filter=flip_filter, gain=gain)
