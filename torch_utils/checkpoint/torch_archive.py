"""A zip archive of PyTorch: one pickle and the storages that it names, in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from _exchange.pickle_machine import MAX_GROWTH, SMALL_CHANGE, Allowances, Builder, load_next
from torch_utils.checkpoint.archive import read_archive
from torch_utils.checkpoint.inert import MAX_OPERATIONS
from torch_utils.checkpoint.legacy import MAX_STORAGES
from torch_utils.checkpoint.stream import Cursor
from torch_utils.checkpoint.tensors import Storage, described_storage


@dataclass(frozen=True)
class TorchArchive:
    """An open archive.

    Attributes:
        entries: what it holds, by name.
        folder: of its records.
        file_bytes: size of the file.
    """

    entries: Mapping[str, memoryview]
    folder: str
    file_bytes: int

    @classmethod
    def of(cls, data: memoryview) -> TorchArchive:
        """The archive in these bytes.

        Raises:
            ValueError: it is damaged, or no archive of PyTorch on a little-endian machine.
        """
        entries = read_archive(data)
        folders = [
            name.removesuffix("/data.pkl") for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")
        ]
        if len(folders) != 1:
            raise ValueError("a zip archive without the one data.pkl of PyTorch")
        if bytes(entries.get(f"{folders[0]}/byteorder", b"little")[:16]) != b"little":
            raise ValueError("an archive of a big-endian machine")
        return cls(entries, folders[0], len(data))

    @property
    def is_program(self) -> bool:
        """Whether TorchScript wrote it."""
        return f"{self.folder}/constants.pkl" in self.entries

    def value(self, builders: Mapping[str, Builder]) -> Any:
        """What its pickle holds.

        Args:
            builders: what the pickle may name, storages among them.

        Raises:
            FormatError: the pickle is damaged or names something else.
            ValueError: a storage is missing or has another size.
        """
        storages: dict[str, Storage] = {}

        def persistent(identity: Any) -> Storage:
            storage, key = described_storage(identity)
            known = storages.get(key)
            if known is not None and (known.dtype, known.count) == (storage.dtype, storage.count):
                return known
            if len(storages) >= MAX_STORAGES or f"{self.folder}/data/{key}" not in self.entries:
                raise ValueError(f"the storage {key[:80]!r}, which is not in the archive")
            storage.fill(self.entries[f"{self.folder}/data/{key}"])
            storages[key] = storage
            return storage

        return load_next(
            Cursor(self.entries[f"{self.folder}/data.pkl"]),
            builders,
            room=room_of(self.file_bytes),
            allowances=Allowances(persistent=persistent, max_operations=MAX_OPERATIONS),
        )


def room_of(file_bytes: int) -> int:
    """Bytes that the pickle of a file may build."""
    return MAX_GROWTH * file_bytes + SMALL_CHANGE
