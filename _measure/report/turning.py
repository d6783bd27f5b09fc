"""Frames of a reconstruction that turns once around, drawn from its `mesh.glb`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _databacks.vrm.document import naming, read_document
from _exchange.glb import srgb_from_linear
from _exchange.mesh import Mesh
from _exchange.pictures import composite_on_white
from _measure.mesh_file import read_mesh_file
from _render.choose import renderer
from _render.framebuffer import reduced
from _render.turntable import turntable_cameras

FRAMES = 36
SIDE = 288
"""Height and width of a frame, pixels."""
_FARTHER = {"dist": 1.35, "near": 0.8, "far": 1.9}
"""The scored views cut large heads; from here the whole working cube is in the picture."""


def turning_frames(path: Path, count: int = FRAMES) -> list[NDArray[np.uint8]]:
    """`count` pictures (288, 288, 3) on white; the camera goes around once, in the direction of the scored views.

    Always drawn on the CPU, so that equal meshes give equal frames everywhere.

    Raises:
        InputError: there is no such file.
        FormatError: it is no glTF file, or draws no triangle.
    """
    mesh = read_mesh_file(path)
    scene = renderer("cpu").load_colored_mesh(Mesh(mesh.verts, mesh.faces, _vertex_colors(path, len(mesh.verts))))
    cameras = [replace(camera, **_FARTHER) for camera in turntable_cameras(count)]
    return [composite_on_white(reduced(scene.draw(camera, "colour", 2 * SIDE))) for camera in cameras]


def _vertex_colors(path: Path, count: int) -> NDArray[np.uint8] | None:
    """(V, 4) uint8 sRGB of the vertices in the order of `read_mesh_file`; None unless every vertex has a colour."""
    document = read_document(path)
    rows = []
    with naming(path):
        for node in document.scenes.draw_order(document.scenes.default):
            mesh = document.scenes.nodes[node].mesh
            for primitive in document.meshes[mesh] if mesh is not None else ():
                if "COLOR_0" in primitive.attributes:
                    rows.append(document.accessors.floats(primitive.attributes["COLOR_0"]))
    if sum(map(len, rows)) != count:
        return None
    linear = np.concatenate([np.c_[row, np.ones((len(row), 4 - row.shape[1]), np.float32)] for row in rows])
    unit = np.concatenate([srgb_from_linear(np.clip(linear[:, :3], 0, 1)), linear[:, 3:]], axis=1)
    return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
