"""The image tower of CLIP: a vision transformer with OpenAI's parameter names. Source: spec/measure.md §5.1.

Pictures are cut into square patches, each a token; a class token stands before them. Positions are added, a layer norm,
then blocks of attention and a two-layer perceptron, each behind its layer norm and added to what came in. The class
token, normalised once more, is projected to the embedding. ViT-B/32 has width 768, 12 blocks of 12 heads, patches of
32 × 32 pixels, 7 × 7 + 1 tokens and embeddings of 512 numbers; every size is that of the weights handed in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from _exchange.errors import FormatError, InputError
from _measure.metrics.description import ClipNumbers
from torch_utils.device import device_named, exact_float32, repeatable_cuda

PREFIX = "visual."
"""What the published names of the tower's parameters start with."""
HEAD_WIDTH = 64
"""Channels of one attention head in all of OpenAI's vision transformers."""
_BLOCK = re.compile(r"transformer\.resblocks\.(\d+)\.")
_EMBEDDING = ("class_embedding", "positional_embedding")


class QuickGelu(nn.Module):
    """x·σ(1.702 x), the approximation that CLIP was trained with."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Any shape; the same shape and type."""
        return x * torch.sigmoid(1.702 * x)


class WideLayerNorm(nn.LayerNorm):
    """A layer norm computed in float32, whatever type comes in and goes out."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, width) → the same shape and type."""
        return super().forward(x.float()).to(x.dtype)


