"""Reading as the file means it, rule by rule, on hand-made files (spec/renderer.md §12.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _databacks.vrm import read_head_mesh
from _exchange.errors import FormatError
from _exchange.glb import GlbBuilder
from _exchange.mesh import HeadMesh
from tests.databacks.vrm.handmade import (
    HEAD,
    LEFT_LOWER,
    LEFT_UPPER,
    MESH_NODE,
    RIGHT_LOWER,
    TRIANGLE,
    add_mesh,
    character,
    write,
)

ARM = np.array([[-0.25, 1.3, 0], [-0.35, 1.3, 0.1], [-0.15, 1.4, 0]], np.float32)
TURNED = np.array([-0.15 - 0.1 * 0.5, 1.3 - 0.1 * np.sqrt(0.75), 0])
"""ARM[0], a point 0.1 outward of the joint (−0.15, 1.3, 0), after 60°."""
ORIGIN = np.array([0, 1.6, 0])


def read(folder: Path, builder: GlbBuilder, **options: object) -> HeadMesh:
    return read_head_mesh(write(folder, builder), shading="corrected", **options)


def positions(mesh: HeadMesh, part: int = 0) -> np.ndarray:
    """In `model`."""
    return mesh.parts[part].positions + mesh.loc_origin


def without_bone(builder: GlbBuilder, *names: str) -> GlbBuilder:
    bones = builder.gltf["extensions"]["VRM"]["humanoid"]["humanBones"]
    bones[:] = [bone for bone in bones if bone["bone"] not in names]
    return builder


def unskinned(builder: GlbBuilder) -> dict[str, Any]:
    node = builder.gltf["nodes"][MESH_NODE]
    del node["skin"]
    return node


# -- scene and nodes --------------------------------------------------------------------------------------------


def test_without_scene_entry_the_first_scene_is_drawn_and_nothing_outside_it(tmp_path: Path) -> None:
    builder = character()
    del builder.gltf["scene"]
    add_mesh(builder, ARM)
    builder.append("nodes", {"mesh": 1, "skin": 0})  # in no scene
    builder.append("scenes", {"nodes": [8]})
    mesh = read(tmp_path, builder)
    assert len(mesh.parts) == 1
    np.testing.assert_allclose(positions(mesh), TRIANGLE, atol=1e-6)


def test_a_skeleton_outside_the_scene_still_poses(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER)
    builder.gltf["scenes"][0]["nodes"] = [MESH_NODE]
    np.testing.assert_allclose(positions(read(tmp_path, builder))[0], TURNED, atol=1e-6)


def test_a_file_without_scenes_draws_nothing(tmp_path: Path) -> None:
    builder = character()
    del builder.gltf["scene"], builder.gltf["scenes"]
    mesh = read(tmp_path, builder)
    assert mesh.parts == ()
    assert mesh.notes == ("scenes: there is nothing to draw.",)


def test_a_mesh_without_joints_hangs_on_its_node_though_that_names_a_skin(tmp_path: Path) -> None:
    builder = character()
    for name in ("JOINTS_0", "WEIGHTS_0"):
        del builder.gltf["meshes"][0]["primitives"][0]["attributes"][name]
    builder.gltf["nodes"][MESH_NODE]["translation"] = [0.1, 0, 0]
    np.testing.assert_allclose(positions(read(tmp_path, builder)), TRIANGLE + np.array([0.1, 0, 0]), atol=1e-6)


def test_one_mesh_in_two_skins_is_posed_by_each(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=0)
    builder.append("skins", {"joints": [LEFT_UPPER]})
    bind = np.eye(4, dtype=np.float32)[None].copy()
    bind[0, :3, 3] = [0.15, -1.3, 0]
    builder.gltf["skins"][1]["inverseBindMatrices"] = builder.accessor(bind)
    second = builder.append("nodes", {"mesh": 0, "skin": 1})
    builder.gltf["scenes"][0]["nodes"].append(second)
    mesh = read(tmp_path, builder)
    np.testing.assert_allclose(positions(mesh, 0)[0], ARM[0], atol=1e-6)
    np.testing.assert_allclose(positions(mesh, 1)[0], TURNED, atol=1e-6)


@pytest.mark.parametrize(("outer", "inner", "reversed_"), [(-1, 1, True), (1, -1, True), (-1, -1, False)])
def test_only_an_odd_number_of_mirrors_reverses_the_winding(
    tmp_path: Path, outer: float, inner: float, reversed_: bool
) -> None:
    builder = character()
    unskinned(builder)["scale"] = [1, inner, 1]
    parent = builder.append("nodes", {"scale": [1, 1, outer], "children": [MESH_NODE]})
    builder.gltf["scenes"][0]["nodes"] = [0, parent]
    expected = [[0, 2, 1]] if reversed_ else [[0, 1, 2]]
    np.testing.assert_array_equal(read(tmp_path, builder).parts[0].faces, expected)


def test_a_mirrored_joint_does_not_reverse_a_skinned_mesh(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["nodes"][HEAD]["scale"] = [-1, 1, 1]
    part = read(tmp_path, builder).parts[0]
    np.testing.assert_allclose(part.positions + ORIGIN, TRIANGLE * (-1, 1, 1), atol=1e-6)
    np.testing.assert_array_equal(part.faces, [[0, 1, 2]])


def test_the_turn_of_vrm1_holds_for_unskinned_meshes_too(tmp_path: Path) -> None:
    builder = character("1.0", turned=True)
    unskinned(builder)["translation"] = [0.1, 0, 0.2]
    mesh = read(tmp_path, builder)
    np.testing.assert_allclose(positions(mesh), TRIANGLE - [0.1, 0, 0.2], atol=1e-6)
    np.testing.assert_array_equal(mesh.parts[0].faces, [[0, 1, 2]])


# -- weights ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalized", [True, False])
def test_integer_weights_are_fractions_marked_or_not(tmp_path: Path, normalized: bool) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER)
    weights = np.tile(np.array([[51, 204, 0, 0]], np.uint8), (3, 1))  # a fifth on the arm
    attributes = builder.gltf["meshes"][0]["primitives"][0]["attributes"]
    attributes["WEIGHTS_0"] = builder.accessor(weights, normalized=normalized)
    expected = 0.2 * TURNED + 0.8 * ARM[0]
    np.testing.assert_allclose(positions(read(tmp_path, builder))[0], expected, atol=1e-6)


def test_the_sum_runs_over_both_sets(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER, weights=(0.6, 0, 0, 0))
    attributes = builder.gltf["meshes"][0]["primitives"][0]["attributes"]
    attributes["JOINTS_1"] = builder.accessor(np.zeros((3, 4), np.uint16))
    attributes["WEIGHTS_1"] = builder.accessor(np.tile(np.array([[0, 0.2, 0, 0]], np.float32), (3, 1)))
    expected = 0.75 * TURNED + 0.25 * ARM[0]
    np.testing.assert_allclose(positions(read(tmp_path, builder))[0], expected, atol=1e-6)


def test_sets_of_different_types_are_weighed_as_fractions(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER, weights=(0.5, 0, 0, 0))
    attributes = builder.gltf["meshes"][0]["primitives"][0]["attributes"]
    attributes["JOINTS_1"] = builder.accessor(np.zeros((3, 4), np.uint8))
    half = np.tile(np.array([[32768, 0, 0, 0]], np.uint16), (3, 1))
    attributes["WEIGHTS_1"] = builder.accessor(half, normalized=True)
    expected = (TURNED + ARM[0]) / 2
    np.testing.assert_allclose(positions(read(tmp_path, builder))[0], expected, atol=1e-5)  # 32768/65535 is no half


def test_a_joint_beyond_the_skin_is_named_by_its_set(tmp_path: Path) -> None:
    builder = character()
    attributes = builder.gltf["meshes"][0]["primitives"][0]["attributes"]
    joints = np.zeros((3, 4), np.uint8)
    joints[1, 2] = 9
    attributes["JOINTS_1"] = builder.accessor(joints)
    attributes["WEIGHTS_1"] = builder.accessor(np.full((3, 4), 0.25, np.float32))
    with pytest.raises(FormatError, match=r"JOINTS_1: expected joints below the 7 of skins\[0\], found 9"):
        read(tmp_path, builder)


# -- skeleton ---------------------------------------------------------------------------------------------------


def test_neck_and_arms_are_optional(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER)
    for bone in ("neck", "leftUpperArm", "rightUpperArm", "leftLowerArm", "rightLowerArm"):
        without_bone(builder, bone)
    builder.gltf["nodes"][HEAD]["translation"] = [0, 0.3, 0]  # the head at 1.7, so that 1.4 is not assumed
    mesh = read(tmp_path, builder)
    assert mesh.neck_height == pytest.approx(-0.2)  # a decimetre below the head joint
    assert mesh.arm_angles_deg == {}
    np.testing.assert_allclose(positions(mesh), ARM, atol=1e-6)


def test_what_hangs_on_the_hand_is_turned_with_the_arm(tmp_path: Path) -> None:
    builder = character(positions=ARM)
    unskinned(builder)["translation"] = [0.35, -1.3, 0]  # undoes the world position of the lower arm, (−0.35, 1.3, 0)
    builder.gltf["scenes"][0]["nodes"] = [0]
    builder.gltf["nodes"][LEFT_LOWER]["children"] = [MESH_NODE]
    np.testing.assert_allclose(positions(read(tmp_path, builder))[0], TURNED, atol=1e-6)


@pytest.mark.parametrize("forward", [-0.2, 0.0, 0.2])
def test_arms_straight_ahead_are_turned_alike_on_both_sides(tmp_path: Path, forward: float) -> None:
    builder = character()
    for lower in (LEFT_LOWER, RIGHT_LOWER):
        builder.gltf["nodes"][lower]["translation"] = [0, 0, forward]
    angles = read(tmp_path, builder).arm_angles_deg
    assert angles == {"left": {"rest": 0, "turn": 60}, "right": {"rest": 0, "turn": -60}}


def test_the_angle_leaves_out_how_far_an_arm_reaches_forward(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["nodes"][LEFT_LOWER]["translation"] = [-0.1, 0.1, -0.7]
    assert read(tmp_path, builder).arm_angles_deg["left"] == {
        "rest": pytest.approx(45, abs=1e-9),
        "turn": pytest.approx(105, abs=1e-9),
    }


def test_the_rest_pose_is_the_one_of_the_nodes_not_of_the_binds(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER)
    half = np.radians(-30) / 2  # the file poses its left upper arm 30° up, seen from +z clockwise on this side
    builder.gltf["nodes"][LEFT_UPPER]["rotation"] = [0, 0, float(np.sin(half)), float(np.cos(half))]
    mesh = read(tmp_path, builder)
    assert mesh.arm_angles_deg["left"]["rest"] == pytest.approx(30, abs=1e-4)
    np.testing.assert_allclose(positions(mesh)[0], TURNED, atol=1e-6)


# -- fit --------------------------------------------------------------------------------------------------------


def reach(*corner: float) -> np.ndarray:
    """A triangle about the head's origin with one far corner, in `model`."""
    return (np.array([corner, (0.01, 0, 0), (0, 0, 0.01)]) + ORIGIN).astype(np.float32)


