"""Predictions in the original's layout, ``temp/eval/<run>/<renderset>/…``, so that old results can be scored.

Source: spec/measure.md §1, §3.7.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from _exchange import restricted_pickle
from _exchange.errors import FormatError, InputError
from _exchange.frames import head_world_from_original_mesh
from _exchange.items import ItemId
from _exchange.mesh import Mesh


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
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in ("verts", "faces", "colors") if name in arrays}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError("", "an .npz archive of plain arrays", str(error), file=path) from error


def _read_pickle(path: Path) -> dict[str, object]:
    try:
        value = restricted_pickle.loads(path.read_bytes(), restricted_pickle.NUMPY_ENTRIES)
    except FormatError as error:
        raise error.in_file(path) from error
    if not isinstance(value, dict):
        raise FormatError("", "a mapping with verts and faces", type(value).__name__, file=path)
    return value


def _mesh_of(value: dict[str, object], path: Path) -> Mesh:
    for name in ("verts", "faces"):
        if not isinstance(value.get(name), np.ndarray):
            raise FormatError(name, "an array", type(value.get(name)).__name__, file=path)
    verts = np.asarray(value["verts"], np.float64)
    return Mesh(head_world_from_original_mesh(verts), np.asarray(value["faces"], np.int64))
