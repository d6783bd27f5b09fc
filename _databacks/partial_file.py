"""The bytes of a download that is not finished: hashed as they come, kept under a hidden name, held by one process.

A file stays ``.partial-<first digits of its SHA-256>`` until its digest is right; only then it gets its name. Beside
it, ``.partial-<…>.source`` says which address the bytes came from and what the server calls that version of the file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from _databacks.manifest import ManifestFile
from _exchange.atomic import TEMPORARY_PREFIX, write_json
from _exchange.errors import FormatError
from _exchange.file_lock import lock_while_writing
from _exchange.progress import progress
from _exchange.run_record import read_json_object

_PIECE = 2**20


class PartialFile:
    """Bytes from the start of a file up to where the last connection broke.

    Attributes:
        size: how many there are.
        is_pieced: whether they came over more than one connection, perhaps from two versions of the file.
    """

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream, self._path = stream, path
        self._source = path.with_name(f"{path.name}.source")
        self._digest = hashlib.sha256()
        self.size = 0
        self._stream.seek(0)
        while piece := self._stream.read(_PIECE):
            self._digest.update(piece)
            self.size += len(piece)
        self.is_pieced = self.size > 0

    @property
    def sha256(self) -> str:
        """Of the bytes so far."""
        return self._digest.hexdigest()

    def append(self, content: bytes) -> None:
        """Write and hash; what has been written survives a kill.

        Raises:
            OSError: the disk is full or broken.
        """
        rest = memoryview(content)
        while rest:
            written = self._stream.write(rest) or 0
            self._digest.update(rest[:written])
            self.size += written
            rest = rest[written:]

    def restart(self) -> None:
        """Forget all bytes."""
        self._source.unlink(missing_ok=True)
        self._stream.seek(0)
        self._stream.truncate()
        self._digest = hashlib.sha256()
        self.size, self.is_pieced = 0, False

    def note_source(self, url: str, validator: str) -> None:
        """Remember where the bytes come from."""
        write_json(self._source, {"url": url, "validator": validator})

    def validator_of(self, url: str) -> str:
        """What the server at `url` called the file whose bytes these are; empty where that is not known."""
        if not self._source.is_file():
            return ""
        try:
            note = read_json_object(self._source)
        except FormatError:  # then the digest alone decides whether the pieces fit
            return ""
        validator = note.get("validator")
        usable = (
            note.get("url") == url and isinstance(validator, str) and validator.isascii() and validator.isprintable()
        )
        return str(validator) if usable else ""

    def finish(self, target: Path) -> None:
        """Give the bytes their name, for good."""
        os.fsync(self._stream.fileno())
        os.replace(self._path, target)
        self._source.unlink(missing_ok=True)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def drop_if_empty(self) -> None:
        """Leave nothing behind where nothing came."""
        if self.size == 0:
            self._path.unlink(missing_ok=True)
            self._source.unlink(missing_ok=True)


@contextmanager
def held_partial_file(file: ManifestFile, folder: Path) -> Iterator[PartialFile]:
    """The partial file of `file` in `folder`, locked while the block runs; another process that has it is waited for.

    Raises:
        OSError: the folder cannot be written.
    """
    path = folder / f"{TEMPORARY_PREFIX}{file.sha256[:16]}"
    with _locked(path, file.name) as stream:
        partial = PartialFile(stream, path)
        try:
            yield partial
        finally:
            partial.drop_if_empty()


@contextmanager
def _locked(path: Path, name: str) -> Iterator[BinaryIO]:
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with os.fdopen(number, "r+b", buffering=0) as stream:
            _lock(stream, name)
            if _is_still(stream, path):  # the one before may have renamed or deleted it meanwhile
                yield stream
                return


def _lock(stream: BinaryIO, name: str) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with progress(f"waiting for another process that downloads {name}", 1) as shown:
            lock_while_writing(stream)
            shown.advance()
    except OSError:  # perhaps a file system without locks
        lock_while_writing(stream)


def _is_still(stream: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