class SelfAttention(nn.Module):
    """Attention of all tokens to all, in heads of `HEAD_WIDTH` channels; names as `torch.nn.MultiheadAttention`'s."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, width) → (B, T, width)."""
        batch, tokens, width = x.shape
        joined = functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        query, key, value = joined.view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.out_proj(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    """x + attention(norm(x)), then x + perceptron(norm(x))."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.attn = SelfAttention(width)
        self.ln_1 = WideLayerNorm(width)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, hidden))
        self.mlp.add_module("gelu", QuickGelu())
        self.mlp.add_module("c_proj", nn.Linear(hidden, width))
        self.ln_2 = WideLayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, width) → (B, T, width)."""
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """Blocks in a row."""

    def __init__(self, width: int, hidden: int, depth: int) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(Block(width, hidden) for _ in range(depth)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, width) → (B, T, width)."""
        return self.resblocks(x)


class VisionTower(nn.Module):
    """(B, 3, side, side) preprocessed pictures → (B, D) embeddings, not normalised.

    Args:
        weights: the published parameters; those whose names do not start with ``visual.`` (the text tower, the
            temperature) are passed over.

    Raises:
        FormatError: a parameter below ``visual.`` is missing, unknown, of another shape or no floating point number.
    """

    def __init__(self, weights: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        given = {name.removeprefix(PREFIX): tensor for name, tensor in weights.items() if name.startswith(PREFIX)}
        width, _, patch, _ = _sizes(given, "conv1.weight", "width 3 patch patch")
        tokens, _ = _sizes(given, "positional_embedding", "tokens width")
        _, self.dimensions = _sizes(given, "proj", "width embedding")
        hidden, _ = _sizes(given, "transformer.resblocks.0.mlp.c_fc.weight", "hidden width")
        depth = len({found[1] for name in given if (found := _BLOCK.match(name))})
        grid = math.isqrt(tokens - 1)
        if width % HEAD_WIDTH or not grid or grid**2 != tokens - 1:
            expected = f"a square of patches and one token more, their width a multiple of {HEAD_WIDTH}"
            raise FormatError(PREFIX + "positional_embedding", expected, f"shape {(tokens, width)}")
        self.side = grid * patch
        with torch.device("meta"):  # made without memory, then given the weights themselves
            self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
            self.class_embedding = nn.Parameter(torch.empty(width))
            self.positional_embedding = nn.Parameter(torch.empty(tokens, width))
            self.ln_pre = WideLayerNorm(width)
            self.transformer = Transformer(width, hidden, depth)
            self.ln_post = WideLayerNorm(width)
            self.proj = nn.Parameter(torch.empty(width, self.dimensions))
        self._take(given)
        self.eval().requires_grad_(False)

    def _take(self, given: Mapping[str, torch.Tensor]) -> None:
        """Load the parameters as float32, each checked by name."""
        expected = {name: tuple(value.shape) for name, value in self.state_dict().items()}
        for name in sorted(given.keys() - expected.keys()):
            raise FormatError(PREFIX + name, "no parameter of this name", f"shape {tuple(given[name].shape)}")
        for name, shape in expected.items():
            found = given.get(name)
            if found is None or tuple(found.shape) != shape or not found.is_floating_point():
                what = "none" if found is None else f"{found.dtype} of shape {tuple(found.shape)}"
                raise FormatError(PREFIX + name, f"floating point numbers of shape {shape}", what)
        self.load_state_dict({name: given[name].float() for name in expected}, assign=True)

    def halved(self) -> VisionTower:
        """This tower with float16 weights in all but layer norms and embeddings, as OpenAI's runs on a GPU."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear, SelfAttention)):
                module.half()
        self.proj.data = self.proj.data.half()
        return self

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Embeddings in the type of the weights."""
        x = self.conv1(pictures.to(self.conv1.weight.dtype)).flatten(2).transpose(1, 2)
        first, positions = (getattr(self, name).to(x.dtype) for name in _EMBEDDING)
        x = torch.cat([first.expand(len(x), 1, -1), x], 1) + positions
        x = self.transformer(self.ln_pre(x))
        return self.ln_post(x[:, 0]) @ self.proj


class ImageEncoder:
    """A `VisionTower` on a device, from and to NumPy.

    On the CPU with one thread the same batch gives the same bits. Pictures encoded together differ from the same ones
    encoded alone in the last bits (7e-7 of the largest number), so who wants repeatable scores keeps to one way. One
    picture at a time takes 0.13 CPU-seconds each, in batches of 7 and more 0.07.

    Args:
        weights: as `VisionTower` takes them.
        device: as `device_named` takes it.
        numbers: ``float16`` computes in half precision and answers in it; ``float32``.

    Raises:
        FormatError: as `VisionTower`.
        InputError, MissingComponent: as `device_named`.
    """

    def __init__(self, weights: Mapping[str, torch.Tensor], device: str, numbers: ClipNumbers) -> None:
        tower = VisionTower(weights)
        self.device = device_named(device)
        self.tower = (tower.halved() if numbers == "float16" else tower).to(self.device)

    @torch.inference_mode()
    def encode(self, pictures: NDArray[np.float32]) -> NDArray[np.floating]:
        """(B, 3, side, side) preprocessed pictures → (B, D) embeddings of the encoder's numbers, not normalised.

        Raises:
            InputError: the pictures have another shape.
        """
        side = self.tower.side
        if pictures.ndim != 4 or pictures.shape[1:] != (3, side, side):
            raise InputError(f"Expected pictures of shape (B, 3, {side}, {side}), found {pictures.shape}.")
        given = torch.from_numpy(np.ascontiguousarray(pictures, np.float32)).to(self.device)
        with exact_float32(), repeatable_cuda():
            found = self.tower(given)
        return found.cpu().numpy()


def _sizes(given: Mapping[str, torch.Tensor], name: str, axes: str) -> tuple[int, ...]:
    """The shape of a parameter, which must have these axes, none of them empty."""
    expected = f"a tensor of shape ({axes.replace(' ', ', ')})"
    if name not in given:
        raise FormatError(PREFIX + name, expected, "none")
    shape = tuple(given[name].shape)
    if len(shape) != len(axes.split()) or not all(shape):
        raise FormatError(PREFIX + name, expected, f"shape {shape}")
    return shape
