"""Compositing samples along rays by the midpoint rule. Source: spec/generator.md §5.4, §5.7."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True, eq=False)
class Marched:
    """Sums along rays, before background and clamp.

    Attributes:
        channels: (…, F) weighted sums of the channels.
        depth: (…, 1) mean depth, metres; infinite on an empty ray.
        opacity: (…, 1) W, the sum of the weights.
    """

    channels: Tensor
    depth: Tensor
    opacity: Tensor


def _midpoints(values: Tensor) -> Tensor:
    return (values[..., :-1, :] + values[..., 1:, :]) / 2


def interval_weights(sigma: Tensor, depths: Tensor) -> Tensor:
    """(…, n − 1, 1) weights of the intervals between n samples.

    Args:
        sigma: (…, n, 1) raw densities.
        depths: (…, n, 1) metres, ascending.
    """
    lengths = depths[..., 1:, :] - depths[..., :-1, :]
    alpha = 1 - torch.exp(-softplus(_midpoints(sigma) - 1) * lengths)
    passed = torch.cumprod(1 - alpha[..., :-1, :] + 1e-10, -2)
    return alpha * torch.cat([torch.ones_like(alpha[..., :1, :]), passed], -2)


def march(channels: Tensor, sigma: Tensor, depths: Tensor) -> Marched:
    """Composite (…, n, F) channels of samples with these raw densities at these depths, both (…, n, 1)."""
    weights = interval_weights(sigma, depths)
    opacity = weights.sum(-2)
    is_empty = opacity == 0
    depth = (weights * _midpoints(depths)).sum(-2) / torch.where(is_empty, 1.0, opacity)
    depth = torch.where(is_empty, torch.inf, depth)
    return Marched((weights * _midpoints(channels)).sum(-2), depth, opacity)


def turned(points: Tensor) -> Tensor:
    """(…, 3) points or directions of `head_world` in the display frame, which is `head_model`, and back."""
    return points * points.new_tensor([-1.0, 1.0, -1.0])


def over_background(channels: Tensor, opacity: Tensor, white_back: bool) -> Tensor:
    """(…, F) sums over white, which adds 1 − W (…, 1) to every channel, or over nothing."""
    return channels + 1 - opacity if white_back else channels
