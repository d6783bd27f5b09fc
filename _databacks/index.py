"""The index of a dataset: which pictures there are, and the item that a name or a position gives.

The index keeps the original's answers, key errors for pictures without metadata included, unless it is asked to
derive cameras from names. Source: spec/data.md §8.1, §8.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _databacks.layout import DatasetLayout
from _databacks.names import OWN, PUBLISHED_SETS, VTUBER, BadPosition, MissingPicture, PictureName, UnknownItem
from _databacks.views import PORTRAIT_PARAMS, derived_camera, read_view_metadata
from _exchange.atomic import TEMPORARY_PREFIX
from _exchange.errors import FormatError, InputError
from _exchange.pictures import Mode, open_image, read_picture

FIELDS = ("image", "render_params")


@dataclass(frozen=True)
class StoredPicture:
    """A picture on disk, decoded when asked for."""

    path: Path

    def pixels(self, mode: Mode = "RGBA") -> NDArray[np.uint8]:
        """The pixels converted to `mode`; raises as `_exchange.pictures.read_picture`."""
        return read_picture(self.path, mode)

    def as_stored(self) -> Image.Image:
        """The decoded picture in the file's own mode; raises `FormatError` for a damaged file."""
        try:
            return open_image(self.path.read_bytes())
        except FormatError as error:
            raise error.in_file(self.path) from error


class DatasetIndex:
    """All pictures below a dataset root.

    Args:
        root: the folder that holds ``renders``.
        rendersets: the sets that are listed; names of others can still be asked for.
        derive_cameras: give pictures without metadata the camera that follows from their name, where one does.
    """

    def __init__(
        self, root: Path, rendersets: Iterable[str] = (*PUBLISHED_SETS, OWN), *, derive_cameras: bool = False
    ) -> None:
        self.layout = DatasetLayout(root)
        self.derive_cameras = derive_cameras
        sets = tuple(rendersets)
        self.names = tuple(sorted(_listed(self.layout.renders, sets)))
        self.params = read_view_metadata(self.layout, sets)
        self.params |= {text: dict(PORTRAIT_PARAMS) for text in self.names if text.startswith(f"{VTUBER}/")}

    def __len__(self) -> int:
        return len(self.names)

    def item(self, which: str | int, fields: Iterable[str] = FIELDS) -> dict[str, Any]:
        """The item of a five-part name, or of a position in `names`.

        Returns:
            ``bn``, ``info`` (the five parts), and of `fields`: ``image`` (`StoredPicture`), ``render_params``.

        Raises:
            BadName: the name has not five parts (also a `ValueError`).
            BadPosition: the position is outside the list (also an `IndexError`).
            MissingPicture: the image is asked for and does not exist (also a `FileNotFoundError`).
            UnknownItem: the parameters are asked for and not known (also a `KeyError`).
            InputError: a field has another name.
        """
        wanted = tuple(fields)
        if not set(wanted) <= set(FIELDS):
            raise InputError(f"Expected fields out of {FIELDS}, found {wanted}.")
        name = PictureName.parse(self._name_at(which) if isinstance(which, int) else which)
        item: dict[str, Any] = {"bn": str(name), "info": name.info}
        if "image" in wanted:
            item["image"] = self._picture(name)
        if "render_params" in wanted:
            item["render_params"] = self._params(name)
        return item

    def _name_at(self, position: int) -> str:
        try:
            return self.names[position]
        except IndexError as error:
            raise BadPosition(f"Expected a position below {len(self.names)}, found {position}.") from error

    def _picture(self, name: PictureName) -> StoredPicture:
        path = self.layout.picture(name)
        if not path.is_file():
            raise MissingPicture(f"Expected the picture {path}, found none.", next_step=_HOW_TO_DRAW)
        return StoredPicture(path)

    def _params(self, name: PictureName) -> dict[str, Any]:
        params = self.params.get(str(name))
        if params is not None:
            return params
        camera = derived_camera(name) if self.derive_cameras else None
        if camera is None:
            path = self.layout.render_set(name.renderset).metadata
            raise UnknownItem(f"Expected view metadata of {name} in {path}, found none.", next_step=_HOW_TO_DRAW)
        return camera.render_params


_HOW_TO_DRAW = "python3 -m _scripts.prepare draws pictures and writes their metadata."


def _listed(renders: Path, rendersets: Iterable[str]) -> Iterator[str]:
    """Five-part names of the pictures that the listing rule finds (spec/data.md §8.1)."""
    for renderset in rendersets:
        for dtype in _folders(renders / renderset):
            for franch in _folders(dtype):
                if franch.name.startswith("_"):
                    continue
                for idx in _folders(franch):
                    for path in idx.iterdir():
                        if path.suffix == ".png" and not path.name.startswith(("_", TEMPORARY_PREFIX)):
                            yield "/".join((renderset, dtype.name, franch.name, idx.name, path.stem))


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
