"""`prepare` on folders of tiny characters: files, tables, caching, failures; every claim against exact geometry."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from _databacks.dataset import open_dataset
from _databacks.index import DatasetIndex
from _databacks.prepare import PrepareConfig, prepare, wanted_views
from _databacks.training_item import training_item
from _exchange.errors import InputError
from _exchange.items import ItemId, Region
from _exchange.pictures import read_picture
from tests.databacks.tiny_characters import HALF_SIDE, cube, files_below, tiny_character, write_tiny

SMALL = ("ortho",)
EDGE = round(HALF_SIDE / 0.7 * 512)
"""Half the side of the cube in the orthographic pictures, pixels."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")


def run(source, out, **options):
    settings = {"kinds": SMALL, "backend": "cpu", "workers": 1} | options
    return prepare(PrepareConfig(source=source, out=out, **settings))


def own(root):
    return root / "renders" / "own"


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


# -- what goes wrong


def test_bad_files_are_listed_with_their_reasons_and_stop_nobody(source, tmp_path):
    (source / "broken.vrm").write_bytes(b"glTF but not quite")
    write_tiny(source / "x/own/a.vrm")
    result = run(source, tmp_path / "out", workers=2)
    assert (result.total, result.drawn, result.failed) == (3, 2, 1)
    table = json.loads((own(tmp_path / "out") / "failures.json").read_text())
    assert [(row["item"], row["file"], row["status"]) for row in table] == [
        ("own/a", "x/own/a.vrm", "skipped"),
        ("own/broken", "broken.vrm", "failed"),
    ]
    assert "broken.vrm" in table[1]["reason"]
    assert not list((tmp_path / "out").rglob("broken*"))
    assert (tmp_path / "out/subsets/own_all.csv").read_text() == "own/a\nown/b\n"


def test_a_failure_is_remembered_until_it_is_asked_for_again(source, tmp_path):
    (source / "broken.vrm").write_bytes(b"glTF but not quite")
    run(source, tmp_path / "out")
    journal = own(tmp_path / "out") / "prepare_journal.jsonl"
    lines = journal.read_text().count("\n")
    assert run(source, tmp_path / "out").failed == 1
    assert journal.read_text().count("\n") == lines
    assert run(source, tmp_path / "out", retry_failed=True).failed == 1
    assert journal.read_text().count("\n") == lines + 1


def test_a_mended_file_is_no_failure_any_more(source, tmp_path):
    (source / "broken.vrm").write_bytes(b"glTF but not quite")
    run(source, tmp_path / "out")
    write_tiny(source / "broken.vrm")
    assert run(source, tmp_path / "out").failed == 0
    assert json.loads((own(tmp_path / "out") / "failures.json").read_text()) == []


def test_a_character_that_breaks_later_loses_its_pictures(source, tmp_path):
    run(source, tmp_path / "out")
    (source / "a.vrm").write_bytes(b"glTF but not quite")
    run(source, tmp_path / "out")
    assert [str(item) for item in open_dataset(tmp_path / "out").items()] == ["own/b"]
    assert not (own(tmp_path / "out") / "ortho/own/a").exists()


def test_a_character_with_nothing_above_its_neck_is_refused(tmp_path):
    write_tiny(tmp_path / "in/low.vrm", positions=cube(0.05, above=-0.3))
    result = run(tmp_path / "in", tmp_path / "out")
    assert "above its neck" in result.problems[0].reason


