"""Reading a predicted surface from a GLB or glTF file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from _databacks.vrm.document import naming, read_document
from _databacks.vrm.meshes import read_positions, read_triangles
from _databacks.vrm.nodes import transform
from _exchange.errors import FormatError
from _exchange.mesh import Mesh


def read_mesh_file(path: Path) -> Mesh:
    """All triangles that the file's scene draws, in its axes (`head_world` for ``mesh.glb`` of a run), float64, metres.

    Vertices are not welded; colours are left out.

    Raises:
        InputError: there is no such file.
        FormatError: it is no glTF file, or draws no triangle.
    """
    document = read_document(path)
    verts, faces, notes = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)], list[str]()
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
        if len(faces) == 1:
            raise FormatError("scenes", "a scene that draws triangles", "none")
    return Mesh(np.concatenate(verts), np.concatenate(faces))
