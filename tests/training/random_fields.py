"""Seeded radiance fields with solid blobs and empty space between them, and rays through them, for tests of engines."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from training.engine.interface import DecoderWeights, Field, Rays
from training.engine.plain import PlainEngine

BOX = 0.7
SOLID_SHARE = 0.3


def random_field(
    channels: int = 16,
    depth: int = 3,
    side: int = 32,
    *,
    use_triplane: bool = True,
    batch: int = 1,
    hidden: int = 64,
    features: int = 32,
    plain_sigmoid: bool = True,
    spread: float = 300.0,
    seed: int = 0,
) -> Field:
    """Smooth planes; the density row is rescaled so that `SOLID_SHARE` of the box is above 1, `spread` around it."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(batch, 3 * channels * depth, 6, 6, generator=generator)
    planes = interpolate(coarse, size=(side, side), mode="bicubic").view(batch, 3, channels * depth, side, side)
    w0 = torch.randn(hidden, channels, generator=generator) * 1.5 / channels**0.5
    b0 = torch.randn(hidden, generator=generator) * 0.2
    w2 = torch.randn(1 + features, hidden, generator=generator) / 8
    b2 = torch.randn(1 + features, generator=generator) * 0.2
    field = Field(planes, DecoderWeights(w0, b0, w2, b2, plain_sigmoid), BOX, depth, use_triplane)
    sigma = PlainEngine().sigma(field, (torch.rand(batch, 4000, 3, generator=generator) - 0.5) * BOX)
    gain = spread / float(sigma.std())
    w2[0] *= gain
    b2[0] = (b2[0] - sigma.flatten().quantile(1 - SOLID_SHARE)) * gain
    return field


def constant_field(sigma: float, side: int = 8) -> Field:
    """The same raw density everywhere, inside the box and beyond it."""
    decoder = DecoderWeights(torch.zeros(64, 16), torch.zeros(64), torch.zeros(33, 64), torch.zeros(33), True)
    decoder.b2[0] = sigma
    return Field(torch.zeros(1, 3, 48, side, side), decoder, BOX, 3, True)


def pinhole_rays(side: int, *azimuths: float, fov: float = 30.0) -> Rays:
    """side² rays from a camera at distance 1 for each azimuth in degrees, a little from above."""
    views = [_pinhole(side, math.radians(azimuth), math.tan(math.radians(fov) / 2)) for azimuth in azimuths]
    return Rays(torch.stack([view[0] for view in views]), torch.stack([view[1] for view in views]))


def _pinhole(side: int, azimuth: float, half_width: float) -> tuple[Tensor, Tensor]:
    origin = normalize(torch.tensor([math.sin(azimuth), 0.3, math.cos(azimuth)]), dim=0)
    right = normalize(torch.linalg.cross(-origin, torch.tensor([0.0, 1.0, 0.0])), dim=0)
    up = torch.linalg.cross(right, -origin)
    steps = ((torch.arange(side) + 0.5) / side * 2 - 1) * half_width
    rows, columns = torch.meshgrid(-steps, steps, indexing="ij")
    directions = normalize(-origin + columns[..., None] * right + rows[..., None] * up, dim=-1).reshape(-1, 3)
    return origin.expand(side * side, 3), directions
