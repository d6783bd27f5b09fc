"""Buffers, buffer views and accessors: typed arrays out of bytes, every range checked before it is sliced.

Honoured: byte strides, sparse accessors, absent buffer views (zeros), absent offsets, normalised integers.
Source: glTF 2.0 specification, section 3.6; spec/renderer.md §9, §12.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _databacks.vrm.container import Container
from _databacks.vrm.json_path import (
    JsonValue,
    describe,
    extension,
    optional_boolean,
    optional_index,
    optional_integer,
)
from _databacks.vrm.limits import MAX_ACCESSOR_COUNT, MAX_UNBACKED_COUNT
from _exchange.errors import FormatError

COMPONENT_NAMES = {5120: "int8", 5121: "uint8", 5122: "int16", 5123: "uint16", 5125: "uint32", 5126: "float32"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_PADDED_MATRICES = {("MAT2", 1): 8, ("MAT3", 1): 12, ("MAT3", 2): 24}
"""Bytes of an element whose columns are padded to four bytes."""
_COMPRESSIONS = ("EXT_meshopt_compression", "KHR_meshopt_compression")


@dataclass(frozen=True, eq=False)
class BufferView:
    """A checked range of a buffer: `data` holds exactly its bytes; `stride` is None for tight packing."""

    place: str
    data: memoryview
    stride: int | None


@dataclass(frozen=True)
class Sparse:
    """Replaced elements: `count` indices and values, each in its own buffer view."""

    place: str
    count: int
    indices_view: int
    indices_offset: int
    indices_component: int
    values_view: int
    values_offset: int


@dataclass(frozen=True)
class Accessor:
    """A typed array inside a buffer view; `view` is None for zeros."""

    place: str
    view: int | None
    offset: int
    component: int
    kind: str
    count: int
    normalized: bool
    sparse: Sparse | None
    has_bounds: bool
    stray_offset: bool
    """A byteOffset without a buffer view to count in."""

    @property
    def component_name(self) -> str:
        """NumPy's name of the component type."""
        return COMPONENT_NAMES[self.component]

    @property
    def dtype(self) -> np.dtype:
        """Little-endian component type."""
        return np.dtype(self.component_name).newbyteorder("<")

    @property
    def element_bytes(self) -> int:
        """Bytes of one element, tightly packed."""
        size = self.dtype.itemsize
        return _PADDED_MATRICES.get((self.kind, size), _WIDTHS[self.kind] * size)


