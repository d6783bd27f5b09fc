"""Several processes at one folder: locks, journals that all append to, and files that one of them makes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from _exchange import atomic
from _exchange.errors import InputError
from _exchange.file_lock import FileLock

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 120
LINES = 150


def at_once(program: str, calls: list[tuple[object, ...]]) -> list[str]:
    """What processes that run at the same time print."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, *map(str, call)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        for call in calls
    ]
    answers = [process.communicate(timeout=PATIENCE_S)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(calls)
    return answers


def test_shared_locks_go_together_and_one_alone_with_none(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    with FileLock(path) as one, FileLock(path) as two:
        assert one.take("shared")
        assert two.take("shared")
        assert not one.take("alone")
        two.let_go()
        assert one.take("alone")
        assert not two.take("shared")
        one.close()
        assert two.take("alone")


def test_of_parts_that_ask_after_letting_go_the_last_is_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path) as one, FileLock(path) as two:
        assert one.take("shared")
        assert two.take("shared")
        one.let_go()
        assert not one.take("alone")
        two.let_go()
        assert two.take("alone")


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom _exchange.file_lock import FileLock\n"
        "lock = FileLock(Path(sys.argv[1]))\nassert lock.take('alone')\n"
        "print('held', flush=True)\nsys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "lock"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with FileLock(tmp_path / "lock") as lock:
        assert not lock.take("shared")
        holder.kill()
        holder.wait(PATIENCE_S)
        assert lock.take("alone")
    holder.communicate()


def test_without_locks_one_process_works_on_and_parts_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with FileLock(tmp_path / "lock") as lock:
        assert lock.take("alone")
        lock.wait("alone")
        with pytest.raises(InputError, match=r"file system with locks .*lock, found one without"):
            lock.take("shared")


def test_lines_that_two_processes_append_stay_whole(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom _exchange.atomic import append_line\n"
        f"for number in range({LINES}):\n"
        "    append_line(Path(sys.argv[1]), sys.argv[2] * 20000 + str(number))\n"
    )
    log = tmp_path / "log.jsonl"
    at_once(program, [(log, "a"), (log, "b")])
    lines = atomic.read_lines(log)
    for letter in "ab":
        assert [line for line in lines if line[0] == letter] == [letter * 20000 + str(n) for n in range(LINES)]
    assert len(lines) == 2 * LINES


def test_of_processes_that_make_one_file_one_does(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom _exchange.atomic import write_new_json\n"
        "made = []\n"
        "for number in range(100):\n"
        "    try:\n        write_new_json(Path(sys.argv[1]) / str(number), sys.argv[2])\n"
        "        made.append(number)\n"
        "    except FileExistsError:\n        pass\n"
        "print(made)\n"
    )
    made = [json.loads(answer) for answer in at_once(program, [(tmp_path, "one"), (tmp_path, "two")])]
    assert sorted(made[0] + made[1]) == list(range(100))
    for name, numbers in zip(("one", "two"), made):
        assert {json.loads((tmp_path / str(number)).read_text()) for number in numbers} <= {name}
    assert len(os.listdir(tmp_path)) == 100


def test_a_file_that_is_there_stays_also_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    atomic.write_new_json(tmp_path / "run.json", "first")
    with pytest.raises(FileExistsError):
        atomic.write_new_json(tmp_path / "run.json", "second")
    assert json.loads((tmp_path / "run.json").read_text()) == "first"
    assert os.listdir(tmp_path) == ["run.json"]
