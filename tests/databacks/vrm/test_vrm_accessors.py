"""Accessors over legible buffers: a wrong offset or stride shows as wrong letters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
import trimesh

from _databacks.vrm import read_document, read_true_surface
from _databacks.vrm.accessors import Accessors
from _exchange.errors import FormatError
from tests.databacks.vrm.handmade import pack_glb, write
from tests.parity.fixtures import measure_files

BYTE, UBYTE, SHORT, USHORT, UINT, FLOAT = 5120, 5121, 5122, 5123, 5125, 5126


def accessors_of(
    folder: Path, binary: bytes, accessors: list[dict[str, Any]], views: list[dict[str, Any]] | None = None
) -> Accessors:
    views = views or [{"buffer": 0, "byteLength": len(binary)}]
    gltf = {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": [{"buffer": 0} | view for view in views],
        "accessors": accessors,
    }
    return read_document(write(folder, pack_glb(gltf, binary), "a.glb")).accessors


def refusal(folder: Path, binary: bytes, accessor: dict[str, Any], views: list[dict[str, Any]] | None = None) -> str:
    with pytest.raises(FormatError) as problem:
        accessors_of(folder, binary, [accessor], views).raw(0)
    return str(problem.value).removeprefix("a.glb: ")


def letters(array: np.ndarray) -> list[str]:
    return [bytes(row).decode() for row in array.astype(np.uint8)]


def test_tight_rows_begin_at_the_sum_of_both_offsets(tmp_path: Path) -> None:
    accessor = {"bufferView": 0, "byteOffset": 1, "componentType": UBYTE, "type": "VEC3", "count": 2}
    store = accessors_of(tmp_path, b"..-abcdef..", [accessor], [{"byteOffset": 2, "byteLength": 8}])
    assert letters(store.raw(0)) == ["abc", "def"]


def test_a_stride_skips_what_lies_between(tmp_path: Path) -> None:
    accessor = {"bufferView": 0, "byteOffset": 2, "componentType": UBYTE, "type": "VEC2", "count": 3}
    store = accessors_of(tmp_path, b"--ab--cd--ef", [accessor], [{"byteLength": 12, "byteStride": 4}])
    assert letters(store.raw(0)) == ["ab", "cd", "ef"]


def test_a_stride_of_zero_means_tight_rows(tmp_path: Path) -> None:
    accessor = {"bufferView": 0, "componentType": UBYTE, "type": "VEC2", "count": 2}
    store = accessors_of(tmp_path, b"abcd", [accessor], [{"byteLength": 4, "byteStride": 0}])
    assert letters(store.raw(0)) == ["ab", "cd"]


def test_the_last_row_needs_no_full_stride(tmp_path: Path) -> None:
    accessor = {"bufferView": 0, "componentType": UBYTE, "type": "VEC3", "count": 2}
    store = accessors_of(tmp_path, b"abc-----def", [accessor], [{"byteLength": 11, "byteStride": 8}])
    assert letters(store.raw(0)) == ["abc", "def"]


@pytest.mark.parametrize(
    ("component", "octets", "expected"),
    [
        (UBYTE, b"\x00\x33\xff", [0, 0.2, 1]),
        (BYTE, b"\x80\x81\x7f", [-1, -1, 1]),
        (USHORT, b"\x00\x00\x33\x33\xff\xff", [0, 0.2, 1]),
        (SHORT, b"\x00\x80\x01\x80\xff\x7f", [-1, -1, 1]),
    ],
)
def test_normalised_integers_become_fractions(
    tmp_path: Path, component: int, octets: bytes, expected: list[float]
) -> None:
    accessor = {"bufferView": 0, "componentType": component, "type": "SCALAR", "count": 3, "normalized": True}
    floats = accessors_of(tmp_path, octets, [accessor]).floats(0)
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats[:, 0], expected, atol=1e-7)


def test_integers_without_the_mark_stay_numbers(tmp_path: Path) -> None:
    accessor = {"bufferView": 0, "componentType": SHORT, "type": "SCALAR", "count": 1}
    assert accessors_of(tmp_path, b"\xfe\xff", [accessor]).floats(0)[0, 0] == -2


def test_an_accessor_without_view_is_zeros(tmp_path: Path) -> None:
    accessor = {"componentType": FLOAT, "type": "VEC3", "count": 2}
    np.testing.assert_array_equal(accessors_of(tmp_path, b"-", [accessor]).floats(0), np.zeros((2, 3)))


SPARSE_BYTES = b"abcdef" + b"\x00\x02" + b"XYZW"
SPARSE_VIEWS = [{"byteLength": 6}, {"byteOffset": 6, "byteLength": 2}, {"byteOffset": 8, "byteLength": 4}]


def sparse_accessor(**changes: Any) -> dict[str, Any]:
    sparse = {
        "count": 2,
        "indices": {"bufferView": 1, "componentType": UBYTE},
        "values": {"bufferView": 2},
    }
    return {"bufferView": 0, "componentType": UBYTE, "type": "VEC2", "count": 3, "sparse": sparse | changes}


def test_sparse_values_replace_their_rows(tmp_path: Path) -> None:
    store = accessors_of(tmp_path, SPARSE_BYTES, [sparse_accessor()], SPARSE_VIEWS)
    assert letters(store.raw(0)) == ["XY", "cd", "ZW"]


def test_sparse_values_on_zeros(tmp_path: Path) -> None:
    accessor = sparse_accessor()
    del accessor["bufferView"]
    store = accessors_of(tmp_path, SPARSE_BYTES, [accessor], SPARSE_VIEWS)
    assert letters(store.raw(0)) == ["XY", "\0\0", "ZW"]


@pytest.mark.parametrize(
    ("changes", "views", "words"),
    [
        ({"count": 4}, {}, "accessors[0].sparse.count: expected at most the 3 elements"),
        ({"count": 0}, {}, "accessors[0].sparse.count: expected an integer in 1.."),
        ({"count": 3}, {}, "accessors[0].sparse.indices: expected data inside the 2 bytes"),
        ({"indices": {"bufferView": 7, "componentType": UBYTE}}, {}, "accessors[0].sparse.indices.bufferView"),
        ({"indices": {"bufferView": 1, "componentType": FLOAT}}, {}, "accessors[0].sparse.indices.componentType"),
        ({"values": {"bufferView": 2, "byteOffset": 1}}, {}, "accessors[0].sparse.values: expected data inside"),
        ({}, {1: {"byteStride": 4}}, "accessors[0].sparse.indices.bufferView: expected a buffer view without byteSt"),
        ({"indices": {"bufferView": 3, "componentType": UBYTE}}, {}, "accessors[0].sparse.indices: expected strictly"),
        (
            {"indices": {"bufferView": 4, "componentType": UBYTE}},
            {},
            "accessors[0].sparse.indices: expected indices bel",
        ),
    ],
)
def test_bad_sparse_accessors_are_refused(
    tmp_path: Path, changes: dict[str, Any], views: dict[int, Any], words: str
) -> None:
    extra = [{"byteOffset": 12, "byteLength": 2}, {"byteOffset": 14, "byteLength": 2}]
    all_views = [view | views.get(index, {}) for index, view in enumerate(SPARSE_VIEWS + extra)]
    binary = SPARSE_BYTES + b"\x02\x02" + b"\x01\x03"
    assert refusal(tmp_path, binary, sparse_accessor(**changes), all_views).startswith(words)


@pytest.mark.parametrize(
    ("accessor", "view", "words"),
    [
        ({"count": 5}, {}, "accessors[0]: expected data inside the 12 bytes of bufferViews[0], found 15 bytes from"),
        ({"byteOffset": 11}, {}, "accessors[0]: expected data inside"),
        ({"count": 0}, {}, "accessors[0].count: expected an integer in 1.."),
        ({"count": -1}, {}, "accessors[0].count: expected an integer in 1.."),
        ({"count": 1.5}, {}, "accessors[0].count: expected an integer, found 1.5"),
        ({"count": 10**30}, {}, "accessors[0].count: expected an integer in 1..16777216, found an integer beyond"),
        ({"count": True}, {}, "accessors[0].count: expected an integer, found true"),
        ({"type": "VEC5"}, {}, "accessors[0].type: expected one of SCALAR"),
        ({"componentType": 5124}, {}, "accessors[0].componentType: expected 5120 (int8) or"),
        ({"bufferView": 1}, {}, "accessors[0].bufferView: expected an index into bufferViews (length 1), found 1"),
        ({}, {"byteStride": 2}, "bufferViews[0].byteStride: expected at least the 3 bytes of an element, found 2"),
        ({}, {"byteLength": 13}, "bufferViews[0]: expected a range inside the 12 bytes of its buffer"),
        ({}, {"byteOffset": 2**60}, "bufferViews[0].byteOffset: expected an integer in 0.."),
        ({}, {"buffer": 1}, "bufferViews[0].buffer: expected an index into buffers (length 1)"),
    ],
)
def test_ranges_are_checked_before_bytes_are_touched(
    tmp_path: Path, accessor: dict[str, Any], view: dict[str, Any], words: str
) -> None:
    sound = {"bufferView": 0, "componentType": UBYTE, "type": "VEC3", "count": 2}
    assert refusal(tmp_path, b"abcdefghijkl", sound | accessor, [{"byteLength": 12} | view]).startswith(words)


def test_nan_is_refused_with_its_element(tmp_path: Path) -> None:
    numbers = np.array([[1, 2, 3], [4, np.nan, 6]], "<f4")
    accessor = {"bufferView": 0, "componentType": FLOAT, "type": "VEC3", "count": 2}
    with pytest.raises(
        FormatError, match=r"accessors\[0\]: expected finite numbers, found NaN or infinity in element 1"
    ):
        accessors_of(tmp_path, numbers.tobytes(), [accessor]).floats(0)


@pytest.mark.parametrize("path", measure_files("vrm*/*.vrm"))
def test_pygltflib_finds_the_same_numbers(path: Path) -> None:
    mine = read_document(path).accessors
    theirs = pygltflib.GLTF2.load_binary(str(path))
    blob = theirs.binary_blob()
    for index, accessor in enumerate(theirs.accessors):
        view = theirs.bufferViews[accessor.bufferView]
        start = (view.byteOffset or 0) + (accessor.byteOffset or 0)
        raw = np.frombuffer(blob, mine[index].dtype, mine.raw(index).size, start)
        np.testing.assert_array_equal(mine.raw(index).ravel(), raw)


@pytest.mark.parametrize("path", measure_files("vrm*/*.vrm"))
def test_trimesh_finds_the_same_triangles(path: Path) -> None:
    mine = read_true_surface(path, pose="bind")
    with path.open("rb") as stream:
        scene = trimesh.load_scene(stream, file_type="glb", process=False)
    theirs = np.concatenate([geometry.triangles.reshape(-1, 9) for geometry in scene.geometry.values()])
    own = mine.verts[mine.faces].reshape(-1, 9)
    assert len(own) == len(theirs)
    np.testing.assert_allclose(np.sort(own, axis=0), np.sort(theirs, axis=0), atol=1e-6)
