"""Raw densities on the true lattice inside the crop, with a border that closes the solid at the walls.

A solid that reaches a wall of the crop or a face of the box would end in a hole. One more layer of lattice points
outside every wall gets values for which the surface crosses each of its edges at the wall: a flat cap, exactly there.
Source: spec/generator.md §5.3, §8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from _exchange.errors import InputError
from training.engine.interface import Engine, Field
from training.lattice import finite_sigma, lattice_axis

LEAST_FRACTION = 1e-3
"""Surface points stay at least this share of a step away from lattice points: 3 µm with 256 points a side."""
_ROUNDING = 1e-6
"""Lattice points beyond a wall by this share of the box's side count as on it."""
_BORDER = 1


@dataclass(frozen=True)
class CroppedLattice:
    """The block of a true lattice that a crop leaves.

    Attributes:
        resolution: N, points along a side of the whole lattice.
        box_warp: side of the box, metres.
        walls: (3,) distances of the walls from the centre along x, y, z, metres.
        first: (3,) lattice indices of its first points.
        shape: (3,) points along its sides.
    """

    resolution: int
    box_warp: float
    walls: tuple[float, float, float]
    first: tuple[int, int, int]
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, resolution: int, box_warp: float, triplane_crop: float | None) -> CroppedLattice:
        """What `triplane_crop` metres from each side in x and z leave; None, 0 and less leave the box.

        Raises:
            InputError: the crop leaves no lattice point.
        """
        side = box_warp / 2 - max(triplane_crop or 0.0, 0.0)
        walls = (side, box_warp / 2, side)
        distances = lattice_axis(resolution, box_warp).abs().numpy()
        inside = [np.flatnonzero(distances <= wall + _ROUNDING * box_warp) for wall in walls]
        if not all(len(kept) for kept in inside):
            raise InputError(
                f"Expected a triplane_crop that leaves lattice points, found {triplane_crop:g} m in a box of "
                f"{box_warp:g} m with {resolution} points a side."
            )
        x, y, z = inside
        return cls(resolution, box_warp, walls, (int(x[0]), int(y[0]), int(z[0])), (len(x), len(y), len(z)))

    def axis(self, dimension: int) -> Tensor:
        """(shape[dimension],) float32 coordinates, metres."""
        first = self.first[dimension]
        return lattice_axis(self.resolution, self.box_warp)[first : first + self.shape[dimension]]

    def wall_steps(self, dimension: int) -> float:
        """Steps from the last points inside to the wall."""
        return (self.walls[dimension] - float(self.axis(dimension)[-1])) / self._step

    def positions(self, indices: NDArray[np.float32]) -> NDArray[np.float32]:
        """(V, 3) `head_world` positions, metres, of (V, 3) indices into `capped` values."""
        steps = indices.astype(np.float64) + (np.array(self.first) - _BORDER)
        return (steps * self._step - self.box_warp / 2).astype(np.float32)

    @property
    def _step(self) -> float:
        return self.box_warp / (self.resolution - 1)


def sigma_of_block(
    engine: Engine, field: Field, block: CroppedLattice, near: float | None = None
) -> NDArray[np.float32]:
    """(X, Y, Z) raw densities of a block; no axis is reversed.

    Args:
        engine: what evaluates the field.
        field: of one character.
        block: where.
        near: a level; then an engine may pass over what does not come near it (`Engine.sigma_near_level`).

    Raises:
        InputError: a density is not finite.
    """
    x, y, z = (block.axis(dimension).to(field.planes.device) for dimension in range(3))
    with torch.no_grad():
        sigma = engine.sigma_on_grid(field, x, y, z) if near is None else engine.sigma_near_level(field, x, y, z, near)
    return finite_sigma(sigma[0].cpu().numpy())


def capped(sigma: NDArray[np.float32], block: CroppedLattice, level: float) -> NDArray[np.float32]:
    """`sigma_of_block` with its border of one point all around.

    Args:
        sigma: (X, Y, Z), left as it is.
        block: where.
        level: σ of the surface.
    """
    values = np.full([count + 2 * _BORDER for count in block.shape], level - 1, np.float32)
    values[1:-1, 1:-1, 1:-1] = kept_off_level(sigma, level)
    for dimension in range(3):
        _cap(values, dimension, block.wall_steps(dimension), level)
    return values


def _cap(values: NDArray[np.float32], dimension: int, wall_steps: float, level: float) -> None:
    """Fill both borders across `dimension`, so that solid ends `wall_steps` steps beyond the last points inside."""
    share = min(max(wall_steps, LEAST_FRACTION), 1 - LEAST_FRACTION)
    across = np.moveaxis(values, dimension, 0)[:, 1:-1, 1:-1]
    for border, last in ((across[0], across[1]), (across[-1], across[-2])):
        solid = last > level
        border[solid] = level - (last[solid] - level) * ((1 - share) / share)
        border[~solid] = last[~solid]


def kept_off_level(values: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """A copy in which no surface point comes closer to a lattice point than `LEAST_FRACTION` of a step.

    Values beside the level are moved away from it, on their side, by as little as that takes. Every triangle then has
    an area, and marching cubes need not merge vertices, which can join sheets that only touch.
    """
    solid = values > level
    distance = np.abs(values - np.float32(level))
    largest = distance.copy()
    for dimension in range(3):
        here, there = (np.moveaxis(array, dimension, 0) for array in (largest, distance))
        np.maximum(here[:-1], there[1:], out=here[:-1])
        np.maximum(here[1:], there[:-1], out=here[1:])
    np.maximum(distance, largest * np.float32(LEAST_FRACTION), out=distance)
    distance[~solid] *= -1
    return distance + np.float32(level)
