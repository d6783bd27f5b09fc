"""A user's own characters (`own`), as `prepare` lays them out. Source: spec/renderer.md §12.4, §12.5."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from _databacks.names import OWN, UnknownItem
from _databacks.records import CharacterRecord
from _databacks.rendered_set import RenderedSet
from _exchange.items import ItemId, TruthFiles
from _exchange.protocol import Way


class Own(RenderedSet):
    """Characters of a folder of VRM and GLB files, or the sample set."""

    renderset = OWN
    list_name = f"{OWN}_all"
    paper_arm_degrees = 60.0
    how_to_get_portraits = "Run python3 -m _scripts.prepare on the folder of characters again."
    how_to_get_characters = how_to_get_portraits

    @cached_property
    def _records(self) -> dict[ItemId, CharacterRecord]:
        return {item: CharacterRecord.read(self.folder.record(item)) for item in self.items()}

    def _record(self, item: ItemId) -> CharacterRecord:
        if item not in self._records:
            raise UnknownItem(f"Expected one of the {len(self._records)} characters in {self.root}, found {item}.")
        return self._records[item]

    @property
    def default_protocol(self) -> Way:
        """How the pictures were drawn: `corrected` unless `prepare` was told otherwise."""
        return next((record.shading for record in self._records.values()), "corrected")

    def character(self, item: ItemId) -> Path:
        """The copy of the user's file, under its own suffix."""
        return self.root / self._record(item).character

    def _files_of(self, item: ItemId) -> list[Path]:
        """The same, and the record of the character."""
        return [*super()._files_of(item), self.folder.record(item)]

    def truth(self, item: ItemId) -> TruthFiles:
        """Where the truth lies, and how the character was read when it was drawn."""
        record = self._record(item)
        return replace(super().truth(item), shading=record.shading, head_position=record.head_position, fit=record.fit)
