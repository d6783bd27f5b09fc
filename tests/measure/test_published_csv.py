"""A user's own rows: what a CSV may hold, what every mistake is answered with, and verdicts against such rows."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from _exchange.errors import FormatError, InputError
from _measure.published import Published
from _measure.published_csv import user_rows, with_user_rows
from _measure.verdict import Verdict
from _measure.verify import published_verification, verify_published
from tests.measure.published_runs import CARDS, published_column, write_published_run

ROW = {
    "id": "mine/own/front/psnr",
    "method": "Mine",
    "dataset": "own",
    "items": "68",
    "subset": "front",
    "metric": "psnr",
    "value": "20.5",
    "direction": "higher",
    "protocol": "corrected",
    "source": "my thesis",
    "tolerance": "0.25",
}
REGISTRY = Published.read()


def write_rows(path: Path, *rows: dict[str, str]) -> Path:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_row_becomes_a_record_with_the_usual_defaults(tmp_path: Path) -> None:
    rows = user_rows(write_rows(tmp_path / "rows.csv", ROW), REGISTRY)
    record = rows.records[0]
    assert (record.id, record.value, record.tolerance) == ("mine/own/front/psnr", 20.5, 0.25)
    assert (record.state, record.evidence, record.hardware) == ("checkable", "paper", None)
    assert rows.datasets["own"].items == 68
    assert rows.datasets["own"].renderset == "own"


def test_ranges_empty_lines_quotes_and_byte_order_marks_are_read(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", ROW | {"value": "2..3", "notes": 'one, "two"', "state": "re-report"})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n\r\n")
    record = user_rows(path, REGISTRY).records[0]
    assert record.value == (2.0, 3.0)
    assert record.notes == 'one, "two"'


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"value": "twenty"}, "value"),
        ({"value": "nan"}, "value"),
        ({"value": "inf"}, "value"),
        ({"value": "1..2..3"}, "value"),
        ({"value": ""}, "value"),
        ({"value": "2..3"}, "value"),
        ({"method": " "}, "method"),
        ({"direction": "up"}, "direction"),
        ({"protocol": "mine"}, "protocol"),
        ({"state": "good"}, "state"),
        ({"evidence": "rumour"}, "evidence"),
        ({"tolerance": "-1"}, "tolerance"),
        ({"tolerance": "nan"}, "tolerance"),
        ({"tolerance": ""}, "tolerance"),
        ({"items": "many"}, "items"),
        ({"items": "0"}, "items"),
        ({"items": "²"}, "items"),
        ({"dataset": "AnimeRecon", "items": "67"}, "items"),
        ({"id": "panic-3d/animerecon/geom/cd/rtx-3080-ti"}, "id"),
    ],
)
def test_a_wrong_cell_is_named_by_line_and_column(tmp_path: Path, change: dict[str, str], column: str) -> None:
    good = ROW | {"id": "mine/good"}
    path = write_rows(tmp_path / "rows.csv", good, ROW | change)
    with pytest.raises(FormatError) as error:
        user_rows(path, REGISTRY)
    assert error.value.place == f"line 3, column {column}"
    assert error.value.file == path


def test_an_id_that_stands_twice_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="line 3, column id"):
        user_rows(write_rows(tmp_path / "rows.csv", ROW, ROW), REGISTRY)


def test_one_set_has_one_count(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", ROW, ROW | {"id": "mine/2", "items": "12"})
    with pytest.raises(FormatError, match="line 3, column items"):
        user_rows(path, REGISTRY)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", "line 1"),
        (b"id,method\n", "line 1"),
        (b"id,id\n", "line 1"),
        (b"colour\n", "line 1"),
        (b'id,"open\n', "line"),
        (b"\xff\xfe", ""),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(tmp_path: Path, content: bytes, place: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(FormatError) as error:
        user_rows(path, REGISTRY)
    assert error.value.place.startswith(place)


def test_a_line_with_other_cells_than_the_header_is_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", ROW)
    path.write_text(path.read_text() + "too,few\n")
    with pytest.raises(FormatError, match="line 3"):
        user_rows(path, REGISTRY)


def test_absent_folders_and_large_files_are_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    large.write_bytes(b"x" * (2**20 + 1))
    for path in (tmp_path / "absent.csv", tmp_path, large):
        with pytest.raises(InputError):
            user_rows(path, REGISTRY)


# -- verdicts ---------------------------------------------------------------------------------------------------


def verdict_of(run, path: Path, record_id: str, protocol: str) -> Verdict:
    verdicts = verify_published(run, with_user_rows(REGISTRY, path))
    return next(v for v in verdicts if (v.reference, v.protocol) == (record_id, protocol))


@pytest.mark.parametrize(
    ("psnr", "state"), [(20.75, "reproduced"), (20.76, "off"), (20.25, "reproduced"), (20.2, "off")]
)
def test_a_users_row_under_corrected_is_judged(tmp_path: Path, psnr: float, state: str) -> None:
    path = write_rows(tmp_path / "rows.csv", ROW)
    run = write_published_run(tmp_path / "run", {("front", "psnr"): psnr}, protocol="corrected", dataset="own")
    assert verdict_of(run, path, ROW["id"], "corrected").state == state
    assert verdict_of(run, path, ROW["id"], "paper").state == "not comparable"


def test_a_users_row_beside_the_published_ones_has_their_floor(tmp_path: Path) -> None:
    mine = ROW | {"dataset": "AnimeRecon", "items": "", "protocol": "panic3d", "tolerance": "", "metric": "cd"}
    path = write_rows(tmp_path / "rows.csv", mine | {"subset": "geom", "value": "1.5", "direction": "lower"})
    for cd, state in ((1.51, "reproduced"), (1.52, "off")):
        run = write_published_run(tmp_path / f"run {cd}", {("geom", "cd"): cd})
        assert verdict_of(run, path, ROW["id"], "paper").state == state


def test_rows_that_differ_in_their_hardware_are_columns_of_one_row(tmp_path: Path) -> None:
    first, second = (
        ROW | {"id": f"mine/{card}", "hardware": card, "value": value} for card, value in (("A", "20"), ("B", "21"))
    )
    path = write_rows(tmp_path / "rows.csv", first, second)
    run = write_published_run(tmp_path / "run", {("front", "psnr"): 21.5}, protocol="corrected", dataset="own")
    verdict = verdict_of(run, path, "mine/B", "corrected")
    assert verdict.tolerance == 1.0, "the spread of the columns, above the stated 0.25"
    assert verdict.state == "reproduced"


def test_a_row_of_pictures_through_a_named_network(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", ROW | {"metric": "lpips-squeeze", "value": "12", "direction": "lower"})
    values = {("front", "lpips"): 12.1}
    same = write_published_run(tmp_path / "a", values, protocol="corrected", network="squeeze", dataset="own")
    other = write_published_run(tmp_path / "b", values, protocol="corrected", network="alex", dataset="own")
    assert verdict_of(same, path, ROW["id"], "corrected").state == "reproduced"
    assert verdict_of(other, path, ROW["id"], "corrected").reason == "no such row is measured by this suite"


def test_a_users_range_is_listed_and_never_judged(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.csv", ROW | {"value": "2..3", "state": "re-report"})
    run = write_published_run(tmp_path / "run", published_column(CARDS[0]))
    verification = published_verification(run, with_user_rows(REGISTRY, path), list_all=True)
    assert len(verification.verdicts) == 24
    assert [verdict.state for verdict in verification.listed if verdict.reference == ROW["id"]] == ["re-report"]
