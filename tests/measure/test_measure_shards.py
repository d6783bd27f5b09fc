"""Several machines share one run, one after the other and at once."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _exchange.shard import Shard
from _measure.protocols import Settings
from _measure.run import MeasureOptions, Target, Unfinished, measure_targets
from _measure.table import Table
from _measure.weights import FOLDERS_VARIABLE
from tests.measure.small_benchmark import SmallBenchmark, make_benchmark

pytestmark = pytest.mark.usefixtures("no_weights")
SETTINGS = Settings(sample_count=300)
OPTIONS = MeasureOptions(may_download=False)
ITEMS = 4
REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 120
PROGRAM = """
import pickle, sys
from pathlib import Path
from _measure.run import measure_targets

measure_targets(*pickle.loads(Path(sys.argv[1]).read_bytes()))
"""


def measure(bench: SmallBenchmark, **changes: object) -> list[Table] | Unfinished:
    target = Target(bench.run, bench.predictions, SETTINGS)
    return measure_targets(bench.run.measured, [target], bench.items, bench.truth_of, replace(OPTIONS, **changes))


def results(run: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [run.scores, *map(run.table, TABLE_FORMATS)]}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> SmallBenchmark:
    """Measured by one process; not to be changed."""
    bench = make_benchmark(tmp_path_factory.mktemp("alone"), ITEMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(FOLDERS_VARIABLE, raising=False)
        measure(bench)
    return bench


def test_the_last_shard_writes_what_one_process_writes(alone: SmallBenchmark, tmp_path: Path) -> None:
    bench = make_benchmark(tmp_path / "shared", ITEMS)
    for number, scored in ((2, 1), (3, 2)):
        answer = measure(bench, shard=Shard(number, 3))
        assert answer == Unfinished(scored, ITEMS)
        assert not bench.run.scores.exists()
        assert not bench.run.table("txt").exists()
    assert isinstance(measure(bench, shard=Shard(1, 3)), list)
    assert results(bench.run) == results(alone.run)


def test_an_unfinished_run_is_told_in_a_sentence() -> None:
    assert Unfinished(3, 12).sentence.startswith("3 of 12 items scored;")


def test_a_shard_scores_its_own_items_only(tmp_path: Path) -> None:
    bench = make_benchmark(tmp_path, ITEMS)
    measure(bench, shard=Shard(2, 2))
    lines = [json.loads(line) for line in bench.run.measured.read_text().splitlines()]
    assert {line["item"] for line in lines} == {"balls/ball_1", "balls/ball_3"}


def test_a_shard_scores_nothing_that_another_has_scored(alone: SmallBenchmark) -> None:
    before = alone.run.measured.read_bytes()
    measure(alone, shard=Shard(1, 2))
    assert alone.run.measured.read_bytes() == before


def test_shards_at_once_end_with_the_same_bytes(alone: SmallBenchmark, tmp_path: Path) -> None:
    bench = make_benchmark(tmp_path / "shared", ITEMS)
    target = Target(bench.run, bench.predictions, SETTINGS)
    processes = []
    for number in (1, 2):
        options = replace(OPTIONS, shard=Shard(number, 2))
        arguments = tmp_path / f"arguments_{number}"
        arguments.write_bytes(pickle.dumps((bench.run.measured, [target], bench.items, bench.truth_of, options)))
        processes.append(subprocess.Popen([sys.executable, "-c", PROGRAM, arguments], cwd=REPOSITORY))
    assert [process.wait(PATIENCE_S) for process in processes] == [0, 0]
    assert results(bench.run) == results(alone.run)
