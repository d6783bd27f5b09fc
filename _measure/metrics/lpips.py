"""LPIPS v0.1 of one pair of pictures, through AlexNet, VGG-16 or SqueezeNet. Source: spec/measure.md §5.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from _exchange.errors import FormatError, InputError
from _measure.metrics.description import LpipsBackbone
from _measure.networks import alexnet, squeezenet, vgg16

Range = Literal["unit", "signed"]
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_BACKBONES: dict[str, tuple[type[nn.Module], tuple[int, ...]]] = {
    "alex": (alexnet.AlexNetFeatures, alexnet.CHANNELS),
    "vgg": (vgg16.VggFeatures, vgg16.CHANNELS),
    "squeeze": (squeezenet.SqueezeNetFeatures, squeezenet.CHANNELS),
}
SMALLEST_SIDE = {"alex": 31, "vgg": 16, "squeeze": 17}
"""Height and width below which a network's last map is empty, pixels."""


class LpipsNetwork(nn.Module):
    """A backbone with its linear heads, ready to compare pairs.

    Args:
        network: which backbone.
        weights: its parameters, ``features.…`` of the backbone and ``lin{i}.model.1.weight`` (1, C, 1, 1) of the heads.

    Raises:
        FormatError: a parameter is missing or has another shape.
    """

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, network: LpipsBackbone, weights: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        backbone, channels = _BACKBONES[network]
        self.network = network
        self.backbone = backbone()
        heads = []
        for index, count in enumerate(channels):
            name = f"lin{index}.model.1.weight"
            heads.append(_parameter(weights, name, (1, count, 1, 1)))
        self.heads = nn.ParameterList([nn.Parameter(head, requires_grad=False) for head in heads])
        expected = self.backbone.state_dict()
        state = {name: _parameter(weights, name, tuple(value.shape)) for name, value in expected.items()}
        self.backbone.load_state_dict(state)
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)
        # Channels-last convolutions take 0.08 s instead of 0.14 s for a pair of 300 × 512 pictures through SqueezeNet.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def feature_maps(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """ReLU maps of (B, 3, H, W) float32 pictures as LPIPS feeds them to the backbone."""
        return self.backbone((pictures - self.shift) / self.scale)


@torch.inference_mode()
def lpips(net: LpipsNetwork, predicted: torch.Tensor, target: torch.Tensor, value_range: Range = "signed") -> float:
    """Perceptual distance of one pair.

    Unit-normalise each map over channels (ε = 1e-10 added to the norm), weight the squared differences by the
    non-negative head, average over pixels, sum over maps.

    Args:
        net: the network with its weights.
        predicted, target: (3, H, W) float32 in [0, 1].
        value_range: ``signed`` maps to [−1, 1] as the metric's authors meant; ``unit`` leaves [0, 1], as the published
            evaluation did.

    Raises:
        InputError: the shapes differ, or the pictures are smaller than the network's smallest side.
    """
    smallest = SMALLEST_SIDE[net.network]
    if predicted.shape != target.shape or predicted.ndim != 3 or predicted.shape[0] != 3:
        raise InputError(f"Expected two pictures (3, H, W), found {tuple(predicted.shape)} and {tuple(target.shape)}.")
    if min(predicted.shape[1:]) < smallest:
        raise InputError(f"Expected pictures of at least {smallest} pixels a side, found {tuple(predicted.shape[1:])}.")
    pair = torch.stack([predicted, target]).float()
    if value_range == "signed":
        pair = 2 * pair - 1
    total = torch.zeros(())
    for maps, head in zip(net.feature_maps(pair), net.heads):
        norms = maps.square().sum(1, keepdim=True).sqrt() + 1e-10
        unit = maps / norms
        difference = (unit[0] - unit[1]).square()
        total = total + functional.conv2d(difference[None], head).mean()
    return float(total)


def _parameter(weights: Mapping[str, torch.Tensor], name: str, shape: tuple[int, ...]) -> torch.Tensor:
    if name not in weights:
        raise FormatError(name, f"a tensor of shape {shape}", "none")
    if tuple(weights[name].shape) != shape:
        raise FormatError(name, f"a tensor of shape {shape}", f"shape {tuple(weights[name].shape)}")
    return weights[name].float()
