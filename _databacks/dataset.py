"""Datasets behind one interface, and the choice of one by what lies below a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from _databacks.animerecon import AnimeRecon
from _databacks.layout import DatasetLayout, find_root
from _databacks.names import ANIMERECON, OWN, VROID, VTUBER
from _databacks.own import Own
from _databacks.rendered_set import MissingStage
from _databacks.vroid import SPLITS, open_vroid
from _databacks.vtuber import Vtuber
from _exchange.errors import InputError
from _exchange.items import ItemId, MethodInput, TruthFiles
from _exchange.protocol import Way


class Dataset(Protocol):
    """A list of characters with inputs and truth."""

    @property
    def renderset(self) -> str:
        """Name of the render set: first part of every picture's name."""

    @property
    def root(self) -> Path:
        """The dataset root."""

    @property
    def default_protocol(self) -> Way:
        """``paper`` for published sets, ``corrected`` for users' own characters and the sample set."""

    def items(self) -> list[ItemId]:
        """All characters in list order. Raises `InputError` where the list is missing."""

    def method_input(self, item: ItemId) -> MethodInput:
        """What a method may look at.

        Raises:
            UnknownItem: the item has no alignment.
            InputError: the portrait is missing, and so is the raw illustration.
            FormatError: a file is damaged or of another size.
        """

    def truth(self, item: ItemId) -> TruthFiles:
        """Where the truth of an item lies. Raises `UnknownItem` as above, `MissingComponent` for sets without truth."""

    def character(self, item: ItemId) -> Path:
        """The character file of an item."""

    def digest(self, items: Sequence[ItemId] | None = None) -> str:
        """SHA-256 over the list, the alignment and the portraits of `items` (default: all), for run records."""

    def files_behind(self, items: Sequence[ItemId]) -> list[Path]:
        """Every file that inputs and truth of `items` are read from, and their attribution.

        Only files that are there, sorted, each once.
        """

    def missing_stages(self, items: Sequence[ItemId] | None = None) -> list[MissingStage]:
        """Which file is missing for which item, and what brings it."""


_SETS: Mapping[str, tuple[Callable[[DatasetLayout], Dataset], tuple[str, ...]]] = {
    ANIMERECON: (AnimeRecon, (f"{ANIMERECON}_test",)),
    OWN: (Own, (f"{OWN}_all",)),
    VROID: (open_vroid, tuple(f"{VROID}B_{split}" for split in SPLITS)),
    VTUBER: (Vtuber, (f"{VTUBER}_all",)),
}
"""What opens each set and the lists that show its presence, in the order in which a set is chosen."""


def open_dataset(root: Path, name: str | None = None) -> Dataset:
    """The dataset at `root` (or at ``_data/lustrous`` below it).

    Args:
        root: the folder that holds ``renders`` and ``subsets``.
        name: render set, e.g. ``daredemoE``; default: the first of the known sets whose list is there.

    Raises:
        InputError: no dataset there, no such set, or its list is missing.
    """
    layout = find_root(root)
    if name is not None and name not in _SETS:
        raise InputError(f"Expected a dataset out of {', '.join(_SETS)}, found {name!r}.")
    for renderset in _SETS if name is None else (name,):
        opener, lists = _SETS[renderset]
        if any(layout.subset(entry).is_file() for entry in lists):
            return opener(layout)
    wanted = [entry for renderset in (_SETS if name is None else (name,)) for entry in _SETS[renderset][1]]
    raise InputError(
        f"Expected one of the lists {', '.join(wanted)} (.csv) in {layout.root / 'subsets'}, found none.",
        next_step="python3 -m _scripts.prepare writes the list of your own characters; "
        "those of the published sets are in the authors' archive.",
    )
