"""A temporary folder that is removed at the end, or, after a kill, by the next process that makes one like it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _exchange.errors import InputError
from _exchange.file_lock import FileLock

_LOCK = "anime3d.lock"
"""In a folder of ours; locked as long as the process that made it is there."""
_SECONDS_TO_LOCK = 60.0
"""A folder that is younger may belong to a process that is about to lock it."""


@contextmanager
def scratch_folder(place: Path, prefix: str) -> Iterator[Path]:
    """A new folder below `place` while the block runs; those of dead processes with this prefix are removed before.

    Only folders that this function made for the same user are: those with its lock, which nobody holds.
    """
    _remove_folders_of_the_dead(place, prefix)
    with (
        tempfile.TemporaryDirectory(prefix=prefix, dir=place, ignore_cleanup_errors=True) as folder,
        FileLock(Path(folder) / _LOCK) as lock,
    ):
        lock.take("alone")
        yield Path(folder)


def _remove_folders_of_the_dead(place: Path, prefix: str) -> None:
    for folder in place.glob(f"{prefix}*"):
        mark = folder / _LOCK
        try:
            found = mark.lstat()
            if folder.is_symlink() or found.st_uid != os.getuid() or time.time() - found.st_mtime < _SECONDS_TO_LOCK:
                continue
            with FileLock(mark) as lock:
                if lock.take("shared"):  # refused on a file system without locks, where nobody is known to be dead
                    shutil.rmtree(folder, ignore_errors=True)
        except (OSError, InputError):
            continue  # no folder of ours, or another process has just removed it
