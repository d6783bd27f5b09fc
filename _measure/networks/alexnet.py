"""The convolutional part of AlexNet with its five ReLU feature maps. Source: spec/measure.md §5.2."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

CHANNELS = (64, 192, 384, 256, 256)


class AlexNetFeatures(nn.Module):
    """(B, 3, H, W) float32 → five maps, each taken right after its ReLU, before the pool; H, W at least 31.

    Parameters are named ``features.{0,3,6,8,10}.{weight,bias}``.
    """

    def __init__(self) -> None:
        super().__init__()
        c = (3, *CHANNELS)
        self.features = nn.Sequential(
            nn.Conv2d(c[0], c[1], 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(c[1], c[2], 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(c[2], c[3], 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c[3], c[4], 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c[4], c[5], 3, padding=1),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """The five feature maps one by one, so that nobody need hold them all; each (B, CHANNELS[i], h, w)."""
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                yield x
