"""Vroid (`rutileE`): VRoid Hub characters; trains the reconstruction. Source: spec/data.md §3."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from _databacks.alignment import identity_alignment, read_alignments
from _databacks.layout import DatasetLayout
from _databacks.names import VROID, PictureName
from _databacks.rendered_set import WHOLE_PICTURE, RenderedSet, read_items
from _databacks.views import RANDOM_VIEW_COUNT
from _exchange.errors import InputError
from _exchange.items import Alignment, ItemId
from _exchange.run_record import read_json_object

SPLITS = ("test", "val", "train", "all")


class Vroid(RenderedSet):
    """One split of the training set.

    Portraits are the front orthographic renders; the whole picture is looked at unless an alignment file says more.

    Args:
        layout: the dataset root.
        split: one of `SPLITS`.
    """

    renderset = VROID
    paper_arm_degrees = 60.0
    portrait_kind = "ortho"
    kinds_to_draw = " --kinds ortho rgb60_spin12"
    how_to_get_portraits = f"python3 -m _scripts.prepare with --renderset {VROID} draws the pictures from raw/vroid."
    how_to_get_characters = (
        "Download the model from hub.vroid.com, where its page offers that, to raw/vroid/<last digit>/<id>/<id>.vrm."
    )

    def __init__(self, layout: DatasetLayout, split: str = "test") -> None:
        super().__init__(layout)
        if split not in SPLITS:
            raise InputError(f"Expected a split out of {', '.join(SPLITS)}, found {split!r}.")
        self.split = split

    @property
    def list_path(self) -> Path:
        """The list of the split."""
        return _list_of(self.layout, self.split)

    @cached_property
    def _items(self) -> tuple[ItemId, ...]:
        return read_items(self.list_path, vroid_item)

    @cached_property
    def _alignments(self) -> dict[ItemId, Alignment]:
        there = self.folder.alignment_json.is_file() or self.folder.alignment_pickle.is_file()
        return read_alignments(self.folder) if there else {}

    def alignment(self, item: ItemId) -> Alignment:
        """The identity: a render stands where it should."""
        return self._alignments.get(item) or identity_alignment(WHOLE_PICTURE, str(self.portrait_name(item)))

    def training_names(self) -> list[PictureName]:
        """The random views of all characters, in list order, eight per character (spec/data.md §3.3)."""
        return [
            PictureName(VROID, "rgb", item.franch, item.idx, f"{view:04d}")
            for item in self.items()
            for view in range(RANDOM_VIEW_COUNT)
        ]


def vroid_item(model_id: str) -> ItemId:
    """The item of a VRoid Hub id; its group is the id's last character."""
    return ItemId(model_id[-1:], model_id)


def hub_attribution(path: Path) -> dict[str, str]:
    """Title, author, address and terms of a model from VRoid Hub's record of it (spec/data.md §3.1).

    Raises:
        FormatError: the file is no JSON object.
    """
    record = read_json_object(path)
    character = _object(record, "character")
    named = {
        "title": record.get("name") or character.get("name"),
        "author": _object(character, "user").get("name"),
        "url": record.get("url"),
        **_object(record, "license"),
    }
    return {key: str(value) for key, value in named.items() if value}


def _object(value: dict[str, Any], key: str) -> dict[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def open_vroid(layout: DatasetLayout) -> Vroid:
    """The first split out of `SPLITS` whose list is there: characters are generated for testing."""
    return Vroid(layout, next((split for split in SPLITS if _list_of(layout, split).is_file()), SPLITS[0]))


def _list_of(layout: DatasetLayout, split: str) -> Path:
    return layout.subset(f"{VROID}B_{split}")
