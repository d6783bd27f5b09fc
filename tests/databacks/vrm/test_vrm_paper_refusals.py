"""What makes the original fail is refused by `paper` with the place (spec/renderer.md §8), and only there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _databacks.vrm import read_head_mesh
from _exchange.errors import FormatError
from _exchange.glb import GlbBuilder
from tests.databacks.vrm.handmade import HEAD, character, write

Change = Callable[[GlbBuilder], Any]


def primitive(builder: GlbBuilder) -> dict[str, Any]:
    return builder.gltf["meshes"][0]["primitives"][0]


def without_bone(name: str) -> Change:
    def change(builder: GlbBuilder) -> None:
        bones = builder.gltf["extensions"]["VRM"]["humanoid"]["humanBones"]
        bones[:] = [bone for bone in bones if bone["bone"] != name]

    return change


def head_is_no_joint(builder: GlbBuilder) -> None:
    joints = builder.gltf["skins"][0]["joints"]
    joints[joints.index(HEAD)] = 0


def zeros_for_positions(builder: GlbBuilder) -> None:
    del builder.gltf["accessors"][primitive(builder)["attributes"]["POSITION"]]["bufferView"]


def without_joints(builder: GlbBuilder) -> None:
    for name in ("JOINTS_0", "WEIGHTS_0"):
        del primitive(builder)["attributes"][name]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (without_bone("neck"), "extensions.VRM.humanoid.humanBones: expected the bone neck"),
        (without_bone("leftUpperArm"), "extensions.VRM.humanoid.humanBones: expected the bone leftUpperArm"),
        (without_bone("rightUpperArm"), "extensions.VRM.humanoid.humanBones: expected the bone rightUpperArm"),
        (head_is_no_joint, "skins[0].joints: expected node 2, the bone head, among the joints"),
        (lambda builder: builder.gltf["skins"][0].pop("inverseBindMatrices"), "skins[0].inverseBindMatrices"),
        (without_joints, "meshes[0].primitives[0].attributes: expected JOINTS_0"),
        (lambda builder: primitive(builder).update(mode=5), "meshes[0].primitives[0].mode: expected 4 (triangles)"),
        (zeros_for_positions, "meshes[0].primitives[0].attributes.POSITION: expected an accessor with data"),
        (lambda builder: builder.gltf["materials"][0].pop("pbrMetallicRoughness"), "materials[0].pbrMetallicRoughness"),
        (lambda builder: builder.gltf["textures"][0].pop("source"), "textures[0].source"),
    ],
)
def test_paper_refuses_and_corrected_reads(tmp_path: Path, change: Change, place: str) -> None:
    builder = character()
    change(builder)
    path = write(tmp_path, builder)
    with pytest.raises(FormatError) as problem:
        read_head_mesh(path, shading="paper")
    assert str(problem.value).startswith(f"a.vrm: {place}")
    assert len(read_head_mesh(path, shading="corrected").parts) == 1


def test_paper_refuses_vrm1_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"extensions\.VRM: .* found a VRM 1\.0 block"):
        read_head_mesh(write(tmp_path, character("1.0", turned=True)), shading="paper")


def test_paper_refuses_a_file_without_skin(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["skins"] = []
    del builder.gltf["nodes"][7]["skin"]
    with pytest.raises(FormatError, match="skins: expected the skin"):
        read_head_mesh(write(tmp_path, builder), shading="paper")


def test_paper_reads_strides_and_sparse_values_beyond_the_original(tmp_path: Path) -> None:
    builder = character()
    plain = read_head_mesh(write(tmp_path, builder), shading="paper").parts[0].positions
    accessor = builder.gltf["accessors"][primitive(builder)["attributes"]["POSITION"]]
    moved = np.array([[0.05, 1.6, -0.05]], np.float32)
    indices = builder.accessor(np.array([1], np.uint32))
    values = builder.accessor(moved)
    views = [builder.gltf["accessors"][index]["bufferView"] for index in (indices, values)]
    accessor["sparse"] = {
        "count": 1,
        "indices": {"bufferView": views[0], "componentType": 5125},
        "values": {"bufferView": views[1]},
    }
    sparse = read_head_mesh(write(tmp_path, builder), shading="paper").parts[0].positions
    np.testing.assert_allclose(sparse[[0, 2]], plain[[0, 2]])
    np.testing.assert_allclose(sparse[1], moved[0] - (0, 1.6, 0), atol=1e-6)


@pytest.mark.parametrize("missing", ["indices", "name"])
def test_paper_needs_no_indices_and_no_names(tmp_path: Path, missing: str) -> None:
    builder = character()
    primitive(builder).pop(missing, None)
    assert read_head_mesh(write(tmp_path, builder), shading="paper").triangle_count == 1


def test_an_upper_arm_that_is_no_joint_is_not_turned(tmp_path: Path) -> None:
    builder = character()
    bones = builder.gltf["extensions"]["VRM"]["humanoid"]["humanBones"]
    next(bone for bone in bones if bone["bone"] == "leftUpperArm")["node"] = 7
    assert read_head_mesh(write(tmp_path, builder), shading="paper").triangle_count == 1
