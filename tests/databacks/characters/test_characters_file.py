"""Generated files are complete VRM 0.x files that other programs read."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
import trimesh

from _databacks.characters import GENERATOR_VERSION, build
from tests.databacks.characters.decode import Decoded, decode

SEEDS = (1, 2, 7, 1234)
REQUIRED_BONES = {
    "hips", "spine", "chest", "neck", "head",
    "leftUpperArm", "leftLowerArm", "leftHand", "rightUpperArm", "rightLowerArm", "rightHand",
    "leftUpperLeg", "leftLowerLeg", "leftFoot", "rightUpperLeg", "rightLowerLeg", "rightFoot",
}  # fmt: skip
"""VRM 0.0 specification, humanoid, table of required bones."""


@pytest.fixture(scope="module", params=SEEDS)
def content(request: pytest.FixtureRequest) -> bytes:
    return build(request.param).vrm()


@pytest.fixture(scope="module")
def character(content: bytes) -> Decoded:
    return decode(content)


def test_all_required_bones_are_there_once(character: Decoded) -> None:
    names = [entry["bone"] for entry in character.vrm["humanoid"]["humanBones"]]
    assert len(names) == len(set(names))
    assert set(names) >= REQUIRED_BONES | {"leftEye", "rightEye"}


def test_each_bone_hangs_below_its_humanoid_parent(character: Decoded) -> None:
    nodes = {entry["bone"]: entry["node"] for entry in character.vrm["humanoid"]["humanBones"]}
    parents = {child: index for index, node in enumerate(character.gltf.nodes) for child in node.children or []}
    chain = ["head", "neck", "chest", "spine", "hips"]
    for lower, upper in pairwise(chain):
        assert parents[nodes[lower]] == nodes[upper]
    for side in ("left", "right"):
        assert parents[nodes[f"{side}Hand"]] == nodes[f"{side}LowerArm"]
        assert parents[nodes[f"{side}LowerArm"]] == nodes[f"{side}UpperArm"]
        assert parents[nodes[f"{side}Eye"]] == nodes["head"]


def test_left_is_minus_x_and_the_pose_is_a_t(character: Decoded) -> None:
    bones = character.bones
    assert bones["leftHand"][0] < bones["leftLowerArm"][0] < bones["leftUpperArm"][0] < 0
    heights = [bones[name][1] for name in ("leftUpperArm", "leftLowerArm", "leftHand", "rightHand")]
    np.testing.assert_allclose(heights, heights[0], atol=1e-6)
    assert bones["leftEye"][2] < bones["head"][2]


def test_inverse_binds_are_pure_translations_of_the_joints(character: Decoded) -> None:
    gltf = character.gltf
    accessor = gltf.accessors[gltf.skins[0].inverseBindMatrices]
    view = gltf.bufferViews[accessor.bufferView]
    stored = np.frombuffer(gltf.binary_blob(), np.float32, accessor.count * 16, view.byteOffset)
    matrices = stored.reshape(-1, 4, 4).transpose(0, 2, 1)
    names = {entry["node"]: entry["bone"] for entry in character.vrm["humanoid"]["humanBones"]}
    for joint, matrix in zip(gltf.skins[0].joints, matrices):
        np.testing.assert_array_equal(matrix[:3, :3], np.eye(3))
        np.testing.assert_allclose(-matrix[:3, 3], character.bones[names[joint]], atol=1e-6)


def test_meta_names_licence_author_and_generator_version(character: Decoded) -> None:
    meta = character.vrm["meta"]
    assert meta["licenseName"] == "CC0"
    assert meta["otherLicenseUrl"] == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert meta["author"]
    assert meta["title"].startswith("character_")
    assert meta["version"] == GENERATOR_VERSION
    assert GENERATOR_VERSION in character.vrm["exporterVersion"]
    assert GENERATOR_VERSION in character.gltf.asset.generator


def test_every_material_has_its_mtoon_entry(character: Decoded) -> None:
    names = [material.name for material in character.gltf.materials]
    entries = character.vrm["materialProperties"]
    assert [entry["name"] for entry in entries] == names
    for index, entry in enumerate(entries):
        assert entry["shader"] == "VRM/MToon"
        assert entry["vectorProperties"]["_Color"] == [1.0, 1.0, 1.0, 1.0]
        texture = character.gltf.materials[index].pbrMetallicRoughness.baseColorTexture.index
        assert entry["textureProperties"]["_MainTex"] == texture


def test_indices_weights_and_numbers_are_valid(character: Decoded) -> None:
    joint_count = len(character.gltf.skins[0].joints)
    for part in character.primitives:
        assert part.faces.max() < len(part.positions)
        assert len(np.unique(part.faces)) > 0.8 * len(part.positions)
        np.testing.assert_array_equal(part.weights.astype(int).sum(axis=1), 255)
        assert part.joints.max() < joint_count
        for row_joints, row_weights in zip(part.joints, part.weights):
            used = row_joints[row_weights > 0]
            assert len(set(used.tolist())) == len(used)
        for values in (part.positions, part.normals, part.uv):
            assert np.isfinite(values).all()
        np.testing.assert_allclose(np.linalg.norm(part.normals, axis=1), 1, atol=1e-3)
        assert part.uv.min() >= 0
        assert part.uv.max() <= 1


def test_textures_have_power_of_two_sides_up_to_1024(character: Decoded) -> None:
    for pixels in character.textures.values():
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3
        for side in pixels.shape[:2]:
            assert side <= 1024
            assert side & (side - 1) == 0


def test_the_file_is_small(content: bytes) -> None:
    assert len(content) < 1_500_000


def test_trimesh_reads_the_same_triangles(content: bytes, character: Decoded) -> None:
    scene = trimesh.load(io.BytesIO(content), file_type="glb", process=False)
    assert sum(len(mesh.faces) for mesh in scene.geometry.values()) == sum(
        len(part.faces) for part in character.primitives
    )
    np.testing.assert_allclose(
        scene.bounds,
        [
            np.min([part.positions.min(axis=0) for part in character.primitives], axis=0),
            np.max([part.positions.max(axis=0) for part in character.primitives], axis=0),
        ],
        atol=1e-6,
    )
