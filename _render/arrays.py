"""Arrays of one character in drawing order, as both CPU rasterisers and the GL back end take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _exchange.frames import head_model_from_head_world
from _exchange.mesh import HeadMesh, Mesh, Part
from _render.shading import Draw, Plan

LARGEST_UV = 1e6
"""Texture coordinates are clipped to ± this, so that index arithmetic stays within its range whatever a file says."""


@dataclass(frozen=True, eq=False)
class DrawnArrays:
    """Triangles of all draws behind one another, pass 1 first.

    Attributes:
        positions: (V, 3) float32, `head_model`, metres.
        uv: (V, 2) float32 texture coordinates.
        colors: (V, 4) float32 vertex colours, 0..1; (0, 4) where no draw uses them.
        faces: (F, 3) int32 indices into these vertices.
        face_draw: (F,) int32 index of the draw.
        face_in_part: (F,) int32 index of the triangle within its part.
        solid_count: number of triangles of pass 1; the rest blend.
    """

    positions: NDArray[np.float32]
    uv: NDArray[np.float32]
    colors: NDArray[np.float32]
    faces: NDArray[np.int32]
    face_draw: NDArray[np.int32]
    face_in_part: NDArray[np.int32]
    solid_count: int


def arrays_of_head_mesh(head_mesh: HeadMesh, plan: Plan) -> DrawnArrays:
    """Gather the drawn parts of a character.

    Triangles with a coordinate that is not finite are left out, and so are vertices that no triangle names.
    """
    return _gather([head_mesh.parts[draw.part] for draw in plan.draws], plan.draws)


def arrays_of_colored_mesh(mesh_head_world: Mesh) -> DrawnArrays:
    """One draw with vertex colours (white where the mesh has none)."""
    count, face_count = len(mesh_head_world.verts), len(mesh_head_world.faces)
    colors = np.ones((count, 4), np.float32)
    if mesh_head_world.colors is not None:
        colors = mesh_head_world.colors.astype(np.float32) / np.float32(255)
    return DrawnArrays(
        positions=head_model_from_head_world(np.asarray(mesh_head_world.verts, np.float32)),
        uv=np.zeros((count, 2), np.float32),
        colors=colors,
        faces=np.ascontiguousarray(mesh_head_world.faces, np.int32),
        face_draw=np.zeros(face_count, np.int32),
        face_in_part=np.arange(face_count, dtype=np.int32),
        solid_count=face_count,
    )


def _gather(parts: Sequence[Part], draws: Sequence[Draw]) -> DrawnArrays:
    positions, uv, faces, face_draw, face_in_part = [], [], [], [], []
    start, solid_count = 0, 0
    for index, (part, draw) in enumerate(zip(parts, draws)):
        kept = np.flatnonzero(np.isfinite(part.positions[part.faces]).all(axis=(1, 2)))
        part_faces = part.faces[kept]
        used = np.zeros(len(part.positions), bool)
        used[part_faces] = True
        renumbered = np.cumsum(used, dtype=np.int32) - 1 + np.int32(start)
        positions.append(part.positions[used])
        uv.append(part.uv[used])
        faces.append(renumbered[part_faces])
        face_draw.append(np.full(len(kept), index, np.int32))
        face_in_part.append(kept.astype(np.int32))
        start += int(used.sum())
        solid_count += 0 if draw.blends else len(kept)
    return DrawnArrays(
        positions=_joined(positions, (0, 3)).astype(np.float32),
        uv=np.clip(np.nan_to_num(_joined(uv, (0, 2))), -LARGEST_UV, LARGEST_UV).astype(np.float32),
        colors=np.zeros((0, 4), np.float32),
        faces=_joined(faces, (0, 3)).astype(np.int32),
        face_draw=_joined(face_draw, (0,)).astype(np.int32),
        face_in_part=_joined(face_in_part, (0,)).astype(np.int32),
        solid_count=solid_count,
    )


def _joined(pieces: Sequence[NDArray], empty_shape: tuple[int, ...]) -> NDArray:
    return np.concatenate(pieces) if pieces else np.zeros(empty_shape)
