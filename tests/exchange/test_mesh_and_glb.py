"""Meshes refuse what is no mesh; GLB files are read back by an independent reader."""

from __future__ import annotations

import base64
import json
import struct

import numpy as np
import pygltflib
import pytest
import trimesh

from _exchange import glb
from _exchange.errors import InputError
from _exchange.mesh import HeadMesh, Material, Mesh, Part

VERTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
COLORS = np.array([[255, 0, 0, 255], [0, 128, 0, 255], [1, 2, 3, 255], [250, 251, 252, 128]], np.uint8)


@pytest.mark.parametrize(
    ("verts", "faces", "sentence"),
    [
        (VERTS[:, :2], FACES, r"\(V, 3\)"),
        (VERTS, FACES[:, :2], r"\(F, 3\)"),
        (VERTS, FACES + 1, r"0\.\.3, found 1\.\.4"),
        (VERTS, FACES - 1, r"found -1\.\."),
        (np.where(VERTS > 0, np.nan, VERTS), FACES, "finite"),
    ],
)
def test_what_is_no_mesh_is_refused_with_a_sentence(verts, faces, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        Mesh(verts, faces)


def test_colours_must_cover_the_vertices() -> None:
    with pytest.raises(InputError, match=r"\(4, 4\), found \(3, 4\)"):
        Mesh(VERTS, FACES, COLORS[:3])


def test_a_head_meshs_surface_shifts_the_faces_of_later_parts() -> None:
    part = Part(VERTS, np.zeros((4, 2), np.float32), FACES.astype(np.int32), Material(), np.zeros(4, bool))
    surface = HeadMesh((part, part), np.zeros(3)).surface()
    np.testing.assert_array_equal(surface.verts[surface.faces[4:]], surface.verts[surface.faces[:4]])
    assert surface.faces[4:].min() == 4
    assert len(HeadMesh((), np.zeros(3)).surface().verts) == 0


def test_a_written_mesh_is_read_back_by_another_library() -> None:
    data = glb.mesh_glb(Mesh(VERTS, FACES, COLORS))
    scene = trimesh.load(trimesh.util.wrap_as_stream(data), file_type="glb", process=False)
    (geometry,) = scene.geometry.values()
    np.testing.assert_array_equal(geometry.vertices, VERTS)
    np.testing.assert_array_equal(geometry.faces, FACES)


def test_colours_are_stored_linear_and_come_back_to_the_byte() -> None:
    every_byte = np.arange(256, dtype=np.uint8)
    verts = np.zeros((256, 3), np.float32)
    colors = np.stack([every_byte] * 3 + [np.full(256, 255, np.uint8)], axis=1)
    gltf = pygltflib.GLTF2.load_from_bytes(glb.mesh_glb(Mesh(verts, np.zeros((1, 3), int), colors)))
    accessor = gltf.accessors[gltf.meshes[0].primitives[0].attributes.COLOR_0]
    assert accessor.normalized
    assert accessor.componentType == pygltflib.UNSIGNED_SHORT
    view = gltf.bufferViews[accessor.bufferView]
    raw = gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    linear = np.frombuffer(raw, "<u2").reshape(256, 4)[:, 0] / 65535
    assert linear[128] == pytest.approx(0.2158605, abs=1e-5)  # sRGB 128 by the standard's formula
    np.testing.assert_array_equal(np.rint(glb.srgb_from_linear(linear) * 255).astype(np.uint8), every_byte)


def test_the_smallest_file_by_its_bytes() -> None:
    data = glb.GlbBuilder().to_bytes()
    magic, version, length, json_length, json_type = struct.unpack_from("<4sIIII", data)
    assert (magic, version, length, json_type) == (b"glTF", 2, len(data), 0x4E4F534A)
    assert json_length % 4 == 0
    assert json.loads(data[20 : 20 + json_length]) == {"asset": {"version": "2.0", "generator": "anime3d"}}


def test_rows_of_vertex_attributes_start_at_multiples_of_four_bytes() -> None:
    builder = glb.GlbBuilder()
    joints = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    index = builder.accessor(joints, target=glb.ARRAY_BUFFER)
    accessor = builder.gltf["accessors"][index]
    view = builder.gltf["bufferViews"][accessor["bufferView"]]
    assert view["byteStride"] == 4
    assert bytes([1, 2, 3, 0, 4, 5, 6, 0]) in builder.to_bytes()


def test_other_rows_are_packed() -> None:
    builder = glb.GlbBuilder()
    builder.accessor(np.array([1, 2, 3], np.uint8))
    assert "byteStride" not in builder.gltf["bufferViews"][0]
    assert builder.gltf["bufferViews"][0]["byteLength"] == 3


def test_matrices_are_stored_column_by_column() -> None:
    builder = glb.GlbBuilder()
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3, 3] = 7, 8, 9
    builder.accessor(matrix[None])
    assert np.array([7, 8, 9, 1], "<f4").tobytes() in builder.to_bytes()


def test_equal_input_gives_equal_bytes() -> None:
    mesh = Mesh(VERTS, FACES, COLORS)
    assert glb.mesh_glb(mesh) == glb.mesh_glb(mesh)


def test_images_keep_their_bytes() -> None:
    builder = glb.GlbBuilder()
    pixel = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    builder.image(pixel, "image/png", "dot")
    gltf = pygltflib.GLTF2.load_from_bytes(builder.to_bytes())
    view = gltf.bufferViews[gltf.images[0].bufferView]
    assert gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength] == pixel
