"""Write binary glTF 2.0: `GlbBuilder` for any scene, `write_mesh_glb` for the meshes of runs.

Everything written is deterministic: equal input, equal bytes. Reading is `_databacks.vrm`'s work.
Source: glTF 2.0 specification, sections 3.6 (buffers), 4.4 (GLB); https://registry.khronos.org/glTF/specs/2.0.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _exchange import atomic
from _exchange.errors import InputError
from _exchange.mesh import Mesh, Texture
from _exchange.pictures import png_bytes

_COMPONENT_TYPES = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}
_ELEMENT_TYPES: dict[tuple[int, ...], str] = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_WRAPS = {"repeat": 10497, "clamp": 33071, "mirror": 33648}
_FILTERS = {"nearest": 9728, "linear": 9729, "trilinear": 9987}
_UNLIT = "KHR_materials_unlit"
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
GENERATOR = "anime3d"


class GlbBuilder:
    """Collects arrays and images into one buffer beside a glTF object that its user fills.

    Attributes:
        gltf: the JSON object; `buffers`, `bufferViews` and `accessors` belong to the builder, the rest to the user.
    """

    def __init__(self) -> None:
        self.gltf: dict[str, Any] = {"asset": {"version": "2.0", "generator": GENERATOR}}
        self._binary = bytearray()

    def append(self, collection: str, value: dict[str, Any]) -> int:
        """Append to a top-level array such as ``nodes`` and return the index."""
        entries = self.gltf.setdefault(collection, [])
        entries.append(value)
        return len(entries) - 1

    def accessor(self, array: NDArray, *, target: int | None = None, normalized: bool = False) -> int:
        """Store an array of shape (n,), (n, 2), (n, 3), (n, 4) or (n, 4, 4) and return its accessor.

        Matrices are given row-major and stored column-major. Rows of vertex attributes (`ARRAY_BUFFER`) start at
        multiples of four bytes, as they must; others are packed. Float accessors carry their bounds.
        """
        rows = array.swapaxes(1, 2) if array.ndim == 3 else array
        flat = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<")).reshape(len(rows), -1)
        accessor: dict[str, Any] = {
            "componentType": _COMPONENT_TYPES[array.dtype.name],
            "count": len(array),
            "type": _ELEMENT_TYPES[array.shape[1:]],
        }
        stride = flat.shape[1] * flat.itemsize
        padded = -(-stride // 4) * 4 if target == ARRAY_BUFFER else stride
        octets = flat.view(np.uint8).reshape(len(flat), stride)
        octets = np.pad(octets, ((0, 0), (0, padded - stride)))
        accessor["bufferView"] = self._view(octets.tobytes(), target, padded if target == ARRAY_BUFFER else None)
        if normalized:
            accessor["normalized"] = True
        if array.dtype == np.float32 and len(array) and array.ndim < 3:
            accessor["min"] = [float(value) for value in flat.min(0)]
            accessor["max"] = [float(value) for value in flat.max(0)]
        return self.append("accessors", accessor)

    def image(self, encoded: bytes, mime_type: str, name: str = "") -> int:
        """Store an encoded PNG or JPEG and return its image index."""
        image = {"bufferView": self._view(encoded, None, None), "mimeType": mime_type}
        return self.append("images", {"name": name, **image} if name else image)

    def _view(self, octets: bytes, target: int | None, stride: int | None) -> int:
        self._binary += bytes(-len(self._binary) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(octets)}
        if stride is not None:
            view["byteStride"] = stride
        if target is not None:
            view["target"] = target
        self._binary += octets
        return self.append("bufferViews", view)

    def to_bytes(self) -> bytes:
        """The whole GLB file."""
        gltf = dict(self.gltf)
        chunks = []
        if self._binary:
            binary = bytes(self._binary) + bytes(-len(self._binary) % 4)
            gltf["buffers"] = [{"byteLength": len(binary)}]
            chunks.append(struct.pack("<II", len(binary), 0x004E4942) + binary)
        text = json.dumps(gltf, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
        text += b" " * (-len(text) % 4)
        chunks.insert(0, struct.pack("<II", len(text), 0x4E4F534A) + text)
        body = b"".join(chunks)
        return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def linear_from_srgb(srgb: NDArray) -> NDArray[np.float64]:
    """sRGB values in [0, 1] to linear ones (IEC 61966-2-1)."""
    srgb = np.asarray(srgb, np.float64)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(linear: NDArray) -> NDArray[np.float64]:
    """Linear values in [0, 1] to sRGB ones; the inverse of `linear_from_srgb`."""
    linear = np.asarray(linear, np.float64)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def mesh_glb(mesh: Mesh) -> bytes:
    """A `head_world` mesh as GLB: one unlit node; float32 positions; colours as linear 16-bit `COLOR_0`.

    Raises:
        InputError: the mesh has no faces; glTF has no empty arrays.
    """
    builder = GlbBuilder()
    attributes = {}
    if mesh.colors is not None:
        linear = np.concatenate([linear_from_srgb(mesh.colors[:, :3] / 255), mesh.colors[:, 3:] / 255], axis=1)
        attributes["COLOR_0"] = np.rint(linear * 65535).astype(np.uint16)
    return _one_mesh(builder, mesh, attributes, {})


def textured_mesh_glb(mesh: Mesh, uv: NDArray[np.float32], normals: NDArray[np.float32], texture: Texture) -> bytes:
    """A `head_world` mesh with an sRGB texture as GLB: one unlit node; the texture as PNG.

    Args:
        mesh: its vertex colours are not written.
        uv: (V, 2) float32 texture coordinates, v downwards.
        normals: (V, 3) float32 unit vectors.
        texture: base colour.

    Raises:
        InputError: as `mesh_glb`.
    """
    builder = GlbBuilder()
    image = builder.image(png_bytes(texture.pixels), "image/png")
    sampler = {
        "magFilter": _FILTERS[texture.magnify],
        "minFilter": _FILTERS[texture.minify],
        "wrapS": _WRAPS[texture.wrap_u],
        "wrapT": _WRAPS[texture.wrap_v],
    }
    number = builder.append("textures", {"source": image, "sampler": builder.append("samplers", sampler)})
    look = {"baseColorTexture": {"index": number}, "metallicFactor": 0}
    return _one_mesh(builder, mesh, {"NORMAL": normals, "TEXCOORD_0": uv}, look)


def _one_mesh(builder: GlbBuilder, mesh: Mesh, attributes: dict[str, NDArray], look: dict[str, Any]) -> bytes:
    """The file of one unlit node; attributes of whole numbers are shares of their largest."""
    if not len(mesh.faces):
        raise InputError("Expected a mesh with faces to write, found none.")
    builder.gltf["extensionsUsed"] = [_UNLIT]
    builder.append("materials", {"doubleSided": True, "extensions": {_UNLIT: {}}, "pbrMetallicRoughness": look})
    accessors = {"POSITION": builder.accessor(mesh.verts.astype(np.float32), target=ARRAY_BUFFER)}
    for name, array in attributes.items():
        accessors[name] = builder.accessor(array, target=ARRAY_BUFFER, normalized=array.dtype.kind == "u")
    indices = builder.accessor(mesh.faces.astype(np.uint32).ravel(), target=ELEMENT_ARRAY_BUFFER)
    builder.append("meshes", {"primitives": [{"attributes": accessors, "indices": indices, "material": 0}]})
    builder.append("nodes", {"mesh": 0})
    builder.append("scenes", {"nodes": [0]})
    builder.gltf["scene"] = 0
    return builder.to_bytes()


def write_mesh_glb(path: Path, mesh: Mesh) -> None:
    """Write `mesh_glb` atomically."""
    atomic.write_bytes(path, mesh_glb(mesh))
