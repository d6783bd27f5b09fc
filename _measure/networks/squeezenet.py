"""The convolutional part of SqueezeNet 1.1 with the seven maps that LPIPS compares."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

CHANNELS = (64, 128, 256, 384, 384, 512, 512)
_TAPS = (1, 4, 7, 9, 10, 11, 12)


class Fire(nn.Module):
    """A squeeze convolution, then 1×1 and 3×3 expansions side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, h, w) → (B, 2·expanded, h, w)."""
        x = self.squeeze(x).relu_()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu_()


class SqueezeNetFeatures(nn.Module):
    """(B, 3, H, W) float32 → seven maps; H, W at least 17. Pools round up.

    Parameters are named ``features.0.{weight,bias}`` and ``features.{3,4,6,…}.{squeeze,expand1x1,expand3x3}.…``, where
    fires stand at 3, 4, 6, 7, 9, 10, 11 and 12.
    """

    def __init__(self) -> None:
        super().__init__()

        def pool() -> nn.Module:
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2),
            nn.ReLU(inplace=True),
            pool(),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            pool(),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            pool(),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )

    def forward(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """The seven feature maps one by one, so that nobody need hold them all; each (B, CHANNELS[i], h, w)."""
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in _TAPS:
                yield x
