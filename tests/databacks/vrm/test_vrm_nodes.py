"""Nodes: matrices worked by hand, drawing order, and trees that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _databacks.vrm import read_document
from _databacks.vrm.nodes import Scenes, turn_about_z
from _exchange.errors import FormatError
from tests.databacks.vrm.handmade import pack_glb, write

QUARTER_ABOUT_Z = [0, 0, np.sqrt(0.5), np.sqrt(0.5)]


def scenes_of(folder: Path, nodes: list[dict[str, Any]], **fields: Any) -> Scenes:
    gltf = {"asset": {"version": "2.0"}, "nodes": nodes} | fields
    return read_document(write(folder, pack_glb(gltf), "a.glb")).scenes


def image_of(matrix: np.ndarray, point: tuple[float, float, float]) -> list[float]:
    return [round(float(value), 12) for value in (matrix @ (*point, 1))[:3]]


def test_scale_comes_first_then_rotation_then_translation(tmp_path: Path) -> None:
    nodes = [{"translation": [10, 0, 0], "rotation": QUARTER_ABOUT_Z, "scale": [2, 3, 4]}]
    world = scenes_of(tmp_path, nodes).world("either", np.eye(4))
    # (1, 1, 1) → scaled (2, 3, 4) → a quarter turn about z (−3, 2, 4) → moved (7, 2, 4)
    assert image_of(world[0], (1, 1, 1)) == [7, 2, 4]


def test_a_matrix_is_stored_column_by_column(tmp_path: Path) -> None:
    matrix = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1]
    world = scenes_of(tmp_path, [{"matrix": matrix}]).world("either", np.eye(4))
    assert image_of(world[0], (0, 0, 0)) == [5, 6, 7]


def test_children_stand_in_their_parents(tmp_path: Path) -> None:
    nodes = [{"translation": [0, 1, 0]}, {"rotation": QUARTER_ABOUT_Z, "translation": [1, 0, 0], "children": [0]}]
    world = scenes_of(tmp_path, nodes).world("either", np.eye(4))
    # the parent turns the child's (0, 1, 0) to (−1, 0, 0) and moves it by (1, 0, 0)
    assert image_of(world[0], (0, 0, 0)) == [0, 0, 0]


def test_matrix_and_translation_together_count_only_for_the_original(tmp_path: Path) -> None:
    double = [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]
    scenes = scenes_of(tmp_path, [{"matrix": double, "translation": [1, 0, 0]}])
    assert image_of(scenes.world("either", np.eye(4))[0], (1, 0, 0)) == [2, 0, 0]
    assert image_of(scenes.world("both", np.eye(4))[0], (1, 0, 0)) == [4, 0, 0]


def test_a_quaternion_is_brought_to_unit_length(tmp_path: Path) -> None:
    world = scenes_of(tmp_path, [{"rotation": [0, 0, 3, 3]}]).world("either", np.eye(4))
    assert image_of(world[0], (1, 0, 0)) == [0, 1, 0]


def test_drawing_order_is_depth_first_from_the_roots(tmp_path: Path) -> None:
    nodes = [{"children": [3, 2]}, {}, {"children": [4]}, {}, {}, {}]
    scenes = scenes_of(tmp_path, nodes, scenes=[{"nodes": [5, 0]}, {"nodes": [1]}], scene=1)
    assert scenes.default == 1
    assert scenes.draw_order(0) == [5, 0, 3, 2, 4]
    assert scenes.draw_order(1) == [1]


def test_a_turn_about_z_is_counter_clockwise_seen_from_plus_z() -> None:
    turn = turn_about_z(90, np.array([1.0, 0.0, 7.0]))
    assert image_of(turn, (2, 0, 0)) == [1, 1, 0]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([{"children": [2]}, {"children": [2]}, {}], "nodes[1].children[0]: expected a node without another parent"),
        ([{"children": [1, 1]}, {}], "nodes[0].children[1]: expected a node without another parent"),
        ([{"children": [1]}, {"children": [0]}], "nodes[0]: expected a tree of nodes"),
        ([{"children": [0]}], "nodes[0]: expected a tree of nodes"),
        ([{"children": [1]}], "nodes[0].children[0]: expected an index into nodes"),
        ([{"children": [-1]}], "nodes[0].children[0]: expected an integer in 0.."),
        ([{"children": {}}], "nodes[0].children: expected an array"),
        ([{"rotation": [0, 0, 0, 0]}], "nodes[0].rotation: expected a unit quaternion"),
        ([{"scale": [1, 2]}], "nodes[0].scale: expected an array of 3 numbers"),
        ([{"translation": [1, "a", 2]}], "nodes[0].translation[1]: expected a number, found the text 'a'"),
        ([{"skin": 0}], "nodes[0].skin: expected an index into skins"),
    ],
)
def test_nodes_that_form_no_tree_are_refused(tmp_path: Path, nodes: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(FormatError) as problem:
        scenes_of(tmp_path, nodes)
    assert str(problem.value).removeprefix("a.glb: ").startswith(words)


def test_an_overflowing_product_is_refused(tmp_path: Path) -> None:
    nodes = [{"scale": [1e38] * 3, "children": [index + 1]} for index in range(20)] + [{}]
    with pytest.raises(FormatError, match="finite world matrix"):
        scenes_of(tmp_path, nodes).world("either", np.eye(4))


def test_a_chain_of_thousands_of_nodes_is_walked(tmp_path: Path) -> None:
    nodes = [{"translation": [0, 0.5, 0], "children": [index + 1]} for index in range(5000)] + [{}]
    scenes = scenes_of(tmp_path, nodes, scenes=[{"nodes": [0]}])
    assert scenes.world("either", np.eye(4))[-1][1, 3] == 2500
    assert len(scenes.draw_order(0)) == len(scenes.descendants(0)) == 5001
