"""What `prepare` takes from a folder and leaves in it: names, links, copies, source and dataset in one folder."""

from __future__ import annotations

import json
import os

import pytest

from _databacks.dataset import open_dataset
from _databacks.folder import characters_below
from _databacks.index import DatasetIndex
from _databacks.prepare_plan import PrepareConfig, plan_of
from _exchange.errors import InputError
from tests.databacks.preparing import own, run
from tests.databacks.tiny_characters import cube, files_below, tiny_character, write_tiny


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")


def listed(root):
    return (root / "subsets/own_all.csv").read_text(encoding="utf-8").splitlines()


# -- names


def test_a_renamed_file_is_another_character_and_the_old_one_is_gone(tmp_path):
    write_tiny(tmp_path / "in/a.vrm")
    run(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in/a.vrm").rename(tmp_path / "in/z.vrm")
    assert run(tmp_path / "in", tmp_path / "out").drawn == 1
    run(tmp_path / "in", tmp_path / "fresh")
    assert files_below(tmp_path / "out") == files_below(tmp_path / "fresh")
    assert listed(tmp_path / "out") == ["own/z"]


def test_case_tells_characters_apart_and_a_suffix_does_not(tmp_path):
    for name in ("a.vrm", "A.vrm", "a.VRM", "a.glb"):
        write_tiny(tmp_path / "in" / name, title=name)
    result = run(tmp_path / "in", tmp_path / "out")
    assert listed(tmp_path / "out") == ["own/A", "own/a"]
    assert [(problem.file, problem.status) for problem in result.problems] == [
        ("a.glb", "skipped"),
        ("a.vrm", "skipped"),
    ]
    assert all("a.VRM" in problem.reason for problem in result.problems)
    titles = {row["item"]: row["title"] for row in json.loads((own(tmp_path / "out") / "attribution.json").read_text())}
    assert titles == {"own/A": "A.vrm", "own/a": "a.VRM"}


def test_a_character_that_changes_its_suffix_keeps_one_copy(tmp_path):
    write_tiny(tmp_path / "in/a.vrm")
    run(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in/a.vrm").rename(tmp_path / "in/a.GLB")
    run(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out/raw/own/own").iterdir()] == ["a.glb"]
    assert {gap.stage for gap in open_dataset(tmp_path / "out").missing_stages()} == {"renders"}  # only ortho is drawn


def test_unicode_spaces_commas_and_underscores_reach_every_table(tmp_path):
    name = 'はつね, "v1" é'
    write_tiny(tmp_path / f"in/_友達/_{name}.vrm", author="作者, Ltd.\nzwei")
    run(tmp_path / "in", tmp_path / "out")
    (item,) = open_dataset(tmp_path / "out").items()
    assert (item.franch, item.idx) == ("友達", f"_{name}")
    index = DatasetIndex(tmp_path / "out")
    assert f"own/ortho/友達/_{name}/front" in index.names
    assert set(index.names) == set(json.loads((own(tmp_path / "out") / "own_meta.json").read_text(encoding="utf-8")))
    assert open_dataset(tmp_path / "out").method_input(item).portrait.shape == (512, 512, 4)
    assert {gap.stage for gap in open_dataset(tmp_path / "out").missing_stages()} == {"renders"}  # only ortho is drawn


def test_a_folder_whose_name_is_no_text_is_skipped_with_a_sentence(tmp_path):
    write_tiny(tmp_path / "in/good.vrm")
    outer = os.fsencode(tmp_path / "in") + b"/\xff/set"
    os.makedirs(outer)
    with open(outer + b"/a.vrm", "wb") as stream:
        stream.write(tiny_character())
    result = run(tmp_path / "in", tmp_path / "out")
    assert (result.drawn, [problem.status for problem in result.problems]) == (1, ["skipped"])
    assert "\\udcff/set/a.vrm" in result.problems[0].sentence


def test_a_name_too_long_to_be_written_fails_alone(tmp_path):
    write_tiny(tmp_path / "in" / f"{'x' * 251}.vrm")
    write_tiny(tmp_path / "in/a.vrm")
    result = run(tmp_path / "in", tmp_path / "out")
    assert (result.drawn, result.failed) == (1, 1)
    assert "name too long" in result.problems[0].reason


# -- links


def test_links_are_followed_and_a_folder_inside_itself_is_not(tmp_path):
    write_tiny(tmp_path / "disk/set/x.vrm")
    write_tiny(tmp_path / "disk/y.vrm")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/linked").symlink_to(tmp_path / "disk/set")
    (tmp_path / "in/z.vrm").symlink_to(tmp_path / "disk/y.vrm")
    (tmp_path / "in/round").symlink_to(tmp_path / "in")
    characters, problems = characters_below(tmp_path / "in")
    assert ([str(character.item) for character in characters], problems) == (["linked/x", "own/z"], [])


def test_the_copy_of_a_linked_character_is_a_file_of_its_own(tmp_path):
    write_tiny(tmp_path / "disk/y.vrm")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/z.vrm").symlink_to(tmp_path / "disk/y.vrm")
    run(tmp_path / "in", tmp_path / "out")
    copy = tmp_path / "out/raw/own/own/z.vrm"
    assert not copy.is_symlink()
    assert copy.read_bytes() == tiny_character()


def test_links_that_lead_nowhere_are_named(tmp_path):
    write_tiny(tmp_path / "in/a.vrm")
    (tmp_path / "in/b.vrm").symlink_to("nowhere")
    (tmp_path / "in/loop.vrm").symlink_to("loop.vrm")
    _, problems = characters_below(tmp_path / "in")
    assert [problem.sentence for problem in problems] == [
        f"skipped: '{name}': It is no file, or a link that leads nowhere." for name in ("b.vrm", "loop.vrm")
    ]


# -- what belongs to the user stays


def test_sources_are_neither_written_nor_touched(tmp_path):
    write_tiny(tmp_path / "in/deep/a.vrm")
    (tmp_path / "in/deep/notes.txt").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "in").rglob("*")}
    for path in before:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert run(tmp_path / "in", tmp_path / "out").drawn == 1
    finally:
        for path in before:
            path.chmod(0o755)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "in").rglob("*")} == before


