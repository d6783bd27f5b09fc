"""View metadata: files, the aliases of the original's loader, and cameras that follow from a name alone.

Source: spec/data.md §2.1, §8.2; spec/renderer.md §4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from _databacks.layout import UNRELEASED_METADATA, DatasetLayout
from _databacks.names import ANIMERECON, VROID, VTUBER, PictureName
from _exchange.camera import CAM60, ORTHO, ORTHOGRAPHIC, Camera, random_views
from _exchange.errors import FormatError
from _exchange.run_record import read_json_object

_ALIASES = {
    VROID: ("ortho_xyza", "dorthoA"),
    ANIMERECON: ("ortho_xyza", "fandom_align", "fandom_align_rmlineEA", "dorthoA"),
}
"""Kinds that every `ortho` entry of a set serves as well."""
_ORTHO_KINDS = {"ortho", *(kind for kinds in _ALIASES.values() for kind in kinds)}
PORTRAIT_PARAMS = Camera(0.0, 0.0, fov=ORTHOGRAPHIC).render_params
"""The front orthographic view, which every listed Vtuber picture gets."""
RANDOM_VIEW_COUNT = 8


def read_view_metadata(layout: DatasetLayout, rendersets: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`render_params` by five-part name from all metadata files that exist, aliases included.

    Raises:
        FormatError: a file is no JSON object of such entries.
    """
    files = [layout.render_set(renderset).metadata for renderset in rendersets]
    files += [layout.renders / relative for relative in UNRELEASED_METADATA]
    params: dict[str, dict[str, Any]] = {}
    for path in files:
        if path.is_file():
            params |= _read_metadata_file(path)
    return params | _aliases(params)


def _read_metadata_file(path: Path) -> dict[str, dict[str, Any]]:
    params = {}
    for name, entry in read_json_object(path).items():
        if not isinstance(entry, dict) or not isinstance(entry.get("render_params"), dict):
            raise FormatError(name, "an object with render_params", repr(entry)[:80], file=path)
        params[name] = entry["render_params"]
    return params


def _aliases(params: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    aliased = {}
    for name, entry in params.items():
        parts = name.split("/")
        if len(parts) == 5 and parts[1] == "ortho":
            for kind in _ALIASES.get(parts[0], ()):
                aliased["/".join((parts[0], kind, *parts[2:]))] = entry
    return aliased


def derived_camera(name: PictureName) -> Camera | None:
    """The camera that follows from the name of a picture; None where none does.

    Kinds: the orthographic ones by view, ``rgb60``/``xyza60`` by index, ``rgb``/``xyza`` from the seed of the id.
    """
    if name.renderset == VTUBER and name.dtype.startswith("fandom_align"):
        return ORTHO["front"]
    if name.dtype in _ORTHO_KINDS:
        return ORTHO.get(name.view)
    if not (name.view.isascii() and name.view.isdigit()):
        return None
    number = int(name.view)
    if name.dtype in ("rgb60", "xyza60") and number < len(CAM60):
        return CAM60[number]
    if name.dtype in ("rgb", "xyza") and number < RANDOM_VIEW_COUNT:
        return random_views(name.idx, RANDOM_VIEW_COUNT)[number]
    return None
