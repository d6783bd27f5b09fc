"""Written GLB files: what any mesh keeps, judged by other readers and by the layout rules of glTF 2.0."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import color

from _exchange import glb
from _exchange.errors import InputError
from _exchange.mesh import Mesh


def random_mesh(seed: int, vertices: int, triangles: int, colored: bool) -> Mesh:
    chance = np.random.default_rng(seed)
    colors = chance.integers(0, 256, (vertices, 4)).astype(np.uint8) if colored else None
    return Mesh(chance.normal(size=(vertices, 3)), chance.integers(0, vertices, (triangles, 3)), colors)


def array_of(gltf: pygltflib.GLTF2, index: int) -> np.ndarray:
    """The values of an accessor, read by the rules of the format."""
    accessor = gltf.accessors[index]
    view = gltf.bufferViews[accessor.bufferView]
    dtype = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}[accessor.componentType]
    columns = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor.type]
    stride = view.byteStride or columns * np.dtype(dtype).itemsize
    raw = gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    assert len(raw) == stride * accessor.count
    rows = [np.frombuffer(raw, dtype, columns, row * stride) for row in range(accessor.count)]
    return np.array(rows)


MESHES = st.builds(random_mesh, st.integers(0, 999), st.integers(1, 30), st.integers(1, 30), st.booleans())


@settings(derandomize=True, deadline=None, max_examples=40)
@given(MESHES)
def test_any_mesh_comes_back_from_another_reader(mesh: Mesh) -> None:
    gltf = pygltflib.GLTF2.load_from_bytes(glb.mesh_glb(mesh))
    (primitive,) = gltf.meshes[0].primitives
    np.testing.assert_array_equal(array_of(gltf, primitive.attributes.POSITION), mesh.verts.astype(np.float32))
    np.testing.assert_array_equal(array_of(gltf, primitive.indices).ravel(), mesh.faces.ravel())
    assert (primitive.attributes.COLOR_0 is None) == (mesh.colors is None)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(MESHES)
def test_lengths_and_offsets_keep_the_rules_of_the_container(mesh: Mesh) -> None:
    data = glb.mesh_glb(mesh)
    _, _, length, json_length, _ = struct.unpack_from("<4sIIII", data)
    gltf = json.loads(data[20 : 20 + json_length])
    binary_length, binary_type = struct.unpack_from("<II", data, 20 + json_length)
    assert length == len(data) == 28 + json_length + binary_length
    assert binary_type == 0x004E4942
    assert gltf["buffers"] == [{"byteLength": binary_length}]
    assert all(view["byteOffset"] % 4 == 0 for view in gltf["bufferViews"])
    assert all(v["byteOffset"] + v["byteLength"] <= binary_length for v in gltf["bufferViews"])
    bounds = gltf["accessors"][gltf["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    np.testing.assert_array_equal(np.float32(bounds["min"]), mesh.verts.astype(np.float32).min(0))
    np.testing.assert_array_equal(np.float32(bounds["max"]), mesh.verts.astype(np.float32).max(0))


def test_alpha_is_stored_as_it_is_and_never_linearised() -> None:
    colors = np.tile(np.arange(256, dtype=np.uint8)[:, None], (1, 4))
    gltf = pygltflib.GLTF2.load_from_bytes(glb.mesh_glb(Mesh(np.zeros((256, 3)), np.zeros((1, 3), int), colors)))
    stored = array_of(gltf, gltf.meshes[0].primitives[0].attributes.COLOR_0)
    np.testing.assert_array_equal(stored[:, 3], np.arange(256) * 257)
    assert (stored[1:255, 0] < stored[1:255, 3]).all()


def test_linear_values_are_those_that_scikit_image_uses() -> None:
    grey = np.linspace(0, 1, 101)
    xyz = color.rgb2xyz(np.repeat(grey[:, None], 3, axis=1))
    # its white point's Y is the sum of its matrix row: 1 to seven digits
    np.testing.assert_allclose(glb.linear_from_srgb(grey), xyz[:, 1], atol=2e-6)
    # the two branches of the standard's constants leave a step of 3e-8 at the joint
    np.testing.assert_allclose(glb.srgb_from_linear(glb.linear_from_srgb(grey)), grey, atol=1e-6)


def test_arrays_of_the_other_byte_order_are_stored_little_endian() -> None:
    builder = glb.GlbBuilder()
    builder.accessor(np.array([1.5, -2.0], ">f4"))
    assert np.array([1.5, -2.0], "<f4").tobytes() in builder.to_bytes()


def test_a_rotated_view_of_an_array_is_stored_in_its_own_order() -> None:
    turned = np.arange(6, dtype=np.float32).reshape(3, 2).T
    builder = glb.GlbBuilder()
    builder.accessor(np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)))
    builder.accessor(turned[:, :2])
    data = builder.to_bytes()
    assert np.arange(6, dtype="<f4").tobytes() in data
    assert np.array([0, 2, 1, 3], "<f4").tobytes() in data


def test_what_json_lacks_is_not_written() -> None:
    builder = glb.GlbBuilder()
    builder.gltf["extras"] = {"depth": float("nan")}
    with pytest.raises(ValueError, match="JSON compliant"):
        builder.to_bytes()


def test_writing_puts_the_same_bytes_on_the_disk(tmp_path: Path) -> None:
    mesh = random_mesh(3, 9, 9, True)
    glb.write_mesh_glb(tmp_path / "new" / "mesh.glb", mesh)
    assert (tmp_path / "new" / "mesh.glb").read_bytes() == glb.mesh_glb(mesh)
    scene = trimesh.load(tmp_path / "new" / "mesh.glb", process=False)
    assert scene.triangles.shape == (9, 3, 3)


@pytest.mark.parametrize(
    ("faces", "colors", "sentence"),
    [
        (np.zeros((1, 3)), None, "whole numbers, found float64"),
        (np.zeros((1, 3), bool), None, "whole numbers, found bool"),
        (np.zeros((1, 3), int), np.zeros((1, 4)), "type uint8, found float64"),
    ],
)
def test_types_that_would_be_cut_off_are_refused(faces, colors, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Mesh(np.zeros((1, 3)), faces, colors)


def test_a_surface_without_faces_is_refused() -> None:
    """An accessor of no elements is against the standard."""
    for count in (0, 3):
        with pytest.raises(InputError, match="Expected a mesh with faces to write, found none"):
            glb.mesh_glb(Mesh(np.zeros((count, 3)), np.zeros((0, 3), int)))
