"""`measured_from.json`: from a folder of results to its predictions, checked before it is believed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from _exchange.errors import FormatError, InputError
from _exchange.measured_from import MeasuredFrom, predictions_of
from _exchange.run_folder import RunFolder, latest_run

GOOD = {
    "format": "anime3d measured from",
    "version": 1,
    "predictions": "temp/eval/a/daredemoE",
    "predictions_at": "/gone/temp/eval/a/daredemoE",
    "data": "data",
    "data_at": "/gone/data",
    "dataset": "daredemoE",
}


def written(root: Path, **changes: object) -> RunFolder:
    run = RunFolder(root / "runs" / "a")
    run.path.mkdir(parents=True)
    run.measured_from.write_text(json.dumps(GOOD | changes))
    return run


def test_where_the_predictions_were_comes_first_then_how_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = written(tmp_path, predictions_at=str(tmp_path / "there"))
    with pytest.raises(InputError, match=r"Expected the predictions in .*there, found no such folder. Measure them"):
        predictions_of(run)
    Path(GOOD["predictions"]).mkdir(parents=True)
    assert predictions_of(run) == RunFolder(Path(GOOD["predictions"]))
    (tmp_path / "there").mkdir()
    assert predictions_of(run) == RunFolder(tmp_path / "there")
    with pytest.raises(InputError, match=r"Expected the dataset in /gone/data, found no such folder. Say .* --data"):
        _ = MeasuredFrom.read(run.measured_from).data_root


def test_a_run_is_its_own_predictions_and_results_count_as_the_latest_run(tmp_path: Path) -> None:
    assert predictions_of(RunFolder(tmp_path)) == RunFolder(tmp_path)
    run = written(tmp_path)
    assert latest_run(tmp_path / "runs") == run
    run.record.write_text("{}")
    assert predictions_of(run) == run


def test_scores_alone_say_how_they_come_to_their_predictions(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.table("json").write_text("{}")
    with pytest.raises(InputError, match=rf"found nothing that leads .* Measure .* again with --out {tmp_path}\.$"):
        predictions_of(run)
    (tmp_path / "rgb60").mkdir()
    assert predictions_of(run) == run


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"format": "other"}, "format"),
        ({"version": 2}, "version"),
        ({"predictions_at": 3}, "predictions_at"),
        ({"data": ""}, "data"),
        ({"dataset": None}, "dataset"),
        ({"predictions": "a\0b"}, "predictions"),
    ],
)
def test_a_damaged_record_is_named_with_its_place(tmp_path: Path, changes: dict, place: str) -> None:
    run = written(tmp_path, **changes)
    with pytest.raises(FormatError, match=rf"^measured_from.json: {place}: expected "):
        predictions_of(run)


def test_a_damaged_record_is_written_anew_and_an_equal_one_is_left(tmp_path: Path) -> None:
    run = written(tmp_path, version=0)
    place = MeasuredFrom.of(tmp_path / "p", tmp_path / "d", "own")
    place.write(run.measured_from)
    assert MeasuredFrom.read(run.measured_from) == place
    before = run.measured_from.stat()
    replace(place, predictions="p", data="d").write(run.measured_from)
    assert run.measured_from.stat().st_ino == before.st_ino
