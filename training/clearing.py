"""Emptying raw densities before marching: crop, binarise, cull. Source: spec/generator.md §5.3.

All tests are made in float32 on the activated value, as the published pictures were.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from training.engine.interface import Clearing

EMPTY = -1000.0
"""Raw density of a sample that was emptied."""
SOLID = 1000.0
"""Raw density of a sample that was made solid."""


def density_from_sigma(sigma: Tensor) -> Tensor:
    """1 − exp(−softplus(σ − 1)), any shape: the opacity of a unit of length."""
    return 1 - torch.exp(-softplus(sigma - 1))


def limit(opacity: float) -> float:
    """The raw density whose activated value is `opacity`, in exact arithmetic; infinite where no density has it."""
    if not 0 < opacity < 1:
        return -math.inf if opacity <= 0 else math.inf
    return 1 + math.log(opacity / (1 - opacity))


def outside_crop(points: Tensor, box_warp: float, triplane_crop: float) -> Tensor:
    """(…, 1) bool of (…, 3) `head_world` points in metres: |x| or |z| beyond box_warp / 2 − crop. y is free."""
    inside = points[..., [0, 2]].abs() <= box_warp / 2 - triplane_crop
    return ~inside.all(-1, keepdim=True)


def clear(sigma: Tensor, points: Tensor, box_warp: float, clearing: Clearing) -> Tensor:
    """Raw densities (…, 1) of (…, 3) points after crop and occupancy, then binarisation or else cull."""
    if clearing.triplane_crop:
        sigma = torch.where(outside_crop(points, box_warp, clearing.triplane_crop), EMPTY, sigma)
    if clearing.occupancy is not None:
        sigma = torch.where(clearing.occupancy.knows_empty(points, box_warp), EMPTY, sigma)
    if clearing.binarize_clouds:
        thin = density_from_sigma(sigma) < clearing.binarize_clouds
        return torch.where(thin, EMPTY, torch.full_like(sigma, SOLID))
    if clearing.cull_clouds:
        return torch.where(density_from_sigma(sigma) < clearing.cull_clouds, EMPTY, sigma)
    return sigma
