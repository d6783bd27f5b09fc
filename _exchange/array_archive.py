"""Reads ``.npz`` archives of plain arrays from anywhere: nothing is unpickled, and every damage is one error."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import FormatError

_DAMAGES = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, SyntaxError, NotImplementedError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError),
)
"""What `zipfile` and NumPy raise for files that are torn, flipped or of another kind."""


def read_array_archive(path: Path, *, most_bytes: int, names: Collection[str] | None = None) -> dict[str, NDArray]:
    """The arrays of an archive by name, in its order.

    Args:
        path: the file.
        most_bytes: archives whose entries unpack to more are refused unread.
        names: which arrays to read; those that are not there are passed over. None: all.

    Raises:
        FormatError: the file cannot be read, is damaged or too large, or holds more than plain arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > most_bytes:
            raise FormatError("", f"arrays of at most {most_bytes} bytes", f"{size} bytes", file=path)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files if names is None or name in names}
    except _DAMAGES as error:
        found = f"{str(error) or type(error).__name__:.200}"
        raise FormatError("", "an .npz archive of plain arrays", found, file=path) from error
