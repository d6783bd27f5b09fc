"""Networks made ready for one set of styles and conditions, to be run with many draws of noise on the CPU.

Weights are modulated once, the conditions resized once, and everything before the first noise is computed once; blocks
are those of `training.prepared_layers`. Results agree to rounding with the plain twins, `SynthesisNetwork.forward` and
`SuperresolutionHybrid8XDC.forward`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from torch_utils.ops.resize import bilinear
from training.conditioning import CHONK_RESOLUTION, INJECTION_GAIN, Conditions, CondMode, conditions_of
from training.layers import Noise
from training.prepared_layers import PreparedBlock, is_published_kind, noises_of
from training.superresolution import SuperresolutionHybrid8XDC
from training.synthesis import SynthesisNetwork


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


class PreparedSynthesis(ABC):
    """The backbone with one batch of styles and conditions."""

    @abstractmethod
    def planes(self, noise: Noise) -> Tensor:
        """(B, K, R, R) float32 without gradient, see `SynthesisNetwork.forward`; in memory channels may come last."""


class _PlainSynthesis(PreparedSynthesis):
    """Runs the network as it is: see `is_published_kind`."""

    def __init__(self, network: SynthesisNetwork, ws: Tensor, cond: Mapping[str, Tensor] | None) -> None:
        self.network, self.ws, self.cond = network, ws, cond

    @torch.no_grad()
    def planes(self, noise: Noise) -> Tensor:
        return self.network(self.ws, self.cond, noise)


class _PixelSynthesis(PreparedSynthesis):
    """Runs the passes of `training.prepared_layers`, sample by sample."""

    def __init__(self, network: SynthesisNetwork, ws: Tensor, cond: Mapping[str, Tensor] | None) -> None:
        self.network = network
        conditions = conditions_of(network.cond_mode, cond, ws.shape[0], ws.device)
        self.samples = [
            [
                (
                    PreparedBlock.of(block, network.styles_of(level, ws[sample : sample + 1])),
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
        noises = [noises_of(block, noise.below(f"b{block.resolution}"), batch) for _, block in self.network.blocks()]
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
        network: must not change while the result is in use: some of its parameters are copied, others read later.
        ws: (B, num_ws, w_dim).
        cond: images of its condition mode.

    Raises:
        InputError: styles or conditions that do not fit.
    """
    network.check_call(ws, None, None)
    ws = ws.to(torch.float32)
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
    """Runs the passes of `training.prepared_layers`, sample by sample."""

    def __init__(self, module: SuperresolutionHybrid8XDC, ws: Tensor) -> None:
        self.module, self.ws = module, ws
        self.samples = [
            [PreparedBlock.of(block, (ws[sample : sample + 1, -1],) * 3) for block in module.blocks()]
            for sample in range(ws.shape[0])
        ]

    @torch.no_grad()
    def image(self, rgb: Tensor, x: Tensor, noise: Noise) -> Tensor:
        module, batch = self.module, len(self.samples)
        module.check_call(rgb, x, self.ws)
        layout = torch.channels_last
        x = module.resized(x).contiguous(memory_format=layout)
        rgb = module.resized(rgb).contiguous(memory_format=layout)
        noises = [noises_of(block, noise.below(f"block{n}"), batch) for n, block in enumerate(module.blocks())]
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

    The module must not change while the result is in use: some of its parameters are copied, others read later.

    Raises:
        InputError: styles that do not fit.
    """
    module.check_styles(ws, len(ws))
    ws = ws.to(torch.float32)
    knows_all = all(is_published_kind(block) for block in module.blocks())
    return (_PixelSuperresolution if knows_all else _PlainSuperresolution)(module, ws)
