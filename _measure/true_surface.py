"""The two surfaces that are compared: unseen inner layers removed, cut to the box and to the region of interest.

Source: spec/measure.md §6.1, §6.2.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path

import igl
import numpy as np
from numpy.typing import NDArray

from _databacks import vrm
from _databacks.vrm import TrueSurface, read_true_surface
from _exchange.digest import sha256_of_file, sha256_of_value
from _exchange.frames import BOX_SIDE, IMAGE_SIZE, head_model_from_model, head_world_from_head_model
from _exchange.items import Region, TruthFiles
from _exchange.mesh import Mesh
from _exchange.protocol import Protocol
from _measure.truth_cache import cached_surface

INNER_WINDING = 1.3
"""Vertices whose winding number reaches this lie inside and are removed."""
TRUTH_HALF_BOX = 0.25
"""Half side of the box that cuts the true surface, metres; not the 0.35 of everything else."""


def winding_numbers(mesh: Mesh) -> NDArray[np.float64]:
    """(V,) winding number of the whole surface at each of its own vertices (libigl's fast approximation)."""
    if not len(mesh.faces):
        return np.zeros(len(mesh.verts))
    verts = np.ascontiguousarray(mesh.verts, np.float64)
    return np.asarray(igl.fast_winding_number(verts, np.ascontiguousarray(mesh.faces, np.int64), verts))


def without_inner_surfaces(mesh_model: Mesh) -> Mesh:
    """The surface without what it encloses: vertices of winding below 1.3 and triangles of three such vertices.

    Args:
        mesh_model: positions as stored in the file: shifting them first would change the approximation.
    """
    return keep_vertices(mesh_model, winding_numbers(mesh_model) < INNER_WINDING)


def keep_vertices(mesh: Mesh, kept: NDArray[np.bool_]) -> Mesh:
    """Keep (V,) marked vertices and the triangles whose three vertices are kept; indices are renumbered."""
    new_index = np.cumsum(kept) - 1
    faces = new_index[mesh.faces[kept[mesh.faces].all(axis=1)]].reshape(-1, 3)
    return Mesh(mesh.verts[kept], faces, None if mesh.colors is None else mesh.colors[kept])


def cut_to_box(mesh_head: Mesh, *, bounds_y: bool) -> Mesh:
    """Keep triangles with all vertices inside |x|, |z| ≤ 0.25 m, and |y| too where `bounds_y`; vertices stay.

    Args:
        mesh_head: in either head frame: the box is symmetric.
    """
    axes = [0, 1, 2] if bounds_y else [0, 2]
    inside = (np.abs(mesh_head.verts[:, axes]) <= TRUTH_HALF_BOX).all(axis=1)
    return Mesh(mesh_head.verts, mesh_head.faces[inside[mesh_head.faces].all(axis=1)], mesh_head.colors)


def cut_to_region(mesh: Mesh, region: Region) -> Mesh:
    """Keep vertices strictly inside the region seen from the front along z, and triangles of three such vertices.

    x grows with the column: for a mesh in `head_world` this is the region as drawn, in `head_model` its mirror image.
    """
    scale = BOX_SIDE / IMAGE_SIZE
    x_low = -BOX_SIDE / 2 + region.col * scale
    x_high = x_low + region.width * scale
    y_high = BOX_SIDE / 2 - region.row * scale
    y_low = y_high - region.height * scale
    x, y = mesh.verts[:, 0], mesh.verts[:, 1]
    return keep_vertices(mesh, (x_low < x) & (x < x_high) & (y_low < y) & (y < y_high))


def read_whole_surface(truth: TruthFiles, protocol: Protocol) -> TrueSurface:
    """All triangles of an item's character before any cut, in the pose that the protocol compares.

    Raises:
        InputError: the file cannot be read, or (bind pose) is no VRM 0.x.
        FormatError: something in it is wrong.
    """
    head = None
    if truth.head_position:
        x, y, z = truth.head_position
        head = (x, y, z)
    return read_true_surface(
        truth.character,
        pose=protocol.truth_pose,
        shading=truth.shading,
        paper_pose=truth.paper_arm_degrees,
        fit=truth.fit,
        head_position=head,
    )


def compared_true_surface(truth: TruthFiles, protocol: Protocol, cache_folder: Path | None = None) -> Mesh:
    """`true_surface` of an item's character under a protocol.

    Args:
        cache_folder: folder where the surface before its cuts is kept (`truth_cache`); None builds it.

    Raises:
        InputError, FormatError: as `read_whole_surface`.
    """

    def build() -> TrueSurface:
        whole = read_whole_surface(truth, protocol)
        visible = without_inner_surfaces(Mesh(whole.verts, whole.faces))
        return TrueSurface(visible.verts, visible.faces.astype(np.int64), whole.loc_origin)

    if cache_folder is not None and truth.character.is_file():
        visible = cached_surface(cache_folder, visible_surface_key(truth, protocol), build)
    else:
        visible = build()
    return cut_true_surface(
        Mesh(visible.verts, visible.faces),
        visible.loc_origin,
        truth.region,
        mirrored_region=protocol.truth_region == "mirrored",
        box_bounds_y=protocol.truth_box_bounds_y,
    )


def visible_surface_key(truth: TruthFiles, protocol: Protocol) -> str:
    """Digest of all that decides the true surface before its cuts."""
    return sha256_of_value(
        {
            "sources": _sources_digest(),
            "character": sha256_of_file(truth.character),
            "pose": protocol.truth_pose,
            "shading": truth.shading,
            "paper_arm_degrees": truth.paper_arm_degrees,
            "fit": truth.fit,
            "head_position": truth.head_position,
            "packages": [np.__version__, metadata.version("libigl")],
        }
    )


@cache
def _sources_digest() -> str:
    """Of the code that makes visible surfaces: a changed reader must not meet the surfaces of its forerunner."""
    reader = Path(vrm.__file__).parent
    return sha256_of_value([sha256_of_file(path) for path in [*sorted(reader.glob("*.py")), Path(__file__)]])


def true_surface(
    mesh_model: Mesh, loc_origin: NDArray, region: Region, *, mirrored_region: bool, box_bounds_y: bool
) -> Mesh:
    """The surface that predictions are compared with, `head_world`.

    Args:
        mesh_model: all triangles of the character, `model`, unshifted.
        loc_origin, region, mirrored_region, box_bounds_y: of `cut_true_surface`.
    """
    visible = without_inner_surfaces(mesh_model)
    return cut_true_surface(visible, loc_origin, region, mirrored_region=mirrored_region, box_bounds_y=box_bounds_y)


def cut_true_surface(
    visible_model: Mesh, loc_origin: NDArray, region: Region, *, mirrored_region: bool, box_bounds_y: bool
) -> Mesh:
    """A true surface without inner parts, `model`, cut to the box and the region, `head_world`.

    Args:
        visible_model: from `without_inner_surfaces`.
        loc_origin: (3,) origin of the head frames in `model`.
        region: of the front picture.
        mirrored_region: cut before the turn to world axes, as the original does, or after.
        box_bounds_y: whether the box cuts in y too.
    """
    verts_head_model = head_model_from_model(visible_model.verts.astype(np.float64), loc_origin)
    boxed = cut_to_box(Mesh(verts_head_model, visible_model.faces), bounds_y=box_bounds_y)
    if mirrored_region:
        return _turned(cut_to_region(boxed, region))
    return cut_to_region(_turned(boxed), region)


def _turned(mesh_head_model: Mesh) -> Mesh:
    return Mesh(head_world_from_head_model(mesh_head_model.verts), mesh_head_model.faces)