def test_paper_draws_vrm_0_and_refuses_vrm_1(tmp_path):
    write_tiny(tmp_path / "in/old.vrm")
    write_tiny(tmp_path / "in/new.vrm", "1.0")
    result = run(tmp_path / "in", tmp_path / "out", shading="paper")
    assert [problem.item for problem in result.problems] == ["own/new"]
    assert open_dataset(tmp_path / "out").default_protocol == "paper"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kinds": ("ortho", "depth")}, "depth"),
        ({"kinds": ("rgb_spin12",)}, "rgb_spin12"),
        ({"renderset": "kiddoWE"}, "kiddoWE"),
        ({"renderset": "daredemoE"}, "daredemoE"),
        ({"limit": -1}, "limit"),
        ({"shading": "toon"}, "toon"),
        ({"out": None}, "--out"),
    ],
)
def test_wrong_options_are_sentences(source, tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        prepare(PrepareConfig(**({"source": source, "out": tmp_path / "out", "backend": "cpu"} | options)))


def test_an_empty_folder_makes_an_empty_set(tmp_path):
    (tmp_path / "in").mkdir()
    result = run(tmp_path / "in", tmp_path / "out")
    assert (result.total, result.problems) == (0, ())
    assert open_dataset(tmp_path / "out").items() == []


# -- fit, plain files, published sets


def test_fit_shrinks_a_large_head_and_says_by_how_much(tmp_path):
    write_tiny(tmp_path / "in/large.vrm", positions=cube(0.4))
    run(tmp_path / "in", tmp_path / "out", fit=True)
    entry = json.loads((own(tmp_path / "out") / "own_meta.json").read_text())["own/ortho/own/large/front"]
    assert entry["render_params"]["scale"] == pytest.approx(0.34 / 0.4)
    cols = np.nonzero(read_picture(own(tmp_path / "out") / "ortho/own/large/front.png")[..., 3] > 127)[1]
    assert (cols.max() + 1 - cols.min()) / 512 * 0.7 == pytest.approx(2 * 0.34, abs=0.003)
    assert open_dataset(tmp_path / "out").truth(ItemId("own", "large")).fit


def test_plain_glb_characters_need_the_head_s_position(tmp_path):
    content = tiny_character()
    (tmp_path / "in").mkdir()
    plain = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
    plain["extensionsUsed"] = plain["extensions"] = None
    text = json.dumps({key: value for key, value in plain.items() if value is not None}).encode()
    text += b" " * (int.from_bytes(content[12:16], "little") - len(text))
    (tmp_path / "in/plain.glb").write_bytes(content[:20] + text + content[20 + len(text) :])
    assert run(tmp_path / "in", tmp_path / "out").failed == 1
    result = run(tmp_path / "in", tmp_path / "out", head_position=(0.0, 1.5, 0.0))
    assert (result.drawn, result.failed) == (1, 0)
    truth = open_dataset(tmp_path / "out").truth(ItemId("own", "plain"))
    assert truth.character.name == "plain.glb"
    assert truth.head_position == (0, 1.5, 0)


def test_a_published_set_is_drawn_from_its_raw_characters(tmp_path):
    root = tmp_path / "_data/lustrous"
    write_tiny(root / "raw/dssc/genshin/albedo.vrm")
    (root / "subsets").mkdir()
    (root / "subsets/daredemoE_test.csv").write_text("genshin/albedo\nhololive/absent_v1.0\n")
    authors = {"daredemoE/ortho/x/y/front": {"render_params": {"elev": 0, "azim": 0}}}
    (root / "renders/daredemoE").mkdir(parents=True)
    (root / "renders/daredemoE/daredemoE_meta.json").write_text(json.dumps(authors))
    result = prepare(PrepareConfig(source=tmp_path, kinds=("ortho",), backend="cpu", workers=1))
    assert (result.renderset, result.total, result.drawn, result.failed) == ("daredemoE", 2, 1, 1)
    assert "raw/dssc/hololive/absent_v1.0.vrm" in result.problems[0].reason
    meta = json.loads((root / "renders/daredemoE/daredemoE_meta.json").read_text())
    assert set(meta) == {*authors, *(f"daredemoE/ortho/genshin/albedo/{view}" for view in VIEWS)}
    assert not (root / "renders/daredemoE/fandom_align").exists()
    assert (root / "subsets/daredemoE_test.csv").read_text().startswith("genshin/albedo\n")
    record = json.loads((root / "renders/daredemoE/_records/genshin/albedo.json").read_text())
    assert (record["shading"], record["paper_arm_degrees"]) == ("paper", 15)


VIEWS = ("front", "left", "right", "back", "top")


def test_kinds_are_named_like_their_folders():
    spin = ("0042", "0043", "0044", "0045", "0046", "0047", "0036", "0037", "0038", "0039", "0040", "0041")
    assert wanted_views(("rgb60_spin12", "ortho")) == {"ortho": None, "rgb60": spin}
    assert wanted_views(("rgb60_spin12", "rgb60")) == {"rgb60": None}
    assert set(wanted_views(("all",))) == {"ortho", "ortho_xyza", "rgb", "xyza", "rgb60", "xyza60"}
