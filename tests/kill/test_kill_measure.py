"""Measuring that is killed with SIGKILL at any moment and started again ends as if nothing had happened."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from _exchange import atomic
from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _measure.protocols import Settings
from _measure.run import MeasureOptions, Target, measure_targets
from tests.measure.small_benchmark import SmallBenchmark, make_benchmark

REPOSITORY = Path(__file__).resolve().parents[2]
ITEMS = 10
PARTS = 2
"""Without weights: pixels and surfaces."""
KILLS = 4
PATIENCE_S = 120
"""Until a step of one killed run is given up; nothing is measured with it."""
PROGRAM = """
import pickle, sys
from pathlib import Path
from _measure.run import measure_targets

if __name__ == "__main__":
    measure_targets(*pickle.loads(Path(sys.argv[1]).read_bytes()))
"""


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeasureOptions]:
    """With no weights anywhere, here and in processes that are started."""
    root = tmp_path_factory.mktemp("options")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ANIME3D_WEIGHTS", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        yield MeasureOptions(may_download=False, truth_cache=root / "truth")


@pytest.fixture(scope="module")
def calm(options: MeasureOptions, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Results that nothing disturbed."""
    bench = make_benchmark(tmp_path_factory.mktemp("calm"), ITEMS)
    measure_targets(*arguments(bench, options))
    return results(bench.run)


def arguments(bench: SmallBenchmark, options: MeasureOptions) -> tuple:
    target = Target(bench.run, bench.predictions, Settings(sample_count=100))
    return bench.run.measured, [target], bench.items, bench.truth_of, options


def start(folder: Path, bench: SmallBenchmark, options: MeasureOptions) -> subprocess.Popen:
    (folder / "arguments").write_bytes(pickle.dumps(arguments(bench, options)))
    (folder / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "ANIME3D_PROGRESS": "off"}
    return subprocess.Popen([sys.executable, folder / "program.py", folder / "arguments"], env=environment)


def results(run: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [run.scores, *map(run.table, TABLE_FORMATS)]}


def test_measuring_killed_at_any_moment_goes_on_to_the_same_bytes(
    options: MeasureOptions, calm: dict[str, bytes], tmp_path: Path
) -> None:
    """Kills with one process and with two, most of them after a random number of new lines; none is lost."""
    killed = make_benchmark(tmp_path / "killed", ITEMS)
    random = np.random.default_rng(20230324)
    journal = killed.run.measured
    for kill in range(KILLS):
        before = atomic.read_lines(journal)
        process = start(tmp_path, killed, replace(options, workers=1 + kill % 2))
        deadline = time.monotonic() + PATIENCE_S
        wanted = len(before) + int(random.integers(0, PARTS + 1))
        while process.poll() is None and len(atomic.read_lines(journal)) < wanted:
            assert time.monotonic() < deadline, "measuring makes no progress"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
        assert atomic.read_lines(journal)[: len(before)] == before
    kept = len(atomic.read_lines(journal))
    assert 0 < kept < ITEMS * PARTS, "the kills came too early or too late to show anything"
    measure_targets(*arguments(killed, options))
    assert results(killed.run) == calm
    assert len(atomic.read_lines(journal)) <= ITEMS * PARTS + KILLS  # at most one torn line a kill


def test_a_worker_killed_in_the_middle_loses_nothing(
    options: MeasureOptions, calm: dict[str, bytes], tmp_path: Path
) -> None:
    struck = make_benchmark(tmp_path / "struck", ITEMS)
    process = start(tmp_path, struck, replace(options, workers=2))
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and not struck.run.measured.exists():
        assert time.monotonic() < deadline, "measuring makes no progress"
        time.sleep(0.002)
    for child in children(process.pid)[:1]:
        os.kill(child, signal.SIGKILL)
    assert process.wait(PATIENCE_S) == 0
    assert results(struck.run) == calm


def children(parent: int) -> list[int]:
    """Python processes whose parent is `parent`, started last first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended between listing and reading
        if int(after_name[1]) == parent and b"spawn_main" in command:
            found.append(int(stat.parent.name))
    return sorted(found, reverse=True)
