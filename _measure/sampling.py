"""Points on a triangle surface, uniform by area, from a documented generator. Source: spec/measure.md §6.3.

The original draws from an unseeded generator, so no choice here can repeat its samples. Ours is NumPy's PCG64, seeded
with [Adler-32 of the item name, surface number, s]: predicted surfaces have the number 0, true ones 1; s is 0, or one
more than the run's seed where the protocol asks for a spread over seeds.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _exchange.mesh import Mesh

SAMPLE_COUNT = 10_000
"""Samples per surface of the published evaluation."""
_SURFACE_NUMBER = {"predicted": 0, "true": 1}


@dataclass(frozen=True, eq=False)
class SurfaceSamples:
    """Points of a surface by triangle.

    Attributes:
        faces: (N,) integer, index of the triangle.
        bary: (N, 3) float, weights of its three vertices.
    """

    faces: NDArray[np.integer]
    bary: NDArray[np.floating]

    def points(self, mesh: Mesh) -> NDArray[np.float64]:
        """(N, 3) positions in the frame of the mesh, metres."""
        corners = mesh.verts.astype(np.float64)[mesh.faces[self.faces]]
        return np.einsum("nk,nkx->nx", self.bary.astype(np.float64), corners)


def sample_generator(
    item_name: str, surface: Literal["predicted", "true"], run_seed: int | None = None
) -> np.random.Generator:
    """The generator of one surface of one item; `run_seed` None makes the item's name decide alone."""
    spread = 0 if run_seed is None else run_seed + 1
    entropy = [zlib.adler32(item_name.encode("utf-8")), _SURFACE_NUMBER[surface], spread]
    return np.random.Generator(np.random.PCG64(entropy))


def sample_surface(mesh: Mesh, count: int, generator: np.random.Generator) -> SurfaceSamples:
    """Draw `count` points: triangles in proportion to area, (1 − √T, (1 − S)√T, S√T) within.

    Raises:
        InputError: the surface has no area.
    """
    corners = mesh.verts.astype(np.float64)[mesh.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    cumulative = np.cumsum(np.linalg.norm(cross, axis=1))
    if not len(cumulative) or cumulative[-1] <= 0:
        raise InputError("Expected a surface with area inside the region of interest, found none.")
    chosen = np.searchsorted(cumulative, generator.random(count) * cumulative[-1], side="right")
    root_t, s = np.sqrt(generator.random(count)), generator.random(count)
    bary = np.stack([1 - root_t, (1 - s) * root_t, s * root_t], axis=1)
    return SurfaceSamples(np.minimum(chosen, len(mesh.faces) - 1), bary)
