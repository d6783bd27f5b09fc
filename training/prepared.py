"""Networks made ready for one set of styles and conditions, to be run with many draws of noise on the CPU.

Weights are modulated once, the conditions resized once, and everything before the first noise is computed once.
Features stay in pixel order (channels last), and the passes between the convolutions are `training.pixel_kernels`.
The plain twins are `SynthesisNetwork.forward` and `SuperresolutionHybrid8XDC.forward`; results agree to rounding.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from torch_utils.ops.bias_act import ACTIVATIONS
from torch_utils.ops.modulated_conv2d import modulated_weights
from torch_utils.ops.resize import bilinear
from torch_utils.ops.upfirdn2d import setup_filter
from training.blocks import SynthesisBlock, SynthesisLayer
from training.conditioning import CHONK_RESOLUTION, INJECTION_GAIN, Conditions, CondMode, conditions_of
from training.layers import FILTER, Noise
from training.pixel_kernels import activate, add_upsampled, smooth_and_activate
from training.superresolution import SuperresolutionHybrid8XDC
from training.synthesis import SynthesisNetwork

SLOPE = np.float32(ACTIVATIONS["lrelu"].alpha)
GAIN = np.float32(ACTIVATIONS["lrelu"].gain)


def _limit(clamp: float | None) -> np.float32:
    return np.float32(math.inf if clamp is None else clamp)


def _pixels(x: Tensor) -> NDArray[np.float32]:
    """(r, r, C) view of a channels-last (1, C, r, r)."""
    return x[0].permute(1, 2, 0).numpy()


@dataclass(frozen=True, eq=False)
class _Convolution:
    """A convolution layer with the weights of one sample.

    Attributes:
        weight: (O, I, h, w), or for upsampling (I, O, h, w), channels last.
        bias: (O,).
        layer: where it comes from.
    """

    weight: Tensor
    bias: NDArray[np.float32]
    layer: SynthesisLayer

    @classmethod
    def of(cls, layer: SynthesisLayer, w: Tensor) -> _Convolution:
        """Modulate and demodulate with the style w (1, w_dim)."""
        weight = modulated_weights(layer.weight, layer.affine(w), demodulate=True)[0]
        if layer.up == 2:
            weight = weight.transpose(0, 1)
        return cls(weight.contiguous(memory_format=torch.channels_last), layer.bias.detach().numpy(), layer)

    def product(self, x: Tensor) -> Tensor:
        """What precedes noise, bias and activation; upsampling is not filtered yet."""
        if self.layer.up == 2:
            return functional.conv_transpose2d(x, self.weight, stride=2)
        return functional.conv2d(x, self.weight, padding=self.layer.padding)

    def finished(self, product: Tensor, noise: NDArray[np.float32]) -> Tensor:
        """Filter, noise, bias, activation, clamp; without upsampling `product` is overwritten."""
        rest = noise, self.bias, SLOPE, GAIN, _limit(self.layer.options.conv_clamp)
        if self.layer.up == 1:
            flat = _pixels(product).reshape(-1, product.shape[1])
            activate(flat, rest[0].reshape(-1), *rest[1:])
            return product
        r = self.layer.resolution
        out = torch.empty((1, product.shape[1], r, r), memory_format=torch.channels_last)
        smooth_and_activate(_pixels(product), _pixels(out), *rest)
        return out


@dataclass(frozen=True, eq=False)
class _Block:
    """A block with the weights of one sample.

    Attributes:
        convolutions: conv0 where there is one, conv1.
        image_weight: (I, K) of the contribution to the image.
        image_bias: (K,).
        limit: clamp of the contribution.
        constant: first product of the block that starts from its constant.
    """

    convolutions: tuple[_Convolution, ...]
    image_weight: Tensor
    image_bias: Tensor
    limit: np.float32
    constant: Tensor | None

    @classmethod
    def of(cls, block: SynthesisBlock, styles: tuple[Tensor, ...]) -> _Block:
        """Prepare with styles (1, w_dim), one for each convolution and one for the image."""
        layers = [block.conv1] if block.in_channels == 0 else [block.conv0, block.conv1]
        convolutions = tuple(_Convolution.of(layer, w) for layer, w in zip(layers, styles[:-1], strict=True))
        torgb = block.torgb
        image_styles = torgb.affine(styles[-1]) * torgb.weight_gain
        weight = modulated_weights(torgb.weight, image_styles, demodulate=False)[0, :, :, 0, 0]
        constant = convolutions[0].product(block.const[None]) if block.in_channels == 0 else None
        return cls(convolutions, weight.T.contiguous(), torgb.bias, _limit(torgb.options.conv_clamp), constant)

    def features(self, x: Tensor | None, noises: list[NDArray[np.float32]]) -> Tensor:
        """Channels-last features (1, O, r, r)."""
        for convolution, noise in zip(self.convolutions, noises, strict=True):
            if x is None:
                assert self.constant is not None
                product = self.constant.clone(memory_format=torch.channels_last)
            else:
                product = convolution.product(x)
            x = convolution.finished(product, noise)
        assert x is not None
        return x

    def image(self, x: Tensor, before: Tensor | None) -> Tensor:
        """Channels-last image (1, K, r, r) after the block; `before` is the image of half the size."""
        r = x.shape[-1]
        flat = x[0].permute(1, 2, 0).reshape(r * r, -1)
        image = torch.addmm(self.image_bias, flat, self.image_weight).reshape(1, r, r, -1).permute(0, 3, 1, 2)
        if before is None:
            return image.clamp_(-float(self.limit), float(self.limit))
        add_upsampled(_pixels(before), _pixels(image), self.limit)
        return image


@dataclass(frozen=True, eq=False)
class _Conditioning:
    """What is written into the features and the image of one level of one sample.

    Attributes:
        front: (1, 3, r, r), replaces the last channels; None: nothing does.
        chonk: (1, n, r, r), added to the first channels; None: nothing is.
        averages: whether two eighths of the channels are averaged.
        injected: (1, 3, r, r), added to the first channels of the image; None: nothing is.
    """

    front: Tensor | None
    chonk: Tensor | None
    averages: bool
    injected: Tensor | None

    @classmethod
    def of(cls, mode: CondMode, conditions: Conditions, r: int, is_last: bool) -> _Conditioning:
        """Resize for the level of resolution r; features of the last level are used no more and stay as they are."""
        chonk, front = conditions.chonk, conditions.front
        if r == CHONK_RESOLUTION and chonk is not None:
            return cls(None, None if is_last else chonk, False, None)
        if is_last:
            injected = None if front is None or not mode.injects else INJECTION_GAIN * bilinear(front, r)
            return cls(None, None, False, injected)
        replacing = None if front is None or not mode.concatfront else mode.image_gain * bilinear(front, r)
        return cls(replacing, None, mode.crossavg, None)

    def write(self, x: Tensor, image: Tensor) -> None:
        """Condition features (1, C, r, r) and image (1, K, r, r) in place."""
        if self.chonk is not None:
            x[:, : self.chonk.shape[1]] += self.chonk
        if self.front is not None:
            x[:, -3:] = self.front
        if self.averages:
            eighth = x.shape[1] // 8
            rows, columns = x[:, :eighth], x[:, eighth : 2 * eighth]
            rows.copy_(rows.mean(dim=3, keepdim=True).expand_as(rows))
            columns.copy_(columns.mean(dim=2, keepdim=True).expand_as(columns))
        if self.injected is not None:
            image[:, :3] += self.injected


def is_published_kind(block: SynthesisBlock) -> bool:
    """Whether these passes know a block: on the CPU, with filter, kernel and activation of the published networks."""
    options = block.options
    return (
        block.torgb.weight.device.type == "cpu"
        and options.activation == "lrelu"
        and options.kernel_size == 3
        and torch.equal(block.resample_filter, setup_filter(FILTER))
    )


def _noises(block: SynthesisBlock, noise: Noise, batch: int) -> list[NDArray[np.float32]]:
    """(B, r, r) of each convolution; zeros where there is none."""
    shape = batch, block.resolution, block.resolution
    given = (torch.zeros(1, 1) if added is None else added.detach() for added in block.noises(noise, batch))
    return [added.reshape(-1, *added.shape[-2:]).expand(shape).contiguous().numpy() for added in given]


class PreparedSynthesis(ABC):
    """The backbone with one batch of styles and conditions."""

    @abstractmethod
    def planes(self, noise: Noise) -> Tensor:
        """(B, K, R, R) float32 without gradient, see `SynthesisNetwork.forward`; in memory channels may come last."""


class _PlainSynthesis(PreparedSynthesis):
    """Runs the network as it is: on other devices, and for kinds of blocks that were never published."""

    def __init__(self, network: SynthesisNetwork, ws: Tensor, cond: Mapping[str, Tensor] | None) -> None:
        self.network, self.ws, self.cond = network, ws, cond

    @torch.no_grad()
    def planes(self, noise: Noise) -> Tensor:
        return self.network(self.ws, self.cond, noise)


class _PixelSynthesis(PreparedSynthesis):
    """Runs the passes of this file, sample by sample."""

    def __init__(self, network: SynthesisNetwork, ws: Tensor, cond: Mapping[str, Tensor] | None) -> None:
        self.network = network
        conditions = conditions_of(network.cond_mode, cond, ws.shape[0], ws.device)
        self.samples = [
            [
                (
                    _Block.of(block, network.styles_of(level, ws[sample : sample + 1])),
                    _Conditioning.of(
                        network.cond_mode,
                        conditions.of_sample(sample),
                        block.resolution,
                        block.resolution == network.img_resolution,
                    ),
                )
                for level, block in network.blocks()
            ]
            for sample in range(ws.shape[0])
        ]

    @torch.no_grad()
    def planes(self, noise: Noise) -> Tensor:
        batch = len(self.samples)
        noises = [_noises(block, noise.below(f"b{block.resolution}"), batch) for _, block in self.network.blocks()]
        images = []
        for index, levels in enumerate(self.samples):
            x = image = None
            for (block, conditioning), drawn in zip(levels, noises, strict=True):
                x = block.features(x, [n[index] for n in drawn])
                image = block.image(x, image)
                conditioning.write(x, image)
            assert image is not None
            images.append(image)
        return torch.cat(images) if batch > 1 else images[0]


@torch.no_grad()
def prepare_synthesis(network: SynthesisNetwork, ws: Tensor, cond: Mapping[str, Tensor] | None) -> PreparedSynthesis:
    """The backbone made ready for many draws of noise.

    Args:
        network: in evaluation; later changes of its parameters are not seen.
        ws: (B, num_ws, w_dim) float32.
        cond: images of its condition mode.

    Raises:
        InputError: styles or conditions that do not fit.
    """
    network.check_call(ws, None, None)
    knows_all = all(is_published_kind(block) for _, block in network.blocks())
    return (_PixelSynthesis if knows_all else _PlainSynthesis)(network, ws, cond)


class PreparedSuperresolution(ABC):
    """The super-resolution with one batch of styles."""

    @abstractmethod
    def image(self, rgb: Tensor, x: Tensor, noise: Noise) -> Tensor:
        """(B, 3, R, R) float32 without gradient, see `SuperresolutionHybrid8XDC.forward`."""


class _PlainSuperresolution(PreparedSuperresolution):
    """Runs the module as it is."""

    def __init__(self, module: SuperresolutionHybrid8XDC, ws: Tensor) -> None:
        self.module, self.ws = module, ws

    @torch.no_grad()
    def image(self, rgb: Tensor, x: Tensor, noise: Noise) -> Tensor:
        return self.module(rgb, x, self.ws, noise)


class _PixelSuperresolution(PreparedSuperresolution):
    """Runs the passes of this file, sample by sample."""

    def __init__(self, module: SuperresolutionHybrid8XDC, ws: Tensor) -> None:
        self.module, self.ws = module, ws
        self.samples = [
            [_Block.of(block, (ws[sample : sample + 1, -1],) * 3) for block in module.blocks()]
            for sample in range(ws.shape[0])
        ]

    @torch.no_grad()
    def image(self, rgb: Tensor, x: Tensor, noise: Noise) -> Tensor:
        module, batch = self.module, len(self.samples)
        module.check_call(rgb, x, self.ws)
        layout = torch.channels_last
        x = module.resized(x).contiguous(memory_format=layout)
        rgb = module.resized(rgb).contiguous(memory_format=layout)
        noises = [_noises(block, noise.below(f"block{n}"), batch) for n, block in enumerate(module.blocks())]
        images = []
        for index, blocks in enumerate(self.samples):
            own, image = x[index : index + 1], rgb[index : index + 1]
            for block, drawn in zip(blocks, noises, strict=True):
                own = block.features(own, [n[index] for n in drawn])
                image = block.image(own, image)
            images.append(image)
        return torch.cat(images).contiguous()


@torch.no_grad()
def prepare_superresolution(module: SuperresolutionHybrid8XDC, ws: Tensor) -> PreparedSuperresolution:
    """The super-resolution made ready for many images of the same styles (B, n, w_dim).

    Later changes of the module's parameters are not seen.
    """
    knows_all = all(is_published_kind(block) for block in module.blocks())
    return (_PixelSuperresolution if knows_all else _PlainSuperresolution)(module, ws)
