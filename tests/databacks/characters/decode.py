"""Reads generated files with pygltflib and Pillow, so that tests see what other programs see."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pygltflib
from numpy.typing import NDArray
from PIL import Image

from _databacks.characters import Character, build

_TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass(frozen=True, eq=False)
class DecodedPrimitive:
    """One primitive: material name and arrays as stored."""

    material: str
    positions: NDArray
    normals: NDArray
    uv: NDArray
    joints: NDArray
    weights: NDArray
    faces: NDArray


@dataclass(frozen=True, eq=False)
class Decoded:
    """A whole file."""

    gltf: pygltflib.GLTF2
    vrm: dict[str, Any]
    primitives: tuple[DecodedPrimitive, ...]
    textures: dict[str, NDArray]
    bones: dict[str, NDArray]
    """Bone → world position, `model` metres."""

    @property
    def loc_origin(self) -> NDArray:
        """Head bone + (0, 0.1, 0)."""
        return self.bones["head"] + [0, 0.1, 0]

    def part(self, material: str) -> DecodedPrimitive:
        """The primitive of a material."""
        return next(primitive for primitive in self.primitives if primitive.material == material)


@lru_cache(maxsize=32)
def built(seed: int) -> Character:
    """A character, built once for all tests of a process."""
    return build(seed)


@lru_cache(maxsize=32)
def decoded(seed: int) -> Decoded:
    """Its file, decoded once."""
    return decode(built(seed).vrm())


def decode(content: bytes) -> Decoded:
    gltf = pygltflib.GLTF2.load_from_bytes(content)
    blob = gltf.binary_blob()

    def array(index: int) -> NDArray:
        accessor = gltf.accessors[index]
        view = gltf.bufferViews[accessor.bufferView]
        kind, width = np.dtype(_TYPES[accessor.componentType]), _WIDTHS[accessor.type]
        stride = view.byteStride or kind.itemsize * width
        start = (view.byteOffset or 0) + (accessor.byteOffset or 0)
        rows = [np.frombuffer(blob, kind, width, start + stride * row) for row in range(accessor.count)]
        return np.stack(rows)

    primitives = []
    for primitive in gltf.meshes[0].primitives:
        attributes = primitive.attributes
        names = ("POSITION", "NORMAL", "TEXCOORD_0", "JOINTS_0", "WEIGHTS_0")
        arrays = [array(getattr(attributes, name)) for name in names]
        faces = array(primitive.indices).reshape(-1, 3).astype(np.int64)
        primitives.append(DecodedPrimitive(gltf.materials[primitive.material].name, *arrays, faces))
    textures = {}
    for material in gltf.materials:
        source = gltf.textures[material.pbrMetallicRoughness.baseColorTexture.index].source
        view = gltf.bufferViews[gltf.images[source].bufferView]
        encoded = blob[view.byteOffset : view.byteOffset + view.byteLength]
        textures[material.name] = np.asarray(Image.open(io.BytesIO(encoded)))
    vrm = gltf.extensions["VRM"]
    return Decoded(gltf, vrm, tuple(primitives), textures, _bones(gltf, vrm))


def _bones(gltf: pygltflib.GLTF2, vrm: dict[str, Any]) -> dict[str, NDArray]:
    parents = {child: index for index, node in enumerate(gltf.nodes) for child in node.children or []}

    def world(index: int) -> NDArray:
        own = np.array(gltf.nodes[index].translation or [0.0, 0.0, 0.0])
        return own + world(parents[index]) if index in parents else own

    return {entry["bone"]: world(entry["node"]) for entry in vrm["humanoid"]["humanBones"]}


def digest(file: Decoded) -> str:
    """SHA-256 of what the file shows: geometry in steps of 10 µm, texture coordinates of 1e-5, weights, texels.

    Not of the file's bytes: those also depend on the compression library.
    """
    state = hashlib.sha256()
    for primitive in file.primitives:
        state.update(primitive.material.encode())
        local = primitive.positions.astype(np.float64) - file.loc_origin
        for values in (local * 1e5, primitive.uv.astype(np.float64) * 1e5, primitive.faces):
            state.update(np.rint(values).astype("<i4").tobytes())
        state.update(primitive.joints.astype(np.uint8).tobytes() + primitive.weights.tobytes())
        state.update(file.textures[primitive.material].tobytes())
    return state.hexdigest()


def front_material(file: Decoded, x: float, y: float) -> str:
    """Material that a viewer in front sees at a `head_model` position: the triangle with the smallest z there."""
    nearest, seen = np.inf, ""
    for primitive in file.primitives:
        corners = (primitive.positions.astype(np.float64) - file.loc_origin)[primitive.faces]
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        area = np.where(np.abs(area) < 1e-15, np.nan, area)
        second = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
        third = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])) / area
        inside = (second >= 0) & (third >= 0) & (second + third <= 1)
        depth = a[:, 2] + second * (b[:, 2] - a[:, 2]) + third * (c[:, 2] - a[:, 2])
        depth = np.where(inside, depth, np.inf)
        if depth.min() < nearest:
            nearest, seen = float(depth.min()), primitive.material
    return seen
