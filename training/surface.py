"""Surfaces: marching cubes of a volume, and what a triangle surface is asked: closed, largest piece, volume inside.

The mesh chain of the original works on volumes whose axis x is reversed, and its vertices are `head_world` with x
negated (`_exchange.frames.head_world_from_original_mesh`). Source: spec/generator.md §8, spec/measure.md §3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from skimage import measure

from _exchange.errors import InputError
from _exchange.frames import BOX_SIDE
from _exchange.mesh import Mesh
from training.lattice import LEVEL, Lattice


@dataclass(frozen=True, eq=False)
class IndexedSurface:
    """A surface in lattice indices, as scikit-image's marching cubes give it.

    Attributes:
        indices: (V, 3) float32 positions in steps along the volume's axes.
        faces: (F, 3) int32, clockwise seen from outside the larger values; counter-clockwise once one axis is negated.
        normals: (V, 3) float32, from the volume's differences.
        values: (V,) float32, the largest value near each vertex.
    """

    indices: NDArray[np.float32]
    faces: NDArray[np.int32]
    normals: NDArray[np.float32]
    values: NDArray[np.float32]


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


def marching_cubes(volume: NDArray, level: float = LEVEL) -> IndexedSurface:
    """Lewiner marching cubes: step 1, gradient direction descent, triangles of no area removed.

    Args:
        volume: (N, M, L) float.
        level: value of the surface.

    Raises:
        InputError: a value is not finite, or no surface crosses the volume.
    """
    lowest, highest = float(volume.min()), float(volume.max())
    if not (np.isfinite(lowest) and np.isfinite(highest) and lowest < level < highest):
        raise InputError(
            f"Expected densities on both sides of {level:g}, found {lowest:g} to {highest:g}: no surface.",
        )
    verts, faces, normals, values = measure.marching_cubes(
        volume, level, method="lewiner", gradient_direction="descent", step_size=1, allow_degenerate=False
    )
    return IndexedSurface(verts.astype(np.float32), faces.astype(np.int32), normals, values)


def positions_of_indices(
    indices: NDArray[np.float32], size: int, lattice: Lattice, box_warp: float = BOX_SIDE
) -> NDArray[np.float32]:
    """(V, 3) metres along the axes of a volume: ``sheared`` divides by N, as the original; ``true`` by N − 1."""
    shares = indices / np.float32(size if lattice == "sheared" else size - 1)
    return (shares * np.float32(box_warp) - np.float32(box_warp / 2)).astype(np.float32)


def mesh_from_volume(
    volume: NDArray, colors: NDArray, lattice: Lattice, level: float = LEVEL, box_warp: float = BOX_SIDE
) -> VolumeMesh:
    """Lewiner marching cubes of an x-reversed volume.

    Args:
        volume: (N, N, N) densities.
        colors: (C, N, N, N).
        lattice: how vertex indices become metres (`positions_of_indices`).
        level: density of the surface.
        box_warp: side of the box, metres.

    Raises:
        InputError: no surface crosses the volume.
    """
    surface = marching_cubes(volume, level)
    i, j, k = surface.indices.astype(np.int64).T
    positions = positions_of_indices(surface.indices, volume.shape[0], lattice, box_warp)
    return VolumeMesh(positions, surface.faces, colors[:, i, j, k].T)


# -- questions about a surface ----------------------------------------------------------------------------------


def is_watertight(mesh: Mesh) -> bool:
    """Whether every edge belongs to exactly two faces that run through it in opposite directions; False if empty."""
    faces, count = mesh.faces.astype(np.int64), len(mesh.verts)
    starts, ends = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    if not len(faces) or (starts == ends).any():
        return False
    forward, backward = np.sort(starts * count + ends), np.sort(ends * count + starts)
    return bool((np.diff(forward) > 0).all() and np.array_equal(forward, backward))


def enclosed_volume(mesh: Mesh) -> float:
    """Cubic metres inside a closed surface: positive where faces run counter-clockwise seen from outside."""
    a, b, c = (mesh.verts[mesh.faces[:, corner]].astype(np.float64) for corner in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def largest_component(mesh: Mesh) -> Mesh:
    """The connected piece of most area; of equal ones the piece of the first vertex. Vertices keep their order.

    Raises:
        InputError: the mesh has no faces.
    """
    if not len(mesh.faces):
        raise InputError("Expected a mesh with faces to take its largest piece, found none.")
    count = len(mesh.verts)
    starts, ends = mesh.faces[:, [0, 1]].ravel(), mesh.faces[:, [1, 2]].ravel()
    links = sparse.coo_matrix((np.ones(len(starts), np.int8), (starts, ends)), shape=(count, count))
    pieces, piece_of_vertex = connected_components(links, directed=False)
    piece_of_face = piece_of_vertex[mesh.faces[:, 0]]
    areas = np.bincount(piece_of_face, _areas(mesh), pieces)
    _, first = np.unique(piece_of_vertex, return_index=True)
    largest = min(range(pieces), key=lambda piece: (-areas[piece], first[piece]))
    kept = piece_of_vertex == largest
    number = np.cumsum(kept) - 1
    faces = number[mesh.faces[piece_of_face == largest]].astype(mesh.faces.dtype)
    return Mesh(mesh.verts[kept], faces, None if mesh.colors is None else mesh.colors[kept])


def _areas(mesh: Mesh) -> NDArray[np.float64]:
    a, b, c = (mesh.verts[mesh.faces[:, corner]].astype(np.float64) for corner in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
