"""One block of the synthesis network with the weights of one sample, on features in pixel order (channels last).

Nothing here knows gradients; the plain twin is `training.blocks.SynthesisBlock`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from torch_utils.ops.bias_act import ACTIVATIONS
from torch_utils.ops.modulated_conv2d import modulated_weights
from torch_utils.ops.upfirdn2d import setup_filter
from training.blocks import SynthesisBlock, SynthesisLayer
from training.layers import FILTER, Noise
from training.pixel_kernels import activate, add_upsampled, smooth_and_activate
from training.tiled_convolution import convolve_and_activate, transformed_kernels

SLOPE = np.float32(ACTIVATIONS["lrelu"].alpha)
GAIN = np.float32(ACTIVATIONS["lrelu"].gain)
TILED_FROM_CHANNELS = 64
TILED_FROM_RESOLUTION = 8
"""Where tiles win; measured 1.5 to 2.5 times as fast above, and half as fast with 8 or 16 channels."""


def _limit(clamp: float | None) -> np.float32:
    return np.float32(math.inf if clamp is None else clamp)


def _pixels(x: Tensor) -> NDArray[np.float32]:
    """(r, r, C) view of a channels-last (1, C, r, r)."""
    return x[0].permute(1, 2, 0).numpy()


def _channels_last(pixels: NDArray[np.float32]) -> Tensor:
    """Undo `_pixels`."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


class PreparedLayer(ABC):
    """A convolution layer with the weights of one sample."""

    def __init__(self, layer: SynthesisLayer) -> None:
        self.bias = layer.bias.detach().numpy()
        self.limit = _limit(layer.options.conv_clamp)

    @abstractmethod
    def features(self, x: Tensor | None, noise: NDArray[np.float32]) -> Tensor:
        """Channels-last features of the layer, from those before it and noise (r, r)."""

    def activated(self, product: Tensor, noise: NDArray[np.float32]) -> Tensor:
        """Overwrite a product with what noise, bias, activation and clamp make of it."""
        flat = _pixels(product).reshape(-1, product.shape[1])
        activate(flat, noise.reshape(-1), self.bias, SLOPE, GAIN, self.limit)
        return product


class _Constant(PreparedLayer):
    """The first layer: its product never changes."""

    def __init__(self, layer: SynthesisLayer, weight: Tensor, constant: Tensor) -> None:
        super().__init__(layer)
        self.product = functional.conv2d(constant[None], weight, padding=layer.padding)

    def features(self, x: Tensor | None, noise: NDArray[np.float32]) -> Tensor:  # noqa: ARG002
        return self.activated(self.product.clone(memory_format=torch.channels_last), noise)


class _Direct(PreparedLayer):
    """A layer that keeps the size."""

    def __init__(self, layer: SynthesisLayer, weight: Tensor) -> None:
        super().__init__(layer)
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.padding = layer.padding

    def features(self, x: Tensor | None, noise: NDArray[np.float32]) -> Tensor:
        assert x is not None
        return self.activated(functional.conv2d(x, self.weight, padding=self.padding), noise)


class _Tiled(PreparedLayer):
    """The same by tiles."""

    def __init__(self, layer: SynthesisLayer, weight: Tensor) -> None:
        super().__init__(layer)
        self.kernels = transformed_kernels(weight)

    def features(self, x: Tensor | None, noise: NDArray[np.float32]) -> Tensor:
        assert x is not None
        result = convolve_and_activate(_pixels(x), self.kernels, noise, self.bias, SLOPE, GAIN, self.limit)
        return _channels_last(result)


class _Upsampling(PreparedLayer):
    """A layer that doubles the size."""

    def __init__(self, layer: SynthesisLayer, weight: Tensor) -> None:
        super().__init__(layer)
        self.weight = weight.transpose(0, 1).contiguous(memory_format=torch.channels_last)

    def features(self, x: Tensor | None, noise: NDArray[np.float32]) -> Tensor:
        assert x is not None
        product = functional.conv_transpose2d(x, self.weight, stride=2)
        result = np.empty((*noise.shape, product.shape[1]), np.float32)
        smooth_and_activate(_pixels(product), result, noise, self.bias, SLOPE, GAIN, self.limit)
        return _channels_last(result)


