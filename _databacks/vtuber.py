"""Vtuber (`virtualyoutuberE`): aligned portraits without truth; trains the line filler. Source: spec/data.md §4."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from _databacks.alignment import Detections, alignment_matrix, identity_alignment, read_detections, vertical_jitter
from _databacks.layout import PORTRAIT_KIND
from _databacks.names import ANIMERECON, VTUBER, PictureName, UnknownItem
from _databacks.rendered_set import WHOLE_PICTURE, MissingStage, RenderedSet, read_items
from _exchange.errors import InputError, MissingComponent
from _exchange.items import Alignment, ItemId, TruthFiles

_SITE = "virtualyoutuber"


class Vtuber(RenderedSet):
    """The listed portraits; an item is ``agency/name-nnnn-dddd``: detection dddd of image nnnn."""

    renderset = VTUBER
    list_name = f"{VTUBER}_all"
    paper_arm_degrees = 0.0
    how_to_get_portraits = (
        "Raw illustrations belong in raw/fandom/virtualyoutuber/images; masks and face detections are in the authors' "
        "archive panic_data_models_merged.zip."
    )
    how_to_get_characters = "There are none for this set."

    @cached_property
    def _names(self) -> dict[ItemId, PictureName]:
        names = read_items(self.layout.subset(self.list_name), PictureName.parse)
        wrong = next((name for name in names if (name.renderset, name.dtype) != (VTUBER, PORTRAIT_KIND)), None)
        if wrong is not None:
            raise InputError(f"Expected names {VTUBER}/{PORTRAIT_KIND}/… in {self.list_name}.csv, found {wrong}.")
        return {ItemId(name.franch, f"{name.idx}-{name.view}"): name for name in names}

    @cached_property
    def _items(self) -> tuple[ItemId, ...]:
        return tuple(self._names)

    def portrait_name(self, item: ItemId) -> PictureName:
        """The line of the list."""
        if item not in self._names:
            raise UnknownItem(f"Expected an item of {self.list_name}.csv, found {item}.")
        return self._names[item]

    @cached_property
    def _detections(self) -> dict[str, Detections]:
        path = self.layout.face_detections
        return read_detections(path) if path.is_file() else {}

    def alignment(self, item: ItemId) -> Alignment:
        """Jittered alignment of the item's detection; the identity where the detections are not there."""
        name = self.portrait_name(item)
        image, _, number = name.view.partition("-")
        source = f"{_SITE}/{name.franch}/{name.idx}/{image}"
        found = self._detections.get(source)
        if found is None:
            return identity_alignment(WHOLE_PICTURE, source)
        if not (number.isascii() and number.isdigit()) or int(number) >= len(found.keypoints):
            raise UnknownItem(f"Expected detection {number!r} of {source}, found {len(found.keypoints)} detections.")
        keypoints = found.keypoints[int(number)]
        matrix = alignment_matrix(keypoints, vertical_jitter(f"{source}-{int(number):04d}"))
        return Alignment(source, matrix, WHOLE_PICTURE, np.array(keypoints))

    def _raw_illustration(self, source: str) -> Path | None:
        """The illustration, where a detection says how to align it."""
        return super()._raw_illustration(source) if source in self._detections else None

    def _missing_truth(self, _item: ItemId) -> list[MissingStage]:
        return []

    def truth(self, item: ItemId) -> TruthFiles:
        """There is none.

        Raises:
            MissingComponent: always.
        """
        raise MissingComponent(
            f"Expected the truth of {item}, but {VTUBER} holds portraits only.",
            next_step=f"Score on a set with truth, such as {ANIMERECON}.",
        )
