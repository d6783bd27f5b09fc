"""`prepare` killed again and again, and started again: the files are those of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from _databacks.prepare import PrepareConfig, prepare
from _exchange.atomic import TEMPORARY_PREFIX
from tests.databacks.tiny_characters import cube, files_below, write_tiny

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from _databacks.prepare import PrepareConfig, prepare

source, out, gate = map(Path, sys.argv[1:4])
workers, moment = map(int, sys.argv[4:])
rename = os.replace

def wait_and_rename(temporary, path):
    while sum(len(files) for _, _, files in os.walk(out)) >= moment and not gate.exists():
        time.sleep(0.005)
    rename(temporary, path)

def open_gate_and_interrupt(number, frame):
    gate.touch()
    raise KeyboardInterrupt

os.replace = wait_and_rename
if __name__ == "__main__":
    signal.signal(signal.SIGINT, open_gate_and_interrupt)
    prepare(PrepareConfig(source=source, out=out, kinds=("ortho",), backend="cpu", workers=workers))
"""
NEVER = 1000
SEED = 20231
DEADLINE_SECONDS = 120


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill") / "in"
    for number in range(3):
        write_tiny(folder / f"c{number}.vrm", positions=cube(0.05 + 0.02 * number))
    (folder / "broken.vrm").write_bytes(b"no character")
    return folder


@pytest.fixture(scope="module")
def undisturbed(source):
    out = source.parent / "undisturbed"
    prepare(PrepareConfig(source=source, out=out, kinds=("ortho",), backend="cpu", workers=1))
    return files_below(out)


def start(source, out, workers, moment=NEVER):
    """`prepare`, which waits in the middle of a write when there are `moment` files: it cannot end before its kill."""
    program = source.parent / "program.py"
    program.write_text(PROGRAM)
    environment = os.environ | {"ANIME3D_PROGRESS": "off", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, program, source, out, gate_of(out), str(workers), str(moment)]
    return subprocess.Popen(command, env=environment, cwd=REPOSITORY, stderr=subprocess.DEVNULL)


def gate_of(out):
    """The file that lets those who wait go on."""
    return out.with_name(f"{out.name}-gate")


def wait_for(condition):
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.002)


def file_count(out):
    return sum(len(files) for _, _, files in os.walk(out))


def children_of(pid):
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            children.append(int(stat.parent.name))
    return children


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see worker processes")
def test_killed_at_random_moments_and_started_again(source, undisturbed):
    out = source.parent / "killed"
    workers = []
    moments = sorted(random.Random(SEED).sample(range(1, len(undisturbed)), 5))
    for number, files in enumerate(moments):
        process = start(source, out, 2 - number % 2, files)
        wait_for(lambda files=files: file_count(out) >= files)
        workers += children_of(process.pid)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    wait_for(lambda: not any(is_alive(pid) for pid in workers))
    assert start(source, out, workers=1).wait(DEADLINE_SECONDS) == 0
    assert files_below(out) == undisturbed
    assert not list(out.rglob(f"{TEMPORARY_PREFIX}*"))


def test_interrupted_by_ctrl_c_and_started_again(source, undisturbed):
    out = source.parent / "interrupted"
    process = start(source, out, workers=2, moment=len(undisturbed) // 3)
    wait_for(lambda: file_count(out) >= len(undisturbed) // 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE_SECONDS) != 0
    assert not (out / "subsets/own_all.csv").exists()
    assert start(source, out, workers=1).wait(DEADLINE_SECONDS) == 0
    assert files_below(out) == undisturbed


def test_two_at_once_on_one_folder_are_refused(source):
    out = source.parent / "twice"
    first = start(source, out, workers=1, moment=2)
    wait_for(lambda: file_count(out) >= 2)
    second = start(source, out, workers=1)
    assert second.wait(DEADLINE_SECONDS) != 0
    gate_of(out).touch()
    assert first.wait(DEADLINE_SECONDS) == 0
