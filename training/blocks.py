"""The block of the synthesis network: modulated convolutions, and an image that grows beside the features.

Source: spec/generator.md §2.4, §2.6, §2.8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from _exchange.errors import InputError
from torch_utils.ops.bias_act import activation_named, bias_act
from torch_utils.ops.modulated_conv2d import modulated_conv2d
from torch_utils.ops.upfirdn2d import setup_filter, upsample2d
from training.layers import FILTER, FullyConnectedLayer, Noise, require_counts, require_number

FusedDefault = bool | Literal["inference_only"]


@dataclass(frozen=True)
class BlockOptions:
    """What all blocks of a network have in common.

    Attributes:
        conv_clamp: limit of the results of convolutions and of the image's contributions; None: none.
        fused_modconv_default: modulate weights (True), inputs and outputs (False), or weights outside training only.
        fp16_channels_last: memory layout of blocks in half precision.
        activation: of the convolutions.
        resample_filter: taps of the filter of every change of size.
        kernel_size: of the convolutions.
        use_noise: whether convolutions have noise at all.
        architecture: ``skip``, the only one there is.

    Raises:
        InputError: a value that no block can have.
    """

    conv_clamp: float | None = 256
    fused_modconv_default: FusedDefault = True
    fp16_channels_last: bool = False
    activation: str = "lrelu"
    resample_filter: Sequence[float] = FILTER
    kernel_size: int = 3
    use_noise: bool = True
    architecture: str = "skip"

    def __post_init__(self) -> None:
        if self.architecture != "skip":
            raise InputError(f"Expected architecture 'skip', the only one there is, found {self.architecture!r}.")
        if not isinstance(self.fused_modconv_default, bool) and self.fused_modconv_default != "inference_only":
            raise InputError(
                f"Expected fused_modconv_default true, false or 'inference_only', found {self.fused_modconv_default!r}."
            )
        if self.conv_clamp is not None:
            require_number("conv_clamp", self.conv_clamp)
        require_counts(kernel_size=self.kernel_size)
        if self.kernel_size % 2 == 0:
            raise InputError(
                f"Expected an odd kernel_size, which keeps the size of an image, found {self.kernel_size}."
            )
        activation_named(self.activation)

    def fuses(self, training: bool) -> bool:
        """Whether weights are modulated."""
        return not training if self.fused_modconv_default == "inference_only" else bool(self.fused_modconv_default)


class SynthesisLayer(nn.Module):
    """Modulated convolution, noise, bias, activation: (B, I, r / up, r / up) to (B, O, r, r)."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, w_dim: int, *, resolution: int, up: int, options: BlockOptions
    ) -> None:
        super().__init__()
        require_counts(in_channels=in_channels, out_channels=out_channels, w_dim=w_dim, resolution=resolution)
        self.resolution, self.up, self.options = resolution, up, options
        self.padding = int(options.kernel_size) // 2
        self.activation_gain = activation_named(options.activation).gain
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, options.kernel_size, options.kernel_size))
        self.register_buffer("resample_filter", setup_filter(options.resample_filter))
        if options.use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def noise(self, name: str, noise: Noise, batch: int) -> Tensor | None:
        """What is added to the result, (B, 1, r, r) or (r, r); None adds nothing. Draws in mode ``random``."""
        if noise.mode == "none" or not self.options.use_noise:
            return None
        if noise.mode == "const":
            return self.noise_const * self.noise_strength
        return noise.drawn(name, batch, self.resolution, self.weight.device) * self.noise_strength

    def forward(self, x: Tensor, w: Tensor, added: Tensor | None, gain: float = 1) -> Tensor:
        """Features in the dtype of x, from features, styles (B, w_dim) and the noise of `noise`."""
        x = modulated_conv2d(
            x,
            self.weight,
            self.affine(w),
            added,
            up=self.up,
            padding=self.padding,
            resample_filter=self.resample_filter,
            flip_weight=self.up == 1,
            fused=self.options.fuses(self.training),
        )
        limit = None if self.options.conv_clamp is None else self.options.conv_clamp * gain
        return bias_act(x, self.bias, act=self.options.activation, gain=self.activation_gain * gain, clamp=limit)


