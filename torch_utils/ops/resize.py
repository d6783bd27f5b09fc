"""Bilinear change of size with half-pixel centres, with and without a low-pass (spec/generator.md, conventions)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def bilinear(x: Tensor, size: int) -> Tensor:
    """(B, C, H, W) to (B, C, size, size), without antialiasing also when it shrinks."""
    return functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)


def bilinear_antialiased(x: Tensor, size: int) -> Tensor:
    """(B, C, H, W) to (B, C, size, size), low-passed when it shrinks."""
    return functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
