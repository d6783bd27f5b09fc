"""The published snapshot: one plain pickle of G, D, G_ema and augment_pipe, read without any of their classes.

`SNAPSHOT_ENTRIES` and `tensors.STORAGE_TYPES` are the exact lists of allowed names. Persistent objects and the ordinary
modules become inert records of their instance dictionaries; embedded source is kept as text.
Source: spec/generator.md §9.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from _exchange.pickle_machine import MAX_GROWTH, SMALL_CHANGE, Allowances, AttributedMapping, Builder, load_next
from _exchange.restricted_pickle import NUMPY_ENTRIES, shown
from torch_utils.checkpoint.inert import MAX_OPERATIONS, InertModule, numeric_dtype
from torch_utils.checkpoint.legacy import StorageStreams
from torch_utils.checkpoint.plain import Budget, plain, plain_entries
from torch_utils.checkpoint.record import LIVE_SETTINGS, Checkpoint, ModuleRecord
from torch_utils.checkpoint.stream import Cursor
from torch_utils.checkpoint.tensors import LONGEST_NAME, TENSOR_ENTRIES, StoredTensor, TensorSource, is_tensor_name

MODULE_NAMES = ("G", "D", "G_ema", "augment_pipe")
_PERSISTENCE_VERSION = 6
_MAX_MODULE_DEPTH = 30
_LARGEST_SET = 100
_ORDINARY_CLASSES = (
    "torch.nn.modules.container.Sequential",
    "torch.nn.modules.activation.Softplus",
    "training.triplane.OSGDecoder",
    "training.volumetric_rendering.renderer.ImportanceRenderer",
    "training.volumetric_rendering.ray_marcher.MipRayMarcher2",
    "training.volumetric_rendering.ray_sampler.RaySampler",
)


def _persistent_object(*arguments: Any) -> InertModule:
    """`torch_utils.persistence._reconstruct_persistent_obj(meta)`; the source in `meta` is kept and never run."""
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise ValueError("a persistent object without its one dictionary")
    meta = arguments[0]
    if meta.get("type") != "class" or meta.get("version") != _PERSISTENCE_VERSION:
        kind = shown(meta.get("type"))
        raise ValueError(f"a persistent object whose type is {kind}, or whose version is not {_PERSISTENCE_VERSION}")
    if not is_tensor_name(meta.get("class_name")) or not isinstance(meta.get("module_src"), str):
        raise ValueError("a persistent object without the name and source of its class")
    record = InertModule(meta["class_name"])
    record.module_src = meta["module_src"]
    record.set_state(meta.get("state"))
    return record


def _attribute_mapping(*arguments: Any) -> AttributedMapping:
    if arguments:
        raise ValueError("an EasyDict with arguments")
    return AttributedMapping()


def _set_of(*arguments: Any) -> set:
    """`set([...])` of the protocols that have no opcode for it."""
    values = arguments[0] if len(arguments) == 1 else None
    if not isinstance(values, list) or len(values) > _LARGEST_SET or not all(isinstance(name, str) for name in values):
        raise ValueError("a set that is no list of names")
    return set(values)


SNAPSHOT_ENTRIES: Mapping[str, Builder] = {
    **TENSOR_ENTRIES,
    **{name: partial(InertModule, name) for name in _ORDINARY_CLASSES},
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent_object,
    "dnnlib.util.EasyDict": _attribute_mapping,
    "numpy.core.multiarray.scalar": NUMPY_ENTRIES["numpy.core.multiarray.scalar"],
    "numpy._core.multiarray.scalar": NUMPY_ENTRIES["numpy._core.multiarray.scalar"],
    "numpy.dtype": numeric_dtype,
    "_codecs.encode": NUMPY_ENTRIES["_codecs.encode"],
    "__builtin__.set": _set_of,
    "builtins.set": _set_of,
}


def read_snapshot(data: memoryview) -> Checkpoint:
    """The networks of a snapshot pickle.

    Raises:
        FormatError: the pickle is damaged or names a global that is not on the list.
        ValueError: it is no snapshot, or its modules are not what they should be.
    """
    value = load_next(
        Cursor(data),
        {**SNAPSHOT_ENTRIES, "torch.storage._load_from_bytes": StorageStreams()},
        room=MAX_GROWTH * len(data) + SMALL_CHANGE,
        allowances=Allowances(sets=True, max_operations=MAX_OPERATIONS),
    )
    budget = Budget(len(data))
    entries = value if isinstance(value, dict) else {}
    found = {name: entries[name] for name in MODULE_NAMES if entries.get(name) is not None}
    if not found:
        raise ValueError(f"no snapshot: none of {', '.join(MODULE_NAMES)} in it")
    modules = {name: _module_record(name, module, budget) for name, module in found.items()}
    training_set = value.get("training_set_kwargs") or {}
    if not isinstance(training_set, dict):
        raise ValueError("training_set_kwargs that are no dictionary")
    return Checkpoint("snapshot", modules, plain(training_set, "training_set_kwargs", budget))


def _module_record(name: str, module: Any, budget: Budget) -> ModuleRecord:
    if not isinstance(module, InertModule):
        raise ValueError(f"{name} is of type {type(module).__name__} and no module")
    init_kwargs = module.state.get("_init_kwargs", {})
    if module.state.get("_init_args"):
        raise ValueError(f"{name} was constructed with arguments that have no name")
    if not isinstance(init_kwargs, dict):
        raise ValueError(f"{name}._init_kwargs are no dictionary")
    collected = _StateDict(budget)
    collected.walk("", module, 0)
    public = {key: value for key, value in module.state.items() if not key.startswith("_")}
    attributes = plain_entries(public, budget)
    for key in LIVE_SETTINGS:  # the constructor's must not take their place unnoticed
        if key in public and key not in attributes:
            raise ValueError(f"{name}.{key} not made of numbers, text and containers")
    return ModuleRecord(
        name,
        collected.found,
        module.class_name,
        plain(init_kwargs, f"{name}._init_kwargs", budget),
        attributes,
        module.module_src,
    )


class _StateDict:
    """Collects state-dict names and tensors: own parameters, own buffers, then the modules inside (§9.3)."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.found: dict[str, TensorSource] = {}

    def walk(self, prefix: str, module: Any, depth: int) -> None:
        if not isinstance(module, InertModule) or depth > _MAX_MODULE_DEPTH:
            raise ValueError(f"{prefix or 'the module'} is no module, or nested too deep")
        passing = module.state.get("_non_persistent_buffers_set", set())
        if not isinstance(passing, set):
            raise ValueError(f"{prefix}_non_persistent_buffers_set is no set")
        for name, value in self.entries(prefix, module, "_parameters"):
            self.keep(name, value)
        for name, value in self.entries(prefix, module, "_buffers"):
            if name.removeprefix(prefix) not in passing:
                self.keep(name, value)
        for name, value in self.entries(prefix, module, "_modules"):
            self.walk(f"{name}.", value, depth + 1)

    def entries(self, prefix: str, module: InertModule, group: str) -> Iterator[tuple[str, Any]]:
        """Full names and values of a group; what is None is not there."""
        entries = module.state.get(group, {})
        if not isinstance(entries, dict):
            raise ValueError(f"{prefix}{group} are no dictionary")
        for name, value in entries.items():
            self.budget.take_node()
            if not is_tensor_name(name, LONGEST_NAME - len(prefix)):
                raise ValueError(f"a name inside {prefix or 'a module'} that is no short text")
            if value is not None:
                yield prefix + name, value

    def keep(self, name: str, value: Any) -> None:
        if not isinstance(value, StoredTensor) or name in self.found:
            raise ValueError(f"{name} is no tensor, or there twice")
        source = value.source()
        self.budget.take_bytes(source.nbytes)
        self.found[name] = source
