"""Triangles of every mode, attribute formats, and primitives that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _databacks.vrm import read_head_mesh
from _exchange.errors import FormatError
from _exchange.glb import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, GlbBuilder
from tests.databacks.vrm.handmade import write

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 2, 0]], np.float32) / 10


def scene(primitive: dict[str, Any], builder: GlbBuilder) -> GlbBuilder:
    builder.append("meshes", {"primitives": [primitive]})
    builder.append("nodes", {"mesh": 0})
    builder.append("scenes", {"nodes": [0]})
    return builder


def triangles(folder: Path, mode: int, indices: list[int] | None) -> tuple[list[list[int]], tuple[str, ...]]:
    """Triangles as corner numbers, and the notes."""
    builder = GlbBuilder()
    primitive: dict[str, Any] = {"attributes": {"POSITION": builder.accessor(CORNERS)}, "mode": mode}
    if indices is not None:
        primitive["indices"] = builder.accessor(np.array(indices, np.uint8), target=ELEMENT_ARRAY_BUFFER)
    mesh = read_head_mesh(
        write(folder, scene(primitive, builder), "a.glb"), shading="corrected", head_position=(0, -0.1, 0)
    )
    found = []
    for part in mesh.parts:
        corners = [int(np.abs(CORNERS - position).sum(1).argmin()) for position in part.positions]
        found += [[corners[corner] for corner in face] for face in part.faces]
    return found, mesh.notes


def test_a_list(tmp_path: Path) -> None:
    assert triangles(tmp_path, 4, [0, 1, 2, 2, 1, 3])[0] == [[0, 1, 2], [2, 1, 3]]


def test_a_strip_keeps_its_winding(tmp_path: Path) -> None:
    assert triangles(tmp_path, 5, [0, 1, 2, 3, 4])[0] == [[0, 1, 2], [1, 3, 2], [2, 3, 4]]


def test_a_fan_turns_about_its_first_corner(tmp_path: Path) -> None:
    assert triangles(tmp_path, 6, [0, 1, 3, 4])[0] == [[0, 1, 3], [0, 3, 4]]


def test_missing_indices_count_upwards(tmp_path: Path) -> None:
    found, notes = triangles(tmp_path, 4, None)
    assert found == [[0, 1, 2]]
    assert notes == ("meshes[0].primitives[0].indices: 2 left over from the last triangle.",)


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_points_and_lines_are_skipped_with_a_note(tmp_path: Path, mode: int) -> None:
    found, notes = triangles(tmp_path, mode, [0, 1, 2])
    assert found == []
    assert notes[0] == "meshes[0].primitives[0].mode: points or lines were skipped."


def test_a_strip_of_two_corners_is_no_triangle(tmp_path: Path) -> None:
    assert triangles(tmp_path, 5, [0, 1])[0] == []


def test_an_index_beyond_the_vertices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        FormatError, match=r"meshes\[0\].primitives\[0\].indices: expected indices below the 5 vertices"
    ):
        triangles(tmp_path, 4, [0, 1, 5])


def test_quantised_positions_need_their_extension(tmp_path: Path) -> None:
    def quantised(used: list[str]) -> Path:
        builder = GlbBuilder()
        builder.gltf["extensionsUsed"] = used
        positions = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0]], np.int8)
        primitive = {"attributes": {"POSITION": builder.accessor(positions, target=ARRAY_BUFFER)}}
        return write(tmp_path, scene(primitive, builder), "a.glb")

    mesh = read_head_mesh(quantised(["KHR_mesh_quantization"]), shading="corrected", head_position=(0, -0.1, 0))
    np.testing.assert_array_equal(mesh.parts[0].positions, [[0, 0, 0], [1, 0, 0], [0, 2, 0]])
    with pytest.raises(
        FormatError, match=r"attributes\.POSITION: expected a VEC3 accessor of float32, found VEC3 of int8"
    ):
        read_head_mesh(quantised([]), shading="corrected", head_position=(0, -0.1, 0))


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"TEXCOORD_0": np.zeros((5, 3), np.float32)}, "TEXCOORD_0: expected a VEC2 accessor"),
        ({"TEXCOORD_0": np.zeros((4, 2), np.float32)}, "TEXCOORD_0: expected 5 elements, as POSITION has, found 4"),
        ({"JOINTS_0": np.zeros((5, 4), np.uint8)}, "attributes: expected WEIGHTS_0 beside JOINTS_0"),
        ({"JOINTS_0": np.zeros((5, 4), np.float32)}, "JOINTS_0: expected a VEC4 accessor of uint8 or uint16"),
        ({"WEIGHTS_0": np.zeros((5, 3), np.float32)}, "WEIGHTS_0: expected a VEC4 accessor"),
    ],
)
def test_attributes_of_a_wrong_kind_are_refused(tmp_path: Path, attributes: dict[str, np.ndarray], words: str) -> None:
    builder = GlbBuilder()
    named = {"POSITION": builder.accessor(CORNERS)}
    named |= {name: builder.accessor(array) for name, array in attributes.items()}
    path = write(tmp_path, scene({"attributes": named}, builder), "a.glb")
    with pytest.raises(FormatError, match=r"meshes\[0\]\.primitives\[0\]\.attributes") as problem:
        read_head_mesh(path, shading="corrected", head_position=(0, 0, 0))
    assert words in str(problem.value)


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e30])
def test_positions_without_meaning_are_refused(tmp_path: Path, number: float) -> None:
    builder = GlbBuilder()
    corners = CORNERS.copy()
    corners[2, 1] = number
    builder_position = builder.accessor(corners)
    builder.gltf["accessors"][0].pop("min")
    builder.gltf["accessors"][0].pop("max")
    path = write(tmp_path, scene({"attributes": {"POSITION": builder_position}}, builder), "a.glb")
    with pytest.raises(FormatError, match=r"expected finite numbers|expected coordinates within"):
        read_head_mesh(path, shading="corrected", head_position=(0, 0, 0))


@pytest.mark.parametrize("name", ["KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"])
def test_required_extensions_are_refused_by_name(tmp_path: Path, name: str) -> None:
    builder = scene({"attributes": {}}, GlbBuilder())
    builder.gltf["extensionsRequired"] = [name]
    with pytest.raises(FormatError, match=rf"extensionsRequired\[0\].*{name}"):
        read_head_mesh(write(tmp_path, builder, "a.glb"), shading="corrected", head_position=(0, 0, 0))


def test_compression_is_refused_where_it_is_used_without_being_declared(tmp_path: Path) -> None:
    draco = scene({"attributes": {}, "extensions": {"KHR_draco_mesh_compression": {}}}, GlbBuilder())
    with pytest.raises(FormatError, match=r"primitives\[0\]\.extensions.*KHR_draco_mesh_compression"):
        read_head_mesh(write(tmp_path, draco, "a.glb"), shading="corrected", head_position=(0, 0, 0))
    meshopt = GlbBuilder()
    meshopt.accessor(CORNERS)
    meshopt.gltf["bufferViews"][0]["extensions"] = {"EXT_meshopt_compression": {}}
    with pytest.raises(FormatError, match=r"bufferViews\[0\]\.extensions.*EXT_meshopt_compression"):
        read_head_mesh(write(tmp_path, meshopt, "a.glb"), shading="corrected", head_position=(0, 0, 0))