@pytest.mark.parametrize(
    ("corner", "scale"),
    [
        ((0.68, 0, 0), 0.5),
        ((-0.68, 0, 0), 0.5),
        ((0, 0, 0.68), 0.5),
        ((0, 0, -0.68), 0.5),
        ((0, 0.68, 0), 0.5),
        ((0, -0.68, 0), 1),
        ((0.3, -0.68, -0.4), 0.85),
        ((0.34, 0.34, -0.34), 1),
    ],
)
def test_fit_takes_the_largest_of_x_z_and_plus_y(
    tmp_path: Path, corner: tuple[float, float, float], scale: float
) -> None:
    assert read(tmp_path, character(positions=reach(*corner)), fit=True).scale == pytest.approx(scale, abs=1e-6)


def test_fit_counts_what_hangs_below_the_head_skinned_or_not(tmp_path: Path) -> None:
    builder = character(positions=reach(0, 0.68, 0))
    hair = builder.append("nodes", {"children": [MESH_NODE]})
    builder.gltf["nodes"][HEAD]["children"] = [hair]
    builder.gltf["scenes"][0]["nodes"] = [0]
    builder.gltf["skins"][0] = {"joints": [hair]}
    attributes = builder.gltf["meshes"][0]["primitives"][0]["attributes"]
    attributes["JOINTS_0"] = builder.accessor(np.zeros((3, 4), np.uint8))
    builder.gltf["nodes"][hair]["translation"] = [0, -1.5, 0]  # the world of the hair joint is the identity
    assert read(tmp_path, builder, fit=True).scale == pytest.approx(0.5, abs=1e-6)
    unskinned(builder)
    assert read(tmp_path, builder, fit=True).scale == pytest.approx(0.5, abs=1e-6)
    builder.gltf["nodes"][HEAD]["children"] = []
    builder.gltf["nodes"][0]["children"].append(hair)
    builder.gltf["nodes"][hair]["translation"] = [0, -1.2, 0]
    assert read(tmp_path, builder, fit=True).scale == 1


