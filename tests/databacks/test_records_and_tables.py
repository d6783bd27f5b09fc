"""Records of prepared characters, and the tables that are rebuilt from them."""

from __future__ import annotations

import csv
import io
import json

import pytest

from _databacks.folder import Problem
from _databacks.layout import DatasetLayout
from _databacks.prepare_tables import remove_unlisted, write_tables
from _databacks.records import CharacterRecord, read_records
from _exchange.errors import FormatError, InputError
from _exchange.items import ItemId, Region


def record(idx="a", **changes):
    values = {
        "franch": "own",
        "idx": idx,
        "file": f"{idx}.vrm",
        "sha256": "0" * 64,
        "character": f"raw/own/own/{idx}.vrm",
        "shading": "corrected",
        "paper_arm_degrees": 60.0,
        "region": [[1.0, 2.0], [3.0, 4.0]],
        "views": {"ortho": ["front"], "fandom_align": ["front"]},
    }
    return CharacterRecord(**(values | changes))


@pytest.fixture
def layout(tmp_path):
    return DatasetLayout(tmp_path)


@pytest.fixture
def folder(layout):
    return layout.render_set("own")


def stored(folder, **changes):
    """The path of a record with values that no record has in memory."""
    path = record().write(folder)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


# -- records


def test_a_record_is_the_same_after_writing(folder):
    written = record("はつね v1.0", head_position=(0.0, 1.5, 0.25), notes=("one",), arms={"left": {"rest": 1.0}})
    assert CharacterRecord.read(written.write(folder)) == written
    assert written.area == Region(1, 2, 3, 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 2},
        {"franch": 3},
        {"idx": "a/b"},
        {"character": "/etc/passwd"},
        {"character": "../../other.vrm"},
        {"shading": "toon"},
        {"region": [[0, 0], [0, 5]]},
        {"region": "everything"},
        {"views": 3},
        {"views": {"ortho": "front"}},
        {"notes": None},
        {"head_position": 1.5},
    ],
)
def test_a_damaged_record_is_refused_by_its_file(folder, changes):
    with pytest.raises(FormatError, match=r"^a\.json: "):
        CharacterRecord.read(stored(folder, **changes))


def test_a_record_that_lacks_a_value_and_one_that_is_absent_are_sentences(folder):
    path = record().write(folder)
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "sha256"}))
    with pytest.raises(FormatError, match=r"a\.json.*sha256"):
        CharacterRecord.read(path)
    with pytest.raises(InputError, match=r"b\.json"):
        CharacterRecord.read(folder.record(ItemId("own", "b")))


def test_values_of_later_versions_of_the_same_schema_are_passed_over(folder):
    assert CharacterRecord.read(stored(folder, colour="red")) == record()


def test_records_are_read_in_the_order_of_items_without_leftovers(folder):
    for idx, franch in (("b", "own"), ("a", "own"), ("z", "friends")):
        record(idx, franch=franch).write(folder)
    (folder.records / "own" / ".partial-1-c.json").write_text("{")
    assert [str(found.item) for found in read_records(folder)] == ["friends/z", "own/a", "own/b"]


def test_a_view_without_a_camera_is_named(folder):
    with pytest.raises(FormatError, match=r"^a\.json: views\.rgb60.*0060"):
        record(views={"rgb60": ["0060"]}).view_metadata("own")


# -- tables


def test_attribution_keeps_every_field_of_every_character(layout, folder):
    texts = {"author": 'A, "B"\nC', "title": "=1+1", "licenseName": "CC_BY"}
    record("a", attribution=texts | {"licence": "CC_BY"}).write(folder)
    record("b", attribution={"copyrightInformation": "© はつね", "item": "a lie"}).write(folder)
    write_tables(layout, "own", [])
    table = list(csv.reader(io.StringIO(folder.attribution("csv").read_text(encoding="utf-8"), newline="")))
    first, second = (dict(zip(table[0], row, strict=True)) for row in table[1:])
    assert table[0][:6] == ["item", "file", "sha256", "title", "author", "licence"]
    assert {key: first[key] for key in texts} == texts
    assert first["copyrightInformation"] == second["author"] == ""
    assert (second["item"], second["copyrightInformation"]) == ("own/b", "© はつね")


def test_tables_of_an_empty_set_are_there_and_empty(layout, folder):
    write_tables(layout, "own", [])
    assert layout.subset("own_all").read_text() == ""
    for path in (folder.metadata, folder.alignment_json):
        assert json.loads(path.read_text()) == {}
    for path in (folder.attribution("json"), folder.failures):
        assert json.loads(path.read_text()) == []
    assert folder.attribution("csv").read_text() == "item,file,sha256,title,author,licence\n"


def test_failures_stand_in_order_whatever_order_they_came_in(layout, folder):
    problems = [
        Problem("own/b", "b.vrm", "failed", "x"),
        Problem("", "'?'", "skipped", "y"),
        Problem("a/c", "c", "failed", "z"),
    ]
    write_tables(layout, "own", problems)
    forwards = folder.failures.read_bytes()
    write_tables(layout, "own", problems[::-1])
    assert folder.failures.read_bytes() == forwards
    assert [row["item"] for row in json.loads(forwards)] == ["", "a/c", "own/b"]


def test_a_published_set_keeps_its_list_and_alignment(layout):
    folder = layout.render_set("rutileE")
    record("17", franch="7", region=[], views={"rgb": ["0003"]}).write(folder)
    write_tables(layout, "rutileE", [])
    assert set(json.loads(folder.metadata.read_text())) == {"rutileE/rgb/7/17/0003"}
    assert not (layout.root / "subsets").exists()
    assert not folder.alignment_json.exists()


# -- removing


def write_files(root, *files):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")


FILES = {
    name: [
        f"raw/own/own/{name}.vrm",
        f"renders/own/ortho/own/{name}/front.png",
        f"renders/own/_records/own/{name}.json",
    ]
    for name in ("a", "b")
}
NOT_OURS = ["renders/own/notes.txt", "renders/own/katepca/own/a/front.pkl", "raw/dssc/genshin/albedo.vrm"]


@pytest.mark.parametrize(
    ("failed", "everything", "left"), [((), True, "a"), ((), False, "ab"), (("a",), False, "b"), (("a",), True, "")]
)
def test_only_what_left_the_folder_or_failed_is_removed(layout, folder, failed, everything, left):
    for name, files in FILES.items():
        write_files(layout.root, *files)
        record(name).write(folder)
    write_files(layout.root, *NOT_OURS, "renders/own/ortho/own/a/old.png")
    remove_unlisted(layout, [ItemId("own", "a")], [ItemId("own", name) for name in failed], everything=everything)
    found = {path.relative_to(layout.root).as_posix() for path in layout.root.rglob("*") if path.is_file()}
    assert found == {*NOT_OURS, *(file for name in left for file in FILES[name])}
    assert not [path for path in layout.renders.rglob("*") if path.is_dir() and not any(path.iterdir())]


def test_folders_that_are_linked_in_stay_with_what_they_hold(layout, folder, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    write_files(disk, "ortho/a/front.png")
    folder.path.mkdir(parents=True)
    (disk / "rgb").mkdir()
    folder.kind("rgb").symlink_to(disk / "rgb")
    folder.kind("ortho").mkdir()
    (folder.kind("ortho") / "own").symlink_to(disk / "ortho")
    record("a").write(folder)
    remove_unlisted(layout, [ItemId("own", "a")], [], everything=True)
    assert (folder.kind("ortho") / "own/a/front.png").is_file()
    assert folder.kind("rgb").is_dir()
