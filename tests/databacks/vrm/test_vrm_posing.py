"""Posing worked by hand: skinning, arms, node transforms, origin and scale of both shadings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from _databacks.vrm import read_head_mesh, read_true_surface
from _exchange.errors import FormatError, InputError
from _exchange.glb import ARRAY_BUFFER, GlbBuilder
from _exchange.mesh import HeadMesh
from tests.databacks.vrm.handmade import (
    HEAD,
    LEFT_LOWER,
    LEFT_UPPER,
    MESH_NODE,
    RIGHT_UPPER,
    TRIANGLE,
    add_mesh,
    character,
    write,
)

ORIGIN = np.array([0, 1.6, 0])
"""Head joint (0, 1.5, 0) and ten centimetres."""
ARM = np.array([[-0.25, 1.3, 0], [-0.35, 1.3, 0.1], [-0.15, 1.4, 0]], np.float32)
"""Points on and about the left arm, whose joint is at (−0.15, 1.3, 0)."""
COS, SIN = 0.5, np.sqrt(0.75)
"""Of 60°."""


def read(folder: Path, builder: GlbBuilder, shading: str = "corrected", **options: object) -> HeadMesh:
    return read_head_mesh(write(folder, builder), shading=shading, **options)


def moved(points: np.ndarray, *offset: float) -> np.ndarray:
    return points + np.array(offset)


def positions(mesh: HeadMesh, part: int = 0) -> np.ndarray:
    """In `model`."""
    return mesh.parts[part].positions + mesh.loc_origin


@pytest.mark.parametrize("shading", ["paper", "corrected"])
def test_origin_neck_and_unposed_head(tmp_path: Path, shading: str) -> None:
    mesh = read(tmp_path, character(), shading)
    np.testing.assert_allclose(mesh.loc_origin, ORIGIN, atol=1e-7)
    np.testing.assert_allclose(positions(mesh), TRIANGLE, atol=1e-6)
    assert mesh.neck_height == pytest.approx(1.4 - 1.6, abs=1e-6)
    assert mesh.vrm_version == "0.x"
    assert mesh.parts[0].on_head.all()


@pytest.mark.parametrize("shading", ["paper", "corrected"])
def test_the_left_arm_of_a_t_pose_turns_60_degrees_counter_clockwise(tmp_path: Path, shading: str) -> None:
    mesh = read(tmp_path, character(positions=ARM, joint=LEFT_UPPER), shading)
    # offsets from the joint: (−0.1, 0, 0), (−0.2, 0, 0.1), (0, 0.1, 0)
    expected = [
        [-0.15 - 0.1 * COS, 1.3 - 0.1 * SIN, 0],
        [-0.15 - 0.2 * COS, 1.3 - 0.2 * SIN, 0.1],
        [-0.15 - 0.1 * SIN, 1.3 + 0.1 * COS, 0],
    ]
    np.testing.assert_allclose(positions(mesh), expected, atol=1e-6)
    assert mesh.arm_angles_deg["left"] == {"turn": pytest.approx(60), "rest": pytest.approx(0, abs=1e-4)}
    assert mesh.arm_angles_deg["right"] == {"turn": pytest.approx(-60), "rest": pytest.approx(0, abs=1e-4)}
    assert not mesh.parts[0].on_head.any()


@pytest.mark.parametrize("shading", ["paper", "corrected"])
def test_the_right_arm_turns_the_other_way(tmp_path: Path, shading: str) -> None:
    mirrored = (ARM * (-1, 1, 1)).astype(np.float32)
    mesh = read(tmp_path, character(positions=mirrored, joint=RIGHT_UPPER), shading)
    np.testing.assert_allclose(positions(mesh)[0], [0.15 + 0.1 * COS, 1.3 - 0.1 * SIN, 0], atol=1e-6)


@pytest.mark.parametrize("shading", ["paper", "corrected"])
def test_the_lower_arm_follows_the_upper(tmp_path: Path, shading: str) -> None:
    mesh = read(tmp_path, character(positions=ARM, joint=LEFT_LOWER), shading)
    np.testing.assert_allclose(positions(mesh)[0], [-0.15 - 0.1 * COS, 1.3 - 0.1 * SIN, 0], atol=1e-6)


def test_half_weights_blend_the_two_places_and_are_divided_by_their_sum(tmp_path: Path) -> None:
    # joints LEFT_UPPER and 0, weights 3 and 3
    for shading in ("paper", "corrected"):
        mesh = read(tmp_path, character(positions=ARM, joint=LEFT_UPPER, weights=(3, 3, 0, 0)), shading)
        turned = np.array([-0.15 - 0.1 * COS, 1.3 - 0.1 * SIN, 0])
        np.testing.assert_allclose(positions(mesh)[0], (turned + ARM[0]) / 2, atol=1e-6)


def test_arms_that_hang_already_are_turned_by_the_rest(tmp_path: Path) -> None:
    builder = character(arm_slope_deg=-45)
    angles = read(tmp_path, builder).arm_angles_deg
    assert angles["left"] == {"rest": pytest.approx(-45, abs=1e-4), "turn": pytest.approx(15, abs=1e-4)}
    assert angles["right"] == {"rest": pytest.approx(-45, abs=1e-4), "turn": pytest.approx(-15, abs=1e-4)}
    paper = read(tmp_path, builder, "paper", paper_pose=15.0).arm_angles_deg
    assert paper["left"]["turn"] == 15
    assert paper["right"]["turn"] == -15


def test_raised_arms_end_at_the_same_place(tmp_path: Path) -> None:
    for slope in (-80.0, -30.0, 0.0, 50.0):
        builder = character(arm_slope_deg=slope)
        lower = moved(np.array(builder.gltf["nodes"][LEFT_LOWER]["translation"]), -0.15, 1.3, 0)
        add_mesh(builder, np.tile(lower, (3, 1)), joint=LEFT_UPPER)
        builder.append("nodes", {"mesh": 1, "skin": 0})
        builder.gltf["scenes"][0]["nodes"].append(8)
        found = positions(read(tmp_path, builder), part=1)[0]
        np.testing.assert_allclose(found, [-0.15 - 0.2 * COS, 1.3 - 0.2 * SIN, 0], atol=1e-6)


def test_an_arm_without_lower_arm_is_left_alone(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER)
    bones = builder.gltf["extensions"]["VRM"]["humanoid"]["humanBones"]
    bones[:] = [bone for bone in bones if bone["bone"] != "leftLowerArm"]
    mesh = read(tmp_path, builder)
    np.testing.assert_allclose(positions(mesh), ARM, atol=1e-6)
    assert set(mesh.arm_angles_deg) == {"right"}


def test_the_second_set_of_joints_counts_in_corrected_only(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=0, weights=(1, 0, 0, 0))
    attributes = builder.gltf["meshes"][0]["primitives"][0]["attributes"]
    joints = np.tile(np.array([[LEFT_UPPER, 0, 0, 0]], np.uint8), (3, 1))
    attributes["JOINTS_1"] = builder.accessor(joints, target=ARRAY_BUFFER)
    attributes["WEIGHTS_1"] = builder.accessor(np.tile(np.array([[1, 0, 0, 0]], np.float32), (3, 1)))
    turned = np.array([-0.15 - 0.1 * COS, 1.3 - 0.1 * SIN, 0])
    np.testing.assert_allclose(positions(read(tmp_path, builder))[0], (turned + ARM[0]) / 2, atol=1e-6)
    np.testing.assert_allclose(positions(read(tmp_path, builder, "paper"))[0], ARM[0], atol=1e-6)


def test_vertices_without_weight_follow_their_first_joint_or_vanish(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER, weights=(0, 0, 0, 0))
    mesh = read(tmp_path, builder)
    np.testing.assert_allclose(positions(mesh)[0], [-0.15 - 0.1 * COS, 1.3 - 0.1 * SIN, 0], atol=1e-6)
    assert "vertices without weight" in mesh.notes[0]
    assert read(tmp_path, builder, "paper").parts == ()


def test_a_joint_beyond_the_skin_counts_only_where_it_pulls(tmp_path: Path) -> None:
    for weights, refused in (((1, 0, 0, 0), True), ((0, 1, 0, 0), False)):
        builder = character(joint=200, weights=weights)
        for shading in ("paper", "corrected"):
            if refused:
                with pytest.raises(
                    FormatError, match=r"JOINTS_0: expected joints below the 7 of skins\[0\], found 200"
                ):
                    read(tmp_path, builder, shading)
            else:
                np.testing.assert_allclose(positions(read(tmp_path, builder, shading)), TRIANGLE, atol=1e-6)


def test_the_node_of_a_skinned_mesh_moves_it_in_paper_only(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["nodes"][MESH_NODE]["translation"] = [0.01, 0.02, 0.03]
    np.testing.assert_allclose(positions(read(tmp_path, builder)), TRIANGLE, atol=1e-6)
    np.testing.assert_allclose(
        positions(read(tmp_path, builder, "paper")), moved(TRIANGLE, 0.01, 0.02, 0.03), atol=1e-6
    )


def test_an_unskinned_mesh_hangs_on_its_node(tmp_path: Path) -> None:
    builder = character()
    node = builder.gltf["nodes"][MESH_NODE]
    del node["skin"]
    builder.gltf["scenes"][0]["nodes"] = [0]
    builder.gltf["nodes"][HEAD]["children"] = [MESH_NODE]
    mesh = read(tmp_path, builder)
    np.testing.assert_allclose(mesh.parts[0].positions, TRIANGLE - [0, 0.1, 0], atol=1e-6)
    assert mesh.parts[0].on_head.all()
    assert "drawn unskinned" in mesh.notes[0]


def test_a_mirroring_node_reverses_the_winding(tmp_path: Path) -> None:
    builder = character()
    node = builder.gltf["nodes"][MESH_NODE]
    del node["skin"]
    node["scale"] = [-1, 1, 1]
    part = read(tmp_path, builder).parts[0]
    np.testing.assert_array_equal(part.faces, [[0, 2, 1]])
    first, second, third = part.positions[part.faces[0]]
    normal = np.cross(second - first, third - first)
    assert normal[2] > 0, "mirrored and reversed, the triangle still faces +z as the file's does"


def test_binds_with_rotation_need_nothing_special(tmp_path: Path) -> None:
    # the mesh is stored in a space turned by a quarter about y: IBM = T(−head) · Ry(90°)
    builder = character()
    turn = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]], float)
    binds = np.tile(np.eye(4, dtype=np.float32), (7, 1, 1))
    shift = np.eye(4)
    shift[:3, 3] = [0, -1.5, 0]
    binds[HEAD] = shift @ turn
    builder.gltf["skins"][0]["inverseBindMatrices"] = builder.accessor(binds)
    expected = TRIANGLE @ turn[:3, :3].T
    np.testing.assert_allclose(positions(read(tmp_path, builder)), expected, atol=1e-6)


def test_absent_binds_are_identities_in_corrected_and_refused_in_paper(tmp_path: Path) -> None:
    builder = character()
    del builder.gltf["skins"][0]["inverseBindMatrices"]
    np.testing.assert_allclose(positions(read(tmp_path, builder)), moved(TRIANGLE, 0, 1.5, 0), atol=1e-6)
    with pytest.raises(FormatError, match=r"skins\[0\]\.inverseBindMatrices"):
        read(tmp_path, builder, "paper")


def test_corrected_uses_the_skin_of_the_node_and_paper_the_first(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=0)
    builder.gltf["skins"].append({"joints": [LEFT_UPPER]})
    shifted = np.eye(4, dtype=np.float32)[None].copy()
    shifted[0, :3, 3] = [0.15, -1.3, 0]
    builder.gltf["skins"][1]["inverseBindMatrices"] = builder.accessor(shifted)
    builder.gltf["nodes"][MESH_NODE]["skin"] = 1
    turned = [-0.15 - 0.1 * COS, 1.3 - 0.1 * SIN, 0]
    np.testing.assert_allclose(positions(read(tmp_path, builder))[0], turned, atol=1e-6)
    np.testing.assert_allclose(positions(read(tmp_path, builder, "paper"))[0], ARM[0], atol=1e-6)


def test_only_the_chosen_scene_is_drawn(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["scenes"] = [{"nodes": [0, MESH_NODE]}, {"nodes": [0]}]
    builder.gltf["scene"] = 1
    mesh = read(tmp_path, builder)
    assert mesh.parts == ()
    assert mesh.notes == ("scenes: there is nothing to draw.",)
    assert len(read(tmp_path, builder, "paper").parts) == 1


def test_vrm1_is_turned_to_face_the_other_way(tmp_path: Path) -> None:
    old = read(tmp_path, character("0.x", positions=ARM, joint=LEFT_UPPER, arm_slope_deg=-20))
    new = read(tmp_path, character("1.0", positions=ARM, joint=LEFT_UPPER, arm_slope_deg=-20, turned=True))
    assert new.vrm_version == "1.0"
    np.testing.assert_allclose(new.parts[0].positions, old.parts[0].positions, atol=1e-6)
    np.testing.assert_allclose(new.loc_origin, old.loc_origin, atol=1e-6)
    assert new.arm_angles_deg["left"]["turn"] == pytest.approx(old.arm_angles_deg["left"]["turn"], abs=1e-4)


def test_fit_shrinks_a_large_head_about_the_origin(tmp_path: Path) -> None:
    tall = np.array([[-0.1, 1.6, 0], [0.1, 1.6, 0], [0, 2.1, 0]], np.float32)  # 0.5 m above the origin
    builder = character(positions=tall)
    assert read(tmp_path, builder).scale == 1
    mesh = read(tmp_path, builder, fit=True)
    assert mesh.scale == pytest.approx(0.34 / 0.5, abs=1e-6)
    np.testing.assert_allclose(mesh.parts[0].positions, (tall - ORIGIN) * 0.68, atol=1e-6)
    assert mesh.neck_height == pytest.approx(-0.2 * 0.68, abs=1e-6)


def test_fit_ignores_what_hangs_down_and_what_is_not_on_the_head(tmp_path: Path) -> None:
    long_hair = np.array([[-0.1, 0.6, 0], [0.1, 0.6, 0], [0, 1.7, 0]], np.float32)
    assert read(tmp_path, character(positions=long_hair), fit=True).scale == 1
    wide_body = np.array([[-0.6, 1.2, 0], [0.6, 1.2, 0], [0, 1.3, 0]], np.float32)
    assert read(tmp_path, character(positions=wide_body, joint=0), fit=True).scale == 1


def test_fit_with_paper_is_a_wrong_argument(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fit"):
        read(tmp_path, character(), "paper", fit=True)


def test_a_plain_glb_needs_the_position_of_the_head(tmp_path: Path) -> None:
    path = write(tmp_path, character(version=""), "a.glb")
    with pytest.raises(FormatError, match="a given position of the head"):
        read_head_mesh(path, shading="corrected")
    mesh = read_head_mesh(path, shading="corrected", head_position=(0.0, 1.45, 0.1))
    np.testing.assert_allclose(mesh.loc_origin, [0, 1.55, 0.1])
    np.testing.assert_allclose(mesh.parts[0].positions, TRIANGLE - [0, 1.55, 0.1], atol=1e-6)
    assert mesh.neck_height == pytest.approx(-0.2)
    with pytest.raises(FormatError, match=r"VRM 0\.x block"):
        read_head_mesh(path, shading="paper", head_position=(0.0, 1.45, 0.1))


@pytest.mark.parametrize("position", [(0.0, np.nan, 0.0), (np.inf, 0.0, 0.0)])
def test_a_head_position_is_finite(tmp_path: Path, position: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="finite"):
        read_head_mesh(write(tmp_path, character(""), "a.glb"), shading="corrected", head_position=position)


def test_only_used_vertices_are_kept(tmp_path: Path) -> None:
    builder = character(positions=np.concatenate([ARM, TRIANGLE]))
    used = builder.accessor(np.array([3, 5, 4], np.uint16), target=34963)
    builder.gltf["meshes"][0]["primitives"][0]["indices"] = used
    for shading in ("paper", "corrected"):
        mesh = read(tmp_path, builder, shading)
        np.testing.assert_allclose(positions(mesh), TRIANGLE, atol=1e-6)
        np.testing.assert_array_equal(mesh.parts[0].faces, [[0, 2, 1]])


def test_of_primitives_that_share_positions_the_later_weights_win_in_paper(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=0)
    first = builder.gltf["meshes"][0]["primitives"][0]
    other = add_mesh(builder, ARM, joint=LEFT_UPPER)
    builder.gltf["meshes"].pop()
    shared = dict(other, attributes=other["attributes"] | {"POSITION": first["attributes"]["POSITION"]})
    builder.gltf["meshes"][0]["primitives"].append(shared)
    paper, corrected = read(tmp_path, builder, "paper"), read(tmp_path, builder)
    turned = [-0.15 - 0.1 * COS, 1.3 - 0.1 * SIN, 0]
    np.testing.assert_allclose(positions(paper, 0)[0], turned, atol=1e-6)
    np.testing.assert_allclose(positions(paper, 1)[0], turned, atol=1e-6)
    np.testing.assert_allclose(positions(corrected, 0)[0], ARM[0], atol=1e-6)
    np.testing.assert_allclose(positions(corrected, 1)[0], turned, atol=1e-6)


def test_the_bind_surface_has_no_pose_no_nodes_and_undrawn_meshes(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER)
    builder.gltf["nodes"][MESH_NODE]["translation"] = [1, 2, 3]
    add_mesh(builder, TRIANGLE)
    surface = read_true_surface(write(tmp_path, builder), pose="bind")
    np.testing.assert_array_equal(surface.verts, np.concatenate([ARM, TRIANGLE]))
    np.testing.assert_array_equal(surface.faces, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_allclose(surface.loc_origin, ORIGIN, atol=1e-6)
    np.testing.assert_allclose(surface.head_model().verts[3:], TRIANGLE - ORIGIN, atol=1e-6)


def test_the_rendered_surface_is_the_drawn_one(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER)
    path = write(tmp_path, builder)
    surface = read_true_surface(path, pose="rendered")
    drawn = read_head_mesh(path, shading="corrected").surface()
    np.testing.assert_array_equal(surface.head_model().verts, drawn.verts)
    np.testing.assert_array_equal(surface.faces, drawn.faces)


def test_the_rendered_surface_is_scaled_with_the_picture_and_needs_no_images(tmp_path: Path) -> None:
    tall = np.array([[-0.1, 1.6, 0], [0.1, 1.6, 0], [0, 2.1, 0]], np.float32)
    builder = character(positions=tall)
    builder.gltf["images"][0] = {"uri": "absent.png"}
    surface = read_true_surface(write(tmp_path, builder), pose="rendered", fit=True)
    np.testing.assert_allclose(surface.verts, (tall - ORIGIN) * 0.68, atol=1e-6)


@pytest.mark.parametrize("change", ["mode", "indices"])
def test_the_bind_surface_refuses_what_the_evaluation_refuses(tmp_path: Path, change: str) -> None:
    builder = character()
    primitive = builder.gltf["meshes"][0]["primitives"][0]
    if change == "mode":
        primitive["mode"] = 5
    else:
        del primitive["indices"]
    with pytest.raises(FormatError, match=rf"primitives\[0\]\.{change}"):
        read_true_surface(write(tmp_path, builder), pose="bind")


def test_wrong_words_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, character())
    with pytest.raises(InputError, match="paper or corrected, found 'Paper'"):
        read_head_mesh(path, shading="Paper")
    with pytest.raises(InputError, match="bind or rendered, found 'rest'"):
        read_true_surface(path, pose="rest")
