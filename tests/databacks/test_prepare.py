"""`prepare` on folders of tiny characters: files, tables, caching, failures; every claim against exact geometry."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from _databacks.dataset import open_dataset
from _databacks.index import DatasetIndex
from _databacks.prepare import PrepareConfig, prepare
from _databacks.training_item import training_item
from _exchange.items import ItemId, Region
from _exchange.pictures import read_picture
from tests.databacks.preparing import own, run
from tests.databacks.tiny_characters import HALF_SIDE, cube, files_below, tiny_character, write_tiny

EDGE = round(HALF_SIDE / 0.7 * 512)
"""Half the side of the cube in the orthographic pictures, pixels."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")


# -- what is written


@pytest.fixture(scope="module")
def default_kinds(tmp_path_factory):
    """Two characters in the default kinds: (dataset root, result)."""
    root = tmp_path_factory.mktemp("default")
    write_tiny(root / "in/cube.vrm")
    write_tiny(root / "in/_friends/cube.v2.vrm", "1.0", author="B. Author")
    result = prepare(PrepareConfig(source=root / "in", out=root / "out", backend="cpu", workers=1))
    return root / "out", result


def test_default_kinds_are_what_measuring_needs(default_kinds):
    root, result = default_kinds
    assert (result.total, result.drawn, result.cached, result.failed) == (2, 2, 0, 0)
    dataset = open_dataset(root)
    assert dataset.items() == [ItemId("friends", "cube.v2"), ItemId("own", "cube")]
    assert dataset.missing_stages() == []
    assert dataset.default_protocol == "corrected"
    kinds = {path.relative_to(own(root)).parts[0]: 0 for path in own(root).rglob("*.png")}
    for path in own(root).rglob("*.png"):
        kinds[path.relative_to(own(root)).parts[0]] += 1
    assert kinds == {"ortho": 10, "ortho_xyza": 10, "rgb60": 24, "xyza60": 24, "fandom_align": 2}


def test_pictures_show_the_character_where_it_is(default_kinds):
    root, _ = default_kinds
    for name in ("friends/cube.v2", "own/cube"):
        front = read_picture(own(root) / f"ortho/{name}/front.png")
        rows, cols = np.nonzero(front[..., 3] > 127)
        for side in (rows, cols):
            assert (side.min(), side.max() + 1) == pytest.approx((256 - EDGE, 256 + EDGE), abs=1)
        assert front[256, 256].tolist() == [200, 200, 200, 255]


def test_the_portrait_is_a_drawing_with_the_alpha_of_the_front_picture(default_kinds):
    root, _ = default_kinds
    given = open_dataset(root).method_input(ItemId("own", "cube"))
    front = read_picture(own(root) / "ortho/own/cube/front.png")
    assert (given.portrait[..., 3] == front[..., 3]).all()
    assert (given.portrait[..., :3] != front[..., :3]).any()
    assert given.alignment.transformation.tolist() == np.eye(3).tolist()
    side = 256 - EDGE - 8
    assert given.alignment.region == Region(side, side, 512 - 2 * side, 512 - 2 * side)


def test_the_truth_points_at_the_copy_inside_the_dataset(default_kinds):
    root, _ = default_kinds
    truth = open_dataset(root).truth(ItemId("friends", "cube.v2"))
    assert truth.bn == "own/fandom_align/friends/cube.v2/front"
    assert truth.character == root / "raw/own/friends/cube.v2.vrm"
    assert truth.character.read_bytes() == tiny_character("1.0", author="B. Author")
    assert (truth.fit, truth.head_position) == (False, ())


def test_every_picture_has_metadata_with_its_camera_and_the_arms(default_kinds):
    root, _ = default_kinds
    index = DatasetIndex(root)
    assert set(index.names) == set(json.loads((own(root) / "own_meta.json").read_text()))
    for bn in index.names:
        index.item(bn)
    params = index.item("own/rgb60/own/cube/0043")["render_params"]
    assert params == {"elev": 0, "azim": 30, "dist": 1, "fov": 30, "near": 0.5, "far": 1.5, "boxwarp": 0.7}
    entry = json.loads((own(root) / "own_meta.json").read_text())["own/ortho/own/cube/back"]
    assert entry["render_params"]["azim"] == 180
    assert entry["arm_angles_deg"]["left"] == pytest.approx({"rest": 0, "turn": 60}, abs=1e-4)


