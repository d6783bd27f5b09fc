"""The networks of line filling: one repaints pixels, the other tells repainted drawings from repainted renders.

Tensors are (B, C, H, W) float32, row 0 at the top; pictures are RGB in [0, 1], masks are 0 or 1.
Source: spec/linefill.md §4.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from _exchange.errors import InputError

PATCH_SIDE = 9
"""Side of the central square that the discriminator looks at, pixels."""
BAND = 128
"""Rows that the fast form repaints at a time."""
LEAK = 0.01
COLOURS = 3


@dataclass(frozen=True)
class StackShape:
    """One stack of 3 × 3 convolutions.

    Attributes:
        depth: number of convolutions, at least 1.
        width: channels between them.
        outputs: channels of the last.
        normalised: whether batch normalisation follows each activation.
        use_hull: whether the mask of protected parts is a fourth input channel.
    """

    depth: int
    width: int
    outputs: int
    normalised: bool = True
    use_hull: bool = True

    @property
    def inputs(self) -> int:
        """Input channels."""
        return COLOURS + self.use_hull


GENERATOR_SHAPE = StackShape(depth=6, width=32, outputs=COLOURS)
DISCRIMINATOR_SHAPE = StackShape(depth=4, width=16, outputs=16)


def stack(shape: StackShape) -> nn.Sequential:
    """Convolutions without padding, between them leaky ReLU and then batch normalisation; (B, C, H, W) loses `depth`
    pixels on each side. Positions are those of the published tensor names."""
    layers: list[nn.Module] = []
    for index in range(shape.depth):
        last = index == shape.depth - 1
        inputs, outputs = shape.width if index else shape.inputs, shape.outputs if last else shape.width
        layers.append(nn.Conv2d(inputs, outputs, 3))
        if not last:
            layers.append(nn.LeakyReLU(LEAK))
            if shape.normalised:
                layers.append(nn.BatchNorm2d(shape.width))
    return nn.Sequential(*layers)


class LineFiller(nn.Module):
    """The repainting network and its critic; `state_dict` has the published names.

    Args:
        generator: shape of the repainting network.
        discriminator: shape of the critic; it sees the central `PATCH_SIDE`² pixels.

    Raises:
        InputError: a stack without convolutions, a generator whose outputs are not RGB, or a critic that needs more
            than the `PATCH_SIDE`² pixels it sees.
    """

    def __init__(
        self, generator: StackShape = GENERATOR_SHAPE, discriminator: StackShape = DISCRIMINATOR_SHAPE
    ) -> None:
        super().__init__()
        if min(generator.depth, discriminator.depth) < 1 or generator.outputs != COLOURS:
            raise InputError(
                f"Expected a generator with {COLOURS} outputs and a critic, found {generator}, {discriminator}."
            )
        if 2 * discriminator.depth + 1 > PATCH_SIDE:
            raise InputError(
                f"Expected a critic of at most {PATCH_SIDE // 2} convolutions for {PATCH_SIDE} pixels, "
                f"found {discriminator.depth}."
            )
        self.generator_shape, self.discriminator_shape = generator, discriminator
        self.generator = stack(generator)
        self.generator.append(nn.Tanh())
        self.discriminator = stack(discriminator)

    def repainted(self, image: Tensor, mask: Tensor, hull: Tensor) -> Tensor:
        """(B, 3, H, W) in (−1, 1): new colours for every pixel; those under the mask are not looked at.

        Args:
            image: (B, 3, H, W) RGB; edge pixels are repeated outside.
            mask: (B, 1, H, W) pixels of lines.
            hull: (B, 1, H, W) protected pixels.
        """
        return self.generator(padded(self.generator_shape, self.generator_input(image, mask, hull)))

    def generator_input(self, image: Tensor, mask: Tensor, hull: Tensor) -> Tensor:
        """(B, 3 or 4, H, W): the picture with its lines blackened, and the protected pixels where they are used."""
        return _with_hull(self.generator_shape, image * (1 - mask), hull)

    def logits(self, image: Tensor, hull: Tensor) -> Tensor:
        """(B,) high for patches that look like renders: the mean over all outputs at the central `PATCH_SIDE`² pixels.

        Raises:
            InputError: the sides of the (B, 3, H, W) patches are below `PATCH_SIDE`, or even.
        """
        seen = _with_hull(self.discriminator_shape, image, hull)
        margins = [(side - PATCH_SIDE) / 2 for side in image.shape[-2:]]
        if any(margin < 0 or margin != int(margin) for margin in margins):
            raise InputError(
                f"Expected patches with odd sides of at least {PATCH_SIDE} pixels, found shape {tuple(image.shape)}."
            )
        top, left = map(int, margins)
        seen = seen[..., top : top + PATCH_SIDE, left : left + PATCH_SIDE]
        return self.discriminator(seen).mean(dim=(1, 2, 3))

    def forward(self, image: Tensor, mask: Tensor, hull: Tensor) -> Tensor:
        """(B, 3, H, W) picture whose masked pixels are repainted; not limited to [0, 1]."""
        return blended(image, mask, self.repainted(image, mask, hull))


def padded(shape: StackShape, seen: Tensor) -> Tensor:
    """A (B, C, H, W) input with its edge repeated by as many pixels as the stack takes away."""
    return functional.pad(seen, [shape.depth] * 4, mode="replicate")


def blended(image: Tensor, mask: Tensor, repainted: Tensor) -> Tensor:
    """x + m · (y − x)."""
    return image + mask * (repainted - image)


def _with_hull(shape: StackShape, image: Tensor, hull: Tensor) -> Tensor:
    return torch.cat([image, hull], dim=1) if shape.use_hull else image


@torch.no_grad()
def repainted_fast(model: LineFiller, image: Tensor, mask: Tensor, hull: Tensor) -> Tensor:
    """`LineFiller.repainted` in evaluation mode: equal up to rounding under the mask, in less than half the time.

    The picture is worked off in bands of rows, which bounds the memory; bands without masked pixels stay 0.
    """
    convolutions = folded_convolutions(model.generator)
    seen = padded(model.generator_shape, model.generator_input(image, mask, hull))
    height, halo = image.shape[2], 2 * model.generator_shape.depth
    result = torch.zeros_like(image)
    for top in range(0, height, BAND):
        bottom = min(top + BAND, height)
        if mask[:, :, top:bottom].any():
            result[:, :, top:bottom] = _convolved(convolutions, seen[:, :, top : bottom + halo])
    return result


def _convolved(convolutions: list[tuple[Tensor, Tensor]], seen: Tensor) -> Tensor:
    *first, (last_weight, last_bias) = convolutions
    seen = seen.contiguous(memory_format=torch.channels_last)
    for weight, bias in first:
        seen = functional.leaky_relu_(functional.conv2d(seen, weight, bias), LEAK)
    return torch.tanh(functional.conv2d(seen, last_weight, last_bias))


def folded_convolutions(layers: nn.Sequential) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of a stack in evaluation mode without its normalisations.

    A normalisation is an affine map per channel right before a convolution without padding, so it goes into that
    convolution's weights.
    """
    folded: list[tuple[Tensor, Tensor]] = []
    norm: nn.BatchNorm2d | None = None
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            norm = layer
        elif isinstance(layer, nn.Conv2d):
            assert layer.bias is not None
            folded.append((layer.weight, layer.bias) if norm is None else _after_normalisation(norm, layer))
            norm = None
    return folded


def _after_normalisation(norm: nn.BatchNorm2d, conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert conv.bias is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    shift = norm.bias.double() - norm.running_mean.double() * scale
    weight = conv.weight.double()
    bias = conv.bias.double() + (weight * shift[:, None, None]).sum(dim=(1, 2, 3))
    return (weight * scale[:, None, None]).to(conv.weight.dtype), bias.to(conv.bias.dtype)
