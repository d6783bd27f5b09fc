"""Reading a predicted surface from a GLB or glTF file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _databacks.vrm.document import Document, naming, read_document
from _databacks.vrm.meshes import Primitive, read_positions, read_triangles
from _databacks.vrm.nodes import transform
from _exchange.errors import FormatError
from _exchange.glb import srgb_from_linear
from _exchange.mesh import Mesh


def read_mesh_file(path: Path) -> Mesh:
    """All triangles that the file's scene draws, in its axes (`head_world` for ``mesh.glb`` of a run), float64, metres.

    Vertices are not welded. Colours are those of ``COLOR_0``, white where a primitive has none.

    Raises:
        InputError: there is no such file.
        FormatError: it is no glTF file, or draws no triangle.
    """
    document = read_document(path)
    verts, faces, colors = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)], [np.zeros((0, 4), np.uint8)]
    notes = list[str]()
    with naming(path):
        world = document.scenes.world("either", np.eye(4))
        for node in document.scenes.draw_order(document.scenes.default):
            mesh = document.scenes.nodes[node].mesh
            for primitive in document.meshes[mesh] if mesh is not None else ():
                positions = read_positions(primitive, document.accessors)
                triangles = read_triangles(primitive, document.accessors, len(positions), notes)
                if triangles is not None:
                    faces.append(triangles.astype(np.int64) + sum(map(len, verts)))
                    verts.append(transform(world[node], positions))
                    colors.append(_colors(document, primitive, len(positions)))
        if len(faces) == 1:
            raise FormatError("scenes", "a scene that draws triangles", "none")
    return Mesh(np.concatenate(verts), np.concatenate(faces), np.concatenate(colors))


def _colors(document: Document, primitive: Primitive, count: int) -> NDArray[np.uint8]:
    """(V, 4) uint8 sRGB + alpha of one primitive's vertices; glTF stores colours linear."""
    if "COLOR_0" not in primitive.attributes:
        return np.full((count, 4), 255, np.uint8)
    stored = np.clip(document.accessors.floats(primitive.attributes["COLOR_0"]), 0, 1)
    unit = np.ones((count, 4))
    unit[:, :3] = srgb_from_linear(stored[:, :3])
    unit[:, 3:] = stored[:, 3:4] if stored.shape[1] == 4 else 1
    return np.rint(unit * 255).astype(np.uint8)
