"""LPIPS v0.1 of pairs of pictures, through AlexNet, VGG-16 or SqueezeNet. Source: spec/measure.md §5.2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from torch import nn

from _exchange.errors import FormatError, InputError
from _measure.metrics.description import LpipsBackbone
from _measure.networks import alexnet, squeezenet, vgg16
from torch_utils.device import exact_float32, repeatable_cuda

Range = Literal["unit", "signed"]
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_BACKBONES: dict[str, tuple[type[nn.Module], tuple[int, ...]]] = {
    "alex": (alexnet.AlexNetFeatures, alexnet.CHANNELS),
    "vgg": (vgg16.VggFeatures, vgg16.CHANNELS),
    "squeeze": (squeezenet.SqueezeNetFeatures, squeezenet.CHANNELS),
}
SMALLEST_SIDE = {"alex": 31, "vgg": 16, "squeeze": 17}
"""Height and width below which a network's last map is empty, pixels."""

_CACHED_NUMBERS = 1 << 17


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

    def feature_maps(self, pictures: torch.Tensor) -> Iterator[torch.Tensor]:
        """ReLU maps of (B, 3, H, W) float32 pictures as LPIPS feeds them to the backbone, one after the other."""
        return self.backbone((pictures - self.shift).div_(self.scale))


def lpips(net: LpipsNetwork, predicted: torch.Tensor, target: torch.Tensor, value_range: Range = "signed") -> float:
    """Perceptual distance of one pair; `lpips_pairs` of a batch of one.

    Args:
        net: the network with its weights.
        predicted, target: (3, H, W) float32 in [0, 1], on the network's device.
        value_range: as `lpips_pairs`.

    Raises:
        InputError: the shapes differ, or the pictures are smaller than the network's smallest side.

    >>> weights = alexnet.AlexNetFeatures().state_dict()
    >>> weights |= {f"lin{i}.model.1.weight": torch.ones(1, c, 1, 1) for i, c in enumerate(alexnet.CHANNELS)}
    >>> white = torch.ones(3, 64, 64)
    >>> lpips(LpipsNetwork("alex", weights), white, white)
    0.0
    """
    if predicted.shape != target.shape or predicted.ndim != 3 or predicted.shape[0] != 3:
        raise InputError(f"Expected two pictures (3, H, W), found {tuple(predicted.shape)} and {tuple(target.shape)}.")
    return lpips_pairs(net, predicted[None], target[None], value_range)[0]


@torch.inference_mode()
def lpips_pairs(
    net: LpipsNetwork, predicted: torch.Tensor, target: torch.Tensor, value_range: Range = "signed"
) -> list[float]:
    """Perceptual distances of B pairs of one size, computed on the device of the network.

    Unit-normalise each map over channels (ε = 1e-10 added to the norm), weight the squared differences by the
    non-negative head, average over pixels, sum over maps.

    A CPU takes the pairs one by one, whatever B is: the maps of one stay near its cache, and a value never depends on
    the rest of the batch. A GPU takes all at once; split what does not fit. Maps are dropped as soon as they are
    compared, so each pair at work holds at most the largest map of two pictures three times over: for 300 × 512 pixels
    30 MB through AlexNet, 60 MB through SqueezeNet and 240 MB through VGG.

    Args:
        net: the network with its weights.
        predicted, target: (B, 3, H, W) float32 in [0, 1], on the network's device.
        value_range: ``signed`` maps to [−1, 1] as the metric's authors meant; ``unit`` leaves [0, 1], as the published
            evaluation did.

    Returns:
        B distances.

    Raises:
        InputError: the shapes differ, or the pictures are smaller than the network's smallest side.
    """
    smallest = SMALLEST_SIDE[net.network]
    if predicted.shape != target.shape or predicted.ndim != 4 or predicted.shape[1] != 3:
        found = f"{tuple(predicted.shape)} and {tuple(target.shape)}"
        raise InputError(f"Expected two batches of pictures (B, 3, H, W), found {found}.")
    if min(predicted.shape[2:]) < smallest:
        raise InputError(f"Expected pictures of at least {smallest} pixels a side, found {tuple(predicted.shape[2:])}.")
    at_once = 1 if predicted.device.type == "cpu" else max(1, len(predicted))
    with exact_float32(), repeatable_cuda():
        parts = [
            _distances(net, torch.cat(pair).float(), value_range)
            for pair in zip(predicted.split(at_once), target.split(at_once))
        ]
    return [value for part in parts for value in part.tolist()]


def _distances(net: LpipsNetwork, pictures: torch.Tensor, value_range: Range) -> torch.Tensor:
    """(2 B, 3, H, W), first all predicted, then all targets → (B,) float64."""
    if value_range == "signed":
        pictures = 2 * pictures - 1
    total = torch.zeros(len(pictures) // 2, dtype=torch.float64, device=pictures.device)
    for maps, head in zip(net.feature_maps(pictures), net.heads):
        total += _map_distances(maps, head.view(-1))
    return total


def _map_distances(maps: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
    """What one map (2 B, C, h, w) adds to the distances: (B,) float64.

    On a CPU a few rows of pixels at a time: what is computed on the way stays in a core's cache, which halves the time.
    """
    count, channels = len(maps) // 2, maps.shape[1]
    predicted, target = (side.permute(0, 2, 3, 1).flatten(1, 2) for side in (maps[:count], maps[count:]))
    pixels = predicted.shape[1]
    step = max(1, _CACHED_NUMBERS // channels) if maps.device.type == "cpu" else pixels
    total = torch.zeros(count, dtype=torch.float64, device=maps.device)
    for a, b in zip(predicted.split(step, 1), target.split(step, 1)):
        difference = (a / _norms(a)).addcdiv_(b, _norms(b), value=-1)
        total += (difference.square_() @ head).sum(1, dtype=torch.float64)
    return total / pixels


def _norms(features: torch.Tensor) -> torch.Tensor:
    """(B, P, C) → (B, P, 1), never zero."""
    return torch.linalg.vector_norm(features, dim=2, keepdim=True).add_(1e-10)


def _parameter(weights: Mapping[str, torch.Tensor], name: str, shape: tuple[int, ...]) -> torch.Tensor:
    if name not in weights:
        raise FormatError(name, f"a tensor of shape {shape}", "none")
    if tuple(weights[name].shape) != shape:
        raise FormatError(name, f"a tensor of shape {shape}", f"shape {tuple(weights[name].shape)}")
    return weights[name].float()
