"""Reading predicted surfaces: what the scene draws, where its nodes put it, and the colours of its vertices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from _exchange.errors import InputError
from _exchange.glb import GlbBuilder
from _exchange.items import ItemId
from _exchange.run_folder import RunFolder
from _exchange.run_record import ItemStatus
from _measure.mesh_file import read_mesh_file
from _measure.predictions import RunPredictions

TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
ITEM = ItemId("own", "one")


def triangle(builder: GlbBuilder, **attributes: np.ndarray) -> int:
    """Append a mesh of one triangle without indices and return its index."""
    stored = {name: builder.accessor(array) for name, array in {"POSITION": TRIANGLE, **attributes}.items()}
    builder.append("meshes", {"primitives": [{"attributes": stored}]})
    return len(builder.gltf["meshes"]) - 1


def written(builder: GlbBuilder, nodes: list[dict], drawn: list[int], path: Path) -> Path:
    for node in nodes:
        builder.append("nodes", node)
    builder.append("scenes", {"nodes": drawn})
    builder.gltf["scene"] = 0
    path.write_bytes(builder.to_bytes())
    return path


def test_nodes_place_a_mesh_and_may_draw_it_twice(tmp_path: Path) -> None:
    """Child: moved by (0, 0, 1), then with its parent scaled by 2 and moved by (5, 0, 0)."""
    builder = GlbBuilder()
    mesh = triangle(builder)
    parent = {"translation": [5, 0, 0], "scale": [2, 2, 2], "children": [1]}
    child = {"mesh": mesh, "translation": [0, 0, 1]}
    read = read_mesh_file(written(builder, [parent, child, {"mesh": mesh}], [0, 2], tmp_path / "a.glb"))
    np.testing.assert_allclose(read.verts[:3], TRIANGLE * 2 + np.array([5, 0, 2]))
    np.testing.assert_allclose(read.verts[3:], TRIANGLE)
    np.testing.assert_array_equal(read.faces, [[0, 1, 2], [3, 4, 5]])


def test_nodes_outside_the_scene_are_not_part_of_the_surface(tmp_path: Path) -> None:
    builder = GlbBuilder()
    nodes = [{"mesh": triangle(builder)}, {"mesh": triangle(builder), "translation": [9, 9, 9]}]
    read = read_mesh_file(written(builder, nodes, [0], tmp_path / "a.glb"))
    np.testing.assert_array_equal(read.verts, TRIANGLE)


def test_linear_colours_become_srgb(tmp_path: Path) -> None:
    """The sRGB standard: 0.21404 linear is 0.5, 0.0031308 is 0.04045; alpha stays linear, beyond 1 is cut."""
    builder = GlbBuilder()
    linear = np.array([[0.2140411, 0, 1, 0.5], [0.0031308, 0, 0, 1], [7, -1, 0, 0]], np.float32)
    read = read_mesh_file(written(builder, [{"mesh": triangle(builder, COLOR_0=linear)}], [0], tmp_path / "a.glb"))
    assert read.colors is not None
    expected = [[128, 0, 255, 128], [10, 0, 0, 255], [255, 0, 0, 0]]
    assert np.abs(read.colors.astype(int) - expected).max() <= 1  # one byte for rounding at one half


def test_colours_without_alpha_are_opaque(tmp_path: Path) -> None:
    builder = GlbBuilder()
    mesh = triangle(builder, COLOR_0=np.zeros((3, 3), np.float32))
    read = read_mesh_file(written(builder, [{"mesh": mesh}], [0], tmp_path / "a.glb"))
    assert read.colors is not None
    assert read.colors.tolist() == [[0, 0, 0, 255]] * 3


def test_an_absent_surface_is_named_without_its_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        RunPredictions(RunFolder(tmp_path)).mesh(ITEM)
    assert str(caught.value) == "Expected a predicted surface mesh.glb, found none."


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(None, ""), (ItemStatus("ok"), ""), (ItemStatus("skipped", "Not asked for."), "skipped: Not asked for.")],
)
def test_why_nothing_was_made(tmp_path: Path, status: ItemStatus | None, sentence: str) -> None:
    run = RunFolder(tmp_path)
    if status is not None:
        status.write(run.item(ITEM).status)
    assert RunPredictions(run).failure(ITEM) == sentence
