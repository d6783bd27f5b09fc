"""The one way to write files: a reader sees the old file or the whole new one, also after a kill or a power cut.

A temporary file beside the target is filled, flushed, fsynced and renamed over it; several processes, also of several
machines, may write one target, and each line of a journal is appended whole. Temporary names start with
`TEMPORARY_PREFIX`; whoever lists a folder ignores them, and `remove_leftovers` deletes those of killed processes.
"""

from __future__ import annotations

import errno
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _exchange.digest import sha256_of_bytes
from _exchange.file_lock import lock_while_writing

TEMPORARY_PREFIX = ".partial-"
_NO_HARD_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP)
"""What file systems without them answer, such as those of memory cards."""


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by a file with this content, making its folder where needed."""
    _write(path, content, os.replace)


def _write(path: Path, content: bytes, name: Callable[[Path, Path], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A digest stands for the name: a prefix would push long names over the file system's limit of 255 bytes. The
    # machine is part of it: containers that share a folder have the same few process numbers.
    digest = sha256_of_bytes(os.fsencode(f"{platform.node()}/{path.name}"))[:16]
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{digest}")
    try:
        with open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        name(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _name_once(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        os.replace(temporary, path)  # two starts in the same instant are not told apart here
    else:
        temporary.unlink()


def write_text(path: Path, content: str) -> None:
    """`write_bytes` of UTF-8 text with Unix line ends."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """`write_text` of indented JSON; NaN and infinity are refused by `json`, since other readers refuse them."""
    write_text(path, _json(value))


def write_new_json(path: Path, value: Any) -> None:
    """`write_json` of a file that must not be there; of several processes at once, one writes it.

    Raises:
        FileExistsError: there is such a file.
    """
    _write(path, _json(value).encode("utf-8"), _name_once)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def append_line(path: Path, line: str) -> None:
    """Append one line with one write and an fsync. A kill can leave a torn last line: `read_lines` leaves it out.

    Several processes may append to one file, also from several machines.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as stream:
        lock_while_writing(stream)
        torn = path.stat().st_size and not _ends_with_newline(path)
        stream.write(b"\n" * bool(torn) + line.encode("utf-8") + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def read_lines(path: Path) -> list[str]:
    """Complete lines of a file written by `append_line`; no lines where there is no file."""
    if not path.exists():
        return []
    text = path.read_bytes().decode("utf-8", "replace")  # not `read_text`, which ends lines at other signs too
    return [line for line in text.split("\n")[:-1] if line]


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed process left anywhere below `folder`."""
    for leftover in list(folder.rglob(f"{TEMPORARY_PREFIX}*")):
        if leftover.is_file():
            leftover.unlink(missing_ok=True)


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
