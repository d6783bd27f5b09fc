"""Workers on a Ray cluster with two processor cores: the answers of local workers, whatever dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

from _exchange.errors import InputError, MissingComponent
from _exchange.findings import machine_findings
from _exchange.workers import WorkerDied, available_cores, results_of
from tests.exchange.test_workers import multiplier, refuses_to_start

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 120

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (_env/requirements-ray.txt)")


def slow_process_id() -> Callable[[int], int]:
    """Answers, after a while, with the process that works."""

    def work(_: int) -> int:
        time.sleep(0.5)
        return os.getpid()

    return work


def dies_at_thirteen_and_once_at_seven(marker: Path) -> Callable[[int], int]:
    """Kills its process at every 13, and at 7 unless there is the marker that it leaves."""

    def work(piece: int) -> int:
        if piece == 13 or (piece == 7 and not marker.exists()):
            if piece == 7:
                marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 10 * piece

    return work


def dies_while_it_starts() -> Callable[[int], int]:
    """Takes its process along."""
    os.kill(os.getpid(), signal.SIGKILL)
    return abs


def surroundings() -> Callable[[str], str]:
    """Answers with a variable of the environment, or the working folder."""
    return lambda name: os.environ.get(name, "absent") if name else str(Path.cwd())


@needs_ray
def test_every_piece_is_answered_once_also_when_a_worker_is_killed_from_outside(ray_cluster: None) -> None:
    pieces = [1, 2, 3, 4, 4]
    results = results_of(slow_process_id, (), pieces, 2, "ray")
    first, killed = next(results)
    os.kill(killed, signal.SIGKILL)  # it has its second piece in hand
    answers = [(first, killed), *results]
    assert sorted(piece for piece, _ in answers) == pieces
    processes = [answer for _, answer in answers]
    assert all(isinstance(process, int) for process in processes)
    assert processes.count(killed) == 1
    assert os.getpid() not in processes


@needs_ray
def test_a_piece_that_kills_every_worker_is_answered_alone_and_one_that_did_once_is_done(
    ray_cluster: None, tmp_path: Path
) -> None:
    work = dies_at_thirteen_and_once_at_seven
    answers = dict(results_of(work, (tmp_path / "marker",), [7, 1, 13, 2], 2, "ray"))
    assert isinstance(answers.pop(13), WorkerDied)
    assert answers == {1: 10, 2: 20, 7: 70}


@needs_ray
def test_a_preparation_that_kills_comes_to_an_end(ray_cluster: None) -> None:
    ((piece, answer),) = results_of(dies_while_it_starts, (), [-1], 2, "ray")
    assert piece == -1
    assert isinstance(answer, WorkerDied)


@needs_ray
def test_workers_have_our_folder_settings_and_threads(
    ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIME3D_WEIGHTS", "somewhere")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("sys.path", [entry or os.getcwd() for entry in sys.path])  # another path is another start
    monkeypatch.chdir(tmp_path)
    asked = ["", "ANIME3D_WEIGHTS", "OMP_NUM_THREADS"]
    answers = dict(results_of(surroundings, (), asked, 1, "ray"))
    assert [answers[name] for name in asked] == [str(tmp_path), "somewhere", str(available_cores())]


@needs_ray
def test_what_the_work_and_the_preparation_raise_arrives_as_it_is(ray_cluster: None) -> None:
    with pytest.raises(InputError, match="than 17") as of_work:
        list(results_of(multiplier, (10,), [17], 1, "ray"))
    assert type(of_work.value) is InputError
    with pytest.raises(MissingComponent, match="No weights") as of_preparation:
        list(results_of(refuses_to_start, (), [1], 1, "ray"))
    assert of_preparation.value.next_step == "Download them."


def test_no_pieces_start_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert list(results_of(refuses_to_start, (), [], 2, "ray")) == []


def test_without_ray_the_command_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingComponent, match="not installed") as caught:
        list(results_of(multiplier, (10,), [1], 2, "ray"))
    named = caught.value.next_step.rstrip(".").split()[-1]
    assert (REPOSITORY / named).read_text().splitlines()[-1].startswith("ray==")


def test_doctor_says_whether_ray_is_there_and_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "ray" and not installed:
            raise metadata.PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr("_exchange.findings.metadata.version", version)
    for installed in (True, False):
        (finding,) = (finding for finding in machine_findings() if finding.what == "Ray")
        assert (finding.present, finding.needed) == (installed, False)
    assert "_env/requirements-ray.txt" in finding.fix


@needs_ray
def test_an_address_without_a_cluster_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(InputError, match=r"Expected a Ray cluster at 127\.0\.0\.1:9, found none") as caught:
        list(results_of(multiplier, (10,), [1], 1, "ray"))
    assert "RAY_ADDRESS" in caught.value.next_step


@needs_ray
def test_a_cluster_that_is_there_is_used_and_left_running(ray_cluster: None) -> None:
    import ray

    code = (
        "from tests.scale_out.test_ray_workers import slow_process_id\nfrom _exchange.workers import results_of\n"
        "print([answer for _, answer in results_of(slow_process_id, (), [1], 1, 'ray')])\n"
    )
    environment = os.environ | {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    before = descendants(os.getpid())
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert json.loads(answer.stdout)[0] not in before
    assert ray.cluster_resources()["CPU"] == 2  # answered by the cluster


def test_help_loads_no_ray() -> None:
    code = (
        "import runpy, sys\n"
        "for verb in ('prepare', 'generate', 'measure'):\n"
        "    sys.argv = [verb, '--help']\n"
        "    try:\n        runpy.run_module(f'_scripts.{verb}', run_name='__main__', alter_sys=True)\n"
        "    except SystemExit as end:\n        assert end.code == 0\n"
        "assert 'ray' not in sys.modules\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("--executor") >= 3


# -- a cluster of its own ---------------------------------------------------------------------------------------


@needs_ray
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")
def test_ctrl_c_ends_a_cluster_that_listens_to_this_machine_alone_and_leaves_nothing() -> None:
    code = (
        "from tests.scale_out.test_ray_workers import slow_process_id\nfrom _exchange.workers import results_of\n"
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n    for piece, _ in results_of(slow_process_id, (), list(range(5000)), 1, 'ray'):\n"
        "        print(piece, flush=True)\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n"
    )
    place = Path(tempfile.mkdtemp())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=environment | {"TMPDIR": str(place), "HOME": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline().strip().isdigit()
        family = descendants(parent.pid)
        assert len(family) >= 4  # a worker, and Ray's own
        assert listening_addresses([parent.pid, *family]) == {"127.0.0.1"}
        os.killpg(parent.pid, signal.SIGINT)
        out, err = parent.communicate(timeout=PATIENCE_S)
        assert (out.splitlines()[-1], err) == ("interrupted", "")
        end = time.monotonic() + PATIENCE_S
        while any(is_alive(process) for process in family):
            assert time.monotonic() < end, "a process of Ray outlives the run"
            time.sleep(0.05)
        assert list(place.rglob("*")) == []
    finally:
        parent.kill()
        shutil.rmtree(place)


def parents() -> dict[int, int]:
    """Parent by process id, of all processes that are not over."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended between listing and reading
        if state != "Z":
            found[int(stat.parent.name)] = int(parent)
    return found


def descendants(ancestor: int) -> set[int]:
    """Children, and theirs."""
    parent_of, family = parents(), {ancestor}
    while grown := {child for child, parent in parent_of.items() if parent in family} - family:
        family |= grown
    return family - {ancestor}


def is_alive(process: int) -> bool:
    return process in parents()


def listening_addresses(processes: list[int]) -> set[str]:
    """IPv4 addresses (also inside IPv6) on which TCP sockets of the processes wait for callers."""
    sockets = set()
    for process in processes:
        for entry in Path(f"/proc/{process}/fd").iterdir():
            try:
                sockets.add(os.readlink(entry))
            except FileNotFoundError:
                continue
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                last_word = bytes.fromhex(fields[1].split(":")[0])[-4:]
                addresses.add(".".join(map(str, reversed(last_word))))
    return addresses
