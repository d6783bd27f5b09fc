"""Convolution with a filtered change of size (spec/generator.md §3.3)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from _exchange.errors import InputError
from torch_utils.ops.upfirdn2d import downsample_padding, filter_size, parse_padding, upfirdn2d, upsample_padding


def _convolve(
    x: Tensor, w: Tensor, *, groups: int, flip_weight: bool, stride: int = 1, padding: tuple[int, int] = (0, 0)
) -> Tensor:
    """PyTorch's convolution (a correlation), or with the kernel reversed; padding is (y, x)."""
    return functional.conv2d(x, w if flip_weight else w.flip([2, 3]), stride=stride, padding=padding, groups=groups)


def _transposed(x: Tensor, w: Tensor, *, up: int, padding: tuple[int, int], groups: int, flip_weight: bool) -> Tensor:
    """Convolution of the image with up − 1 zeros between samples: (O, I / groups, h, w) weights; padding is (y, x)."""
    outputs, inputs, height, width = w.shape
    swapped = w.reshape(groups, outputs // groups, inputs, height, width).transpose(1, 2)
    swapped = swapped.reshape(groups * inputs, outputs // groups, height, width)
    return functional.conv_transpose2d(
        x, swapped.flip([2, 3]) if flip_weight else swapped, stride=up, padding=padding, groups=groups
    )


def _check(x: Tensor, w: Tensor, up: int, down: int, groups: int) -> None:
    if x.ndim != 4 or w.ndim != 4:
        raise InputError(
            f"Expected images (B, C, H, W) and weights (O, I, h, w), found {tuple(x.shape)} and {tuple(w.shape)}."
        )
    if not (isinstance(up, int) and isinstance(down, int) and up >= 1 and down >= 1):
        raise InputError(f"Expected whole factors up and down of at least 1, found {up} and {down}.")
    if groups < 1 or w.shape[0] % groups or x.shape[1] != w.shape[1] * groups:
        raise InputError(
            f"Expected weights for {x.shape[1]} input channels in {groups} groups, found shape {tuple(w.shape)}."
        )


def _check_size(x: Tensor, w: Tensor, f: Tensor | None, factors: tuple[int, int], around: tuple[int, ...]) -> None:
    """Refuse images that lose all their samples to the kernel and to the filter, which is applied for each factor."""
    passes = sum(factor > 1 for factor in factors)
    needed = [k + passes * (taps - 1) for k, taps in zip((w.shape[3], w.shape[2]), filter_size(f), strict=True)]
    width = x.shape[3] * factors[0] + around[0] + around[1]
    height = x.shape[2] * factors[0] + around[2] + around[3]
    if width < needed[0] or height < needed[1]:
        raise InputError(
            f"Expected a padded image at least as large as kernel and filter together, {needed[0]} × {needed[1]}, "
            f"found {width} × {height}."
        )


def conv2d_resample(
    x: Tensor,
    w: Tensor,
    f: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    groups: int = 1,
    flip_weight: bool = True,
    flip_filter: bool = False,
) -> Tensor:
    """Upsample with the filter, convolve, downsample with the filter; shortcuts that equal this are taken.

    Args:
        x: (B, I, H, W).
        w: (O, I / groups, h, w), dtype of x.
        f: a filter of `setup_filter` for both changes of size; None is one tap.
        up: factor.
        down: factor.
        padding: in samples of the upsampled image, for the convolution; a number, (x, y) or four numbers.
        groups: independent groups of channels.
        flip_weight: correlate, as PyTorch does; otherwise a true convolution.
        flip_filter: correlate with the filter.

    Returns:
        (B, O, H', W'), dtype of x.

    Raises:
        InputError: shapes that do not belong together, or a kernel and filter larger than the padded image.
    """
    _check(x, w, up, down, groups)
    height, width = w.shape[2:]
    around = parse_padding(padding)
    if up > 1:
        around = upsample_padding(f, (up, up), around)
    if down > 1:
        around = downsample_padding(f, (down, down), around)
    _check_size(x, w, f, (up, down), around)

    if (width, height) == (1, 1) and down > 1 and up == 1:
        x = upfirdn2d(x, f, down=down, padding=around, flip_filter=flip_filter)
        return _convolve(x, w, groups=groups, flip_weight=flip_weight)
    if (width, height) == (1, 1) and up > 1 and down == 1:
        x = _convolve(x, w, groups=groups, flip_weight=flip_weight)
        return upfirdn2d(x, f, up=up, padding=around, flip_filter=flip_filter, gain=up**2)
    if down > 1 and up == 1:
        x = upfirdn2d(x, f, padding=around, flip_filter=flip_filter)
        return _convolve(x, w, groups=groups, flip_weight=flip_weight, stride=down)
    if up > 1:
        # The stuffed image ends in up − 1 zeros, which a transposed convolution leaves out.
        left, right = around[0] - (width - 1), around[1] - (width - up)
        top, bottom = around[2] - (height - 1), around[3] - (height - up)
        cut_x = min(max(min(-left, -right), 0), ((x.shape[3] - 1) * up + width - 1) // 2)
        cut_y = min(max(min(-top, -bottom), 0), ((x.shape[2] - 1) * up + height - 1) // 2)
        x = _transposed(x, w, up=up, padding=(cut_y, cut_x), groups=groups, flip_weight=flip_weight)
        rest = [left + cut_x, right + cut_x, top + cut_y, bottom + cut_y]
        x = upfirdn2d(x, f, padding=rest, flip_filter=flip_filter, gain=up**2)
        return x if down == 1 else upfirdn2d(x, f, down=down, flip_filter=flip_filter)
    if around[0] == around[1] >= 0 and around[2] == around[3] >= 0:
        return _convolve(x, w, groups=groups, flip_weight=flip_weight, padding=(around[2], around[0]))
    x = upfirdn2d(x, None, padding=around)
    return _convolve(x, w, groups=groups, flip_weight=flip_weight)
