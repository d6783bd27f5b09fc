"""Journals: one line per finished piece of work, so that whatever was killed can go on.

A line names the piece, a key (digest of everything that decides its result) and the digests of its files. A piece is
finished when its last line has the wanted key and its files are still what the line says. One process writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from _exchange import atomic
from _exchange.digest import sha256_of_file


@dataclass(frozen=True)
class JournalEntry:
    """One finished piece of work.

    Attributes:
        item: its name, e.g. ``genshin/albedo``.
        key: digest of everything that decides the result.
        status: ``ok`` or ``failed``; a failed piece is finished too and is tried again only when asked.
        reason: one sentence for a failed piece.
        files: SHA-256 by path relative to the journal's folder, ``/`` as separator.
    """

    item: str
    key: str
    status: str = "ok"
    reason: str = ""
    files: dict[str, str] = field(default_factory=dict)


class Journal:
    """The journal of one folder, read once and appended to.

    Args:
        path: the ``.jsonl`` file; made at the first `append`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries = last_entries(atomic.read_lines(path))

    def entries(self) -> list[JournalEntry]:
        """The last entry of every piece, sorted by name."""
        return sorted(self._entries.values(), key=lambda entry: entry.item)

    def finished(self, item: str, key: str) -> JournalEntry | None:
        """The entry of a finished piece; None when it has to be done (again)."""
        entry = self._entries.get(item)
        if entry is None or entry.key != key:
            return None
        intact = all(_has_digest(self.path.parent / name, digest) for name, digest in entry.files.items())
        return entry if intact else None

    def append(self, entry: JournalEntry) -> None:
        """Record a finished piece; its files must be complete on disk."""
        atomic.append_line(self.path, json.dumps(asdict(entry), ensure_ascii=False))
        self._entries[entry.item] = entry


def last_entries(lines: Iterable[str]) -> dict[str, JournalEntry]:
    """The last entry of every piece by its name; lines that are none are left out."""
    entries = filter(None, map(_parse, lines))
    return {entry.item: entry for entry in entries}


def digests_below(root: Path, files: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of files by path relative to `root`: the `files` of an entry."""
    return {path.relative_to(root).as_posix(): sha256_of_file(path) for path in files}


def _has_digest(path: Path, digest: str) -> bool:
    return path.is_file() and sha256_of_file(path) == digest


def _parse(line: str) -> JournalEntry | None:
    """An entry, or None for a line that is none: one that a kill tore and a later line follows."""
    try:
        entry = JournalEntry(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (entry.item, entry.key, entry.reason)
    if not all(isinstance(text, str) for text in texts) or entry.status not in ("ok", "failed"):
        return None
    if not isinstance(entry.files, dict) or not all(isinstance(digest, str) for digest in entry.files.values()):
        return None
    return entry
