"""Read pickles of plain data and NumPy arrays: alignments and meshes of the original (spec/data.md §6.3).

`pickle_machine` is the machine and says what it refuses; `NUMPY_ENTRIES` is the list of what it may build here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import FormatError
from _exchange.pickle_machine import MAX_GROWTH, MAX_OPERATIONS, SMALL_CHANGE, Allowances, Builder, Record, load_next

MAX_BYTES = 2 << 30


def loads(data: bytes, entries: Mapping[str, Builder]) -> Any:
    """The value of a pickle.

    Args:
        data: the file.
        entries: builder by ``module.name``; called with the arguments that the pickle gives.

    Raises:
        FormatError: the pickle is damaged, too large, or asks for something that is not on the list.
    """
    if len(data) > MAX_BYTES:
        raise FormatError("", f"a pickle of at most {MAX_BYTES} bytes", f"{len(data)} bytes")
    allowances = Allowances(max_operations=MAX_OPERATIONS)
    return load_next(BytesIO(data), entries, room=MAX_GROWTH * len(data) + SMALL_CHANGE, allowances=allowances)


_DTYPE_CODE = re.compile(r"[<>=|]?(?:\?|[biuf][0-9]{0,2}|[SU][0-9]{0,4})")
_BYTE_ORDERS: dict[str, Literal["<", ">", "=", "|"]] = {"<": "<", ">": ">", "=": "=", "|": "|"}


class _Dtype(Record):
    """`numpy.dtype(code, align, copy)`; its state carries the byte order."""

    def __init__(self, code: Any, *_flags: Any) -> None:
        if not isinstance(code, str) or not _DTYPE_CODE.fullmatch(code):
            raise ValueError(f"the array type {shown(code)}; allowed are plain numbers and text")
        self.dtype = np.dtype(code)

    def set_state(self, state: Any) -> None:
        order = state[1]
        if not isinstance(order, str) or order not in _BYTE_ORDERS or any(state[2:5]):
            raise ValueError("an array type with fields")
        self.dtype = self.dtype.newbyteorder(_BYTE_ORDERS[order])

    def result(self) -> np.dtype:
        return self.dtype


class _Array(Record):
    """`_reconstruct(ndarray, (0,), b'b')`, then state (version, shape, dtype, is Fortran, bytes)."""

    def __init__(self, *_arguments: Any) -> None:
        self.array: NDArray = np.zeros(0)

    def set_state(self, state: Any) -> None:
        _version, shape, dtype, fortran, content = state
        self.array = _array(content, dtype, shape, "F" if fortran else "C")
        self.nbytes = self.array.nbytes

    def result(self) -> NDArray:
        return self.array


def _array(content: Any, dtype: Any, shape: Any, order: Any = "C") -> NDArray:
    """An array of exactly the bytes given; shapes that do not fit them are refused."""
    if not isinstance(dtype, _Dtype) or not isinstance(content, (bytes, bytearray, memoryview)):
        raise ValueError("an array of something else than plain numbers")
    if not isinstance(shape, tuple) or not all(isinstance(side, int) and 0 <= side <= MAX_BYTES for side in shape):
        raise ValueError("an array shape that is no tuple of lengths")
    if len(shape) > 32 or _product(shape) * dtype.dtype.itemsize != len(content):
        raise ValueError(f"{len(content)} bytes for an array of shape {shape}")
    return np.frombuffer(content, dtype.dtype).reshape(shape, order="F" if order == "F" else "C").copy()


def shown(value: Any) -> str:
    """A value for a sentence: short text as it is, of anything else the type."""
    return repr(value[:80]) if isinstance(value, str) else f"a {type(value).__name__}"


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total


def _scalar(dtype: Any, content: Any) -> Any:
    return _array(content, dtype, ())[()]


def _encode(text: Any, encoding: Any) -> bytes:
    """`_codecs.encode(text, 'latin1')`: how protocols 0 to 2 write byte strings."""
    if not isinstance(text, str) or not isinstance(encoding, str) or encoding != "latin1":
        raise ValueError(f"the text encoding {shown(encoding)} of {shown(text)}")
    return text.encode("latin1")


def _ndarray(*_arguments: Any) -> Any:
    raise ValueError("numpy.ndarray called directly")


def _addict(*_pairs: Any) -> dict:
    """`addict.Dict` as new object: newer versions give the entries here and assign them again; this is the latter's."""
    return {}


NUMPY_ENTRIES: Mapping[str, Builder] = {
    "numpy.ndarray": _ndarray,
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _array,
    "numpy._core.numeric._frombuffer": _array,
    "_codecs.encode": _encode,
    "addict.addict.Dict": _addict,
}
