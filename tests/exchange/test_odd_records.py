"""Files that others wrote or damaged: every wrong type is a sentence when the file is read, never a later crash."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _exchange import atomic
from _exchange.errors import FormatError, InputError
from _exchange.items import ItemId, Region
from _exchange.journal import Journal, JournalEntry
from _exchange.run_record import ItemStatus, RunRecord, read_json_object
from _exchange.scores import Score, parse_score, read_scores, score_line, write_scores

RECORD = RunRecord("inflate", "own", "D", "corrected", 3, ("a/b",), {"depth": 0.5}, {"data": "00"}, {"os": "x"})
WRONG_FIELDS = [
    *((name, wrong) for name in ("method", "dataset", "data_root", "protocol") for wrong in (None, 1, ["inflate"], {})),
    *(("seed", wrong) for wrong in (None, "3", 1.5, True, [3])),
    *(("items", wrong) for wrong in (None, "a/b", [1], {"a/b": 1}, [None])),
    *(("settings", wrong) for wrong in (None, [], "x")),
    *((name, wrong) for name in ("digests", "machine") for wrong in (None, [], "x", {"data": 1}, {"data": None})),
    *(("schema", wrong) for wrong in (None, "1", 2, [1])),
]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(("name", "wrong"), WRONG_FIELDS, ids=repr)
def test_a_field_of_the_wrong_type_is_named_when_a_record_is_read(tmp_path: Path, name: str, wrong: object) -> None:
    path = tmp_path / "run.json"
    RECORD.write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: wrong}))
    with pytest.raises(FormatError, match=rf"^run\.json: {name}: expected "):
        RunRecord.read(path)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *[("status", ["ok"]), ("status", None), ("reason", 5), ("reason", None), ("seconds", "1"), ("seconds", True)],
        *[("peak_memory_mb", None), ("peak_memory_mb", [])],
    ],
    ids=repr,
)
def test_a_field_of_the_wrong_type_is_named_when_a_status_is_read(tmp_path: Path, name: str, wrong: object) -> None:
    path = tmp_path / "status.json"
    path.write_text(json.dumps({"status": "ok", "reason": "", "seconds": 1, "peak_memory_mb": 2.5, name: wrong}))
    with pytest.raises(FormatError, match=rf"^status\.json: {name}: expected "):
        ItemStatus.read(path)


def test_a_status_may_lack_what_was_not_measured(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"status": "skipped", "later": "field"}')
    assert ItemStatus.read(tmp_path / "status.json") == ItemStatus("skipped")


def test_a_number_of_too_many_digits_is_no_json_for_us(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"seed": ' + "7" * 5000 + "}")
    with pytest.raises(FormatError, match=r"^x\.json: expected JSON"):
        read_json_object(tmp_path / "x.json")


def test_a_folder_in_place_of_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"readable file .* found: Is a directory"):
        read_json_object(tmp_path)


def test_long_wrong_values_do_not_make_long_sentences(tmp_path: Path) -> None:
    RECORD.write(tmp_path / "run.json")
    value = json.loads((tmp_path / "run.json").read_text()) | {"method": ["x"] * 100_000}
    (tmp_path / "run.json").write_text(json.dumps(value))
    with pytest.raises(FormatError) as caught:
        RunRecord.read(tmp_path / "run.json")
    assert len(str(caught.value)) < 300


# -- journals ---------------------------------------------------------------------------------------------------

ODD_LINES = [
    *("null", "[]", "3", '"text"', "{}", '{"item": "b"}', "nonsense", "[" * 100_000, '{"item": ' + "7" * 5000 + "}"),
    *(json.dumps({"item": item, "key": "k"}) for item in ([], {}, None, 4)),
    json.dumps({"item": "b", "key": 5}),
    json.dumps({"item": "b", "key": "k", "files": ["x"]}),
    json.dumps({"item": "b", "key": "k", "files": {"x": None}}),
    json.dumps({"item": "b", "key": "k", "status": "fine"}),
    json.dumps({"item": "b", "key": "k", "reason": ["x"]}),
    json.dumps({"item": "b", "key": "k", "surprise": 1}),
]


@pytest.mark.parametrize("line", ODD_LINES, ids=lambda line: line[:40])
def test_an_odd_line_counts_as_none_and_harms_no_other(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal.jsonl"
    good = JournalEntry("a", "k")
    Journal(path).append(good)
    atomic.append_line(path, line)
    Journal(path).append(JournalEntry("z", "k"))
    journal = Journal(path)
    assert journal.entries() == [good, JournalEntry("z", "k")]
    assert journal.finished("a", "k") == good
    assert journal.finished("b", "k") is None


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(["item", "key", "status", "reason", "files"]), JSON_VALUES))
def test_any_json_object_as_a_line_is_an_entry_or_none(tmp_path_factory, value: dict) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text(json.dumps(value) + "\n")
    journal = Journal(path)
    for entry in journal.entries():
        assert journal.finished(entry.item, entry.key) in (entry, None)


@pytest.mark.parametrize("name", ["../outside", "absent", "folder", "nul\0"])
def test_files_that_are_none_leave_a_piece_unfinished(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(JournalEntry("a", "k", files={name: "00"}))
    assert journal.finished("a", "k") is None


def test_bytes_that_are_no_text_harm_only_their_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).append(JournalEntry("a", "k"))
    with open(path, "ab") as stream:
        stream.write(b'\xff\xfe\x00{"item"\n')
    assert Journal(path).entries() == [JournalEntry("a", "k")]


# -- scores -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["own/line\u2028end", "own/next\x85line", "own/group\x1dmark", "own/日本語", 'own/"q"']
)
def test_a_name_with_any_sign_stays_on_its_line(tmp_path: Path, name: str) -> None:
    scores = [Score(name, "psnr", "ortho_front", 1.5), Score(name, "ssim", "ortho_front", 0.5)]
    write_scores(tmp_path / "scores.jsonl", scores)
    assert read_scores(tmp_path / "scores.jsonl") == scores


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.floats())
def test_a_score_survives_its_line(item: str, value: float) -> None:
    read = parse_score(score_line(Score(item, "m", "v", value)), "line 1", Path("x"))
    assert read.item == item
    assert read.value == value or (math.isnan(read.value) and math.isnan(value))


@pytest.mark.parametrize(
    "change",
    [
        *[{"item": 1}, {"item": None}, {"metric": ["psnr"]}, {"view": {}}, {"value": True}, {"value": None}],
        *[{"value": "1.5"}, {"value": "Infinity"}, {"value": [1]}, {"value": 10**400}],
    ],
    ids=repr,
)
def test_a_score_of_the_wrong_type_is_named_by_its_line(tmp_path: Path, change: dict) -> None:
    good = {"item": "a/b", "metric": "psnr", "view": "v", "value": 1.0}
    path = tmp_path / "scores.jsonl"
    path.write_text(f"{json.dumps(good)}\n{json.dumps(good | change)}\n")
    with pytest.raises(FormatError, match=r"scores\.jsonl: line 2: expected an object with item"):
        read_scores(path)


def test_no_scores_are_an_empty_file_and_come_back_as_none(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.jsonl", [])
    assert (tmp_path / "scores.jsonl").read_bytes() == b""
    assert read_scores(tmp_path / "scores.jsonl") == []


# -- names and regions ------------------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.text(max_size=12))
def test_a_name_that_is_taken_stays_in_its_folder_and_is_parsed_back(text: str) -> None:
    try:
        item = ItemId.parse(text)
    except InputError:
        return
    assert str(item) == text
    path = Path("root") / item.franch / item.idx
    assert len(path.parts) == 3
    assert ".." not in path.parts


@pytest.mark.parametrize(
    "wrong", [[[10**400, 0], [1, 1]], [1, 2, 3, 4], [[1, 2, 3, 4]], [[[1, 2]], [[3, 4]]], [[], []]]
)
def test_a_region_of_another_shape_is_refused(wrong: object) -> None:
    with pytest.raises(FormatError, match=r"area_of_interest: expected \(\(row, col\), \(height, width\)\)"):
        Region.from_corners(wrong)
