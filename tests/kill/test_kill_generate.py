"""A run that is killed with SIGKILL at random moments and started again ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from _exchange.digest import sha256_of_file
from _exchange.journal import Journal
from tests.methods.quick_method import write_distribution

REPOSITORY = Path(__file__).resolve().parents[2]
ITEMS = 8
FILES_PER_ITEM = 33
WORKERS_OF_KILLED_RUNS = (1, 2, 1, 2)
PATIENCE_S = 120
"""Until a step of one killed run is given up; nothing is measured with it."""

PROGRAM = """
import signal, sys
from pathlib import Path
from _methods.generate import GenerateOptions, generate
from tests.methods.tiny_dataset import TinyDataset

def open_gate_and_interrupt(number, frame):
    gate.touch()
    raise KeyboardInterrupt

if __name__ == "__main__":
    run, workers, items, closed = Path(sys.argv[1]), *map(int, sys.argv[2:])
    gate = run.with_name(run.name + "-gate")
    signal.signal(signal.SIGINT, open_gate_and_interrupt)
    options = GenerateOptions(out=run, method="quick", workers=workers)
    generate(TinyDataset(count=items, closed=closed, gate=gate), options)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds the program and the distribution of its method."""
    folder = tmp_path_factory.mktemp("kill")
    write_distribution(folder, "tests.methods.quick_method:ENTRY")
    (folder / "program.py").write_text(PROGRAM)
    return folder


def _start(folder: Path, run: Path, workers: int, closed: int = ITEMS, **settings: bool) -> subprocess.Popen:
    """A run that waits at the item number `closed`, so that nothing depends on who is quicker."""
    path = os.pathsep.join([str(REPOSITORY), str(folder)])
    environment = {**os.environ, "PYTHONPATH": path, "ANIME3D_PROGRESS": "off"}
    command = [sys.executable, str(folder / "program.py"), str(run), str(workers), str(ITEMS), str(closed)]
    return subprocess.Popen(command, cwd=folder, env=environment, **settings)


def _finish(folder: Path, run: Path, workers: int) -> None:
    assert _start(folder, run, workers).wait(PATIENCE_S) == 0


def _result_files(run: Path) -> list[Path]:
    """Everything below `items` but the statuses, also hidden leftovers."""
    return [path for path in (run / "items").rglob("*") if path.name != "status.json" and not path.is_dir()]


def _results(run: Path) -> dict[str, str]:
    return {path.relative_to(run).as_posix(): sha256_of_file(path) for path in _result_files(run)}


def _files_since(run: Path, started_ns: int) -> int:
    """How many result files were written since then."""
    count = 0
    for path in _result_files(run):
        try:
            count += path.stat().st_mtime_ns >= started_ns
        except FileNotFoundError:
            continue  # a temporary file that has its name by now
    return count


def _run_and_kill(folder: Path, run: Path, workers: int, files: int, closed: int) -> None:
    """Start, and kill at work when so many files were written."""
    started_ns, deadline = time.time_ns(), time.monotonic() + PATIENCE_S
    process = _start(folder, run, workers, closed)
    while _files_since(run, started_ns) < files:
        assert process.poll() is None, "it ended before the kill"
        assert time.monotonic() < deadline, "the run makes no progress"
        time.sleep(0.002)
    workers_of_it = _children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE_S)
    _wait_until_ended(workers_of_it, deadline)


@pytest.fixture(scope="module")
def expected(folder):
    """Results of a run that nothing disturbed."""
    _finish(folder, folder / "undisturbed", workers=1)
    results = _results(folder / "undisturbed")
    assert len(results) == ITEMS * FILES_PER_ITEM
    return results


def test_killed_runs_end_with_the_bytes_of_an_undisturbed_one(folder, expected):
    random = np.random.default_rng(20230324)
    closed = 0
    for workers in WORKERS_OF_KILLED_RUNS:
        closed += workers  # so many new items: more files than it may write
        files = int(random.integers(1, FILES_PER_ITEM))
        _run_and_kill(folder, folder / "killed", workers, files, closed)
    assert not _is_complete(folder / "killed")

    _finish(folder, folder / "killed", workers=2)
    assert _results(folder / "killed") == expected
    assert _is_complete(folder / "killed")


def _is_complete(run: Path) -> bool:
    return len(Journal(run / "journal.jsonl").entries()) == ITEMS


def test_ctrl_c_ends_all_processes_and_leaves_a_run_that_goes_on(folder, expected):
    run = folder / "interrupted"
    started_ns, deadline = time.time_ns(), time.monotonic() + PATIENCE_S
    process = _start(folder, run, workers=2, closed=ITEMS - 1, start_new_session=True)
    while _files_since(run, started_ns) < 2 * FILES_PER_ITEM:
        assert time.monotonic() < deadline, "the run makes no progress"
        time.sleep(0.005)
    workers = _children(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the parent and all workers
    assert process.wait(PATIENCE_S) != 0
    _wait_until_ended(workers, deadline)
    assert not [path for path in _result_files(run) if path.name.startswith(".")], "half-written files"
    assert not _is_complete(run)
    _finish(folder, run, workers=1)
    assert _results(run) == expected


def test_workers_end_when_their_parent_is_killed(folder):
    process = _start(folder, folder / "orphans", workers=2, closed=1)
    deadline = time.monotonic() + PATIENCE_S
    while not (children := _children(process.pid)) or not _result_files(folder / "orphans"):
        assert time.monotonic() < deadline, "no worker started"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE_S)
    _wait_until_ended(children, deadline)


def _wait_until_ended(processes: list[int], deadline: float) -> None:
    while any(_is_alive(process) for process in processes):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.05)


def _children(parent: int) -> list[int]:
    """Process ids whose parent is `parent`."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended between listing and reading
        if int(after_name[1]) == parent:
            children.append(int(stat.parent.name))
    return children


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
