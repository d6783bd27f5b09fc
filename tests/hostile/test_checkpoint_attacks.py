"""Malicious checkpoints run nothing, and get one sentence and exit code 2."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from _exchange.command import execute
from _exchange.errors import InputError, SuiteError
from _scripts.convert import Convert, run
from tests.hostile.checkpoint_attacks import ATTACKS, MARK
from tests.torch_utils.checkpoint_files import Network, reading, snapshot_bytes
from torch_utils.checkpoint import CheckpointError, read_checkpoint

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 5.0
WATCHED = ("os.", "subprocess.", "socket.", "ctypes.", "marshal.", "pty.", "shutil.", "webbrowser.")
WATCHED_EXACTLY = ("exec", "compile", "import", "pickle.find_class", "code.__new__", "sys.addaudithook")
_events: list[str] | None = None


def _listen(event: str, arguments: tuple) -> None:
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if _events is not None and (event.startswith(WATCHED) or event in WATCHED_EXACTLY or writes):
        _events.append(f"{event} {arguments!r:.200}")


sys.addaudithook(_listen)  # cannot be taken off again: deaf outside `watched`


@contextmanager
def watched() -> Iterator[list[str]]:
    """What the interpreter itself reports as executed, imported, started or opened for writing in the block."""
    global _events  # noqa: PLW0603 — the hook is the process's
    _events = []
    gc.disable()  # finalisers of other tests would be heard too
    try:
        yield _events
    finally:
        gc.enable()
        _events = None


@pytest.fixture(scope="module", autouse=True)
def everything_imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Read one good file of each kind first, so that nothing has to be imported later."""
    folder = tmp_path_factory.mktemp("good")
    assert reading(folder / "s.pkl", snapshot_bytes(G_ema=Network())).main.state_dict
    for form in (True, False):
        torch.save({"w": torch.ones(2)}, folder / "a.pt", _use_new_zipfile_serialization=form)
        assert read_checkpoint(folder / "a.pt").main.state_dict
    assert execute(Convert, run, [str(folder / "a.pt"), str(folder / "a.safetensors")]) == 0
    assert read_checkpoint(folder / "a.safetensors").main.state_dict


def test_there_are_enough_attacks() -> None:
    assert len(ATTACKS) >= 150
    assert len({content for _, content in ATTACKS.values()}) >= 150


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_runs_nothing_and_gets_one_sentence(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    suffix, content = ATTACKS[name]
    path = tmp_path / f"attack{suffix}"
    path.write_bytes(content)
    started = time.process_time()
    with watched() as events, pytest.raises(SuiteError) as caught:
        read_checkpoint(path)
    assert time.process_time() - started < SECONDS
    assert events == []
    assert isinstance(caught.value, CheckpointError)
    sentence = str(caught.value)
    assert sentence.startswith(f"attack{suffix}: ")
    assert sentence.endswith(".")
    assert "expected" in sentence
    assert sentence.isprintable()
    assert len(sentence) < 800
    assert os.listdir(tmp_path) == [path.name]


def test_convert_says_the_sentence_and_leaves_with_2(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for name, (suffix, content) in ATTACKS.items():
        path = tmp_path / f"attack{suffix}"
        path.write_bytes(content)
        assert execute(Convert, run, [str(path), "out.safetensors"]) == 2, name
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1), name
        assert err.startswith(f"error: attack{suffix}: "), name
        path.unlink()
    assert os.listdir(tmp_path) == []


def test_the_command_itself_leaves_with_2(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(ATTACKS["archive: system, protocol 2"][1])
    command = [sys.executable, "-m", "_scripts.convert", "a.ckpt", "out.safetensors"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert "the global posix.system, which is not on the list" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert os.listdir(tmp_path) == ["a.ckpt"]


UNSAFE = """
import os, pickle, sys, torch
for name in sorted(os.listdir(".")):
    try:
        pickle.loads(open(name, "rb").read()) if name.endswith(".pkl") else torch.load(name, weights_only=False)
    except Exception:
        pass
    if os.path.exists(sys.argv[1]):
        os.remove(sys.argv[1])
        print(name)
"""
EXECUTING = [
    *(f"system, protocol {number}" for number in range(6)),
    *(f"system inside, protocol {number}" for number in range(2, 6)),
    *("eval", "exec", "open", "import chain", "pickle in pickle", "inst", "obj"),
    *("legacy file: code as the header", "legacy file: code as the object"),
    *(f"archive: system, protocol {number}" for number in range(2, 6)),
]


def test_the_same_files_run_code_where_they_are_trusted(tmp_path: Path) -> None:
    for index, name in enumerate(EXECUTING):
        suffix, content = ATTACKS[name]
        (tmp_path / f"{index}{suffix}").write_bytes(content)
    command = [sys.executable, "-c", UNSAFE, MARK]
    answer = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    executed = {EXECUTING[int(Path(line).stem)] for line in answer.stdout.splitlines()}
    assert executed == set(EXECUTING)


def test_a_watched_block_hears_what_runs(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with watched() as events:
        exec("pass")
        open(MARK, "w").close()
        os.system("true")
    assert {event.split()[0] for event in events} >= {"exec", "open", "os.system"}


def test_every_truncation_of_every_kind_is_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.arange(3.0)}, tmp_path / "new.pt")
    torch.save({"w": torch.arange(3.0)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    files = {"s.pkl": snapshot_bytes(G_ema=Network())}
    files |= {name: (tmp_path / name).read_bytes() for name in ("new.pt", "old.pt")}
    for name, content in files.items():
        reading(tmp_path / name, content)
        step = max(1, len(content) // 150)
        for length in [*range(0, len(content), step), *range(max(0, len(content) - 50), len(content))]:
            with pytest.raises(CheckpointError):
                reading(tmp_path / name, content[:length])


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pkl")
    for path in (tmp_path, tmp_path / "pipe.pkl", Path("/dev/zero")):
        with pytest.raises(CheckpointError, match="a regular file"):
            read_checkpoint(path)
    with pytest.raises(InputError, match="found no file"):
        read_checkpoint(tmp_path / "none.pkl")


def test_too_large_files_are_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "vast.pkl", "wb") as stream:
        stream.truncate((4 << 30) + 1)  # a hole: takes no room
    started = time.process_time()
    with pytest.raises(CheckpointError, match="at most 4294967296 bytes"):
        read_checkpoint(tmp_path / "vast.pkl")
    assert time.process_time() - started < 1
