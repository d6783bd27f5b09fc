"""From densities on a lattice to a surface: query points, activation, crop, cull, marching cubes.

Order of points: n = (i·N + j)·N + k with axis i along x and k along z. The mesh chain works on volumes whose axis x
is reversed, and its vertices are `head_world` with x negated (`_exchange.frames.head_world_from_original_mesh`).
Source: spec/measure.md §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from _exchange.errors import InputError
from _exchange.frames import BOX_SIDE

EMPTY = -1000.0
"""Density written where nothing may be."""
LEVEL = 0.5
"""Density of the surface."""
TRIPLANE_CROP = 0.1
"""What the crop takes from each side of the box in x and z, metres."""
Lattice = Literal["sheared", "true"]
MeshCull = Literal["double_activation", "density_half"]


@dataclass(frozen=True, eq=False)
class VolumeMesh:
    """Surface of a volume, x negated `head_world`, metres.

    Attributes:
        verts: (V, 3) float32.
        faces: (F, 3) int32.
        colors: (V, C) of the grid point at each vertex's truncated indices.
    """

    verts: NDArray[np.float32]
    faces: NDArray[np.int32]
    colors: NDArray[np.floating]


def lattice_points(size: int, lattice: Lattice) -> NDArray[np.float32]:
    """(N³, 3) float32 query points in `head_world`, metres.

    ``sheared`` keeps the original's unfloored divisions: y carries z-index/N, x the fractions of both, and the last
    rows overshoot the box by almost a step. ``true`` is the proper grid from −0.35 to 0.35.
    """
    if size < 2:
        raise InputError(f"Expected a lattice of at least 2 points a side, found {size}.")
    index = np.arange(size**3)
    n = np.float32(size)
    if lattice == "sheared":
        whole = index.astype(np.float32)
        y, x = (whole / n) % n, (whole / n / n) % n
    else:
        y, x = (index // size % size).astype(np.float32), (index // size**2).astype(np.float32)
    steps = np.stack([x, y, (index % size).astype(np.float32)], axis=1)
    return steps * np.float32(BOX_SIDE / (size - 1)) + np.float32(-BOX_SIDE / 2)


def view_directions(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(…, 3) directions given to the network for volume points: −point/max(|point|, 0.01)."""
    lengths = np.linalg.norm(points, axis=-1, keepdims=True)
    return -points / np.maximum(lengths, np.float32(0.01))


def density_from_sigma(sigma: NDArray) -> NDArray[np.float32]:
    """1 − exp(−softplus(σ − 1)), float32, any shape."""
    shifted = np.asarray(sigma, np.float32) - np.float32(1)
    return np.float32(1) - np.exp(-np.logaddexp(np.float32(0), shifted))


def crop_mask(points: NDArray, triplane_crop: float = TRIPLANE_CROP) -> NDArray[np.bool_]:
    """(…,) of (…, 3) points: |x| or |z| beyond 0.35 − crop. y is never cropped."""
    limit = np.float32(BOX_SIDE / 2 - triplane_crop)
    return (np.abs(points[..., 0]) > limit) | (np.abs(points[..., 2]) > limit)


def cull_mask(values: NDArray, cull_below: float = LEVEL) -> NDArray[np.bool_]:
    """Where the activated values lie below `cull_below`; shape kept.

    Given σ this is the cull of the picture path. Given densities it is the original's accident on the mesh path: only
    a density that rounds to 1 survives a second activation.
    """
    return density_from_sigma(values) < np.float32(cull_below)


def volume_from_sigma(
    sigma: NDArray, points: NDArray, mesh_cull: MeshCull, triplane_crop: float = TRIPLANE_CROP
) -> NDArray[np.float32]:
    """(N, N, N) density volume with axis x reversed, from (N³,) σ at (N³, 3) lattice points.

    Cropped points are `EMPTY`; with ``double_activation`` so is every density that does not round to 1.
    """
    density = density_from_sigma(sigma)
    density = np.where(crop_mask(points, triplane_crop), np.float32(EMPTY), density)
    if mesh_cull == "double_activation":
        density = np.where(cull_mask(density), np.float32(EMPTY), density)
    return _reversed_cube(density)


def color_volume(colors: NDArray) -> NDArray:
    """(C, N³) colours in point order → (C, N, N, N) with axis x reversed."""
    return np.stack([_reversed_cube(channel) for channel in colors])


def mesh_from_volume(volume: NDArray, colors: NDArray, lattice: Lattice, level: float = LEVEL) -> VolumeMesh:
    """Lewiner marching cubes of an x-reversed volume.

    Args:
        volume: (N, N, N) densities.
        colors: (C, N, N, N).
        lattice: ``sheared`` divides vertex indices by N, as the original; ``true`` by N − 1.

    Raises:
        InputError: no surface crosses the volume.
    """
    if not volume.min() < level < volume.max():
        raise InputError(
            f"Expected densities on both sides of {level}, found {volume.min():g} to {volume.max():g}: no surface."
        )
    verts, faces, _, _ = measure.marching_cubes(
        volume, level, method="lewiner", gradient_direction="descent", step_size=1, allow_degenerate=False
    )
    size = volume.shape[0]
    i, j, k = verts.astype(np.int64).T
    scaled = verts / np.float32(size if lattice == "sheared" else size - 1)
    positions = scaled * np.float32(BOX_SIDE) - np.float32(BOX_SIDE / 2)
    return VolumeMesh(positions.astype(np.float32), faces.astype(np.int32), colors[:, i, j, k].T)


def _reversed_cube(values: NDArray) -> NDArray:
    size = round(values.size ** (1 / 3))
    if size**3 != values.size:
        raise InputError(f"Expected the values of a cube of points, found {values.size} of them.")
    return np.ascontiguousarray(values.reshape(size, size, size)[::-1])
