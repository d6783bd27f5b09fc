"""Cells of the cube that hold nothing, found on a grid of raw densities, so that rays need not look there.

Rays spend about half of their samples where a cull leaves nothing. A grid that is at hand, such as that of a mesh, says
where. A cell counts as empty when every grid point in it, or in a cell beside it, is emptied by the cull; only
something smaller than a grid step and farther than a cell from everything else can be lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from _exchange.errors import InputError

CELLS = 64
"""Cells along a side of the cube: 11 mm each."""


@dataclass(frozen=True, eq=False)
class Occupancy:
    """Where there may be something.

    Attributes:
        cells: (n, n, n) bool, axes x, y, z; equal cells of the cube.
    """

    cells: Tensor

    def knows_empty(self, points: Tensor, box_warp: float) -> Tensor:
        """(…, 1) bool of (…, 3) `head_world` points, metres: in an empty cell. Outside the cube nothing is known."""
        count = self.cells.shape[0]
        at = (points * (2 / box_warp) + 1) * 0.5 * count
        inside = ((at >= 0) & (at < count)).all(-1)
        i, j, k = torch.where(inside[..., None], at, 0.0).long().unbind(-1)
        return (inside & ~self.cells.to(points.device)[i, j, k])[..., None]


@dataclass(frozen=True, eq=False)
class SigmaGrid:
    """Raw densities where coordinates cross.

    Attributes:
        sigma: (X, Y, Z) float32.
        axes: ascending `head_world` coordinates (X,), (Y,), (Z,), metres.
    """

    sigma: Tensor
    axes: tuple[Tensor, Tensor, Tensor]


def occupancy_of_grid(grid: SigmaGrid, box_warp: float, least_sigma: float, count: int = CELLS) -> Occupancy:
    """The cells of the cube of side `box_warp` near which a grid point has at least this raw density.

    Cells without a grid point in or beside them may hold anything. `training.clearing.limit` of the cull gives the
    raw density.

    Raises:
        InputError: the grid has other sizes than its axes.
    """
    sizes = tuple(len(axis) for axis in grid.axes)
    if tuple(grid.sigma.shape) != sizes:
        raise InputError(f"Expected raw densities {sizes} for these axes, found {tuple(grid.sigma.shape)}.")
    occupied = ~(grid.sigma < least_sigma)
    for dimension, axis in enumerate(grid.axes):
        cell = ((axis / box_warp + 0.5) * count).cpu().numpy()
        first, stop = (np.searchsorted(cell, np.arange(count) + shift).tolist() for shift in (-1, 2))
        along = occupied.movedim(dimension, 0)
        anything = torch.ones_like(along[0])
        rows = [along[a:b].any(0) if b > a else anything for a, b in zip(first, stop)]
        occupied = torch.stack(rows).movedim(0, dimension)
    return Occupancy(occupied.contiguous())
