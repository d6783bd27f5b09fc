"""Tensors that still lie in a file: described and checked at once, built when asked for.

A tensor is a view of a storage: element type, first element, shape and strides, all of them chosen by whoever wrote the
file. `StoredTensor` accepts a view only if every element lies inside its storage, and copies exactly its elements: a
built tensor is contiguous, on the CPU, and shares memory with nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from _exchange.pickle_machine import AttributedMapping, Builder, Record, builder_of

MAX_AXES = 32
LONGEST_NAME = 500
_LONGEST_KEY = 100
_MOST_BYTES = 1 << 62
_LONGEST_SIDE = 1 << 40
_LAYOUTS = {1: "<i1", 2: "<i2", 4: "<i4", 8: "<i8"}
"""NumPy layout by bytes per element; NumPy has no bfloat16, so elements travel as whole numbers."""


@dataclass(frozen=True)
class TensorSource:
    """A tensor in a file.

    Attributes:
        dtype: as stored.
        shape: logical shape.
        load: copies the elements out; each call makes a new contiguous CPU tensor.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    load: Callable[[], Tensor]

    @classmethod
    def of(cls, tensor: Tensor) -> TensorSource:
        """The source of a tensor in memory."""
        return cls(
            tensor.dtype,
            tuple(tensor.shape),
            lambda: tensor.detach().cpu().clone(memory_format=torch.contiguous_format),
        )

    @property
    def count(self) -> int:
        """Number of elements."""
        return _product(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the built tensor."""
        return self.count * self.dtype.itemsize


class StorageType:
    """A storage class of torch, by its name; only an argument, never called."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __call__(self, *_arguments: Any) -> Any:
        raise ValueError("a storage class that is called")


STORAGE_TYPES: dict[str, Builder] = {
    f"torch.{name}Storage": StorageType(dtype)
    for name, dtype in {
        "Float": torch.float32,
        "Double": torch.float64,
        "Half": torch.float16,
        "BFloat16": torch.bfloat16,
        "Long": torch.int64,
        "Int": torch.int32,
        "Short": torch.int16,
        "Char": torch.int8,
        "Byte": torch.uint8,
        "Bool": torch.bool,
    }.items()
}


class Storage(Record):
    """Elements in a row. `content` may come later than the description, as it does in legacy files."""

    def __init__(self, dtype: torch.dtype, count: int) -> None:
        self.dtype = dtype
        self.count = count
        self.content: memoryview | None = None

    def fill(self, content: memoryview) -> None:
        """Give the bytes.

        Raises:
            ValueError: they are not as many as the description says.
        """
        if content.nbytes != self.count * self.dtype.itemsize:
            raise ValueError(f"{content.nbytes} bytes for a storage of {self.count} elements of {self.dtype}")
        self.content = content

    def result(self) -> Storage:
        """Itself: a storage stream holds nothing else."""
        return self


def described_storage(identity: Any) -> tuple[Storage, str]:
    """The storage and its key from a persistent id ``('storage', class, key, location, count, …)``.

    The location is ignored: everything is read to the CPU.

    Raises:
        ValueError: the id is something else.
    """
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        raise ValueError("a persistent id that is no storage")
    kind, key, count = builder_of(identity[1]), identity[2], identity[4]
    if not isinstance(kind, StorageType) or not is_tensor_name(key, _LONGEST_KEY) or not is_count(count):
        raise ValueError("a storage without a class, key and number of elements")
    if any(part is not None for part in identity[5:]):
        raise ValueError("a storage that is a view of another one")
    return Storage(kind.dtype, count), key


class StoredTensor(Record):
    """`torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])`."""

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any, _grad: Any, hooks: Any, *rest: Any) -> None:
        if not isinstance(storage, Storage):
            raise ValueError("a tensor without a storage")
        if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
            raise ValueError("a tensor whose shape and strides do not match")
        if len(size) > MAX_AXES or not is_count(offset) or not all(is_count(number) for number in (*size, *stride)):
            raise ValueError("a tensor whose shape, strides or offset are no numbers from zero on")
        check_hooks(hooks)
        if len(rest) > 1 or any(rest):
            raise ValueError("a tensor with metadata")
        last = offset + sum((side - 1) * step for side, step in zip(size, stride))
        if _product(size) and last >= storage.count:
            raise ValueError(f"a tensor that reaches element {last} of a storage of {storage.count}")
        if _product(tuple(max(1, side) for side in size)) * storage.dtype.itemsize >= _MOST_BYTES:
            raise ValueError("a tensor whose sides no address can count")
        self.storage, self.offset, self.shape, self.strides = storage, offset, size, stride

    def result(self) -> StoredTensor:
        """Itself: elements are read later."""
        return self

    def source(self) -> TensorSource:
        """The tensor, for whoever wants its elements."""
        return TensorSource(self.storage.dtype, self.shape, self._load)

    def _load(self) -> Tensor:
        dtype = self.storage.dtype
        if not _product(self.shape) or self.storage.content is None:
            return torch.empty(self.shape, dtype=dtype)
        elements = np.frombuffer(self.storage.content, _LAYOUTS[dtype.itemsize])[self.offset :]
        steps = [step * dtype.itemsize for step in self.strides]
        view = np.lib.stride_tricks.as_strided(elements, self.shape, steps, writeable=False)
        copy = torch.from_numpy(np.array(view, order="C"))
        return copy != 0 if dtype == torch.bool else copy.view(dtype)


def parameter(data: Any, _requires_grad: Any, hooks: Any) -> StoredTensor:
    """`torch._utils._rebuild_parameter`: a parameter is its tensor."""
    if not isinstance(data, StoredTensor):
        raise ValueError("a parameter that is no tensor")
    check_hooks(hooks)
    return data


def check_hooks(hooks: Any) -> None:
    """Raise `ValueError` unless a tensor's backward hooks are none."""
    if hooks is not None and hooks != {}:
        raise ValueError("a tensor with hooks")


def ordered_mapping(*arguments: Any) -> AttributedMapping:
    """`collections.OrderedDict()`; entries follow."""
    if arguments:
        raise ValueError("an OrderedDict with arguments")
    return AttributedMapping()


TENSOR_ENTRIES: dict[str, Builder] = {
    "collections.OrderedDict": ordered_mapping,
    "torch._utils._rebuild_tensor_v2": StoredTensor,
    "torch._utils._rebuild_parameter": parameter,
}


def is_tensor_name(value: Any, longest: int = LONGEST_NAME) -> bool:
    """Whether the value is short text that can be shown."""
    return isinstance(value, str) and len(value) <= longest and value.isprintable()


def is_count(value: Any) -> bool:
    """Whether the value is a whole number from zero on that a file of any size could mean."""
    return type(value) is int and 0 <= value <= _LONGEST_SIDE


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total
