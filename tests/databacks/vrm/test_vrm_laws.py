"""Laws over many made-up files, with trimesh and SciPy as judges where they can be."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation

from _databacks.vrm import read_document, read_head_mesh
from _databacks.vrm.materials import UvTransform
from _exchange.frames import HEAD_OFFSET
from _exchange.glb import ELEMENT_ARRAY_BUFFER, GlbBuilder
from _exchange.mesh import HeadMesh
from tests.databacks.vrm.handmade import HEAD_AT, add_material, character, write

FEW = settings(max_examples=12, derandomize=True, deadline=None)
SEEDS = st.integers(0, 2**31)
HEAD = (0.0, 1.5, 0.0)


def read(builder: GlbBuilder, name: str = "a.vrm", **options: object) -> HeadMesh:
    with tempfile.TemporaryDirectory() as folder:
        return read_head_mesh(write(Path(folder), builder, name), **options)


def random_node(rng: np.random.Generator) -> dict[str, Any]:
    """Rotation, mirroring or shrinking scale, and translation; every third node states a matrix instead."""
    rotation = Rotation.from_quat(rng.normal(size=4))
    scale, offset = rng.uniform(0.5, 1.5, 3) * rng.choice([-1, 1], 3), rng.normal(size=3)
    if rng.integers(3) == 0:
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = rotation.as_matrix() * scale, offset
        return {"matrix": matrix.T.ravel().tolist()}
    return {"translation": offset.tolist(), "rotation": rotation.as_quat().tolist(), "scale": scale.tolist()}


@FEW
@given(SEEDS)
def test_trimesh_places_the_nodes_of_any_tree_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    builder = GlbBuilder()
    corners = rng.normal(size=(6, 3)).astype(np.float32)
    attributes = {"POSITION": builder.accessor(corners)}
    builder.append("meshes", {"primitives": [{"attributes": attributes, "indices": _count(builder, 6)}]})
    parents = [-1, *(int(rng.integers(index)) for index in range(1, 6))]
    for index in range(6):
        children = [child for child, parent in enumerate(parents) if parent == index]
        links = {"children": children} if children else {}
        builder.append("nodes", random_node(rng) | {"mesh": 0, "name": f"n{index}"} | links)
    builder.append("scenes", {"nodes": [0]})
    builder.gltf["scene"] = 0
    mine = read(builder, "a.glb", shading="corrected", head_position=HEAD)
    theirs = trimesh.load_scene(io.BytesIO(builder.to_bytes()), file_type="glb", process=False)
    expected = [trimesh.transform_points(corners, theirs.graph.get(name)[0]) for name in theirs.graph.nodes_geometry]
    found = [part.positions + mine.loc_origin for part in mine.parts]
    assert len(found) == len(expected) == 6
    order = [theirs.graph.nodes_geometry.index(f"n{index}") for index in _depth_first(parents)]
    for place, which in zip(found, order):
        np.testing.assert_allclose(place, expected[which], atol=2e-4)  # float32 of numbers up to some hundreds


def _count(builder: GlbBuilder, count: int) -> int:
    return builder.accessor(np.arange(count, dtype=np.uint16), target=ELEMENT_ARRAY_BUFFER)


def _depth_first(parents: list[int], node: int = 0) -> list[int]:
    below = [child for child, parent in enumerate(parents) if parent == node]
    return [node, *(other for child in below for other in _depth_first(parents, child))]


@FEW
@given(SEEDS)
def test_binds_that_undo_the_rest_pose_leave_every_vertex_where_it_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = (rng.normal(size=(30, 3)) * 0.1 + HEAD_AT).astype(np.float32)
    builder = character("", positions=points)
    for node in builder.gltf["nodes"][:7]:
        node |= {"rotation": Rotation.random(random_state=rng).as_quat().tolist(), "scale": [0.8, 0.8, 0.8]}
    with tempfile.TemporaryDirectory() as folder:
        world = read_document(write(Path(folder), builder, "a.glb")).scenes.world("either", np.eye(4))[:7]
    attributes = builder.gltf["meshes"][0]["primitives"][0]["attributes"]
    builder.gltf["skins"][0]["inverseBindMatrices"] = builder.accessor(np.linalg.inv(world).astype(np.float32))
    attributes["JOINTS_0"] = builder.accessor(rng.integers(0, 7, (30, 4)).astype(np.uint8))
    attributes["WEIGHTS_0"] = builder.accessor(rng.uniform(0, 2, (30, 4)).astype(np.float32))
    mesh = read(builder, "a.glb", shading="corrected", head_position=HEAD)
    np.testing.assert_allclose(mesh.parts[0].positions, points - HEAD_AT - HEAD_OFFSET, atol=1e-5)


@FEW
@given(SEEDS, st.sampled_from(["paper", "corrected"]))
def test_weights_count_by_their_proportions(seed: int, shading: str) -> None:
    rng = np.random.default_rng(seed)
    first, second = (float(weight) for weight in rng.uniform(0.1, 1, 2))
    factor = float(rng.uniform(0.01, 50))
    arm = (rng.normal(size=(3, 3)) * 0.1 + (-0.25, 1.3, 0)).astype(np.float32)
    found = [
        read(character(positions=arm, joint=3, weights=weights), shading=shading).parts[0].positions
        for weights in ((first, second, 0, 0), (factor * first, factor * second, 0, 0))
    ]
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)


@FEW
@given(SEEDS)
def test_moving_a_whole_character_moves_only_its_origin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    offset = rng.uniform(-2, 2, 3)
    arm = (rng.normal(size=(3, 3)) * 0.1 + (-0.25, 1.3, 0)).astype(np.float32)
    slope = float(rng.uniform(-80, 80))
    still = read(character(positions=arm, joint=3, arm_slope_deg=slope), shading="corrected")
    builder = character(positions=arm, joint=3, arm_slope_deg=slope)
    builder.gltf["scenes"][0]["nodes"] = [builder.append("nodes", {"translation": offset.tolist(), "children": [0, 7]})]
    moved = read(builder, shading="corrected")
    np.testing.assert_allclose(moved.loc_origin, still.loc_origin + offset, atol=1e-9)
    np.testing.assert_allclose(moved.parts[0].positions, still.parts[0].positions, atol=1e-6)
    assert moved.neck_height == pytest.approx(still.neck_height)
    for side in ("left", "right"):
        assert moved.arm_angles_deg[side]["turn"] == pytest.approx(still.arm_angles_deg[side]["turn"])


@FEW
@given(SEEDS)
def test_a_mirrored_character_is_drawn_mirrored(seed: int) -> None:
    rng = np.random.default_rng(seed)
    slope = float(rng.uniform(-80, 80))
    points = (rng.normal(size=(3, 3)) * 0.3 + (-0.25, 1.3, 0)).astype(np.float32)
    left = read(character(positions=points, joint=3, arm_slope_deg=slope), shading="corrected")
    mirrored = (points * (-1, 1, 1)).astype(np.float32)
    right = read(character(positions=mirrored, joint=5, arm_slope_deg=slope), shading="corrected")
    np.testing.assert_allclose(right.parts[0].positions, left.parts[0].positions * (-1, 1, 1), atol=1e-6)


@FEW
@given(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), st.floats(-7, 7), st.tuples(st.floats(-3, 3), st.floats(-3, 3)))
def test_the_texture_transform_is_the_matrix_product_of_its_extension(
    offset: tuple[float, float], rotation: float, scale: tuple[float, float]
) -> None:
    # KHR_texture_transform: translation · rotation · scale, written there column by column
    cosine, sine = np.cos(rotation), np.sin(rotation)
    translate = np.array([[1, 0, 0], [0, 1, 0], [*offset, 1]]).T
    rotate = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]).T
    stretch = np.array([[scale[0], 0, 0], [0, scale[1], 0], [0, 0, 1]]).T
    uv = np.array([[0, 0], [1, 0], [0.25, 0.75]], np.float32)
    expected = (translate @ rotate @ stretch @ np.column_stack([uv, np.ones(3)]).T).T[:, :2]
    np.testing.assert_allclose(UvTransform(offset, rotation, scale).apply(uv), expected, atol=1e-5)


@FEW
@given(st.integers(3, 12), st.sampled_from([5, 6]))
def test_strips_and_fans_of_a_convex_outline_all_turn_the_same_way(corners: int, mode: int) -> None:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    outline = np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1).astype(np.float32)
    zigzag = [0]  # the corners of a strip alternate between both ends of the outline
    for step in range(1, corners):
        zigzag.append((step + 1) // 2 if step % 2 else corners - step // 2)
    order = np.arange(corners) if mode == 6 else np.array(zigzag)
    builder = GlbBuilder()
    primitive = {"attributes": {"POSITION": builder.accessor(outline[order])}, "mode": mode}
    builder.append("meshes", {"primitives": [primitive]})
    builder.append("nodes", {"mesh": 0})
    builder.append("scenes", {"nodes": [0]})
    surface = read(builder, "a.glb", shading="corrected", head_position=HEAD).surface()
    first, second, third = (surface.verts[surface.faces[:, corner]] for corner in range(3))
    areas = np.cross(second - first, third - first)[:, 2] / 2
    assert (areas > 0).all()
    assert areas.sum() == pytest.approx(corners * np.sin(2 * np.pi / corners) / 2, abs=1e-5)


def test_reading_twice_gives_the_same_arrays_and_notes() -> None:
    builder = character(joint=3)
    stream = io.BytesIO()
    Image.new("L", (3, 5), 77).save(stream, "PNG")
    for _ in range(30):
        builder.image(b"broken", "image/png")
    add_material(builder, stream.getvalue())
    once, again = (read(builder, shading="corrected") for _ in range(2))
    assert once.notes == again.notes
    numbers = [int(note.split("]")[0].removeprefix("images[")) for note in once.notes]
    assert numbers == sorted(numbers)
    for first, second in zip(once.parts, again.parts):
        np.testing.assert_array_equal(first.positions, second.positions)