@pytest.mark.parametrize("options", [{}, {"limit": 1}])
def test_a_dataset_prepared_from_its_own_copies_loses_none_of_them(tmp_path, options):
    write_tiny(tmp_path / "in/a.vrm")
    out = tmp_path / "out"
    run(tmp_path / "in", out)
    (out / "raw/own/own/broken.vrm").write_bytes(b"glTF but not quite")
    write_tiny(out / "raw/own/own/c.vrm")
    (out / "raw/own/notes.txt").write_text("mine")
    run(out, None, **options)
    kept = {path.relative_to(out / "raw/own").as_posix() for path in (out / "raw/own").rglob("*.*")}
    assert kept == {"own/a.vrm", "own/broken.vrm", "own/c.vrm", "notes.txt"}
    assert listed(out) == (["own/a"] if options else ["own/a", "own/c"])


def test_a_folder_may_be_source_and_dataset_at_once(tmp_path):
    write_tiny(tmp_path / "a.vrm")
    run(tmp_path, tmp_path)
    write_tiny(tmp_path / "b.vrm", positions=cube(0.05))
    result = run(tmp_path, tmp_path)
    assert (result.drawn, result.cached) == (1, 1)
    files = {row["item"]: row["file"] for row in json.loads((own(tmp_path) / "attribution.json").read_text())}
    assert files == {"own/a": "a.vrm", "own/b": "b.vrm"}


def test_a_run_in_place_that_ended_before_its_tables_goes_on(tmp_path):
    write_tiny(tmp_path / "a.vrm")
    run(tmp_path, tmp_path)
    (tmp_path / "subsets/own_all.csv").unlink()
    assert (run(tmp_path, tmp_path).cached, listed(tmp_path)) == (1, ["own/a"])


def test_a_limit_and_then_none_gives_the_files_of_a_whole_run(tmp_path):
    for name, side in (("a", 0.1), ("b", 0.05), ("c", 0.07)):
        write_tiny(tmp_path / f"in/{name}.vrm", positions=cube(side))
    (tmp_path / "in/broken.vrm").write_bytes(b"no character")
    for limit in (2, 1, 0):
        run(tmp_path / "in", tmp_path / "out", limit=limit)
    run(tmp_path / "in", tmp_path / "fresh")
    assert files_below(tmp_path / "out") == files_below(tmp_path / "fresh")


# -- published sets are written in place


def published(root):
    write_tiny(root / "raw/dssc/genshin/albedo.vrm")
    (root / "subsets").mkdir()
    (root / "subsets/daredemoE_test.csv").write_text("genshin/albedo\n")
    return root


def test_a_published_set_is_not_written_elsewhere(tmp_path):
    with pytest.raises(InputError, match=r"Expected to write daredemoE beside.*set, found .*out\. Leave out --out"):
        run(published(tmp_path / "set"), tmp_path / "out", renderset="daredemoE")
    assert not (tmp_path / "out").exists()


def test_a_published_set_may_be_named_twice_in_two_spellings(tmp_path, monkeypatch):
    monkeypatch.chdir(published(tmp_path / "set").parent)
    result = run(tmp_path / "set", (tmp_path / "set").relative_to(tmp_path), renderset="daredemoE")
    assert (result.drawn, result.failed) == (1, 0)
    record = json.loads((tmp_path / "set/renders/daredemoE/_records/genshin/albedo.json").read_text())
    assert record["character"] == "raw/dssc/genshin/albedo.vrm"


def test_a_damaged_alignment_does_not_keep_a_published_set_from_being_drawn(tmp_path):
    root = published(tmp_path)
    (root / "subsets/daredemoE_test.csv").write_text("genshin/albedo\ngenshin/absent\n")
    (root / "renders/daredemoE").mkdir(parents=True)
    (root / "renders/daredemoE/fandom_align_alignment.json").write_text("{")
    result = run(root, None, renderset="daredemoE")
    assert (result.drawn, result.failed) == (1, 1)
    assert "raw/dssc/genshin/absent.vrm is missing" in result.problems[0].reason


@pytest.mark.parametrize(("make", "found"), [(None, "no such folder"), ("touch", "a file")])
def test_a_source_that_is_no_folder_is_named_before_anything_else_is_asked_for(tmp_path, make, found):
    source = tmp_path / "characters"
    if make:
        getattr(source, make)()
    with pytest.raises(InputError, match=rf"in {source}, found {found}\.$"):
        plan_of(PrepareConfig(source=source))
