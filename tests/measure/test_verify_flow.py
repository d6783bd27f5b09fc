"""From predictions in the original's layout through `measure` and `verify` to verdicts, exit codes and files."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from _exchange.errors import InputError
from _exchange.run_folder import RunFolder
from _measure.measure import MeasureConfig, measure
from _measure.scored_run import ScoredRun
from _measure.verify_request import VerifyConfig, verify
from _scripts.verify import Verify, run
from tests.measure.invented_animerecon import Invented, make_invented
from tests.measure.published_runs import CARDS, FLOORS, ITEMS, published_column, write_published_run

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("no_weights")


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Invented:
    return make_invented(tmp_path_factory.mktemp("invented"))


@pytest.fixture(scope="module")
def measured(invented: Invented, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Measured without any network: all under `paper`; a few under `corrected`, which is comparable with none."""
    results = RunFolder(tmp_path_factory.mktemp("results"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ANIME3D_WEIGHTS", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(results.path / "cache"))
        for protocol, folder, limit in (("paper", results, 0), ("corrected", results.variant("corrected"), 3)):
            config = MeasureConfig(
                path=invented.predictions,
                data=invented.data,
                out=folder.path,
                protocol=protocol,
                limit=limit,
                workers=1,
                offline=True,
            )
            measure(config)
    return results


def test_sixty_eight_invented_items_get_a_verdict_for_each_row(measured: RunFolder) -> None:
    verification = verify(VerifyConfig(path=measured.path))
    by_protocol = {
        protocol: [verdict for verdict in verification.verdicts if verdict.protocol == protocol]
        for protocol in ("paper", "corrected")
    }
    assert [len(verdicts) for verdicts in by_protocol.values()] == [12, 12]
    for verdict in by_protocol["paper"]:
        expected = "not run" if verdict.metric in ("clip", "lpips") else "off"
        assert verdict.state == expected, verdict
        assert verdict.reason or verdict.state == "off"
    assert {verdict.state for verdict in by_protocol["corrected"]} == {"not comparable"}
    cd = next(verdict for verdict in by_protocol["paper"] if verdict.metric == "cd")
    assert cd.ours == pytest.approx(0.1, rel=0.1), "spheres 1 mm apart"
    assert not verification.holds


def test_the_command_leaves_with_1_where_a_row_is_off(measured: RunFolder) -> None:
    outcome = run(Verify(path=measured.path))
    assert outcome.exit_code == 1
    assert "off by" in outcome.text
    assert "geom    cd" in outcome.text
    assert json.loads(measured.verdicts.read_text(encoding="utf-8"))["counts"] == outcome.data["counts"]


def test_tables_say_which_truth_an_item_was_held_against(measured: RunFolder) -> None:
    paper, corrected = (ScoredRun.read(folder).truths for folder in (measured, measured.variant("corrected")))
    assert list(paper) == list(ITEMS)
    assert corrected == {item: paper[item] for item in ITEMS[:3]}, "the protocol is no part of the truth"


def test_a_folder_that_cannot_be_written_is_verified_all_the_same(tmp_path: Path) -> None:
    folder = write_published_run(tmp_path, published_column(CARDS[0]))
    folder.verdicts.mkdir()
    outcome = run(Verify(path=folder.path))
    assert outcome.exit_code == 0
    assert f"{folder.verdicts} could not be written: " in outcome.text
    assert outcome.data["counts"]["reproduced"] == 12
    assert any("could not be written" in note for note in outcome.data["notes"])


def test_verdicts_are_written_in_every_format_where_asked(tmp_path: Path) -> None:
    rows = published_column(CARDS[0])
    folder = write_published_run(tmp_path / "run", {**rows, ("geom", "cd"): math.inf})
    outcome = run(Verify(path=folder.path, out=tmp_path / "out"))
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()}
    assert sorted(written) == ["verify.csv", "verify.json", "verify.md", "verify.tex", "verify.txt"]
    assert written["verify.txt"].replace("measure RUN", f"measure {folder.path}") in outcome.text
    assert written["verify.json"] == folder.verdicts.read_text(encoding="utf-8")
    assert "| geom | cd | 1.329 / 1.328 | inf | +inf | 0.01 | off by +inf |" in written["verify.md"]
    assert r"geom & cd & 1.329 / 1.328 & inf & +inf & 0.01 & off by +inf \\" in written["verify.tex"]
    lines = list(csv.DictReader(io.StringIO(written["verify.csv"])))
    assert len(lines) == 24
    cd = next(line for line in lines if line["metric"] == "cd")
    assert (cd["published"], cd["ours"], cd["state"]) == ("1.329 / 1.328", "inf", "off")


@pytest.mark.parametrize(("made", "remedy"), [(True, "Run python3 -m _scripts.measure"), (False, "There is no folder")])
def test_a_run_without_scores_says_what_to_do(tmp_path: Path, made: bool, remedy: str) -> None:
    path = tmp_path / "run"
    if made:
        path.mkdir()
    with pytest.raises(InputError, match=rf"table\.json, found none\. {remedy} {path}"):
        verify(VerifyConfig(path=path))


def test_predictions_in_the_original_layout_are_named_as_they_were_given(
    invented: Invented, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"Run python3 -m _scripts.measure {invented.predictions} first"):
        verify(VerifyConfig(path=invented.predictions))


def test_seeds_repeat_the_surfaces_alone_and_pictures_are_scored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = make_invented(tmp_path, ITEMS[:3])
    monkeypatch.chdir(tmp_path)
    measure(MeasureConfig(path=few.predictions, data=few.data, protocol="paper", workers=1, offline=True))
    results = RunFolder(Path("runs/invented"))
    verification = verify(VerifyConfig(path=few.predictions, data=few.data, seeds=3, workers=1))
    study = verification.study
    assert study is not None
    assert study.count == 3
    cd, psnr = study.row("geom", "cd"), study.row("front", "psnr")
    assert cd is not None
    assert psnr is not None
    assert len(set(cd.values)) == 3
    assert len(set(psnr.values)) == 1
    assert next(verdict.reason for verdict in verification.verdicts if verdict.metric == "cd") == "3 of 68 items"
    lines = [json.loads(line) for line in results.measured.read_text(encoding="utf-8").splitlines()]
    assert len([line for line in lines if any(score[0] == "psnr" for score in line["scores"])]) == 3
    assert len([line for line in lines if any(score[0] == "cd" for score in line["scores"])]) == 9
    assert json.loads(results.verdicts.read_text(encoding="utf-8"))["seeds"][0]["seeds"] == 3
    again = verify(VerifyConfig(path=results.path, seeds=2, workers=1))
    assert again.study is not None
    assert again.study.row("geom", "cd") is not None
    sealed = run(Verify(path=results.path, integrity=True, data=few.data))
    assert sealed.exit_code == 0, sealed.text
    scores = results.variant("paper-seed-1").scores
    scores.write_bytes(scores.read_bytes().replace(b"1", b"2", 1))
    broken = run(Verify(path=results.path, integrity=True, data=few.data))
    assert broken.exit_code == 1
    assert broken.data["first"].endswith("paper-seed-1/scores.jsonl")


@pytest.mark.parametrize(("away", "code", "state"), [(0, 0, "reproduced"), (2, 1, "off")])
def test_nudged_scores_decide_the_exit_code(tmp_path: Path, away: int, code: int, state: str) -> None:
    rows = {row: value + away * FLOORS[row[1]] for row, value in published_column(CARDS[0]).items()}
    outcome = run(Verify(path=write_published_run(tmp_path, rows).path))
    assert outcome.exit_code == code
    states = [entry["state"] for entry in outcome.data["verdicts"] if entry["protocol"] == "paper"]
    assert states == [state] * 12


def test_what_is_missing_can_be_measured_with_the_command_shown(tmp_path: Path) -> None:
    folder = write_published_run(tmp_path / "a run", published_column(CARDS[0]), protocol="corrected")
    shown = run(Verify(path=folder.path)).text
    assert f"python3 -m _scripts.measure '{folder.path}' --variants" in shown
    assert "RUN" not in shown


def test_nothing_comparable_leaves_with_0(tmp_path: Path) -> None:
    outcome = run(Verify(path=write_published_run(tmp_path, published_column(CARDS[0]), dataset="own").path))
    assert outcome.exit_code == 0
    assert outcome.data["counts"] == {"not comparable": 24}


def test_stored_numbers_hold_until_a_score_changes(tmp_path: Path) -> None:
    folder = write_published_run(tmp_path / "run", published_column(CARDS[0]))
    stored = tmp_path / "stored.json"
    assert run(Verify(path=folder.path, store=stored)).exit_code == 0
    same = run(Verify(path=folder.path, against=str(stored)))
    assert same.exit_code == 0
    assert set(same.data["counts"]) == {"reproduced"}
    rows = published_column(CARDS[0])
    other = write_published_run(tmp_path / "run", {**rows, ("geom", "cd"): rows["geom", "cd"] + 1})
    changed = run(Verify(path=other.path, against=str(stored)))
    assert changed.exit_code == 1
    assert "stored" in changed.text


@pytest.mark.parametrize(
    "options",
    [
        {"seeds": -1},
        {"workers": -1},
        {"against": "stored.json", "seeds": 2},
        {"against": "stored.json", "all": True},
        {"store": Path(__file__).parent},
    ],
)
def test_options_that_contradict_one_another_are_refused(tmp_path: Path, options: dict) -> None:
    folder = write_published_run(tmp_path / "run", {("geom", "cd"): 1.0})
    with pytest.raises(Exception, match="Expected"):
        verify(VerifyConfig(path=folder.path, **options))


def test_help_starts_without_torch() -> None:
    code = "import _scripts.verify, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
