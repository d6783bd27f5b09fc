"""A run on Ray whose worker, and then whose driver, is killed with SIGKILL ends as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from _exchange.journal import Journal
from _exchange.run_folder import RunFolder
from _methods.generate import GenerateOptions, generate
from tests.methods.quick_method import install_quick_method, write_distribution
from tests.methods.tiny_dataset import TinyDataset
from tests.scale_out.test_ray_workers import descendants, is_alive

REPOSITORY = Path(__file__).resolve().parents[2]
ITEMS = 8
CLOSED = ITEMS - 2
"""Items from here on wait for a file that never is: the run cannot end before its kill."""
PATIENCE_S = 180
PROGRAM = """
import sys
from pathlib import Path
from _methods.generate import GenerateOptions, generate
from tests.methods.tiny_dataset import TinyDataset

options = GenerateOptions(out=Path(sys.argv[1]), method="quick", workers=1, executor="ray")
generate(TinyDataset(count=int(sys.argv[2]), closed=int(sys.argv[3])), options)
"""

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (_env/requirements-ray.txt)"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see worker processes"),
]


def test_a_killed_worker_and_a_killed_driver_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_distribution(tmp_path, "tests.methods.quick_method:ENTRY")
    run = RunFolder(tmp_path / "run")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    place = Path(tempfile.mkdtemp(prefix="kill-"))  # a short name: Ray's sockets lie below it
    environment |= {
        "TMPDIR": str(place),
        "ANIME3D_PROGRESS": "off",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(tmp_path)]),
    }
    driver = subprocess.Popen([sys.executable, "-c", PROGRAM, str(run.path), str(ITEMS), str(CLOSED)], env=environment)
    try:
        _wait_for(lambda: len(_finished(run)) >= 1)
        _wait_for(lambda: _workers_of(driver.pid))
        workers = _workers_of(driver.pid)
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        done = len(_finished(run))
        _wait_for(lambda: len(_finished(run)) >= min(done + 2, CLOSED - 2))
        _wait_for(lambda: set(_workers_of(driver.pid)) - set(workers))
        workers += _workers_of(driver.pid)
        assert driver.poll() is None
    finally:
        driver.kill()
        driver.wait(PATIENCE_S)
        shutil.rmtree(place, ignore_errors=True)
    _wait_for(lambda: not any(is_alive(worker) for worker in workers))
    before = _finished(run)
    assert set(before.values()) == {"ok"}  # the killed worker's item as well: another made it, or nobody yet
    assert len(before) < ITEMS

    install_quick_method(tmp_path, monkeypatch)
    summary = generate(TinyDataset(count=ITEMS), GenerateOptions(out=run.path, method="quick"))
    assert (summary.made, summary.kept, summary.failed) == (ITEMS - len(before), len(before), {})
    generate(TinyDataset(count=ITEMS), GenerateOptions(out=tmp_path / "undisturbed", method="quick"))
    assert _results(run) == _results(RunFolder(tmp_path / "undisturbed"))


def _finished(run: RunFolder) -> dict[str, str]:
    """Status by item."""
    return {entry.item: entry.status for entry in Journal(run.journal).entries()}


def _workers_of(driver: int) -> list[int]:
    """Processes of the driver's cluster that do the work."""
    found = []
    for process in descendants(driver):
        try:
            name = Path(f"/proc/{process}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name.startswith(b"ray::_Worker"):
            found.append(process)
    return found


def _results(run: RunFolder) -> dict[str, bytes]:
    paths = [path for item in TinyDataset(count=ITEMS).items() for path in run.item(item).result_files()]
    return {path.relative_to(run.path).as_posix(): path.read_bytes() for path in paths}


def _wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)