class ToRGBLayer(nn.Module):
    """What a block adds to the image: a modulated 1 × 1 convolution without demodulation, and a bias."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, options: BlockOptions) -> None:
        super().__init__()
        require_counts(in_channels=in_channels, img_channels=out_channels, w_dim=w_dim)
        self.options = options
        self.weight_gain = 1 / math.sqrt(in_channels)
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(B, K, r, r) in the dtype of x, from features (B, I, r, r) and styles (B, w_dim)."""
        styles = self.affine(w) * self.weight_gain
        x = modulated_conv2d(x, self.weight, styles, demodulate=False, fused=self.options.fuses(self.training))
        return bias_act(x, self.bias, clamp=self.options.conv_clamp)


class SynthesisBlock(nn.Module):
    """One resolution of the network: features and image at r / 2 to features and image at r.

    Args:
        in_channels: channels of the incoming features; 0: the block starts from a learned constant of its resolution.
        out_channels: channels of the resulting features.
        w_dim: width of a style.
        resolution: r.
        img_channels: channels of the image.
        options: see `BlockOptions`.
        use_fp16: run in half precision on CUDA; everywhere else blocks run in float32.
    """

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        *,
        resolution: int,
        img_channels: int,
        options: BlockOptions,
        use_fp16: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels, self.resolution, self.options, self.use_fp16 = in_channels, resolution, options, use_fp16
        self.register_buffer("resample_filter", setup_filter(options.resample_filter))
        if in_channels == 0:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution=resolution, up=2, options=options)
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution=resolution, up=1, options=options)
        self.torgb = ToRGBLayer(out_channels, img_channels, w_dim, options)

    @property
    def num_conv(self) -> int:
        """Convolutions, which take one style each; one more style is for the image."""
        return 1 if self.in_channels == 0 else 2

    def layout(self, device: torch.device) -> tuple[torch.dtype, torch.memory_format]:
        """Dtype and memory format of the features on a device."""
        if not self.use_fp16 or device.type != "cuda":
            return torch.float32, torch.contiguous_format
        return torch.float16, torch.channels_last if self.options.fp16_channels_last else torch.contiguous_format

    def noises(self, noise: Noise, batch: int) -> list[Tensor | None]:
        """The noise of each convolution, in order."""
        first = [] if self.in_channels == 0 else [self.conv0.noise("conv0", noise, batch)]
        return [*first, self.conv1.noise("conv1", noise, batch)]

    def upsampled(self, img: Tensor) -> Tensor:
        """An image of twice the size, (B, K, r, r) to (B, K, 2 r, 2 r)."""
        return upsample2d(img, self.resample_filter)

    def forward(
        self, x: Tensor | None, img: Tensor | None, ws: Sequence[Tensor], noise: Noise
    ) -> tuple[Tensor, Tensor]:
        """One block.

        Args:
            x: (B, I, r / 2, r / 2); None for the block that starts from its constant.
            img: (B, K, r / 2, r / 2) float32; None: the image starts here.
            ws: `num_conv` + 1 styles (B, w_dim).
            noise: with the prefix of this block.

        Returns:
            Features (B, O, r, r), float32 or on CUDA half precision, and image (B, K, r, r) float32.
        """
        dtype, memory_format = self.layout(ws[0].device)
        noises = self.noises(noise, ws[0].shape[0])
        if x is None:
            x = self.const[None].repeat(ws[0].shape[0], 1, 1, 1).to(dtype=dtype, memory_format=memory_format)
        else:
            x = self.conv0(x.to(dtype=dtype, memory_format=memory_format), ws[0], noises[0])
        x = self.conv1(x, ws[-2], noises[-1])
        added = self.torgb(x, ws[-1]).to(torch.float32)
        return x, added if img is None else self.upsampled(img) + added
