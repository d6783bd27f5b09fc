"""PyTorch's legacy streams: a few pickles, one object, a list of keys, and the elements of each storage (§9.2).

Snapshots hold one such stream per storage, whose object is the storage itself; `torch.save` wrote whole files of this
form before version 1.6. Source: spec/generator.md §9.2.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any

from _exchange.pickle_machine import Allowances, Builder, load_next
from torch_utils.checkpoint.stream import Cursor
from torch_utils.checkpoint.tensors import STORAGE_TYPES, Storage, described_storage

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAX_STORAGES = 20_000
"""Storages of one file; the published snapshot has about 450."""
_HEADER_BYTES = 4096
_HEADER_OPERATIONS = 200
_FIRST_PICKLE = re.compile(
    rb"\x80[\2-\5](\x95.{8})?\x8a\x0a" + re.escape(MAGIC.to_bytes(10, "little")) + rb"\.", re.DOTALL
)
"""Protocol, from 4 on a frame, the number, the end."""


def is_legacy_file(head: bytes) -> bool:
    """Whether a file starts with the first pickle of a legacy stream, of protocol 2 or later."""
    return _FIRST_PICKLE.match(head) is not None


class StorageStreams:
    """Builds storages from the byte strings of one snapshot, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, content: Any) -> Storage:
        """`torch.storage._load_from_bytes(content)`."""
        if not isinstance(content, (bytes, bytearray, memoryview)):
            raise ValueError("a storage that is no byte string")
        self.count += 1
        if self.count > MAX_STORAGES:
            raise ValueError(f"more than {MAX_STORAGES} storages")
        data = memoryview(content)
        # Only headers are parsed, so that one long stream named many times costs nothing.
        stream = Cursor(data, 0, _HEADER_BYTES)
        value, storages = _read_object(stream, STORAGE_TYPES, _HEADER_BYTES, _HEADER_OPERATIONS)
        if not isinstance(value, Storage):
            raise ValueError("a storage stream that holds something else")
        keys = _next(stream, {}, 0, _HEADER_OPERATIONS)
        _fill(Cursor(data, stream.position), keys, storages)
        return value


def read_legacy_file(data: memoryview, entries: Mapping[str, Builder], room: int, max_operations: int) -> Any:
    """The object of a legacy file, its storages filled.

    Raises:
        FormatError: the pickles are damaged or ask for what is not on the list.
        ValueError: headers, keys and elements do not fit each other.
    """
    stream = Cursor(data)
    value, storages = _read_object(stream, {**STORAGE_TYPES, **entries}, room, max_operations)
    keys = _next(stream, {}, 0, max_operations)
    _fill(stream, keys, storages)
    return value


def _next(stream: Cursor, entries: Mapping[str, Builder], room: int, max_operations: int) -> Any:
    return load_next(stream, entries, room=room, allowances=Allowances(max_operations=max_operations))


def _read_object(
    stream: Cursor, entries: Mapping[str, Builder], room: int, max_operations: int
) -> tuple[Any, dict[str, Storage]]:
    """The fourth pickle and the storages that it names, still empty."""
    if _next(stream, {}, 0, _HEADER_OPERATIONS) != MAGIC or _next(stream, {}, 0, _HEADER_OPERATIONS) != PROTOCOL:
        raise ValueError("a storage stream of another version")
    system = _next(stream, {}, 0, _HEADER_OPERATIONS)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("a storage stream of a big-endian machine")
    storages: dict[str, Storage] = {}

    def persistent(identity: Any) -> Storage:
        storage, key = described_storage(identity)
        known = storages.setdefault(key, storage)
        if (known.dtype, known.count) != (storage.dtype, storage.count):
            raise ValueError("one storage with two descriptions")
        if len(storages) > MAX_STORAGES:
            raise ValueError(f"more than {MAX_STORAGES} storages")
        return known

    allowances = Allowances(persistent=persistent, max_operations=max_operations)
    value = load_next(stream, entries, room=room, allowances=allowances)
    return value, storages


def _fill(stream: Cursor, keys: Any, storages: Mapping[str, Storage]) -> None:
    """Point each storage to its elements, which end where the stream ends."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
        raise ValueError("keys of storages that are no list of different names")
    if set(keys) != set(storages):
        raise ValueError("keys of storages that are not those of the tensors")
    data = stream.data
    position = stream.position
    for key in keys:
        storage = storages[key]
        length = storage.count * storage.dtype.itemsize
        if data.nbytes - position < 8 + length:
            raise ValueError(f"{data.nbytes - position} bytes for a storage of {storage.count} elements")
        if struct.unpack_from("<q", data, position)[0] != storage.count:
            raise ValueError("a storage whose number of elements is given differently")
        storage.fill(data[position + 8 : position + 8 + length])
        position += 8 + length
    if position != data.nbytes:
        raise ValueError(f"{data.nbytes - position} bytes behind the last storage")
