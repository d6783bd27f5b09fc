"""Small glTF files for tests: packed by `struct` from a JSON object and bytes, or built as a complete character."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from _exchange.glb import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, GlbBuilder

HEAD, NECK, LEFT_UPPER, LEFT_LOWER, RIGHT_UPPER, RIGHT_LOWER = 2, 1, 3, 4, 5, 6
"""Nodes of `character`: 0 chest, 1 neck, 2 head, arms, 7 the drawn mesh."""
MESH_NODE = 7
HEAD_AT = np.array([0.0, 1.5, 0.0])
_BONES = {
    "hips": 0,
    "neck": NECK,
    "head": HEAD,
    "leftUpperArm": LEFT_UPPER,
    "leftLowerArm": LEFT_LOWER,
    "rightUpperArm": RIGHT_UPPER,
    "rightLowerArm": RIGHT_LOWER,
}
TRIANGLE = np.array([[-0.1, 1.5, -0.05], [0.1, 1.5, -0.05], [0.0, 1.7, -0.05]], np.float32)


def pack_glb(gltf: dict[str, Any] | bytes, binary: bytes | None = None) -> bytes:
    """A GLB file written out by hand."""
    text = gltf if isinstance(gltf, bytes) else json.dumps(gltf).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text
    if binary is not None:
        binary += bytes(-len(binary) % 4)
        body += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def write(folder: Path, content: bytes | GlbBuilder, name: str = "a.vrm") -> Path:
    """Write a file into the test's folder."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.to_bytes())
    return path


def png(pixels: np.ndarray | Image.Image, **options: Any) -> bytes:
    """PNG bytes of an array or image."""
    stream = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(stream, "PNG", **options)
    return stream.getvalue()


def character(
    version: str = "0.x",
    *,
    arm_slope_deg: float = 0.0,
    positions: np.ndarray = TRIANGLE,
    joint: int = HEAD,
    weights: tuple[float, float, float, float] = (1, 0, 0, 0),
    turned: bool = False,
) -> GlbBuilder:
    """A skinned, textured triangle with a humanoid skeleton; binds are pure translations.

    `turned` mirrors the skeleton and the positions to VRM 1.0's side: the same character facing +z.
    """
    side = np.array([-1.0, 1.0, -1.0]) if turned else np.ones(3)
    slope = np.radians(arm_slope_deg)
    down = 0.2 * np.array([np.cos(slope), np.sin(slope), 0.0])
    places = [(0, 1.2, 0), (0, 1.4, 0), HEAD_AT, (-0.15, 1.3, 0), None, (0.15, 1.3, 0), None]
    worlds = np.array([place if place is not None else (0, 0, 0) for place in places], float)
    worlds[LEFT_LOWER] = worlds[LEFT_UPPER] + down * (-1, 1, 1)
    worlds[RIGHT_LOWER] = worlds[RIGHT_UPPER] + down
    worlds *= side
    builder = GlbBuilder()
    parents = [None, 0, NECK, 0, LEFT_UPPER, 0, RIGHT_UPPER]
    for index, parent in enumerate(parents):
        offset = worlds[index] - (worlds[parent] if parent is not None else 0)
        children = [child for child, above in enumerate(parents) if above == index]
        node: dict[str, Any] = {"translation": [float(value) for value in offset]}
        builder.append("nodes", node | ({"children": children} if children else {}))
    builder.append("nodes", {"mesh": 0, "skin": 0})
    binds = np.tile(np.eye(4, dtype=np.float32), (7, 1, 1))
    binds[:, :3, 3] = -worlds
    builder.append("skins", {"joints": list(range(7)), "inverseBindMatrices": builder.accessor(binds)})
    add_mesh(builder, (positions * side).astype(np.float32), joint=joint, weights=weights)
    add_material(builder, png(np.full((2, 2, 4), 200, np.uint8)))
    builder.append("scenes", {"nodes": [0, MESH_NODE]})
    builder.gltf["scene"] = 0
    if version == "0.x":
        bones = [{"bone": bone, "node": node} for bone, node in _BONES.items()]
        builder.gltf["extensions"] = {"VRM": {"specVersion": "0.0", "humanoid": {"humanBones": bones}}}
    elif version == "1.0":
        named = {bone: {"node": node} for bone, node in _BONES.items()}
        builder.gltf["extensions"] = {"VRMC_vrm": {"specVersion": "1.0", "humanoid": {"humanBones": named}}}
    return builder


def add_mesh(
    builder: GlbBuilder,
    positions: np.ndarray,
    *,
    joint: int = HEAD,
    weights: tuple[float, float, float, float] = (1, 0, 0, 0),
    uv: np.ndarray | None = None,
    indices: np.ndarray | None = None,
) -> dict[str, Any]:
    """Append a mesh of one primitive with material 0, all vertices on one joint, and return the primitive."""
    count = len(positions)
    uv = np.tile(np.array([[0.25, 0.75]], np.float32), (count, 1)) if uv is None else uv
    indices = np.arange(count // 3 * 3, dtype=np.uint16) if indices is None else indices
    joints = np.tile(np.array([[joint, 0, 0, 0]], np.uint8), (count, 1))
    primitive = {
        "attributes": {
            "POSITION": builder.accessor(positions.astype(np.float32), target=ARRAY_BUFFER),
            "TEXCOORD_0": builder.accessor(uv.astype(np.float32), target=ARRAY_BUFFER),
            "JOINTS_0": builder.accessor(joints, target=ARRAY_BUFFER),
            "WEIGHTS_0": builder.accessor(np.tile(np.array([weights], np.float32), (count, 1)), target=ARRAY_BUFFER),
        },
        "indices": builder.accessor(indices, target=ELEMENT_ARRAY_BUFFER),
        "material": 0,
    }
    builder.append("meshes", {"primitives": [primitive]})
    return primitive


def add_material(builder: GlbBuilder, encoded: bytes, mime: str = "image/png", **fields: Any) -> dict[str, Any]:
    """Append an image, a texture and a material with it, and return the material."""
    texture = builder.append("textures", {"source": builder.image(encoded, mime)})
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": texture}}} | fields
    builder.append("materials", material)
    return material
