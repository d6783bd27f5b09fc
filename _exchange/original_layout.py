"""Predictions in the original's layout, ``temp/eval/<run>/<renderset>/…``, so that old results can be scored.

Source: spec/measure.md §1, §3.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _exchange import restricted_pickle
from _exchange.array_archive import read_array_archive
from _exchange.errors import FormatError, InputError
from _exchange.frames import head_world_from_original_mesh
from _exchange.items import ItemId
from _exchange.mesh import Mesh

MAX_BYTES = 2 << 30
"""Mesh files that are larger, packed or unpacked, are refused unread."""


@dataclass(frozen=True)
class OriginalRun:
    """One run of the original: `path` is the folder that holds ``ortho``, ``rgb60`` and ``marching_cubes``."""

    path: Path

    def picture(self, item: ItemId, camera: str) -> Path:
        """Picture of a camera such as ``ortho_front`` or ``rgb60_0042``."""
        kind, _, view = camera.partition("_")
        return self.path / kind / item.franch / item.idx / f"{view}.png"

    def mesh(self, item: ItemId) -> Mesh:
        """The predicted surface in `head_world`, float64, from ``front.npz`` or ``front.pkl``.

        Raises:
            InputError: neither file exists.
            FormatError: the file is damaged or holds something else.
        """
        folder = self.path / "marching_cubes" / item.franch / item.idx
        for name, read in (("front.npz", _read_npz), ("front.pkl", _read_pickle)):
            if (folder / name).is_file():
                return _mesh_of(read(folder / name), folder / name)
        raise InputError(f"Expected {folder / 'front.npz'} or front.pkl, found neither.")


def is_original_run(path: Path) -> bool:
    """Whether a folder looks like one of the original's runs."""
    return (path / "marching_cubes").is_dir() or (path / "rgb60").is_dir()


def _read_npz(path: Path) -> dict[str, object]:
    return dict(read_array_archive(path, most_bytes=MAX_BYTES, names=("verts", "faces")))


def _read_pickle(path: Path) -> dict[str, object]:
    if path.stat().st_size > MAX_BYTES:
        raise FormatError("", f"a pickle of at most {MAX_BYTES} bytes", f"{path.stat().st_size} bytes", file=path)
    try:
        value = restricted_pickle.loads(path.read_bytes(), restricted_pickle.NUMPY_ENTRIES)
    except FormatError as error:
        raise error.in_file(path) from error
    if not isinstance(value, dict):
        raise FormatError("", "a mapping with verts and faces", type(value).__name__, file=path)
    return value


def _mesh_of(value: dict[str, object], path: Path) -> Mesh:
    verts = _rows_of_three(value, "verts", "iuf", path)
    faces = _rows_of_three(value, "faces", "iu", path)
    try:
        return Mesh(head_world_from_original_mesh(verts.astype(np.float64)), faces.astype(np.int64))
    except InputError as error:
        raise FormatError("", "a mesh", error.message.removesuffix("."), file=path) from error


def _rows_of_three(value: dict[str, object], name: str, kinds: str, path: Path) -> NDArray:
    array = value.get(name)
    if not isinstance(array, np.ndarray):
        raise FormatError(name, "an array", type(array).__name__, file=path)
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in kinds:
        wanted = "whole numbers" if kinds == "iu" else "numbers"
        raise FormatError(name, f"{wanted} of shape (n, 3)", f"{array.dtype} of shape {array.shape}", file=path)
    return array
