"""SHA-256 of files and of plain values: how inputs are recognised and results are checked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def sha256_of_bytes(content: bytes) -> str:
    """Hexadecimal SHA-256.

    >>> sha256_of_bytes(b"")
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_value(value: Any) -> str:
    """Digest of a JSON value, independent of the order of object keys.

    >>> sha256_of_value({"a": 1, "b": [2]}) == sha256_of_value({"b": [2], "a": 1})
    True
    """
    return sha256_of_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())
