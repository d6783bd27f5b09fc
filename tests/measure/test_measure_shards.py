"""Several machines share one run: shards, and processes that append at once."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from _exchange import atomic
from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _exchange.shard import Shard
from _measure.protocols import Settings
from _measure.run import MeasureOptions, Target, Unfinished, measure_targets
from _measure.table import Table
from tests.measure.small_benchmark import SmallBenchmark, make_benchmark

pytestmark = pytest.mark.usefixtures("no_weights")
SETTINGS = Settings(sample_count=300)
OPTIONS = MeasureOptions(may_download=False)


def measure(bench: SmallBenchmark, **changes: object) -> list[Table] | Unfinished:
    target = Target(bench.run, bench.predictions, SETTINGS)
    return measure_targets(bench.run.measured, [target], bench.items, bench.truth_of, replace(OPTIONS, **changes))


def results(run: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [run.scores, *map(run.table, TABLE_FORMATS)]}


@pytest.fixture
def alone(tmp_path: Path) -> SmallBenchmark:
    """Measured by one process."""
    bench = make_benchmark(tmp_path / "alone", 5)
    measure(bench)
    return bench


def test_the_last_shard_writes_what_one_process_writes(alone: SmallBenchmark, tmp_path: Path) -> None:
    bench = make_benchmark(tmp_path / "shared", 5)
    for number, scored in ((2, 2), (3, 3)):
        answer = measure(bench, shard=Shard(number, 3))
        assert answer == Unfinished(scored, 5)
        assert not bench.run.scores.exists()
        assert not bench.run.table("txt").exists()
    assert isinstance(measure(bench, shard=Shard(1, 3)), list)
    assert results(bench.run) == results(alone.run)


def test_an_unfinished_run_is_told_in_a_sentence() -> None:
    assert Unfinished(3, 12).sentence.startswith("3 of 12 items scored;")


def test_a_shard_scores_its_own_items_only(tmp_path: Path) -> None:
    bench = make_benchmark(tmp_path, 5)
    measure(bench, shard=Shard(2, 2))
    lines = [json.loads(line) for line in bench.run.measured.read_text().splitlines()]
    assert {line["item"] for line in lines} == {"balls/ball_1", "balls/ball_3"}


def test_a_shard_scores_nothing_that_another_has_scored(tmp_path: Path) -> None:
    bench = make_benchmark(tmp_path, 3)
    measure(bench)
    before = bench.run.measured.read_bytes()
    measure(bench, shard=Shard(1, 2))
    assert bench.run.measured.read_bytes() == before


def append_many(path: Path, writer: int) -> None:
    for count in range(60):
        atomic.append_line(path, json.dumps({"writer": writer, "count": count, "filling": "x" * 9000}))


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    """Longer than a buffer of Python, so that a line written in pieces would be torn by the others."""
    path = tmp_path / "journal.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(path, writer)) for writer in range(3)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(60)
    lines = [json.loads(line) for line in atomic.read_lines(path)]
    assert sorted((line["writer"], line["count"]) for line in lines) == [(w, c) for w in range(3) for c in range(60)]


def test_shards_at_once_end_with_the_same_bytes(alone: SmallBenchmark, tmp_path: Path) -> None:
    bench = make_benchmark(tmp_path / "shared", 5)
    context = multiprocessing.get_context("spawn")
    shards = [context.Process(target=measure, args=(bench,), kwargs={"shard": Shard(i, 2)}) for i in (1, 2)]
    for process in shards:
        process.start()
    for process in shards:
        process.join(120)
    assert [process.exitcode for process in shards] == [0, 0]
    assert results(bench.run) == results(alone.run)
