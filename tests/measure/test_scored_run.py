"""A measured run read back: the same rows, nudged scores noticed, and one sentence for everything damaged."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from _exchange.errors import FormatError, InputError
from _exchange.run_folder import RunFolder
from _measure.item_scores import Problem
from _measure.scored_run import ScoredRun, complete_items, measure_command
from tests.measure.scored_folders import NO_CLIP, write_scored

ITEMS = ("a/one", "a/two", "b/three")
PROBLEM = Problem("b/three", "geom", "no surface")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    values = {
        "psnr": dict(zip(ITEMS, (10.0, 20.0, math.inf))),
        "cd": dict(zip(ITEMS[:2], (0.01, 0.03))),
        "f1@5": dict(zip(ITEMS, (0.2, 0.4, 0.9))),
    }
    return write_scored(
        tmp_path / "run", values, items=ITEMS, protocol="paper", network="alex", problems=[PROBLEM],
        method="inflate", generated_with="corrected", weights={"net.npz": "ab" * 32}, versions={"numpy": "2"},
    )  # fmt: skip


def changed_table(folder: RunFolder, **changes: object) -> RunFolder:
    """Some fields of ``table.json`` replaced; Ellipsis takes one away."""
    path = folder.table("json")
    value = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps({k: v for k, v in value.items() if v is not ...}), encoding="utf-8")
    return folder


def plan_of(scored: ScoredRun, subset: str, label: str):
    return next(plan for plan in scored.plans if (plan.subset, plan.label) == (subset, label))


# -- what is read -----------------------------------------------------------------------------------------------


def test_facts_are_those_of_the_table(folder: RunFolder) -> None:
    scored = ScoredRun.read(folder)
    assert scored.items == ITEMS
    assert (scored.protocol, scored.lpips_network, scored.pictures) == ("paper", "alex", "pasted")
    assert (scored.method, scored.dataset, scored.generated_with) == ("inflate", "own", "corrected")
    assert (scored.title, scored.sample_count, scored.device) == ("run on own", 10, "cpu")
    assert scored.problems == (PROBLEM,)
    assert (scored.weights, scored.versions) == ({"net.npz": "ab" * 32}, {"numpy": "2"})
    assert scored.not_run == {"clip": NO_CLIP}


def test_values_of_a_row_are_scaled_and_in_list_order(folder: RunFolder) -> None:
    scored = ScoredRun.read(folder)
    assert scored.values(plan_of(scored, "geom", "cd")) == pytest.approx({"a/one": 1.0, "a/two": 3.0})
    assert list(scored.values(plan_of(scored, "front", "psnr"))) == list(ITEMS)


def test_an_infinite_value_is_no_complete_item(folder: RunFolder) -> None:
    scored = ScoredRun.read(folder)
    assert complete_items(scored, plan_of(scored, "front", "psnr")) == 2
    assert complete_items(scored, plan_of(scored, "geom", "f1@5")) == 3
    assert complete_items(scored, plan_of(scored, "front", "clip")) == 0


def test_rows_are_the_written_table(folder: RunFolder) -> None:
    written = json.loads(folder.table("json").read_text(encoding="utf-8"))["rows"]
    for row, record in zip(ScoredRun.read(folder).rows, written, strict=True):
        assert (row.plan.subset, row.plan.label, row.n, row.missing) == tuple(
            record[name] for name in ("subset", "metric", "n", "missing")
        )
        if record["n"]:
            assert row.value == float(record["value"])
        assert row.not_run == record["not_run"]
        assert row.low == pytest.approx(math.nan if record["low"] is None else record["low"], nan_ok=True, rel=1e-15)


def test_the_last_item_of_the_list_is_that_of_the_rows(folder: RunFolder) -> None:
    row = next(row for row in ScoredRun.read(folder).rows if row.plan.label == "f1@5")
    assert (row.value, row.n) == (pytest.approx(90.0), 1)
    assert "b/three" in row.note


def test_nudged_scores_change_the_rows_whatever_the_table_says(folder: RunFolder) -> None:
    text = folder.scores.read_text(encoding="utf-8")
    folder.scores.write_text(text.replace('"value": 0.03', '"value": 0.05'), encoding="utf-8")
    row = next(row for row in ScoredRun.read(folder).rows if row.plan.label == "cd")
    assert row.value == pytest.approx(3.0)  # the mean of 1 and 5 cm


def test_a_metric_with_scores_did_run_whatever_the_table_says(folder: RunFolder) -> None:
    rows = json.loads(folder.table("json").read_text(encoding="utf-8"))["rows"]
    for row in rows:
        row["not_run"] = "so it is written"
    cells = {(row.plan.subset, row.plan.label): row for row in ScoredRun.read(changed_table(folder, rows=rows)).rows}
    assert cells["geom", "cd"].not_run == ""
    assert cells["front", "ssim"].not_run == "so it is written"


def test_a_run_in_which_every_item_failed_is_read(tmp_path: Path) -> None:
    scored = ScoredRun.read(write_scored(tmp_path / "run", {}, items=ITEMS))
    assert scored.scores == ()
    assert all(row.n == 0 for row in scored.rows)


# -- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", ["scores.jsonl", "table.json"])
def test_an_unmeasured_run_is_a_sentence_with_its_command(folder: RunFolder, absent: str) -> None:
    (folder.path / absent).unlink()
    with pytest.raises(InputError, match=absent) as caught:
        ScoredRun.read(folder)
    assert f"Run python3 -m _scripts.measure {folder.path} first." in str(caught.value)


def test_the_command_can_be_pasted_into_a_shell() -> None:
    assert measure_command(RunFolder(Path("runs/a b"))) == "python3 -m _scripts.measure 'runs/a b'"


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00", '{"schema": 1e999}', "[" * 100_000])
def test_a_table_that_is_no_table(folder: RunFolder, content: str) -> None:
    folder.table("json").write_text(content, encoding="utf-8")
    with pytest.raises(FormatError, match=r"table\.json"):
        ScoredRun.read(folder)


@pytest.mark.parametrize("schema", [1, 3, "2", None, [], ...])
def test_another_version_names_the_command(folder: RunFolder, schema: object) -> None:
    with pytest.raises(FormatError, match=r"table\.json: schema: expected 2, .*python3 -m _scripts\.measure"):
        ScoredRun.read(changed_table(folder, schema=schema))


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        *((name, 7, name) for name in ("title", "sample_seed", "method", "dataset", "generated_with", "device")),
        ("protocol", None, "protocol"),
        ("protocol", "strict", "protocol: expected one of paper, corrected"),
        ("lpips_network", "resnet", "lpips_network: expected one of alex, vgg, squeeze"),
        ("pictures", "cropped", "pictures: expected one of pasted, unpasted"),
        ("items", "a/one", "items: expected a list"),
        ("items", ["a/one", 2], r"items\[1\]"),
        ("items", ["a/one", "\ud800"], r"items\[1\]: expected a text of Unicode"),
        ("items", ["a/one", "a/two", "b/three", "a/one"], "items: expected every item once"),
        ("sample_count", "10", "sample_count"),
        ("sample_count", 10.5, "sample_count"),
        ("sample_count", True, "sample_count"),
        ("sample_count", -1, "sample_count"),
        ("weights", ["net"], "weights: expected an object"),
        ("weights", {"net": 1}, r"weights\.net"),
        ("versions", {"numpy": None}, r"versions\.numpy"),
        ("problems", {}, "problems: expected a list"),
        ("problems", ["gone"], r"problems\[0\]: expected an object"),
        ("problems", [{"item": 1, "view": "", "reason": ""}], r"problems\[0\]\.item"),
        ("problems", [{"item": "a/one"}], "view"),
        ("rows", 5, "rows: expected a list"),
        ("rows", [[]], r"rows\[0\]: expected an object"),
        ("rows", [{}], "not_run"),
        ("rows", [{"not_run": 1, "metric_id": "cd"}], r"rows\[0\]\.not_run"),
        ("rows", [{"not_run": "so", "metric_id": []}], r"rows\[0\]\.metric_id"),
        *((name, ..., name) for name in ("title", "protocol", "items", "sample_count", "rows", "problems", "weights")),
    ],
)
def test_a_damaged_fact_names_file_and_place(folder: RunFolder, field: str, value: object, place: str) -> None:
    with pytest.raises(FormatError, match=rf"table\.json: .*{place}"):
        ScoredRun.read(changed_table(folder, **{field: value}))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("no score", r"scores\.jsonl: line 32"),
        ('{"item": "a/other", "metric": "cd", "view": "geom", "value": 1}', "line 32: expected an item of table.json"),
        ('{"item": "a/one", "metric": "cd", "view": "geom", "value": 1}', "line 32: expected one score per item"),
    ],
)
def test_damaged_or_foreign_scores_name_their_line(folder: RunFolder, line: str, sentence: str) -> None:
    text = folder.scores.read_text(encoding="utf-8")
    number = text.count("\n") + 1
    folder.scores.write_text(text + line + "\n", encoding="utf-8")
    with pytest.raises(FormatError, match=sentence.replace("32", str(number))):
        ScoredRun.read(folder)
