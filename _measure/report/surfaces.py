"""The surfaces of a character's page: what is compared, coloured by its distance to the other side, and made small.

Both sides are cut as for the scores (`_measure.surface_scores.surface_pair`), so exactly the compared parts are shown.
"""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _exchange.glb import mesh_glb
from _exchange.items import TruthFiles
from _exchange.mesh import Mesh
from _exchange.protocol import Protocol
from _measure.report.colour_map import distance_colours
from _measure.report.pages import model_script
from _measure.surface_distance import distance_to_surface
from _measure.true_surface import compared_true_surface, cut_to_region

MOST_VERTS = 40_000
"""A surface with more vertices is thinned before it is shown."""
_STEPS_PER_METRE = 8192
"""Shown positions are rounded to 0.12 mm: their last bits are zeros, which pack well."""
_GROWTH = 1.1


@dataclass(frozen=True, eq=False)
class DistanceColoured:
    """Both compared surfaces, `head_world`, each coloured by the distance of its vertices to the other."""

    ours: Mesh
    truth: Mesh


def distance_coloured(
    predicted: Mesh, truth: TruthFiles, protocol: Protocol, truth_cache: Path | None = None
) -> DistanceColoured:
    """Cut, thin and colour both surfaces of an item.

    Args:
        predicted: the reconstruction, `head_world`, uncut.
        truth: where the true character lies.
        protocol: decides the pose and the cuts of the true surface.
        truth_cache: folder of visible true surfaces (see `compared_true_surface`).

    Raises:
        SuiteError: a surface cannot be read, or is empty after the cuts.
    """
    ours = cut_to_region(predicted, truth.region)
    if not len(ours.faces):
        raise InputError("Expected predicted triangles inside the region of interest, found none.")
    true = compared_true_surface(truth, protocol, truth_cache)
    if not len(true.faces):
        raise InputError("Expected true triangles inside the region of interest, found none.")
    return DistanceColoured(_coloured(ours, true), _coloured(true, ours))


def thinned(mesh: Mesh, most: int = MOST_VERTS) -> Mesh:
    """At most `most` of a surface's own vertices: one for all that share a cell of a grid, as fine as it may be."""
    if len(mesh.verts) <= most:
        return mesh
    low = mesh.verts.min(axis=0)
    side = float(np.ptp(mesh.verts, axis=0).max()) / 2 / most**0.5
    while True:
        cells = np.floor((mesh.verts - low) / side).astype(np.int64)
        counts = cells.max(axis=0) + 1
        keys = (cells[:, 0] * counts[1] + cells[:, 1]) * counts[2] + cells[:, 2]
        _, kept, new_index = np.unique(keys, return_index=True, return_inverse=True)
        if len(kept) <= most:
            break
        side *= _GROWTH
    faces = new_index[mesh.faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    return Mesh(mesh.verts[kept], faces, None if mesh.colors is None else mesh.colors[kept])


def shown_glb(mesh: Mesh) -> bytes:
    """A surface for the viewer: thinned, its positions rounded, its colours kept.

    Raises:
        InputError: it has no faces.
    """
    small = thinned(mesh)
    return mesh_glb(Mesh(np.round(small.verts * _STEPS_PER_METRE) / _STEPS_PER_METRE, small.faces, small.colors))


def packed_script(name: str, glb: bytes, *, shaded: bool) -> bytes:
    """The script that hands a GLB to the viewer under a name; equal files give equal scripts."""
    packed = base64.b64encode(gzip.compress(glb, 6, mtime=0)).decode("ascii")
    return model_script(name, packed, shaded=shaded).encode("utf-8")


def _coloured(mesh: Mesh, other: Mesh) -> Mesh:
    """A thinned surface whose vertices show their distance to the whole other surface."""
    used = _without_unused(mesh)
    small = thinned(used)
    distances: NDArray[np.float64] = distance_to_surface(small.verts, other)
    return Mesh(small.verts, small.faces, distance_colours(distances))


def _without_unused(mesh: Mesh) -> Mesh:
    """Without vertices that no triangle has."""
    used, faces = np.unique(mesh.faces, return_inverse=True)
    return Mesh(mesh.verts[used], faces.reshape(-1, 3), None if mesh.colors is None else mesh.colors[used])
