"""Run records, statuses, scores, item names: the same in memory and on disk, and refused in a sentence otherwise."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest

from _exchange.errors import FormatError, InputError
from _exchange.items import RENDERED_CAMERAS, SCORED_CAMERAS, ItemId, Region
from _exchange.run_folder import RunFolder, latest_run
from _exchange.run_record import ItemStatus, RunRecord, this_machine
from _exchange.scores import Score, read_scores, write_scores

RECORD = RunRecord("inflate", "own", "D", "corrected", 3, ("a/b", "a/c"), {"depth": 0.5}, {"data": "00"}, {"os": "x"})


def test_a_record_survives_the_disk(tmp_path: Path) -> None:
    RECORD.write(tmp_path / "run.json")
    assert RunRecord.read(tmp_path / "run.json") == RECORD


def test_machine_and_place_take_no_part_in_what_decides_results() -> None:
    moved = replace(RECORD, machine={"os": "y"}, data_root="/elsewhere")
    assert moved.resolved == RECORD.resolved
    assert replace(RECORD, seed=4).resolved != RECORD.resolved


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema": 99}, "schema: expected 1, found 99"),
        ({"items": "a/b"}, "items: expected a list of item names, found str"),
        ({"method": None}, "none of ['method']"),
    ],
)
def test_a_foreign_record_is_refused(tmp_path: Path, change: dict, sentence: str) -> None:
    path = tmp_path / "run.json"
    RECORD.write(path)
    value = {key: entry for key, entry in {**json.loads(path.read_text()), **change}.items() if entry is not None}
    path.write_text(json.dumps(value))
    with pytest.raises(FormatError) as caught:
        RunRecord.read(path)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("run.json: ")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1]", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(FormatError, match="JSON"):
        RunRecord.read(tmp_path / "run.json")


def test_a_status_survives_the_disk(tmp_path: Path) -> None:
    status = ItemStatus("failed", "no head", 1.5, 100.0)
    status.write(tmp_path / "status.json")
    assert ItemStatus.read(tmp_path / "status.json") == status
    (tmp_path / "status.json").write_text('{"status": "fine"}')
    with pytest.raises(FormatError, match="ok, failed or skipped"):
        ItemStatus.read(tmp_path / "status.json")


def test_this_machine_names_versions() -> None:
    machine = this_machine("cpu")
    assert machine["device"] == "cpu"
    assert machine["numpy"][0].isdigit()


def test_scores_are_sorted_and_keep_every_digit(tmp_path: Path) -> None:
    scores = [Score("b/x", "psnr", "ortho_front", 1 / 3), Score("a/x", "psnr", "ortho_front", math.inf)]
    write_scores(tmp_path / "scores.jsonl", scores)
    assert read_scores(tmp_path / "scores.jsonl") == sorted(scores)
    assert '"value": "inf"' in (tmp_path / "scores.jsonl").read_text()


def test_scores_are_the_same_bytes_whatever_the_order(tmp_path: Path) -> None:
    scores = [
        Score("b", "m", "v", 1.0),
        Score("a", "n", "v", 2.0),
        Score("a", "m", "w", 3.0),
        Score("a", "m", "v", 4.0),
    ]
    write_scores(tmp_path / "1", scores)
    write_scores(tmp_path / "2", reversed(scores))
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize("line", ["{}", "x", '{"item": "a", "metric": "m", "view": "v", "value": "high"}', "[]"])
def test_a_line_that_is_no_score_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "scores.jsonl").write_text(line + "\n")
    with pytest.raises(FormatError, match=r"scores\.jsonl: line 1"):
        read_scores(tmp_path / "scores.jsonl")


def test_item_names_are_file_names() -> None:
    assert str(ItemId.parse("hololive/x_v1.03")) == "hololive/x_v1.03"
    for wrong in ("", "a", "a/", "/a", "../a", "a/..", "a/b/c", "a\0/b", "a/b\n", "a/\udcff"):
        with pytest.raises(InputError, match="item name"):
            ItemId.parse(wrong)


def test_regions_are_checked() -> None:
    assert Region.from_corners(((10.5, 96), (262, 170))).to_corners() == [[10.5, 96.0], [262.0, 170.0]]
    for wrong in (None, [1, 2], [[1, 2], [3, 0]], [[1, 2], [3, float("nan")]], "text", [[1, 2], [3, 4], [5, 6]]):
        with pytest.raises(FormatError, match="area_of_interest"):
            Region.from_corners(wrong)


def test_fourteen_pictures_are_scored_and_sixteen_drawn() -> None:
    assert (len(SCORED_CAMERAS), len(RENDERED_CAMERAS)) == (14, 16)
    assert set(SCORED_CAMERAS) < set(RENDERED_CAMERAS)


def test_the_latest_run_is_the_one_written_last(tmp_path: Path) -> None:
    for age, name in enumerate(("newer", "older")):
        RECORD.write(tmp_path / name / "run.json")
        os.utime(tmp_path / name / "run.json", (1000 - age, 1000 - age))
    assert latest_run(tmp_path) == RunFolder(tmp_path / "newer")
    with pytest.raises(InputError, match=r"_scripts\.generate"):
        latest_run(tmp_path / "nothing")


def test_result_files_leave_out_status_and_leftovers(tmp_path: Path) -> None:
    item = RunFolder(tmp_path).item(ItemId("a", "b"))
    for path in (item.mesh, item.status, item.render("ortho_front"), item.path / ".partial-1-x"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert item.result_files() == [item.mesh, item.render("ortho_front")]
