"""Temporary folders: gone at the end, and, where their process was killed, when the next one starts."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from _exchange.scratch_folder import scratch_folder

REPOSITORY = Path(__file__).resolve().parents[2]
KILLED = """
import os, signal, sys
from pathlib import Path
from _exchange.scratch_folder import scratch_folder

with scratch_folder(Path(sys.argv[1]), "work-") as folder:
    (folder / "file").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""
HOUR_S = 3600


def grow_old(folder: Path) -> None:
    """As if everything in it were made an hour ago."""
    for path in [folder, *folder.rglob("*")]:
        then = path.stat().st_mtime - HOUR_S
        os.utime(path, (then, then))


def test_it_is_gone_after_the_block_and_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), scratch_folder(tmp_path, "work-") as folder:
        folder.mkdir()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=REPOSITORY, check=False)
    (left,) = tmp_path.iterdir()
    grow_old(left)
    with scratch_folder(tmp_path, "work-") as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_folders_in_use_and_those_of_others_stay(tmp_path: Path) -> None:
    foreign = tmp_path / "work-of-others"
    foreign.mkdir()
    (tmp_path / "work-file").touch()
    with scratch_folder(tmp_path, "work-") as in_use:
        linked = tmp_path / "work-link"
        linked.symlink_to(in_use)
        for folder in (foreign, in_use):
            grow_old(folder)
        with scratch_folder(tmp_path, "other-"), scratch_folder(tmp_path, "work-"):
            assert foreign.is_dir()
            assert in_use.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["work-file", "work-link", "work-of-others"]


def test_without_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with scratch_folder(tmp_path, "work-") as in_use:
        grow_old(in_use)
        with scratch_folder(tmp_path, "work-"):
            assert in_use.is_dir()


def test_a_folder_that_was_made_this_instant_stays(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=REPOSITORY, check=False)
    with scratch_folder(tmp_path, "work-"):
        assert len(list(tmp_path.iterdir())) == 2
