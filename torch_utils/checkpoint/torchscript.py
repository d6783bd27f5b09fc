"""TorchScript archives as data: the tensors of their modules. The programs are never read, let alone run.

A module is an object of a class below ``__torch__``, which is a name in the archive and no Python class: whatever it is
called, it becomes an inert holder of its attributes. Nothing else may be named but tensors and typed containers.
The publisher of CLIP distributes its weights in this form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from _exchange.pickle_machine import Builder
from torch_utils.checkpoint.inert import InertModule
from torch_utils.checkpoint.plain import Budget, plain_entries
from torch_utils.checkpoint.record import Checkpoint, ModuleRecord
from torch_utils.checkpoint.tensors import (
    LONGEST_NAME,
    STORAGE_TYPES,
    TENSOR_ENTRIES,
    StoredTensor,
    TensorSource,
    is_tensor_name,
)
from torch_utils.checkpoint.torch_archive import TorchArchive
from torch_utils.checkpoint.torch_file import STATE_DICT

_CLASSES = "__torch__."
_MAX_MODULE_DEPTH = 30


def _typed(*arguments: Any) -> Any:
    """A container of one element type, or one whose type is told beside it: the container."""
    value = arguments[0] if arguments else None
    if not isinstance(value, (list, dict)) or not all(isinstance(tag, str) for tag in arguments[1:2]) or arguments[2:]:
        raise ValueError("a typed container that is none")
    return value


def _device(*arguments: Any) -> str:
    if len(arguments) != 1 or not is_tensor_name(arguments[0]):
        raise ValueError("a device without its name")
    return arguments[0]


class _ScriptEntries(Mapping[str, Builder]):
    """The list of allowed names, and every class below ``__torch__``."""

    _listed: Mapping[str, Builder] = {
        **TENSOR_ENTRIES,
        **STORAGE_TYPES,
        "torch.device": _device,
        "torch.jit._pickle.restore_type_tag": _typed,
        **{f"torch.jit._pickle.build_{kind}list": _typed for kind in ("tensor", "int", "double", "bool")},
    }

    def __getitem__(self, name: str) -> Builder:
        if name.startswith(_CLASSES) and is_tensor_name(name):
            return partial(InertModule, name.removeprefix(_CLASSES))
        return self._listed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)


def read_torchscript(archive: TorchArchive) -> Checkpoint:
    """The tensors of a TorchScript archive, as the one module ``state_dict``.

    Names are those of its `state_dict`, in its order: parameters, buffers and plain tensor attributes, which the file
    tells apart only in its programs, of a module before those of the modules inside. Lists of tensors are left out.

    Raises:
        FormatError: its pickle is damaged or names a global that is not on the list.
        ValueError: it is no module, or its tensors do not fit its storages.
    """
    root = archive.value(_ScriptEntries())
    if not isinstance(root, InertModule):
        raise ValueError(f"a {type(root).__name__} and no TorchScript module")
    budget = Budget(archive.file_bytes)
    sources = dict(_tensors("", root, 0, budget))
    attributes = plain_entries(root.state, budget)
    record = ModuleRecord(STATE_DICT, sources, root.class_name, attributes=attributes)
    return Checkpoint("torchscript", {STATE_DICT: record})


def _tensors(prefix: str, module: InertModule, depth: int, budget: Budget) -> Iterator[tuple[str, TensorSource]]:
    if depth > _MAX_MODULE_DEPTH:
        raise ValueError(f"modules nested deeper than {_MAX_MODULE_DEPTH}")
    for name, value in module.state.items():
        budget.take_node()
        if not is_tensor_name(name, LONGEST_NAME - len(prefix)) or "." in name:
            raise ValueError(f"an attribute of {prefix or 'the module'} without a short name")
        if isinstance(value, StoredTensor):
            source = value.source()
            budget.take_bytes(source.nbytes)
            yield prefix + name, source
    for name, value in module.state.items():
        if isinstance(value, InertModule):
            yield from _tensors(f"{prefix}{name}.", value, depth + 1, budget)
