"""A lock that processes agree on by a file, also from several machines that share a file system which has locks.

The kernel frees it when its process ends, however that happens, so nothing has to be cleaned up. The file is empty and
stays: removing it would let two processes lock two files of one name.
"""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path
from typing import IO, Literal

from _exchange.errors import InputError

Manner = Literal["alone", "shared"]
_ABSENT = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
"""What file systems without locks answer."""


class FileLock:
    """A file to lock, made with its folder where needed; nothing is locked yet. Close it, or use it with ``with``.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = open(path, "a+b")  # noqa: SIM115 - closed by `close`

    def take(self, manner: Manner) -> bool:
        """Lock at once, ``shared`` with other such or ``alone``; False: others hold it. One lock held is enough.

        Raises:
            InputError: it is to be shared on a file system without locks. There, ``alone`` is taken on trust.
        """
        return self._lock(manner, fcntl.LOCK_NB)

    def wait(self, manner: Manner) -> None:
        """Lock when the others let go; raises as `take`."""
        self._lock(manner, 0)

    def _lock(self, manner: Manner, flags: int) -> bool:
        try:
            fcntl.flock(self._stream, _FLAGS[manner] | flags)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            if manner == "shared":
                raise InputError(
                    f"Expected a file system with locks to share {self._stream.name}, found one without.",
                    next_step="Do all the work in one process, or in a folder on another file system.",
                ) from error
        return True

    def let_go(self) -> None:
        """Hold nothing."""
        fcntl.flock(self._stream, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go for good."""
        self._stream.close()

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_FLAGS: dict[Manner, int] = {"alone": fcntl.LOCK_EX, "shared": fcntl.LOCK_SH}


def lock_while_writing(stream: IO[bytes]) -> None:
    """Lock an open file until it is closed; nothing on a file system without locks, where one process can write."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
