"""Files of `torch.save`, zip archives and legacy streams alike; Lightning's checkpoints are among them.

Allowed are torch's rebuild functions and storages, ordered mappings, NumPy's plain arrays and `addict`'s dictionaries,
which hold the hyper-parameters of the published Lightning files. Source: spec/linefill.md §7, spec/features.md §3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from _exchange.pickle_machine import Builder
from _exchange.restricted_pickle import NUMPY_ENTRIES
from torch_utils.checkpoint.inert import MAX_OPERATIONS, numeric_dtype
from torch_utils.checkpoint.legacy import read_legacy_file
from torch_utils.checkpoint.plain import Budget, plain_entries
from torch_utils.checkpoint.record import Checkpoint, ModuleRecord
from torch_utils.checkpoint.tensors import STORAGE_TYPES, TENSOR_ENTRIES, StoredTensor, is_tensor_name
from torch_utils.checkpoint.torch_archive import TorchArchive, room_of

STATE_DICT = "state_dict"
_HYPER_PARAMETERS = "hyper_parameters"
TORCH_ENTRIES: Mapping[str, Builder] = {
    **NUMPY_ENTRIES,
    **TENSOR_ENTRIES,
    **STORAGE_TYPES,
    "numpy.dtype": numeric_dtype,
}


def read_torch_archive(archive: TorchArchive) -> Checkpoint:
    """The tensors of a zip archive of `torch.save`.

    Raises:
        FormatError: its pickle is damaged or names a global that is not on the list.
        ValueError: the archive is damaged or of another kind.
    """
    return _checkpoint(archive.value(TORCH_ENTRIES), Budget(archive.file_bytes))


def read_torch_stream(data: memoryview) -> Checkpoint:
    """The tensors of a legacy file.

    Raises:
        FormatError: its pickle is damaged or names a global that is not on the list.
        ValueError: headers, keys and elements do not fit each other.
    """
    value = read_legacy_file(data, TORCH_ENTRIES, room_of(len(data)), MAX_OPERATIONS)
    return _checkpoint(value, Budget(len(data)))


def _checkpoint(value: Any, budget: Budget) -> Checkpoint:
    """Every mapping of names to tensors, the file's own or one level below, is a module."""
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} and no mapping of names to tensors")
    groups = {STATE_DICT: value} if _is_state_dict(value, budget) else {}
    groups |= {name: entry for name, entry in value.items() if is_tensor_name(name) and _is_state_dict(entry, budget)}
    if not groups:
        raise ValueError("no mapping of names to tensors")
    others = {name: entry for name, entry in value.items() if name not in groups and name != _HYPER_PARAMETERS}
    attributes = plain_entries(others, budget)
    hyper = value.get(_HYPER_PARAMETERS)
    init_kwargs = plain_entries(hyper, budget) if isinstance(hyper, dict) else {}
    modules = {}
    for name, group in groups.items():
        sources = {key: tensor.source() for key, tensor in group.items()}
        for source in sources.values():
            budget.take_bytes(source.nbytes)
        modules[name] = ModuleRecord(name, sources, init_kwargs=init_kwargs, attributes=attributes)
    return Checkpoint("torch", modules)


def _is_state_dict(value: Any, budget: Budget) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    budget.take_nodes(len(value))
    return all(is_tensor_name(name) and isinstance(tensor, StoredTensor) for name, tensor in value.items())