@dataclass(frozen=True, eq=False)
class Accessors:
    """All accessors of a document, checked, with the buffer views they read."""

    views: tuple[BufferView, ...]
    entries: tuple[Accessor, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Accessor:
        return self.entries[index]

    def raw(self, index: int) -> NDArray:
        """(count, width) components as stored, without normalisation; a fresh array."""
        accessor = self.entries[index]
        width = _WIDTHS[accessor.kind]
        if accessor.element_bytes != width * accessor.dtype.itemsize:
            raise FormatError(accessor.place, "a type without padded columns", accessor.kind)
        if accessor.view is None:
            array = np.zeros((accessor.count, width), accessor.dtype.newbyteorder("="))
        else:
            view = self.views[accessor.view]
            array = _rows(view, accessor.offset, accessor.count, accessor.dtype, width)
        if accessor.sparse is not None:
            self._replace(array, accessor, accessor.sparse)
        return array

    def floats(self, index: int) -> NDArray[np.float32]:
        """(count, width) float32; normalised integers become [0, 1] or [−1, 1], others keep their number.

        Raises:
            FormatError: a component is NaN or infinite.
        """
        accessor = self.entries[index]
        array = self.raw(index)
        if array.dtype == np.float32:
            if not np.isfinite(array).all():
                row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
                raise FormatError(accessor.place, "finite numbers", f"NaN or infinity in element {row}")
            return array
        if not accessor.normalized:
            return array.astype(np.float32)
        scaled = array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
        return np.maximum(scaled, np.float32(-1))

    def _replace(self, array: NDArray, accessor: Accessor, sparse: Sparse) -> None:
        """Put the sparse values into `array`."""
        index_type = np.dtype(COMPONENT_NAMES[sparse.indices_component]).newbyteorder("<")
        indices_view, values_view = self.views[sparse.indices_view], self.views[sparse.values_view]
        indices = _rows(indices_view, sparse.indices_offset, sparse.count, index_type, 1)[:, 0].astype(int)
        values = _rows(values_view, sparse.values_offset, sparse.count, accessor.dtype, _WIDTHS[accessor.kind])
        if indices.max() >= accessor.count:
            raise FormatError(f"{sparse.place}.indices", f"indices below {accessor.count}", str(int(indices.max())))
        if (np.diff(indices) <= 0).any():
            raise FormatError(f"{sparse.place}.indices", "strictly increasing indices", "a repeated or lower one")
        array[indices] = values


def _rows(view: BufferView, offset: int, count: int, dtype: np.dtype, width: int) -> NDArray:
    """Gather `count` rows; the caller has checked that they lie inside the view."""
    size = width * dtype.itemsize
    step = view.stride or size
    octets = np.frombuffer(view.data, np.uint8, (count - 1) * step + size, offset)
    rows = np.lib.stride_tricks.as_strided(octets, (count, size), (step, 1))
    return np.array(rows, order="C").view(dtype).astype(dtype.newbyteorder("="), copy=False)


# -- reading the JSON side --------------------------------------------------------------------------------------


def read_accessors(container: Container) -> Accessors:
    """Buffers, buffer views and accessors of the document, all ranges checked.

    Raises:
        FormatError: something is missing, of a wrong type or runs past what holds it.
    """
    root = container.root
    buffers = [_read_buffer(container, entry, number) for number, entry in enumerate(root.entries_of("buffers"))]
    views = tuple(_read_view(entry, buffers) for entry in root.entries_of("bufferViews"))
    return Accessors(views, tuple(_read_accessor(entry, views) for entry in root.entries_of("accessors")))


def _read_buffer(container: Container, entry: JsonValue, number: int) -> memoryview:
    length = entry["byteLength"].integer()
    uri = entry.get("uri")
    if uri is not None:
        data, source = memoryview(container.resource(uri)), "its uri"
    elif number == 0 and container.binary is not None:
        data, source = container.binary, "the BIN chunk"
    else:
        raise entry.error("a uri, or a BIN chunk for buffers[0]", "neither")
    if length > len(data):
        raise entry["byteLength"].error(f"at most the {len(data)} bytes of {source}", str(length))
    return data[:length]


def _read_view(entry: JsonValue, buffers: list[memoryview]) -> BufferView:
    for name in _COMPRESSIONS:
        if extension(entry, name) is not None:
            raise FormatError(f"{entry.place}.extensions", "an uncompressed buffer view", name)
    buffer = buffers[entry["buffer"].index(len(buffers), "buffers")]
    offset = optional_integer(entry, "byteOffset", 0)
    length = entry["byteLength"].integer()
    if offset + length > len(buffer):
        raise entry.error(
            f"a range inside the {len(buffer)} bytes of its buffer", f"byteOffset {offset} + byteLength {length}"
        )
    stride = optional_integer(entry, "byteStride", 0, maximum=252)  # old exporters write 0 for tight packing
    return BufferView(entry.place, buffer[offset : offset + length], stride or None)


def _read_accessor(entry: JsonValue, views: tuple[BufferView, ...]) -> Accessor:
    component = _component(entry["componentType"], COMPONENT_NAMES)
    kind = entry["type"].text()
    if kind not in _WIDTHS:
        raise entry["type"].error(f"one of {', '.join(_WIDTHS)}", describe(kind))
    view = optional_index(entry, "bufferView", len(views), "bufferViews")
    sparse = entry.get("sparse")
    count = entry["count"].integer(1, MAX_UNBACKED_COUNT if view is None else MAX_ACCESSOR_COUNT)
    accessor = Accessor(
        entry.place,
        view,
        optional_integer(entry, "byteOffset", 0) if view is not None else 0,
        component,
        kind,
        count,
        optional_boolean(entry, "normalized"),
        None if sparse is None else _read_sparse(sparse, count, views),
        has_bounds=entry.get("min") is not None and entry.get("max") is not None,
        stray_offset=view is None and entry.get("byteOffset") is not None,
    )
    size = accessor.element_bytes
    if view is not None:
        stride = views[view].stride or size
        if stride < size:
            raise FormatError(
                f"{views[view].place}.byteStride", f"at least the {size} bytes of an element", str(stride)
            )
        _check_range(entry.place, accessor.offset, (count - 1) * stride + size, views[view])
    if accessor.sparse is not None:
        replaced = accessor.sparse.count * size
        values = views[accessor.sparse.values_view]
        _check_range(f"{accessor.sparse.place}.values", accessor.sparse.values_offset, replaced, values)
    return accessor


def _read_sparse(entry: JsonValue, count: int, views: tuple[BufferView, ...]) -> Sparse:
    replaced = entry["count"].integer(1)
    if replaced > count:
        raise entry["count"].error(f"at most the {count} elements of the accessor", str(replaced))
    indices, values = entry["indices"], entry["values"]
    unsigned = {code: COMPONENT_NAMES[code] for code in (5121, 5123, 5125)}
    sparse = Sparse(
        entry.place,
        replaced,
        indices["bufferView"].index(len(views), "bufferViews"),
        optional_integer(indices, "byteOffset", 0),
        _component(indices["componentType"], unsigned),
        values["bufferView"].index(len(views), "bufferViews"),
        optional_integer(values, "byteOffset", 0),
    )
    for part, view in ((indices, views[sparse.indices_view]), (values, views[sparse.values_view])):
        if view.stride is not None:
            raise part["bufferView"].error("a buffer view without byteStride", f"a stride of {view.stride}")
    width = np.dtype(unsigned[sparse.indices_component]).itemsize
    _check_range(indices.place, sparse.indices_offset, replaced * width, views[sparse.indices_view])
    return sparse


def _component(entry: JsonValue, allowed: dict[int, str]) -> int:
    code = entry.integer()
    if code not in allowed:
        raise entry.error(" or ".join(f"{known} ({name})" for known, name in allowed.items()), str(code))
    return code


def _check_range(place: str, offset: int, length: int, view: BufferView) -> None:
    if offset + length > len(view.data):
        raise FormatError(
            place,
            f"data inside the {len(view.data)} bytes of {view.place}",
            f"{length} bytes from byte {offset} on",
        )
