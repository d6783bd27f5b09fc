"""From predictions in the original's layout through `measure` and `verify` to verdicts, exit codes and files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from _exchange.run_folder import RunFolder
from _measure.measure import MeasureConfig, measure
from _measure.verify_request import VerifyConfig, verify
from _scripts.verify import Verify, run
from tests.measure.invented_animerecon import Invented, make_invented
from tests.measure.published_runs import CARDS, FLOORS, published_column, write_published_run

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("no_weights")


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Invented:
    return make_invented(tmp_path_factory.mktemp("invented"))


@pytest.fixture(scope="module")
def measured(invented: Invented, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Measured under both protocols, without any network."""
    results = RunFolder(tmp_path_factory.mktemp("results"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ANIME3D_WEIGHTS", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(results.path / "cache"))
        for protocol, folder in (("paper", results), ("corrected", results.variant("corrected"))):
            config = MeasureConfig(
                path=invented.predictions,
                data=invented.data,
                out=folder.path,
                protocol=protocol,
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


@pytest.mark.parametrize(("away", "code", "state"), [(0, 0, "reproduced"), (2, 1, "off")])
def test_nudged_scores_decide_the_exit_code(tmp_path: Path, away: int, code: int, state: str) -> None:
    rows = {row: value + away * FLOORS[row[1]] for row, value in published_column(CARDS[0]).items()}
    outcome = run(Verify(path=write_published_run(tmp_path, rows).path))
    assert outcome.exit_code == code
    states = [entry["state"] for entry in outcome.data["verdicts"] if entry["protocol"] == "paper"]
    assert states == [state] * 12


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
    [{"seeds": -1}, {"workers": -1}, {"against": "stored.json", "seeds": 2}, {"against": "stored.json", "all": True}],
)
def test_options_that_contradict_one_another_are_refused(tmp_path: Path, options: dict) -> None:
    folder = write_published_run(tmp_path / "run", {("geom", "cd"): 1.0})
    with pytest.raises(Exception, match="Expected"):
        verify(VerifyConfig(path=folder.path, **options))


def test_help_starts_without_torch() -> None:
    code = "import _scripts.verify, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
