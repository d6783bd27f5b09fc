"""`compare` as a user meets it: text, JSON, files, exit codes and sentences."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from _exchange.command import execute
from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _scripts.compare import Compare, run
from tests.measure.scored_folders import write_scored

REPOSITORY = Path(__file__).resolve().parents[2]
ITEMS = [f"a/{number}" for number in range(7)]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``one`` and ``two`` are complete, ``three`` lacks an item; ``paper`` was measured under both protocols."""
    monkeypatch.chdir(tmp_path)
    for place, name in enumerate(("one", "two", "three", "paper")):
        values = {item: 0.01 * (number + 1) + 0.005 * place for number, item in enumerate(ITEMS)}
        kept = dict(list(values.items())[:-1]) if name == "three" else values
        write_scored(tmp_path / name, {"cd": kept}, items=ITEMS)
        if name in ("one", "paper"):
            variant = RunFolder(tmp_path / name).variant("paper").path
            write_scored(variant, {"cd": values}, items=ITEMS, protocol="paper", network="alex")
    (tmp_path / "unmeasured").mkdir()
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = execute(Compare, run, arguments)
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_two_runs_are_compared_and_not_ranked(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = answer(capsys, "one", "two")
    assert (code, err) == (0, "")
    cd = next(line.split() for line in out.split("\n") if line.split()[:2] == ["geom", "cd"])
    assert cd == ["geom", "cd", "4.000", "4.500", "+0.500", "+0.500", "to", "+0.500", "0", "7", "0", "7", "0", "worse"]
    assert "rank" not in out


def test_three_runs_are_ranked_as_well(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "one", "two", "three", "--json")
    data = json.loads(out)
    assert code == 0
    assert [(pair["a"], pair["b"]) for pair in data["comparisons"]] == [("one", "two"), ("one", "three")]
    ranked = [(row["run"], row["rank"], row["n"]) for row in data["leaderboard"]["rows"] if row["metric"] == "cd"]
    assert ranked == [("one", 1, 7), ("two", 2, 7), ("three", 3, 6)]


def test_common_takes_what_all_have_and_says_so(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = answer(capsys, "one", "two", "three", "--common")
    cd = [line.split() for line in out.split("\n") if line.split()[:2] == ["geom", "cd"]]
    leaderboard, *pairs = cd
    assert (leaderboard[3:6], leaderboard[-1]) == (["1", "one", "3.500"], "6/6")
    assert [line[-3:-1] for line in pairs] == [["6", "0"], ["6", "0"]]
    assert "only items that all 3 runs have complete" in out


def test_files_hold_what_is_printed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = answer(capsys, "one", "two", "three", "--out", "made/here")
    folder = runs / "made" / "here"
    names = {f"{kind}.{name}" for kind in ("comparison", "leaderboard") for name in TABLE_FORMATS}
    assert {path.name for path in folder.iterdir()} == names
    texts = [(folder / f"{kind}.txt").read_text(encoding="utf-8") for kind in ("leaderboard", "comparison")]
    assert "\n".join(texts) == out
    with open(folder / "comparison.csv", encoding="utf-8", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 2 * 17
    assert json.loads((folder / "comparison.json").read_text(encoding="utf-8"))["schema"] == 1
    assert json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))["schema"] == 1


def test_files_of_two_runs_are_a_comparison_alone(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(capsys, "one", "two", "--out", "pair")
    assert {path.name for path in (runs / "pair").iterdir()} == {f"comparison.{name}" for name in TABLE_FORMATS}


def test_comparing_again_gives_the_same_bytes_and_changes_no_run(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    for folder in ("first", "second"):
        answer(capsys, "one", "two", "three", "--out", folder)
    first, second = (
        {path.name: path.read_bytes() for path in (runs / folder).iterdir()} for folder in ("first", "second")
    )
    assert first == second
    assert {path: path.read_bytes() for path in before} == before


def test_the_other_protocol_is_read_where_it_lies(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, "one", "paper", "--protocol", "paper")
    assert code == 0
    assert "protocol paper, LPIPS through alex" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "at least two runs to compare, found 0"),
        (("one",), "at least two runs to compare, found 1"),
        (("one", "./one"), "every run once"),
        (("one", "nowhere"), "nowhere"),
        (("one", "unmeasured"), "Run python3 -m _scripts.measure unmeasured first."),
        (("one", "two", "--protocol", "paper"), "Run python3 -m _scripts.measure two --variants first."),
        (("one", "paper/variants/paper"), "the same protocol"),
        (("one", "two", "--out", "one/scores.jsonl"), "scores.jsonl"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    runs: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    code, out, err = answer(capsys, *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert "fault of the suite" not in err


def test_the_command_runs_without_torch(runs: Path) -> None:
    code = (
        "import sys\n"
        "from _exchange.command import execute\n"
        "from _scripts.compare import Compare, run\n"
        f"code = execute(Compare, run, [{str(runs / 'one')!r}, {str(runs / 'two')!r}, {str(runs / 'three')!r}])\n"
        "sys.exit(9 if 'torch' in sys.modules or 'scipy.stats' in sys.modules else code)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-1000:]
    assert "geom" in result.stdout


def test_the_option_that_the_sentences_name_exists() -> None:
    from _scripts.measure import Measure

    assert "variants" in {option.name for option in fields(Measure)}
