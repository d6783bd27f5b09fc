"""What the datasets share: a list of characters, portraits with an alignment, and rendered truth.

Source: spec/data.md §2, §5, §6; spec/measure.md §1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from _databacks.alignment import read_alignments
from _databacks.layout import MASK_KIND, PORTRAIT_KIND, DatasetLayout, SetFolder, read_list
from _databacks.names import PictureName, UnknownItem
from _databacks.warp import aligned_illustration, with_alpha
from _exchange.digest import sha256_of_file, sha256_of_value
from _exchange.errors import FormatError, InputError
from _exchange.frames import IMAGE_SIZE
from _exchange.items import SCORED_CAMERAS, Alignment, ItemId, MethodInput, Region, TruthFiles
from _exchange.pictures import read_picture
from _exchange.protocol import Way

WHOLE_PICTURE = Region(0, 0, IMAGE_SIZE, IMAGE_SIZE)
ILLUSTRATION_SUFFIXES = ("png", "jpg", "jpeg", "webp", "gif")
Item = TypeVar("Item")


@dataclass(frozen=True)
class MissingStage:
    """One file that an item needs and that is not there.

    Attributes:
        item: the character.
        stage: ``alignment``, ``portrait``, ``character`` or ``renders``.
        path: the first file that is missing.
        next_step: what brings it.
        fault: what is wrong where the file is there; empty where it is missing.
    """

    item: ItemId
    stage: str
    path: Path
    next_step: str
    fault: str = ""

    def __str__(self) -> str:
        if self.fault:
            return f"{self.item}: no {self.stage}. {self.fault} {self.next_step}"
        return f"{self.item}: no {self.stage} ({self.path} is missing). {self.next_step}"


class RenderedSet:
    """A render set on disk; see `_databacks.dataset.Dataset` for what its methods promise.

    Args:
        layout: the dataset root.
    """

    renderset: ClassVar[str]
    list_name: ClassVar[str]
    paper_arm_degrees: ClassVar[float]
    portrait_kind: ClassVar[str] = PORTRAIT_KIND
    how_to_get_portraits: ClassVar[str]
    how_to_get_characters: ClassVar[str]
    kinds_to_draw: ClassVar[str] = ""
    """Option of `prepare` for sets whose usual kinds are not those that measuring needs."""

    def __init__(self, layout: DatasetLayout) -> None:
        self.layout = layout

    @property
    def root(self) -> Path:
        """The dataset root."""
        return self.layout.root

    @property
    def folder(self) -> SetFolder:
        """The folder of this set."""
        return self.layout.render_set(self.renderset)

    @property
    def default_protocol(self) -> Way:
        """Published sets are scored as published."""
        return "paper"

    # -- items --------------------------------------------------------------------------------------------------

    @property
    def list_path(self) -> Path:
        """The list of characters."""
        return self.layout.subset(self.list_name)

    @cached_property
    def _items(self) -> tuple[ItemId, ...]:
        return read_items(self.list_path, ItemId.parse)

    def items(self) -> list[ItemId]:
        """All characters in list order."""
        return list(self._items)

    def portrait_name(self, item: ItemId) -> PictureName:
        """The five-part name of an item's portrait; evaluation seeds use it."""
        return PictureName(self.renderset, self.portrait_kind, item.franch, item.idx, "front")

    def character(self, item: ItemId) -> Path:
        """The character file."""
        return self.layout.character(self.renderset, item)

    # -- what a method sees -------------------------------------------------------------------------------------

    @cached_property
    def _alignments(self) -> dict[ItemId, Alignment]:
        return read_alignments(self.folder)

    def alignment(self, item: ItemId) -> Alignment:
        """How the portrait was aligned, and what the evaluation looks at."""
        found = self._alignments.get(item)
        if found is None:
            raise UnknownItem(f"Expected an alignment of {item} in {self.folder.alignment_json}, found none.")
        return found

    def method_input(self, item: ItemId) -> MethodInput:
        """The aligned portrait and its alignment."""
        alignment = self.alignment(item)
        return MethodInput(item, self._portrait(item, alignment), alignment)

    def _portrait(self, item: ItemId, alignment: Alignment) -> NDArray[np.uint8]:
        """The stored portrait, or the raw illustration warped, with the stored mask as alpha where there is one."""
        path = self.layout.picture(self.portrait_name(item))
        mask_path = self._mask(item)
        if path.is_file():
            portrait = read_picture(path)
            _check_size(portrait, path)
        else:
            raw = self._raw_illustration(alignment.source)
            if raw is None:
                raise InputError(f"Expected the portrait {path}, found none.", next_step=self.how_to_get_portraits)
            portrait = aligned_illustration(read_picture(raw), alignment.transformation)
        if not mask_path.is_file():
            return portrait
        mask = read_picture(mask_path, "L")
        _check_size(mask, mask_path)
        return with_alpha(portrait, mask)

    def _mask(self, item: ItemId) -> Path:
        name = self.portrait_name(item)
        return self.layout.picture(PictureName(name.renderset, MASK_KIND, name.franch, name.idx, name.view))

    def _raw_illustration(self, source: str) -> Path | None:
        """The illustration as it was downloaded, under whatever suffix it has; None where there is none."""
        if not set(source.split("/")).isdisjoint(("", ".", "..")) or "\0" in source:
            return None  # it would lead out of the folder of illustrations
        stem = self.layout.illustration(source)
        if not stem.parent.is_dir():
            return None
        suffixes = {path.suffix[1:].lower(): path for path in sorted(stem.parent.iterdir()) if path.stem == stem.name}
        return next((suffixes[suffix] for suffix in ILLUSTRATION_SUFFIXES if suffix in suffixes), None)

    # -- the truth ----------------------------------------------------------------------------------------------

    def truth(self, item: ItemId) -> TruthFiles:
        """Where the truth lies; the files may be missing (`missing_stages`)."""
        return TruthFiles(
            bn=str(self.portrait_name(item)),
            pictures=self._truth_pictures(item),
            character=self.character(item),
            region=self.alignment(item).region,
            shading=self.default_protocol,
            paper_arm_degrees=self.paper_arm_degrees,
        )

    def _truth_pictures(self, item: ItemId) -> dict[str, Path]:
        pictures = {}
        for camera in SCORED_CAMERAS:
            kind, _, view = camera.partition("_")
            pictures[camera] = self.layout.picture(PictureName(self.renderset, kind, item.franch, item.idx, view))
        return pictures

    # -- what is there ------------------------------------------------------------------------------------------

    def digest(self, items: Sequence[ItemId] | None = None) -> str:
        """SHA-256 over the list, the alignment and the portraits of `items` (default: all), for run records."""
        wanted = self.items() if items is None else list(items)
        return sha256_of_value({"renderset": self.renderset, "items": [self._input_digests(item) for item in wanted]})

    def _input_digests(self, item: ItemId) -> dict[str, Any]:
        digests: dict[str, Any] = {"item": str(item)}
        try:
            alignment = self.alignment(item)
        except UnknownItem:
            return digests  # such an item fails by itself when it is asked for
        digests["transformation"] = alignment.transformation.tolist()
        digests["region"] = alignment.region.to_corners()
        digests["keypoints"] = alignment.keypoints.tolist()
        stored = self.layout.picture(self.portrait_name(item))
        portrait = stored if stored.is_file() else self._raw_illustration(alignment.source)
        for name, path in (("portrait", portrait), ("mask", self._mask(item))):
            if path is not None and path.is_file():
                digests[name] = sha256_of_file(path)
        return digests

    def files_behind(self, items: Sequence[ItemId]) -> list[Path]:
        """Every file that inputs and truth of `items` are read from, and their attribution: those that are there."""
        tables = [self.folder.alignment_json, self.folder.alignment_pickle, self.folder.attribution("csv")]
        paths = [self.list_path, self.folder.metadata, *tables]
        paths += [path for item in items for path in self._files_of(item)]
        return sorted({path for path in paths if path.is_file()})

    def _files_of(self, item: ItemId) -> list[Path]:
        """What is read for one item, whether it is there or not."""
        paths = [self.layout.picture(self.portrait_name(item)), self._mask(item), *self._truth_pictures(item).values()]
        try:
            paths.append(self.character(item))
            raw = self._raw_illustration(self.alignment(item).source)
        except InputError:
            return paths  # an item that is not known fails by itself where it is read
        return paths if raw is None else [*paths, raw]

    def missing_stages(self, items: Sequence[ItemId] | None = None) -> list[MissingStage]:
        """Which file is missing for which item, and what brings it (spec/data.md §11)."""
        wanted = self.items() if items is None else list(items)
        return [gap for item in wanted for gap in (*self._missing_inputs(item), *self._missing_truth(item))]

    def _missing_inputs(self, item: ItemId) -> list[MissingStage]:
        try:
            alignment = self.alignment(item)
        except InputError as error:
            path = self.folder.alignment_json
            return [MissingStage(item, "alignment", path, self.how_to_get_portraits, fault=str(error))]
        portrait = self.layout.picture(self.portrait_name(item))
        if portrait.is_file() or self._raw_illustration(alignment.source) is not None:
            return []
        return [MissingStage(item, "portrait", portrait, self.how_to_get_portraits)]

    def _missing_truth(self, item: ItemId) -> list[MissingStage]:
        gaps = []
        character = self.character(item)
        if not character.is_file():
            gaps.append(MissingStage(item, "character", character, self.how_to_get_characters))
        absent = [path for path in self._truth_pictures(item).values() if not path.is_file()]
        if absent:
            how = f"python3 -m _scripts.prepare {self.root} --renderset {self.renderset}{self.kinds_to_draw}"
            gaps.append(MissingStage(item, "renders", absent[0], f"{how} draws its pictures."))
        return gaps


def read_items(path: Path, parse: Callable[[str], Item]) -> tuple[Item, ...]:
    """The lines of a subset list as `parse` understands them.

    Raises:
        InputError: there is no such list.
        FormatError: a line is no name.
    """
    items = []
    for line in read_list(path):
        try:
            items.append(parse(line))
        except InputError as error:
            raise FormatError("", "names of items, one a line", repr(line), file=path) from error
    return tuple(items)


def _check_size(picture: NDArray[np.uint8], path: Path) -> None:
    if picture.shape[:2] != (IMAGE_SIZE, IMAGE_SIZE):
        found = f"{picture.shape[1]} × {picture.shape[0]}"
        raise FormatError("", f"a picture of {IMAGE_SIZE} × {IMAGE_SIZE} pixels", found, file=path)
