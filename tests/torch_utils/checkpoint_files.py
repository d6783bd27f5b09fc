"""Writes checkpoint files for tests: what the readers must read, made by torch, pickle and scikit-learn themselves.

`snapshot_bytes` pickles real torch modules the way spec/generator.md §9.1 describes: persistent classes as a call with
their instance dictionary and source text, ordinary modules as new objects, tensors as torch itself pickles them.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from torch_utils.checkpoint import Checkpoint, read_checkpoint

SOURCE = "raise RuntimeError('the source of a checkpoint was executed')\n"
MODULE = "torch.nn.modules"
ORDINARY = {nn.Sequential: (f"{MODULE}.container", "Sequential"), nn.Softplus: (f"{MODULE}.activation", "Softplus")}


class Named:
    """A global by its name, which need not exist."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call:
    """``function(*arguments)``, as opcode REDUCE; the same object stays shared."""

    def __init__(self, function: Named | Callable, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __repr__(self) -> str:
        """The same in every process, since test names are made of it."""
        return "call"


class New:
    """A new object of a class with a state, as opcodes NEWOBJ and BUILD."""

    def __init__(self, kind: Named, state: Any = None, items: dict | None = None) -> None:
        self.kind, self.state, self.items = kind, state, items


class Writer(pickle._Pickler):
    """A pickler that also writes the three above, and torch modules as a snapshot has them."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        known = id(obj) in self.memo
        if isinstance(obj, Named):
            self._save_named(obj)
        elif isinstance(obj, nn.Module) and not known:
            self._save_module(obj)
        elif isinstance(obj, Call) and not known:
            self.save(obj.function)
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
            self.memoize(obj)
        elif isinstance(obj, New) and not known:
            self._save_new(obj, obj.kind, obj.state, obj.items)
        else:
            super().save(obj, save_persistent_id)

    def _save_named(self, named: Named) -> None:
        if self.proto >= 4:
            super().save(named.module)
            super().save(named.name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{named.module}\n{named.name}\n".encode())

    def _save_new(self, obj: object, kind: Named, state: Any, items: dict | None = None) -> None:
        self.save(kind)
        self.save(())
        self.write(pickle.NEWOBJ)
        self.memoize(obj)
        if items:
            self._batch_setitems(items.items())
        if state is not None:
            self.save(state)
            self.write(pickle.BUILD)

    def _save_module(self, module: nn.Module) -> None:
        if type(module) in ORDINARY:
            self._save_new(module, Named(*ORDINARY[type(module)]), dict(vars(module)))
            return
        meta = {
            "type": "class",
            "version": 6,
            "module_src": SOURCE,
            "class_name": type(module).__name__,
            "state": dict(vars(module)) | {"_init_args": (), "_init_kwargs": getattr(module, "_init_kwargs", {})},
        }
        self.save(Named("torch_utils.persistence", "_reconstruct_persistent_obj"))
        self.save((meta,))
        self.write(pickle.REDUCE)
        self.memoize(module)


def written(value: Any, protocol: int = 4) -> bytes:
    """The pickle of a value that may hold `Named`, `Call`, `New` and modules."""
    stream = io.BytesIO()
    Writer(stream, protocol).dump(value)
    return stream.getvalue()


def easy_dict(**items: Any) -> New:
    """A `dnnlib.util.EasyDict`."""
    return New(Named("dnnlib.util", "EasyDict"), items=items)


def snapshot_bytes(protocol: int = 4, **modules: Any) -> bytes:
    """A snapshot of these modules."""
    training_set = {"class_name": "some.Dataset", "subset": "s", "resolution": 512, "max_size": None, "xflip": False}
    order = {name: modules.get(name) for name in ("G", "D", "G_ema", "augment_pipe")}
    return written({"training_set_kwargs": easy_dict(**training_set), **order}, protocol)


def storage_stream(tensor: torch.Tensor, location: str = "cpu") -> bytes:
    """The legacy stream of a tensor's storage, as torch writes it; `location` is only text."""
    stream = io.BytesIO()
    torch.save(
        torch.storage.TypedStorage(
            wrap_storage=tensor.contiguous().untyped_storage(), dtype=tensor.dtype, _internal=True
        ),
        stream,
        _use_new_zipfile_serialization=False,
    )
    tagged = pickle.BINUNICODE + len(location).to_bytes(4, "little") + location.encode()
    return stream.getvalue().replace(pickle.BINUNICODE + b"\3\0\0\0cpu", tagged)


def stored(tensor: torch.Tensor, location: str = "cpu") -> Call:
    """The storage of a tensor; used twice, it is shared."""
    return Call(Named("torch.storage", "_load_from_bytes"), storage_stream(tensor, location))


def view(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Call:
    """A tensor of a storage, whatever the numbers say."""
    hooks = Call(Named("collections", "OrderedDict"))
    return Call(Named("torch._utils", "_rebuild_tensor_v2"), storage, offset, size, stride, False, hooks)


def module_of(parameters: dict[str, Any], buffers: dict[str, Any] | None = None, **attributes: Any) -> Call:
    """A persistent module with these tensors."""
    state = {
        "training": False,
        "_parameters": parameters,
        "_buffers": buffers or {},
        "_non_persistent_buffers_set": set(),
        "_modules": {},
        "_init_args": (),
        "_init_kwargs": {},
    } | attributes
    meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": "Some", "state": state}
    return Call(Named("torch_utils.persistence", "_reconstruct_persistent_obj"), meta)


class Gain(nn.Module):
    """A layer with a buffer, an absent buffer and plain attributes of many kinds."""

    def __init__(self, width: int, gain: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, 3))
        self.bias = None
        self.strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("filter", torch.ones(4, 4) / 16)
        self.register_buffer("absent", None)
        self.register_buffer("passing", torch.ones(2), persistent=False)
        self.gain = gain
        self.axes = torch.eye(3)


class Network(nn.Module):
    """A small tree of modules."""

    def __init__(self, **init_kwargs: Any) -> None:
        super().__init__()
        self.decoder = nn.Sequential(Gain(4, 1.0), nn.Softplus(), Gain(2, np.float32(2)))
        self.register_buffer("counter", torch.tensor(7))
        self.own = nn.Parameter(torch.randn(2, 2).half())
        self.neural_rendering_resolution = 64
        self.rendering_kwargs = easy_dict(depth_resolution=48, ray_end="auto")
        self._init_kwargs = easy_dict(**init_kwargs)
        self._last_planes = None


def reading(path: Any, content: bytes) -> Checkpoint:
    """`read_checkpoint` of a file with this content."""
    path.write_bytes(content)
    return read_checkpoint(path)
