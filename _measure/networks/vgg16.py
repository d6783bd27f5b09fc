"""The convolutional part of VGG-16 with the ReLU maps that LPIPS compares: the last of each of its five blocks."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

CHANNELS = (64, 128, 256, 512, 512)
_BLOCK_DEPTHS = (2, 2, 3, 3, 3)


class VggFeatures(nn.Module):
    """(B, 3, H, W) float32 → five maps (conv1_2, 2_2, 3_3, 4_3, 5_3 after ReLU); H, W at least 16.

    Parameters are named ``features.{0,2,5,7,…,28}.{weight,bias}``.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self._taps: list[int] = []
        previous = 3
        for block, (channels, depth) in enumerate(zip(CHANNELS, _BLOCK_DEPTHS)):
            if block:
                layers.append(nn.MaxPool2d(2, 2))
            for _ in range(depth):
                layers += [nn.Conv2d(previous, channels, 3, padding=1), nn.ReLU(inplace=True)]
                previous = channels
            self._taps.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """The five feature maps one by one, so that nobody need hold them all; each (B, CHANNELS[i], H/2^i, W/2^i)."""
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._taps:
                yield x
