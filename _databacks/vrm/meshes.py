"""Meshes: primitives, their vertex attributes and their triangles.

Source: glTF 2.0 specification, section 3.7; spec/renderer.md §2, §12.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _databacks.vrm.accessors import Accessor, Accessors
from _databacks.vrm.json_path import JsonValue, describe, extension, optional_index, optional_integer
from _databacks.vrm.limits import MAX_COORDINATE
from _exchange.errors import FormatError

POINTS, LINES, LINE_LOOP, LINE_STRIP, TRIANGLES, TRIANGLE_STRIP, TRIANGLE_FAN = range(7)
_UNSIGNED = ("uint8", "uint16", "uint32")
_FORMATS: dict[str, tuple[str, tuple[str, ...]]] = {
    "POSITION": ("VEC3", ("float32",)),
    "TEXCOORD": ("VEC2", ("float32", "uint8", "uint16")),
    "JOINTS": ("VEC4", ("uint8", "uint16")),
    "WEIGHTS": ("VEC4", ("float32", "uint8", "uint16")),
}
_QUANTIZED = ("int8", "uint8", "int16", "uint16", "float32")
"""What KHR_mesh_quantization allows for positions and texture coordinates."""


@dataclass(frozen=True)
class Primitive:
    """One primitive: accessor indices by attribute name; `indices` and `material` are None where absent."""

    place: str
    attributes: Mapping[str, int]
    indices: int | None
    material: int | None
    mode: int
    target_count: int

    def place_of(self, attribute: str) -> str:
        """The path of one attribute."""
        return f"{self.place}.attributes.{attribute}"


Meshes = tuple[tuple[Primitive, ...], ...]
"""Primitives of every mesh, in file order."""


def read_meshes(root: JsonValue, accessors: Accessors, material_count: int, quantized: bool) -> Meshes:
    """Meshes of the document, with every accessor checked for type and length.

    Raises:
        FormatError: an index does not resolve, an accessor has a wrong type, attributes differ in length, or the
            geometry is compressed.
    """
    return tuple(
        tuple(
            _read_primitive(primitive, accessors, material_count, quantized)
            for primitive in mesh["primitives"].entries()
        )
        for mesh in root.entries_of("meshes")
    )


def _read_primitive(entry: JsonValue, accessors: Accessors, material_count: int, quantized: bool) -> Primitive:
    if extension(entry, "KHR_draco_mesh_compression") is not None:
        raise FormatError(f"{entry.place}.extensions", "an uncompressed primitive", "KHR_draco_mesh_compression")
    attributes = {}
    first = ""
    for name, member in entry["attributes"].members():
        index = attributes[name] = member.index(len(accessors), "accessors")
        _check_format(member.place, name, accessors[index], quantized)
        first = first or name
        if accessors[index].count != accessors[attributes[first]].count:
            raise FormatError(
                member.place,
                f"{accessors[attributes[first]].count} elements, as {first} has",
                str(accessors[index].count),
            )
    for missing, present in (("WEIGHTS_0", "JOINTS_0"), ("JOINTS_1", "WEIGHTS_1"), ("WEIGHTS_1", "JOINTS_1")):
        if present in attributes and missing not in attributes:
            raise FormatError(f"{entry.place}.attributes", f"{missing} beside {present}", "none")
    indices = optional_index(entry, "indices", len(accessors), "accessors")
    if indices is not None:
        accessor = accessors[indices]
        if accessor.kind != "SCALAR" or accessor.component_name not in _UNSIGNED or accessor.normalized:
            expected = "a SCALAR accessor of unsigned integers"
            raise FormatError(f"{entry.place}.indices", expected, f"{accessor.kind} of {accessor.component_name}")
    targets = entry.entries_of("targets")
    for target in targets:
        target.member_indices(len(accessors), "accessors")
    return Primitive(
        entry.place,
        attributes,
        indices,
        optional_index(entry, "material", material_count, "materials"),
        optional_integer(entry, "mode", TRIANGLES, maximum=TRIANGLE_FAN),
        len(targets),
    )


def _check_format(place: str, name: str, accessor: Accessor, quantized: bool) -> None:
    semantic = name.partition("_")[0]
    if semantic not in _FORMATS:
        return
    kind, components = _FORMATS[semantic]
    if quantized and semantic in ("POSITION", "TEXCOORD"):
        components = _QUANTIZED
    if accessor.kind != kind or accessor.component_name not in components:
        expected = f"a {kind} accessor of {' or '.join(components)}"
        raise FormatError(place, expected, f"{accessor.kind} of {accessor.component_name}")


# -- arrays -----------------------------------------------------------------------------------------------------


def read_positions(primitive: Primitive, accessors: Accessors) -> NDArray[np.float32]:
    """(V, 3) positions of the file.

    Raises:
        FormatError: there are none, or one is not finite or beyond any use.
    """
    if "POSITION" not in primitive.attributes:
        raise FormatError(f"{primitive.place}.attributes", "POSITION", describe(list(primitive.attributes)))
    positions = accessors.floats(primitive.attributes["POSITION"])
    check_coordinates(primitive.place_of("POSITION"), positions)
    return positions


def read_texcoords(primitive: Primitive, accessors: Accessors, channel: int) -> NDArray[np.float32] | None:
    """(V, 2) texture coordinates of one set, v downwards; None where the primitive has no such set."""
    name = f"TEXCOORD_{channel}"
    if name not in primitive.attributes:
        return None
    uv = accessors.floats(primitive.attributes[name])
    check_coordinates(primitive.place_of(name), uv)
    return uv


def check_coordinates(place: str, coordinates: NDArray) -> None:
    """Refuse what float32 and the pictures cannot hold any more.

    Raises:
        FormatError: a coordinate is not finite or beyond `MAX_COORDINATE`.
    """
    if len(coordinates) and not (np.abs(coordinates) <= MAX_COORDINATE).all():
        raise FormatError(
            place, f"coordinates within ±{MAX_COORDINATE:g}", f"{float(np.abs(coordinates).max()):g} among them"
        )


def read_triangles(
    primitive: Primitive, accessors: Accessors, vertex_count: int, notes: list[str]
) -> NDArray[np.int32] | None:
    """(F, 3) indices of the triangles of a list, strip or fan; None, with a note, for points and lines.

    Missing indices are 0, 1, 2, …; indices that do not fill a triangle are left out with a note.

    Raises:
        FormatError: an index is not below `vertex_count`.
    """
    if primitive.mode < TRIANGLES:
        notes.append(f"{primitive.place}.mode: points or lines were skipped.")
        return None
    if primitive.indices is None:
        order = np.arange(vertex_count, dtype=np.int64)
    else:
        order = accessors.raw(primitive.indices)[:, 0].astype(np.int64)
        if order.max() >= vertex_count:
            place = f"{primitive.place}.indices"
            raise FormatError(place, f"indices below the {vertex_count} vertices", str(int(order.max())))
    if primitive.mode == TRIANGLES:
        whole = len(order) // 3 * 3
        if whole < len(order):
            notes.append(f"{primitive.place}.indices: {len(order) - whole} left over from the last triangle.")
        return order[:whole].reshape(-1, 3).astype(np.int32)
    if len(order) < 3:
        notes.append(f"{primitive.place}.indices: fewer than a triangle needs.")
        return np.zeros((0, 3), np.int32)
    if primitive.mode == TRIANGLE_FAN:
        corners = [np.full(len(order) - 2, order[0]), order[1:-1], order[2:]]
    else:
        odd = np.arange(len(order) - 2) % 2 == 1
        corners = [order[:-2], np.where(odd, order[2:], order[1:-1]), np.where(odd, order[1:-1], order[2:])]
    return np.stack(corners, axis=1).astype(np.int32)
