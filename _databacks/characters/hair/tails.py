"""Free hair: single locks through points in space, and tails made of a bundle of locks around a guide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from _databacks.characters.curves import Floats, profile, spline, unit
from _databacks.characters.hair.atlas import LOCK_TILES
from _databacks.characters.hair.locks import Guide, lock
from _databacks.characters.rng import Stream
from _databacks.characters.solids import Solid

_SWELL = ((0.0, 0.22), (0.10, 0.45), (0.35, 1.0), (0.65, 0.85), (0.9, 0.35), (1.0, 0.10))


def free_lock(points: Sequence[ArrayLike], normal: ArrayLike, half_width: float, thickness: float, tile: int) -> Solid:
    """A tapered lock through points (K, 3) whose outside looks along `normal`."""
    line = spline(np.array([np.asarray(point, np.float64) for point in points]), 14)
    normals = np.broadcast_to(np.asarray(normal, np.float64), line.shape)
    widths = half_width * profile(np.linspace(0, 1, 14), ((0.0, 0.7), (0.3, 1.0), (0.75, 0.7), (1.0, 0.04)))
    return lock(Guide(line, normals, _lengths(line)), widths, thickness, tile)


def tail_solids(
    points: Floats, aside: tuple[float, float, float], radius: float, stream: Stream, locks: int = 9
) -> list[Solid]:
    """A tail: locks around the curve through points (K, 3), with tips of different lengths.

    Args:
        aside: a direction that the curve never runs along, from which the places around it are counted.
        radius: largest distance of a lock's middle from the curve, metres.
    """
    rows = 16
    line = spline(points, rows)
    tangent = unit(np.gradient(line, axis=0))
    first = unit(np.cross(tangent, np.broadcast_to(np.array(aside), line.shape)))
    second = np.cross(tangent, first)
    solids = [_tail_lock(line, first, stream, offset=0.0, half_width=radius * 0.9, length=1.0)]
    for index in range(locks):
        angle = 2 * np.pi * (index + 0.3 * stream.uniform()) / locks
        outward = first * np.cos(angle) + second * np.sin(angle)
        length = 1.0 - 0.16 * stream.uniform()
        solids.append(_tail_lock(line, outward, stream, offset=radius * 0.62, half_width=radius * 0.80, length=length))
    return solids


def _tail_lock(
    line: Floats, outward: Floats, stream: Stream, *, offset: float, half_width: float, length: float
) -> Solid:
    share = np.linspace(0, 1, len(line))
    place = share * length
    rows = np.stack([np.interp(place, share, line[:, axis]) for axis in range(3)], axis=1)
    normals = unit(np.stack([np.interp(place, share, outward[:, axis]) for axis in range(3)], axis=1))
    points = rows + normals * (offset * profile(place, _SWELL))[:, None]
    widths = half_width * profile(place, _SWELL) * profile(share, ((0.0, 1.0), (0.6, 1.0), (0.9, 0.5), (1.0, 0.04)))
    runs = 0.05 + _lengths(points)
    return lock(Guide(points, normals, runs), widths, half_width * 0.35, int(stream.uniform(0, LOCK_TILES)), bend=0.05)


def _lengths(points: Floats) -> Floats:
    steps = np.sqrt((np.diff(points, axis=0) ** 2).sum(axis=1))
    return np.concatenate([[0.0], np.cumsum(steps)])