def prepare_layer(layer: SynthesisLayer, w: Tensor, constant: Tensor | None) -> PreparedLayer:
    """A layer with the style w (1, w_dim); `constant` (C, r, r) is the input of the first."""
    weight = modulated_weights(layer.weight, layer.affine(w), demodulate=True)[0]
    if constant is not None:
        return _Constant(layer, weight, constant)
    if layer.up == 2:
        return _Upsampling(layer, weight)
    tiles = min(weight.shape[:2]) >= TILED_FROM_CHANNELS and layer.resolution >= TILED_FROM_RESOLUTION
    return (_Tiled if tiles else _Direct)(layer, weight)


@dataclass(frozen=True, eq=False)
class PreparedBlock:
    """A block with the weights of one sample.

    Attributes:
        layers: conv0 where there is one, conv1.
        image_weight: (I, K) of the contribution to the image.
        image_bias: (K,).
        limit: clamp of the contribution.
    """

    layers: tuple[PreparedLayer, ...]
    image_weight: Tensor
    image_bias: NDArray[np.float32]
    limit: np.float32

    @classmethod
    def of(cls, block: SynthesisBlock, styles: tuple[Tensor, ...]) -> PreparedBlock:
        """Prepare with styles (1, w_dim), one for each convolution and one for the image."""
        torgb = block.torgb
        image_styles = torgb.affine(styles[-1]) * torgb.weight_gain
        weight = modulated_weights(torgb.weight, image_styles, demodulate=False)[0, :, :, 0, 0]
        if block.in_channels == 0:
            layers: tuple[PreparedLayer, ...] = (prepare_layer(block.conv1, styles[0], block.const),)
        else:
            layers = prepare_layer(block.conv0, styles[0], None), prepare_layer(block.conv1, styles[1], None)
        return cls(layers, weight.T.contiguous(), torgb.bias.detach().numpy(), _limit(torgb.options.conv_clamp))

    def features(self, x: Tensor | None, noises: list[NDArray[np.float32]]) -> Tensor:
        """Channels-last features (1, O, r, r)."""
        for layer, noise in zip(self.layers, noises, strict=True):
            x = layer.features(x, noise)
        assert x is not None
        return x

    def image(self, x: Tensor, before: Tensor | None) -> Tensor:
        """Channels-last image (1, K, r, r) after the block; `before` is the image of half the size."""
        r = x.shape[-1]
        flat = x[0].permute(1, 2, 0).reshape(r * r, -1)
        image = (flat @ self.image_weight).reshape(r, r, -1).numpy()
        if before is None:
            np.clip(image + self.image_bias, -self.limit, self.limit, out=image)
        else:
            add_upsampled(_pixels(before), image, self.image_bias, self.limit)
        return _channels_last(image)


def is_published_kind(block: SynthesisBlock) -> bool:
    """Whether these passes know a block: float32 on the CPU, with kernel, activation and filters as published."""
    weight, published = block.torgb.weight, setup_filter(FILTER)
    filters = (buffer for name, buffer in block.named_buffers() if name.endswith("resample_filter"))
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and block.options.activation == "lrelu"
        and block.options.kernel_size == 3
        and all(torch.equal(taps, published) for taps in filters)
    )


def noises_of(block: SynthesisBlock, noise: Noise, batch: int) -> list[NDArray[np.float32]]:
    """(B, r, r) of each convolution; zeros where there is none."""
    shape = batch, block.resolution, block.resolution
    given = (torch.zeros(1, 1) if added is None else added.detach() for added in block.noises(noise, batch))
    return [added.reshape(-1, *added.shape[-2:]).expand(shape).contiguous().numpy() for added in given]