def test_prepared_pictures_make_training_items(default_kinds):
    root, _ = default_kinds
    item = training_item(DatasetIndex(root), "own/rgb60/own/cube/0042", 64)
    np.testing.assert_allclose(item["xyz"][2, 32, 32], -HALF_SIDE, atol=0.7 / 255)  # its front, towards -z
    assert item["condition"]["image_ortho_left"].shape == (3, 64, 64)


def test_author_and_licence_stand_beside_the_pictures(default_kinds):
    root, _ = default_kinds
    with open(own(root) / "attribution.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["item"], row["title"], row["author"], row["licence"]) for row in rows] == [
        ("friends/cube.v2", "Cube", "B. Author", "https://vrm.dev/licenses/1.0/"),
        ("own/cube", "Cube", "A. Uthor", "CC0"),
    ]
    listed = json.loads((own(root) / "attribution.json").read_text())
    assert [entry["file"] for entry in listed] == ["_friends/cube.v2.vrm", "cube.vrm"]


# -- again, and in other ways


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in"
    write_tiny(folder / "a.vrm")
    write_tiny(folder / "b.vrm", positions=cube(0.05))
    return folder


def test_a_second_run_draws_nothing_and_changes_nothing(source, tmp_path):
    run(source, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    files = files_below(tmp_path / "out")
    result = run(source, tmp_path / "out")
    assert (result.drawn, result.cached) == (0, 2)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")} == before
    assert files_below(tmp_path / "out") == files


def test_workers_do_not_show_in_the_files(source, tmp_path):
    run(source, tmp_path / "one")
    run(source, tmp_path / "two", workers=2)
    assert files_below(tmp_path / "one") == files_below(tmp_path / "two")


def test_a_changed_file_and_a_damaged_picture_are_drawn_again(source, tmp_path):
    run(source, tmp_path / "out")
    files = files_below(tmp_path / "out")
    picture = own(tmp_path / "out") / "ortho/own/b/front.png"
    picture.write_bytes(b"damaged")
    assert run(source, tmp_path / "out").drawn == 1
    assert files_below(tmp_path / "out") == files
    write_tiny(source / "b.vrm", positions=cube(0.08))
    assert run(source, tmp_path / "out").drawn == 1
    run(source, tmp_path / "fresh")
    assert files_below(tmp_path / "out") == files_below(tmp_path / "fresh")


def test_other_settings_draw_again_and_leave_nothing_of_the_old(source, tmp_path):
    run(source, tmp_path / "out", kinds=("ortho", "ortho_xyza"))
    assert run(source, tmp_path / "out").drawn == 2
    run(source, tmp_path / "fresh")
    assert files_below(tmp_path / "out") == files_below(tmp_path / "fresh")


def test_a_character_that_left_the_folder_leaves_the_dataset(source, tmp_path):
    run(source, tmp_path / "out")
    (source / "a.vrm").unlink()
    run(source, tmp_path / "out")
    assert (tmp_path / "out/subsets/own_all.csv").read_text() == "own/b\n"
    run(source, tmp_path / "fresh")
    assert files_below(tmp_path / "out") == files_below(tmp_path / "fresh")


def test_a_limit_takes_the_first_and_removes_nobody(source, tmp_path):
    assert run(source, tmp_path / "out", limit=1).total == 1
    assert [str(item) for item in open_dataset(tmp_path / "out").items()] == ["own/a"]
    run(source, tmp_path / "out")
    run(source, tmp_path / "out", limit=1)
    assert [str(item) for item in open_dataset(tmp_path / "out").items()] == ["own/a", "own/b"]


def test_a_prepared_dataset_can_be_drawn_in_other_kinds_from_its_own_copies(source, tmp_path):
    run(source, tmp_path / "out")
    result = prepare(PrepareConfig(source=tmp_path / "out", kinds=("ortho_xyza",), backend="cpu", workers=1))
    assert (result.renderset, result.drawn) == ("own", 2)
    assert (own(tmp_path / "out") / "ortho_xyza/own/a/front.png").is_file()
    assert (tmp_path / "out/raw/own/own/a.vrm").read_bytes() == tiny_character()


@pytest.mark.parametrize(("folder", "dataset"), [("in", "in/out"), ("out/source", "out")])
def test_source_and_dataset_may_lie_in_one_another(tmp_path, folder, dataset):
    write_tiny(tmp_path / folder / "a.vrm")
    for drawn in (1, 0):
        result = run(tmp_path / folder, tmp_path / dataset)
        assert (result.total, result.drawn) == (1, drawn)
