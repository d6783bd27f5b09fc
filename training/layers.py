"""The layers that several networks share, and where noise comes from (spec/generator.md §1.1, §2.1, §2.6, §3.4)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Literal, TypeGuard, get_args

import torch
from torch import Tensor, nn

from _exchange.errors import InputError
from torch_utils.determinism import Draws
from torch_utils.ops.bias_act import activation_named, bias_act
from torch_utils.ops.conv2d_resample import conv2d_resample
from torch_utils.ops.upfirdn2d import setup_filter

FILTER = (1, 3, 3, 1)
"""Taps of the filter of every change of size."""
EPSILON = 1e-8
"""Added to a mean square before its root is divided by."""
NoiseMode = Literal["random", "const", "none"]


@dataclass(frozen=True, eq=False)
class Noise:
    """What noise the convolutions of a network get.

    Attributes:
        mode: fresh numbers, the stored `noise_const` of each layer, or none.
        draws: where fresh numbers come from; used in mode ``random`` only.
        prefix: path of the module that draws, with its dot, e.g. ``backbone.synthesis.``.

    Raises:
        InputError: an unknown mode, or fresh numbers without a source.
    """

    mode: NoiseMode
    draws: Draws | None = None
    prefix: str = ""

    def __post_init__(self) -> None:
        if self.mode not in get_args(NoiseMode):
            raise InputError(f"Expected noise mode {', '.join(get_args(NoiseMode))}, found {self.mode!r}.")
        if self.mode == "random" and self.draws is None:
            raise InputError("Expected a source of random numbers for noise mode 'random', found none: give draws.")

    def below(self, name: str) -> Noise:
        """The same noise for a child of this name."""
        return replace(self, prefix=f"{self.prefix}{name}.")

    def drawn(self, name: str, batch: int, resolution: int, device: torch.device) -> Tensor:
        """(B, 1, r, r) standard normal float32 numbers for the layer of this name; in mode ``random`` only."""
        assert self.draws is not None
        return self.draws.normal(f"{self.prefix}{name}", (batch, 1, resolution, resolution), device)


def is_whole(value: object) -> bool:
    """Whether this is an integer, Python's or NumPy's: checkpoints hold both."""
    return isinstance(value, Integral)


def is_finite_number(value: object) -> TypeGuard[Real]:
    """Whether this is a number, Python's or NumPy's, other than a truth value, NaN or infinity."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def require_power_of_two(name: str, value: int, low: int, high: int) -> int:
    """`value`, a power of two from `low` to `high`, as Python's own integer.

    Raises:
        InputError: it is not.
    """
    if not is_whole(value) or value < low or value > high or value & (value - 1):
        raise InputError(f"Expected {name} to be a power of two from {low} to {high}, found {value}.")
    return int(value)


def require_counts(**values: int) -> None:
    """Check that every named number is whole and at least 1.

    Raises:
        InputError: naming the first that is not.
    """
    for name, value in values.items():
        if not is_whole(value) or value < 1:
            raise InputError(f"Expected {name} to be a whole number of at least 1, found {value}.")


def require_number(name: str, value: float, high: float = math.inf) -> None:
    """Check that this is a finite number from 0 to `high`.

    Raises:
        InputError: it is not.
    """
    if not is_finite_number(value) or not 0 <= float(value) <= high:
        limit = "of at least 0" if high == math.inf else f"from 0 to {high}"
        raise InputError(f"Expected {name} to be a number {limit}, found {value!r:.80}.")


def require_known(name: str, given: Iterable[str], known: Collection[str]) -> None:
    """Check that all names are known.

    Raises:
        InputError: naming the first few that are not, and what there is.
    """
    unknown = [key for key in given if key not in known]
    if unknown:
        found = ", ".join(repr(key)[:60] for key in unknown[:5])
        raise InputError(f"Expected {name} with names out of {', '.join(known)}, found {found}.")


def channels_at(resolution: int, channel_base: int, channel_max: int) -> int:
    """C(r): channels of the block of a resolution, in G and in D."""
    require_counts(channel_base=channel_base, channel_max=channel_max)
    if channel_base < resolution:
        raise InputError(
            f"Expected channel_base of at least the largest resolution, {resolution}, found {channel_base}."
        )
    return min(channel_base // resolution, channel_max)


def normalize_2nd_moment(x: Tensor) -> Tensor:
    """(B, n) with a mean square of 1 in every row."""
    return x * (x.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()


class FullyConnectedLayer(nn.Module):
    """(…, in_features) to (…, out_features): affine with equalised learning rate, then an activation.

    Args:
        in_features: width of the input.
        out_features: width of the result.
        bias: whether there is one.
        activation: a name out of `torch_utils.ops.bias_act.ACTIVATIONS`.
        lr_multiplier: m; stored weights and biases are m times too small.
        bias_init: value of the effective bias before training.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        activation: str = "linear",
        lr_multiplier: float = 1,
        bias_init: float = 0,
    ) -> None:
        super().__init__()
        require_counts(in_features=in_features, out_features=out_features)
        require_number("lr_multiplier", lr_multiplier)
        if lr_multiplier == 0:
            raise InputError("Expected lr_multiplier above 0, as weights are stored divided by it, found 0.")
        activation_named(activation)
        self.activation = activation
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), bias_init / lr_multiplier)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer; dtype of x."""
        weight = self.weight.to(x.dtype) * self.weight_gain
        bias = None if self.bias is None else self.bias.to(x.dtype) * self.bias_gain
        return bias_act(x @ weight.T, bias, dim=x.ndim - 1, act=self.activation)


class Conv2dLayer(nn.Module):
    """(B, I, H, W) to (B, O, H', W'): convolution with equalised learning rate, filtered resampling, activation.

    Args:
        in_channels: I.
        out_channels: O.
        kernel_size: odd width of the kernel; the size of the image is kept by padding.
        bias: whether there is one.
        activation: a name out of `torch_utils.ops.bias_act.ACTIVATIONS`.
        up: upsampling factor.
        down: downsampling factor.
        resample_filter: taps.
        conv_clamp: limit of the result; None: none.
        trainable: weight and bias are parameters; otherwise buffers, after the filter in the state dict.
    """

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        bias: bool = True,
        activation: str = "linear",
        up: int = 1,
        down: int = 1,
        resample_filter: Sequence[float] = FILTER,
        conv_clamp: float | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__()
        require_counts(in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size)
        self.activation = activation
        self.activation_gain = activation_named(activation).gain
        self.up, self.down, self.conv_clamp = up, down, conv_clamp
        self.padding = kernel_size // 2
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)
        weight = torch.randn(out_channels, in_channels, kernel_size, kernel_size)
        offset = torch.zeros(out_channels) if bias else None
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        if trainable:
            self.weight = nn.Parameter(weight)
            self.bias = None if offset is None else nn.Parameter(offset)
        else:
            self.register_buffer("weight", weight)
            self.register_buffer("bias", offset)

    def forward(self, x: Tensor, gain: float = 1) -> Tensor:
        """Apply the layer, its result and its clamp multiplied by `gain`; dtype of x."""
        x = conv2d_resample(
            x,
            (self.weight * self.weight_gain).to(x.dtype),
            self.resample_filter,
            up=self.up,
            down=self.down,
            padding=self.padding,
            flip_weight=self.up == 1,
        )
        limit = None if self.conv_clamp is None else self.conv_clamp * gain
        return bias_act(x, self.bias, act=self.activation, gain=self.activation_gain * gain, clamp=limit)
