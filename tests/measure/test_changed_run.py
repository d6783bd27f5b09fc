"""A run that changes after it was measured: what was measured before belongs to it no more, and everybody says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from _exchange.errors import InputError
from _exchange.pictures import write_png
from _exchange.run_folder import RunFolder
from _exchange.run_record import RunRecord
from _measure.comparison.chosen_runs import read_runs
from _measure.measure import MeasureConfig, measure, measure_shard
from _measure.scored_run import ScoredRun
from _measure.verify import measured_protocols, verify_published
from _measure.weights import FOLDERS_VARIABLE
from tests.measure.report.small_run import PLAIN, SmallRun, copied, disc, make_run

pytestmark = pytest.mark.usefixtures("no_weights")
CHANGED = "measured before the run changed: python3 -m _scripts.measure RUN --variants"


def config(run: RunFolder) -> MeasureConfig:
    return MeasureConfig(path=run.path, protocol="corrected", workers=1, offline=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """Measured with all variants, its own table under `corrected`."""
    small = make_run(tmp_path_factory.mktemp("made"))
    replace(RunRecord.read(small.run.record), method="discs").write(small.run.record)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(FOLDERS_VARIABLE, raising=False)
        measure_shard(config(small.run), with_variants=True)
    return small


@pytest.fixture
def small(made: SmallRun, tmp_path: Path) -> SmallRun:
    return copied(made, tmp_path / "run")


def change(small: SmallRun) -> None:
    """Another picture, and the run's own table measured anew."""
    write_png(small.run.item(PLAIN).render("ortho_front"), disc((10, 10, 10)))
    measure(config(small.run))


def paper_reasons(run: RunFolder) -> set[str]:
    return {verdict.reason for verdict in verify_published(run) if verdict.protocol == "paper"}


def forget_predictions(run: RunFolder) -> None:
    """As tables were before they recorded it."""
    path = run.table("json")
    value = json.loads(path.read_text(encoding="utf-8"))
    del value["predictions"]
    path.write_text(json.dumps(value), encoding="utf-8")


def test_all_tables_of_one_call_record_the_same_predictions(small: SmallRun) -> None:
    own, *variants = (ScoredRun.read(small.run.variant(name)) for name in ("corrected", "paper"))
    top = ScoredRun.read(small.run)
    assert top.predictions
    assert top.predictions == own.predictions == variants[0].predictions
    assert set(measured_protocols(small.run)) == {"paper", "corrected"}


@pytest.mark.parametrize("name", ["mesh.glb", "renders/ortho_front.png"])
def test_each_file_of_an_item_shows_in_its_digest_alone(small: SmallRun, name: str) -> None:
    before = ScoredRun.read(small.run).predictions
    path = small.run.item(PLAIN).path / name
    path.write_bytes(path.read_bytes()[:-1])
    measure(config(small.run))
    after = ScoredRun.read(small.run).predictions
    assert before is not None
    assert after is not None
    assert [item for item in before if before[item] != after[item]] == [str(PLAIN)]


def test_variants_of_other_predictions_are_not_judged(small: SmallRun) -> None:
    change(small)
    assert set(measured_protocols(small.run)) == {"corrected"}
    assert paper_reasons(small.run) == {f"variant paper {CHANGED}"}
    measure_shard(config(small.run), with_variants=True)
    assert set(measured_protocols(small.run)) == {"paper", "corrected"}


def test_variants_that_do_not_say_what_they_scored_are_not_judged(small: SmallRun) -> None:
    forget_predictions(small.run.variant("paper"))
    assert paper_reasons(small.run) == {f"variant paper {CHANGED}"}


def test_variants_of_other_predictions_are_not_compared(small: SmallRun, made: SmallRun) -> None:
    assert len(read_runs([small.run.path, made.run.path], "paper")) == 2
    change(small)
    with pytest.raises(InputError, match="found corrected and paper measured before the run changed"):
        read_runs([small.run.path, made.run.path], "paper")
    assert len(read_runs([small.run.path, made.run.path], "corrected")) == 2