@pytest.mark.parametrize(("weights", "scale"), [((0.6, 0.4, 0, 0), 0.5), ((0.4, 0.6, 0, 0), 1)])
def test_fit_asks_the_strongest_joint(tmp_path: Path, weights: tuple, scale: float) -> None:
    builder = character(positions=reach(0, 0.68, 0), joint=HEAD, weights=weights)  # the second joint is the chest
    mesh = read(tmp_path, builder, fit=True)
    assert mesh.scale == pytest.approx(scale, abs=1e-6)
    assert mesh.parts[0].on_head.all() == (scale < 1)


def test_fit_leaves_out_vertices_and_meshes_that_are_not_drawn(tmp_path: Path) -> None:
    builder = character(positions=np.concatenate([TRIANGLE, reach(5, 5, 5)]))
    primitive = builder.gltf["meshes"][0]["primitives"][0]
    primitive["indices"] = builder.accessor(np.array([0, 1, 2], np.uint8))
    add_mesh(builder, reach(9, 9, 9))
    assert read(tmp_path, builder, fit=True).scale == 1


def test_fit_scales_every_part_and_the_body_too(tmp_path: Path) -> None:
    builder = character(positions=reach(0, 0.68, 0))
    add_mesh(builder, ARM, joint=0)
    builder.append("nodes", {"mesh": 1, "skin": 0})
    builder.gltf["scenes"][0]["nodes"].append(8)
    mesh = read(tmp_path, builder, fit=True)
    np.testing.assert_allclose(mesh.parts[1].positions, 0.5 * (ARM - ORIGIN), atol=1e-6)
    np.testing.assert_allclose(mesh.loc_origin, ORIGIN, atol=1e-7)
