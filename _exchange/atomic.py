"""The one way to write files: a reader sees the old file or the whole new one, also after a kill or a power cut.

A temporary file beside the target is filled, flushed, fsynced and renamed over it. Temporary names start with
`TEMPORARY_PREFIX`; whoever lists a folder ignores them, and `remove_leftovers` deletes those of killed processes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from _exchange.digest import sha256_of_bytes

TEMPORARY_PREFIX = ".partial-"


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by a file with this content, making its folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A digest stands for the name: a prefix would push long names over the file system's limit of 255 bytes.
    name = sha256_of_bytes(os.fsencode(path.name))[:16]
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{name}")
    try:
        with open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, content: str) -> None:
    """`write_bytes` of UTF-8 text with Unix line ends."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """`write_text` of indented JSON; NaN and infinity are refused by `json`, since other readers refuse them."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def append_line(path: Path, line: str) -> None:
    """Append one line with one write and an fsync. A kill can leave a torn last line: `read_lines` leaves it out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as stream:
        if stream.tell() and not _ends_with_newline(path):
            stream.write(b"\n")
        stream.write(line.encode("utf-8") + b"\n")
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
