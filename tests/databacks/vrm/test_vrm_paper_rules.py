"""The original's reading, rule by rule, on hand-made files (spec/renderer.md §2, §3; spec/measure.md §6.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _databacks.vrm import PAPER_POSES, read_head_mesh, read_true_surface
from _exchange.errors import FormatError, InputError
from _exchange.glb import GlbBuilder
from _exchange.mesh import HeadMesh
from tests.databacks.vrm.handmade import (
    HEAD,
    LEFT_LOWER,
    LEFT_UPPER,
    MESH_NODE,
    TRIANGLE,
    add_mesh,
    character,
    write,
)

ARM = np.array([[-0.25, 1.3, 0], [-0.35, 1.3, 0.1], [-0.15, 1.4, 0]], np.float32)
TURNED = np.array([-0.15 - 0.1 * 0.5, 1.3 - 0.1 * np.sqrt(0.75), 0])
"""ARM[0], a point 0.1 outward of the joint (−0.15, 1.3, 0), after 60°."""


def read(folder: Path, builder: GlbBuilder, shading: str = "paper", **options: object) -> HeadMesh:
    return read_head_mesh(write(folder, builder), shading=shading, **options)


def positions(mesh: HeadMesh, part: int = 0) -> np.ndarray:
    """In `model`."""
    return mesh.parts[part].positions + mesh.loc_origin


def bones(builder: GlbBuilder) -> list[dict[str, Any]]:
    return builder.gltf["extensions"]["VRM"]["humanoid"]["humanBones"]


def test_a_joint_below_a_node_that_is_no_joint_is_a_root(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_LOWER)
    nodes = builder.gltf["nodes"]
    twist = builder.append("nodes", {"children": [LEFT_LOWER]})  # stands between upper and lower arm, in no skin
    nodes[LEFT_UPPER]["children"] = [twist]
    np.testing.assert_allclose(positions(read(tmp_path, builder)), ARM, atol=1e-6)
    np.testing.assert_allclose(positions(read(tmp_path, builder, "corrected"))[0], TURNED, atol=1e-6)


def test_the_pose_of_anime_recon_is_fifteen_degrees(tmp_path: Path) -> None:
    mesh = read(tmp_path, character(positions=ARM, joint=LEFT_UPPER), paper_pose=PAPER_POSES["daredemoE"])
    cosine, sine = (np.sqrt(6) + np.sqrt(2)) / 4, (np.sqrt(6) - np.sqrt(2)) / 4  # of 15°
    np.testing.assert_allclose(positions(mesh)[0], [-0.15 - 0.1 * cosine, 1.3 - 0.1 * sine, 0], atol=1e-6)


def test_a_rotated_bind_counts_by_its_translation_column(tmp_path: Path) -> None:
    builder = character()
    binds = np.tile(np.eye(4, dtype=np.float32), (7, 1, 1))
    binds[HEAD] = [[0, 0, 1, 0.5], [0, 1, 0, -1.25], [-1, 0, 0, 0.75], [0, 0, 0, 1]]
    builder.gltf["skins"][0]["inverseBindMatrices"] = builder.accessor(binds)
    path = write(tmp_path, builder)
    expected = [-0.5, 1.25 + 0.1, -0.75]
    np.testing.assert_allclose(read_head_mesh(path, shading="paper").loc_origin, expected, atol=1e-7)
    np.testing.assert_allclose(read_true_surface(path, pose="bind").loc_origin, expected, atol=1e-7)


def test_the_origin_comes_from_the_binds_and_corrected_takes_it_from_the_nodes(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["nodes"][0]["translation"] = [0, 2.2, 0]  # a metre above what the binds say
    np.testing.assert_allclose(read(tmp_path, builder).loc_origin, [0, 1.6, 0], atol=1e-6)
    np.testing.assert_allclose(read(tmp_path, builder, "corrected").loc_origin, [0, 2.6, 0], atol=1e-6)


def test_matrix_and_translation_of_a_mesh_node_both_count(tmp_path: Path) -> None:
    builder = character()
    half = np.diag([0.5, 0.5, 0.5, 1.0]).ravel().tolist()
    builder.gltf["nodes"][MESH_NODE] |= {"matrix": half, "translation": [0.2, 0, 0]}
    np.testing.assert_allclose(positions(read(tmp_path, builder)), 0.5 * (TRIANGLE + np.array([0.2, 0, 0])), atol=1e-6)
    del builder.gltf["nodes"][MESH_NODE]["skin"]
    np.testing.assert_allclose(positions(read(tmp_path, builder, "corrected")), 0.5 * TRIANGLE, atol=1e-6)


@pytest.mark.parametrize("shading", ["paper", "corrected"])
def test_parts_come_in_node_order_a_node_before_its_children(tmp_path: Path, shading: str) -> None:
    builder = character()
    for height in (1.6, 1.7):
        add_mesh(builder, TRIANGLE * (1, 0, 1) + np.array([0, height, 0]))
    last = builder.append("nodes", {"mesh": 0, "skin": 0})
    builder.gltf["nodes"][MESH_NODE] = {"mesh": 2, "skin": 0, "children": [last]}
    first = builder.append("nodes", {"mesh": 1, "skin": 0})
    builder.gltf["scenes"][0]["nodes"] = [first, MESH_NODE, 0]
    heights = [positions(read(tmp_path, builder, shading), part)[0, 1] for part in range(3)]
    np.testing.assert_allclose(heights, [1.6, 1.7, 1.5], atol=1e-6)


def test_a_mesh_of_two_nodes_is_drawn_at_both(tmp_path: Path) -> None:
    builder = character()
    second = builder.append("nodes", {"mesh": 0, "skin": 0, "translation": [0.3, 0, 0]})
    builder.gltf["scenes"][0]["nodes"].append(second)
    mesh = read(tmp_path, builder)
    np.testing.assert_allclose(positions(mesh, 1) - positions(mesh, 0), np.tile([0.3, 0, 0], (3, 1)), atol=1e-6)


@pytest.mark.parametrize("through", ["one accessor", "two accessors over the same bytes"])
def test_a_mesh_that_no_node_draws_still_writes_over_shared_positions(tmp_path: Path, through: str) -> None:
    builder = character(positions=ARM, joint=0)
    shared = builder.gltf["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    if through != "one accessor":
        shared = builder.append("accessors", dict(builder.gltf["accessors"][shared]))
    later = add_mesh(builder, ARM, joint=LEFT_UPPER)
    later["attributes"]["POSITION"] = shared
    mesh = read(tmp_path, builder)
    assert len(mesh.parts) == 1
    np.testing.assert_allclose(positions(mesh)[0], TURNED, atol=1e-6)


def test_sharing_positions_and_weights_does_not_pose_twice(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER)
    builder.gltf["meshes"][0]["primitives"] *= 3
    mesh = read(tmp_path, builder)
    for part in range(3):
        np.testing.assert_allclose(positions(mesh, part)[0], TURNED, atol=1e-6)


def test_only_triangles_at_vertices_without_weight_vanish(tmp_path: Path) -> None:
    builder = character(positions=np.concatenate([TRIANGLE, TRIANGLE + np.float32(0.01)]))
    weights = np.tile(np.array([[1, 0, 0, 0]], np.float32), (6, 1))
    weights[4] = 0
    attributes = builder.gltf["meshes"][0]["primitives"][0]["attributes"]
    attributes["WEIGHTS_0"] = builder.accessor(weights)
    mesh = read(tmp_path, builder)
    np.testing.assert_allclose(positions(mesh), TRIANGLE, atol=1e-6)
    assert mesh.notes == ("meshes[0].primitives[0].attributes.WEIGHTS_0: triangles without any weight vanish.",)


def test_only_the_first_set_of_coordinates_counts_whatever_the_material_names(tmp_path: Path) -> None:
    builder = character()
    attributes = builder.gltf["meshes"][0]["primitives"][0]["attributes"]
    attributes["TEXCOORD_1"] = attributes.pop("TEXCOORD_0")
    builder.gltf["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]["texCoord"] = 1
    assert read(tmp_path, builder).parts == ()
    assert read(tmp_path, builder, "corrected").parts[0].material.texture is not None


def test_morph_targets_do_not_move_anything(tmp_path: Path) -> None:
    builder = character()
    primitive = builder.gltf["meshes"][0]["primitives"][0]
    primitive["targets"] = [{"POSITION": builder.accessor(np.ones((3, 3), np.float32))}]
    builder.gltf["meshes"][0]["weights"] = [1.0]
    for shading in ("paper", "corrected"):
        np.testing.assert_allclose(positions(read(tmp_path, builder, shading)), TRIANGLE, atol=1e-6)


def test_an_upper_arm_that_is_no_joint_stays_and_has_no_recorded_turn(tmp_path: Path) -> None:
    builder = character(positions=ARM, joint=LEFT_UPPER)
    next(bone for bone in bones(builder) if bone["bone"] == "leftUpperArm")["node"] = MESH_NODE
    mesh = read(tmp_path, builder)
    np.testing.assert_allclose(positions(mesh), ARM, atol=1e-6)
    assert set(mesh.arm_angles_deg) == {"right"}


@pytest.mark.parametrize("name", ["indices", "TEXCOORD_0", "NORMAL"])
def test_every_accessor_of_a_primitive_needs_data(tmp_path: Path, name: str) -> None:
    builder = character()
    primitive = builder.gltf["meshes"][0]["primitives"][0]
    if name == "indices":
        empty = builder.append("accessors", {"componentType": 5125, "type": "SCALAR", "count": 3})
        primitive["indices"] = empty
    else:
        kind = "VEC2" if name == "TEXCOORD_0" else "VEC3"
        empty = builder.append("accessors", {"componentType": 5126, "type": kind, "count": 3})
        primitive["attributes"][name] = empty
    path = write(tmp_path, builder)
    words = rf"primitives\[0\]\.(attributes\.)?{name}: expected an accessor with data.*accessors\[{empty}\]"
    with pytest.raises(FormatError, match=words):
        read_head_mesh(path, shading="paper")
    with pytest.raises(FormatError, match=words):
        read_true_surface(path, pose="bind")
    read_head_mesh(path, shading="corrected")


# -- the surface that is measured -------------------------------------------------------------------------------


def test_the_bind_surface_needs_the_head_only(tmp_path: Path) -> None:
    builder = character()
    bones(builder)[:] = [bone for bone in bones(builder) if bone["bone"] == "head"]
    attributes = builder.gltf["meshes"][0]["primitives"][0]["attributes"]
    for name in ("JOINTS_0", "WEIGHTS_0", "TEXCOORD_0"):
        del attributes[name]
    builder.gltf["images"][0] = {"uri": "absent.png"}
    surface = read_true_surface(write(tmp_path, builder), pose="bind")
    np.testing.assert_array_equal(surface.verts, TRIANGLE)
    bones(builder).clear()
    with pytest.raises(FormatError, match="the bone head"):
        read_true_surface(write(tmp_path, builder), pose="bind")


def test_the_bind_surface_follows_the_meshes_and_repeats_shared_buffers(tmp_path: Path) -> None:
    builder = character()
    other = add_mesh(builder, ARM)
    again = dict(other, indices=builder.accessor(np.array([2, 1, 0], np.uint8)))
    builder.gltf["meshes"][1]["primitives"].append(again)
    second = builder.append("nodes", {"mesh": 1, "skin": 0})
    builder.gltf["scenes"][0]["nodes"] = [second, 0, MESH_NODE]
    surface = read_true_surface(write(tmp_path, builder), pose="bind")
    np.testing.assert_array_equal(surface.verts, np.concatenate([TRIANGLE, ARM, ARM]))
    np.testing.assert_array_equal(surface.faces, [[0, 1, 2], [3, 4, 5], [8, 7, 6]])


def test_the_bind_surface_of_vrm1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"extensions\.VRM: .*VRM 1\.0 block"):
        read_true_surface(write(tmp_path, character("1.0", turned=True)), pose="bind")


def test_a_file_without_any_primitive_has_no_bind_surface(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["meshes"] = []
    del builder.gltf["nodes"][MESH_NODE]["mesh"]
    path = write(tmp_path, builder)
    with pytest.raises(FormatError, match="meshes: expected at least one primitive, found none"):
        read_true_surface(path, pose="bind")
    assert read_head_mesh(path, shading="paper").notes == ("scenes[0]: there is nothing to draw.",)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shading": "Paper"}, "paper or corrected, found 'Paper'"),
        ({"shading": "paper", "fit": True}, "fit with corrected shading"),
        ({"paper_pose": float("inf")}, "finite angle of the arms, found inf"),
    ],
)
def test_the_arguments_of_a_surface_are_checked_as_those_of_a_picture(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    path = write(tmp_path, character())
    with pytest.raises(InputError, match=words):
        read_true_surface(path, pose="rendered", **options)
    with pytest.raises(InputError, match=words):
        read_head_mesh(path, **({"shading": "corrected"} | options))


def test_the_rendered_surface_of_paper_is_posed_and_in_head_model(tmp_path: Path) -> None:
    surface = read_true_surface(
        write(tmp_path, character(positions=ARM, joint=LEFT_UPPER)), pose="rendered", shading="paper"
    )
    np.testing.assert_allclose(surface.head_model().verts[0], TURNED - [0, 1.6, 0], atol=1e-6)
    np.testing.assert_array_equal(surface.loc_origin, np.zeros(3))
