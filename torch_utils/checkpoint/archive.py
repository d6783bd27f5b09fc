"""Zip archives as PyTorch writes them: stored entries, found by the directory and checked against the file.

Nothing is ever unpacked: PyTorch stores its records as they are, so an entry is a piece of the file, and the sum of all
entries cannot exceed it. The programs of a TorchScript archive, which alone may be compressed, are passed over unread.
Other compressed entries, encrypted ones, entries that share bytes or names, names that are paths elsewhere, and
directories that contradict the entries are refused. Checksums are not compared: PyTorch can write archives without
them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

MAX_ENTRIES = 50_000
_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_LONGEST_COMMENT = 0xFFFF
_FULL_16 = 0xFFFF
_FULL_32 = 0xFFFFFFFF
_ENCRYPTED = 1
_STORED = 0
_DEFLATED = 8
_PROGRAMS = "code"
"""Folder of an archive's programs, inside its own."""


@dataclass(frozen=True)
class _Directory:
    """Where the central directory lies."""

    entries: int
    start: int
    end: int


@dataclass(frozen=True)
class _Entry:
    """What the central directory says of one entry."""

    name: str
    header: int
    size: int
    method: int

    @property
    def is_program(self) -> bool:
        """Whether it belongs to the programs, which are never read."""
        return self.name.split("/")[1:2] == [_PROGRAMS]


def read_archive(data: memoryview) -> dict[str, memoryview]:
    """The content of every entry but programs by name, in the directory's order.

    Raises:
        ValueError: the archive is damaged, compressed, encrypted or ambiguous.
    """
    directory = _directory(data)
    found: dict[str, memoryview] = {}
    spans = []
    for entry in _entries(data, directory):
        start = _content_start(data, entry)
        end = start + entry.size
        if end > directory.start:
            raise ValueError(f"the entry {entry.name} beyond the directory")
        if entry.name in found:
            raise ValueError(f"two entries named {entry.name}")
        if not entry.is_program:
            found[entry.name] = data[start:end]
        spans.append((entry.header, end))
    spans.sort()
    if any(end > following for (_, end), (following, _) in pairwise(spans)):
        raise ValueError("entries that share bytes of the file")
    return found


def _directory(data: memoryview) -> _Directory:
    tail = bytes(data[-(_END.size + _LONGEST_COMMENT) :])
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise ValueError("no end of a zip directory")
    _, disk, first_disk, _, entries, size, start, comment = _END.unpack_from(tail, at)
    end = len(data) - len(tail) + at
    if disk or first_disk or at + _END.size + comment != len(tail):
        raise ValueError("an end of a zip directory that does not end the file")
    locator = end - _LOCATOR_64.size
    if locator >= 0 and bytes(data[locator : locator + 4]) == b"PK\6\7":
        end = _LOCATOR_64.unpack_from(data, locator)[2]
        if end + _END_64.size != locator or bytes(data[end : end + 4]) != b"PK\6\6":
            raise ValueError("a zip64 directory that is not where it should be")
        entries, size, start = _END_64.unpack_from(data, end)[-3:]
    elif entries == _FULL_16 or _FULL_32 in (size, start):
        raise ValueError("a zip64 archive without its directory")
    if start + size != end or entries > MAX_ENTRIES or entries * _ENTRY.size > size:
        raise ValueError(f"a zip directory of {entries} entries that does not fit its place")
    return _Directory(entries, start, end)


def _entries(data: memoryview, directory: _Directory) -> Iterator[_Entry]:
    position = directory.start
    for _ in range(directory.entries):
        if position + _ENTRY.size > directory.end:
            raise ValueError("a zip directory that is cut off")
        fields = _ENTRY.unpack_from(data, position)
        flags, method, packed, size = fields[3], fields[4], fields[8], fields[9]
        name_length, extra_length, comment_length, header = fields[10], fields[11], fields[12], fields[16]
        names = position + _ENTRY.size
        following = names + name_length + extra_length + comment_length
        if fields[0] != b"PK\1\2" or following > directory.end:
            raise ValueError("a zip directory that is damaged")
        name = _checked_name(bytes(data[names : names + name_length]))
        extra = bytes(data[names + name_length : names + name_length + extra_length])
        size, packed, header = _widened(extra, size, packed, header)
        entry = _Entry(name, header, packed, method)
        if flags & _ENCRYPTED or method not in ((_STORED, _DEFLATED) if entry.is_program else (_STORED,)):
            raise ValueError(
                f"the entry {name} compressed or encrypted, as no tensors are, only TorchScript's programs"
            )
        if method == _STORED and packed != size:
            raise ValueError(f"the entry {name} stored with two sizes, {packed} and {size}")
        yield entry
        position = following
    if position != directory.end:
        raise ValueError("a zip directory with more entries than it says")


def _widened(extra: bytes, *narrow: int) -> tuple[int, ...]:
    """Sizes and place, those that do not fit 32 bits from the zip64 field, where they follow in this order."""
    wide: list[int] = []
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        content = extra[position + 4 : position + 4 + length]
        if kind == 1:
            wide = [number for (number,) in struct.iter_unpack("<Q", content[: len(content) // 8 * 8])]
        position += 4 + length
    missing = [number == _FULL_32 for number in narrow]
    if sum(missing) > len(wide):
        raise ValueError("a zip64 entry without its sizes")
    following = iter(wide)
    return tuple(next(following) if absent else number for absent, number in zip(missing, narrow))


def _content_start(data: memoryview, entry: _Entry) -> int:
    name, header = entry.name, entry.header
    if header + _LOCAL.size > len(data):
        raise ValueError(f"the entry {name} beyond the file")
    fields = _LOCAL.unpack_from(data, header)
    flags, method, packed, name_length, extra_length = fields[2], fields[3], fields[7], fields[9], fields[10]
    names = header + _LOCAL.size
    if fields[0] != b"PK\3\4" or bytes(data[names : names + name_length]) != name.encode():
        raise ValueError(f"the entry {name} not where the directory says")
    if flags & _ENCRYPTED or method != entry.method or packed not in (entry.size, 0, _FULL_32):
        raise ValueError(f"the entry {name} described in two ways")
    return names + name_length + extra_length


def _checked_name(raw: bytes) -> str:
    name = raw.decode("utf-8")  # a ValueError where it is none
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"the entry name {name[:80]!r}")
    return name
