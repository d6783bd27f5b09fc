"""ResNet-50, version 1.5 (the stride is in the 3 × 3 convolution of a bottleneck), with the usual tensor names.

Tensors are (B, C, H, W) float32. Source: He et al., "Deep Residual Learning for Image Recognition" (2016), table 1;
spec/features.md §1.5.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

BLOCKS = (3, 4, 6, 3)
"""Bottlenecks of the four layers."""
CHANNELS = 2048
"""Channels of `feature_map`."""
_WIDENING = 4
_STEM = 64


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3 and 1 × 1 convolutions beside a shortcut.

    Args:
        inputs: channels of the input.
        width: channels between the convolutions; the output has four times as many.
        stride: of the 3 × 3 convolution and of the shortcut.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = _WIDENING * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, values: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, 4 · width, H / stride, W / stride), sides rounded up."""
        shortcut = values if self.downsample is None else self.downsample(values)
        values = functional.relu(self.bn1(self.conv1(values)))
        values = functional.relu(self.bn2(self.conv2(values)))
        return functional.relu(self.bn3(self.conv3(values)) + shortcut)


class ResNet50(nn.Module):
    """The network; inputs are normalised pictures.

    Args:
        classes: outputs of the last layer.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _STEM, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = _layer(0)
        self.layer2 = _layer(1)
        self.layer3 = _layer(2)
        self.layer4 = _layer(3)
        self.fc = nn.Linear(CHANNELS, classes)

    def stem(self, picture: Tensor) -> Tensor:
        """(B, 64, H / 2, W / 2), after the first activation."""
        return functional.relu(self.bn1(self.conv1(picture)))

    def feature_map(self, picture: Tensor) -> Tensor:
        """(B, 2048, H / 32, W / 32), the output of the last layer, sides rounded up."""
        values = self.maxpool(self.stem(picture))
        return self.layer4(self.layer3(self.layer2(self.layer1(values))))

    def logits(self, feature_map: Tensor) -> Tensor:
        """(B, classes) from `feature_map`."""
        return self.fc(feature_map.mean(dim=(2, 3)))

    def forward(self, picture: Tensor) -> Tensor:
        """(B, classes) logits of (B, 3, H, W) normalised pictures."""
        return self.logits(self.feature_map(picture))


def _layer(index: int) -> nn.Sequential:
    width = _STEM * 2**index
    inputs = _STEM if index == 0 else 2 * width
    first = Bottleneck(inputs, width, stride=1 if index == 0 else 2)
    return nn.Sequential(first, *(Bottleneck(_WIDENING * width, width, 1) for _ in range(BLOCKS[index] - 1)))
