"""Lattices of query points, and what is asked there: activation, crop, cull.

Order of points: n = (i·N + j)·N + k with axis i along x and k along z. Functions of arrays give what
`training.clearing` computes, in one thread, so that results never depend on the number of cores.
Source: spec/generator.md §8 (steps 2 to 6), spec/measure.md §3.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from _exchange.errors import InputError
from _exchange.frames import BOX_SIDE
from torch_utils.determinism import single_threaded
from training import clearing

LEVEL = 0.5
"""Density of the surface."""
TRIPLANE_CROP = 0.1
"""What the crop takes from each side of the box in x and z, metres."""
RESOLUTIONS = (2, 1024)
"""Fewest and most lattice points along a side of the box."""
CHECK_WEIGHTS = "Check the checkpoint and the inputs."
"""The next step when a field is not finite."""
Lattice = Literal["sheared", "true"]
MeshCull = Literal["double_activation", "density_half"]


def check_resolution(size: int) -> None:
    """Raise InputError unless `size` points a side make a lattice that we compute."""
    lowest, highest = RESOLUTIONS
    if not isinstance(size, int) or not lowest <= size <= highest:
        raise InputError(
            f"Expected a lattice of at least {lowest} and at most {highest} points a side, found {size!r:.80}."
        )


def lattice_points(size: int, lattice: Lattice) -> NDArray[np.float32]:
    """(N³, 3) float32 query points in `head_world`, metres, of the box of side 0.7: see `points_of_indices`."""
    check_resolution(size)
    return points_of_indices(torch.arange(size**3), size, lattice).numpy()


def points_of_indices(index: Tensor, size: int, lattice: Lattice, box_warp: float = BOX_SIDE) -> Tensor:
    """(M, 3) float32 points in `head_world`, metres, of (M,) int64 flat indices n into a lattice of `size`³ points.

    ``sheared`` keeps the original's unfloored divisions in float32: y carries z-index/N, x the fractions of both, and
    the last rows overshoot the box by almost a step. ``true`` is the proper grid between the faces of the box.
    """
    if lattice == "sheared":
        # Division by a tensor: by a number, CUDA would multiply by its rounded inverse instead.
        whole, n = index.to(torch.float32), torch.tensor(size, dtype=torch.float32, device=index.device)
        y, x = (whole / n) % n, (whole / n / n) % n
    else:
        y, x = (index // size % size).to(torch.float32), (index // size**2).to(torch.float32)
    steps = torch.stack([x, y, (index % size).to(torch.float32)], -1)
    return scaled(steps, size, box_warp)


def lattice_axis(size: int, box_warp: float = BOX_SIDE) -> Tensor:
    """(N,) float32 coordinates along any axis of the true lattice, metres."""
    return scaled(torch.arange(size, dtype=torch.float32), size, box_warp)


def scaled(steps: Tensor, size: int, box_warp: float) -> Tensor:
    """Metres of lattice steps: k · box/(N − 1) − box/2 in float32, both constants rounded first."""
    return steps * np.float32(box_warp / (size - 1)).item() - np.float32(box_warp / 2).item()


def density_from_sigma(sigma: NDArray) -> NDArray[np.float32]:
    """1 − exp(−softplus(σ − 1)), float32, any shape."""
    with single_threaded():
        return clearing.density_from_sigma(torch.from_numpy(np.asarray(sigma, np.float32))).numpy()


def crop_mask(points: NDArray, triplane_crop: float = TRIPLANE_CROP, box_warp: float = BOX_SIDE) -> NDArray[np.bool_]:
    """(…,) of (…, 3) points: |x| or |z| beyond box_warp/2 − crop. y is never cropped."""
    outside = clearing.outside_crop(torch.from_numpy(np.asarray(points, np.float32)), box_warp, triplane_crop)
    return outside.numpy()[..., 0]


def cull_mask(values: NDArray, cull_below: float = LEVEL) -> NDArray[np.bool_]:
    """Where the activated values lie below `cull_below`; shape kept.

    Given σ this is the cull of the picture path. Given densities it is the original's accident on the mesh path: only
    a density that rounds to 1 survives a second activation.
    """
    return density_from_sigma(values) < np.float32(cull_below)


def cleared_density(sigma: NDArray[np.float32], cull_below: float | None) -> NDArray[np.float32]:
    """Densities of (M,) σ, `EMPTY` where the accident on the mesh path culls them; None culls nothing."""
    density = density_from_sigma(sigma)
    if cull_below is not None:
        density[cull_mask(density, cull_below)] = clearing.EMPTY
    return density


def volume_from_sigma(
    sigma: NDArray, points: NDArray, mesh_cull: MeshCull, triplane_crop: float = TRIPLANE_CROP
) -> NDArray[np.float32]:
    """(N, N, N) density volume with axis x reversed, from (N³,) σ at (N³, 3) lattice points.

    Cropped points are `EMPTY`; with ``double_activation`` so is every density that does not round to 1.
    """
    density = cleared_density(np.asarray(sigma, np.float32), LEVEL if mesh_cull == "double_activation" else None)
    density[crop_mask(points, triplane_crop)] = clearing.EMPTY
    return reversed_cube(density)


def color_volume(colors: NDArray) -> NDArray:
    """(C, N³) colours in point order → (C, N, N, N) with axis x reversed."""
    return np.stack([reversed_cube(channel) for channel in colors])


def reversed_cube(values: NDArray) -> NDArray:
    """(N³,) values in point order → (N, N, N) with axis x reversed.

    Raises:
        InputError: their number is no cube.
    """
    size = round(values.size ** (1 / 3))
    if size**3 != values.size:
        raise InputError(f"Expected the values of a cube of points, found {values.size} of them.")
    return np.ascontiguousarray(values.reshape(size, size, size)[::-1])


def finite_sigma(sigma: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same raw densities.

    Raises:
        InputError: one is not finite.
    """
    wrong = sigma.size - int(np.isfinite(sigma).sum())
    if wrong:
        raise InputError(
            f"Expected finite raw densities, found NaN or infinity at {wrong} of {sigma.size} points.",
            next_step=CHECK_WEIGHTS,
        )
    return sigma
