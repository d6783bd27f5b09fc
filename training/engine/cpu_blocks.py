"""Grids of raw densities: everywhere, or only in blocks near a level.

A coarse grid, the corners of the blocks, is decoded first. A block is decoded when those corners of it and of the
blocks around it do not all lie on one side of the level; elsewhere its first corner's value stands for it, so that no
surface passes. What is smaller than a block and farther than one from any surface that the corners show is lost:
the whole grid is the twin. Source: spec/generator.md §8.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import max_pool3d

from training.engine.cpu_grid import BLOCK, Axes, grid_kernel, grid_scratch_for
from training.engine.cpu_points import Floats, PackedField

_EVERYWHERE = (0, 0, 0)


def sigma_on_axes(field: PackedField, axes: Axes, sigma: Floats) -> None:
    """Write raw densities (X, Y, Z) where the axes cross."""
    grid_kernel(field, axes, grid_scratch_for(field, axes), np.zeros(_EVERYWHERE, np.uint8), sigma)


def sigma_in_blocks(field: PackedField, axes: Axes, level: float, sigma: Floats) -> None:
    """Write raw densities (X, Y, Z): decoded near the level, elsewhere some value on the same side of it."""
    if sigma.size == 0:
        return
    corners = np.empty([-(-axis.size // BLOCK) + 1 for axis in axes], np.float32)
    sigma_on_axes(field, Axes(*(_at_corners(axis) for axis in axes)), corners)
    first = corners[:-1, :-1, :-1]
    for dimension, size in enumerate(sigma.shape):
        first = first.repeat(BLOCK, dimension).take(range(size), dimension)
    sigma[:] = first
    grid_kernel(field, axes, grid_scratch_for(field, axes), blocks_near(corners, level), sigma)


def blocks_near(corners: Floats, level: float) -> NDArray[np.uint8]:
    """1 for blocks (X − 1, …) whose own corners (X, …), and those of their neighbours, differ in their side.

    A corner that is not a number is on no side, so that its blocks are decoded and the caller finds out.
    """
    sides = torch.from_numpy(np.stack([corners >= level, ~(corners >= level), ~np.isfinite(corners)])).float()
    solid, empty, odd = max_pool3d(sides[:, None], kernel_size=4, stride=1, padding=1)[:, 0] > 0
    return ((solid & empty) | odd).numpy().astype(np.uint8)


def _at_corners(axis: Floats) -> Floats:
    """Every `BLOCK`th coordinate, and the last one in place of what lies beyond."""
    return axis[np.minimum(np.arange(0, axis.size + BLOCK, BLOCK)[: -(-axis.size // BLOCK) + 1], axis.size - 1)]
