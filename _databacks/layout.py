"""Every path of a dataset, in one place. Nothing here touches the disk except `find_root`.

<root>/raw/…                                   characters and illustrations as they came
<root>/subsets/<list>.csv                      lists of items
<root>/renders/<set>/<kind>/<franch>/<idx>/<view>.png
<root>/renders/<set>/<set>_meta.json           view metadata
<root>/renders/<set>/fandom_align_alignment.{json,pkl}
<root>/renders/<set>/_records/…                what `prepare` knows about each character
Source: spec/data.md §2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from _databacks.names import ANIMERECON, OWN, VROID, PictureName
from _exchange.errors import InputError
from _exchange.items import ItemId

PORTRAIT_KIND = "fandom_align"
MASK_KIND = "fandom_align_seg"
USUAL_ROOT = Path("_data") / "lustrous"
CHARACTER_SUFFIXES = (".vrm", ".glb", ".gltf")
UNRELEASED_METADATA = (
    "daredemoE/danbooru_rutileE/renderparams.json",
    "kiddoWE/danbooru_rutileE/renderparams.json",
    "daredemoE/asoul_meta.json",
)
"""Metadata files that the original merges where they exist; the data they belong to were never released."""


@dataclass(frozen=True)
class SetFolder:
    """The folder of one render set."""

    path: Path

    @property
    def metadata(self) -> Path:
        """View metadata: `render_params` by five-part name."""
        return self.path / f"{self.path.name}_meta.json"

    @property
    def alignment_json(self) -> Path:
        """Alignment of every portrait."""
        return self.path / "fandom_align_alignment.json"

    @property
    def alignment_pickle(self) -> Path:
        """The same as the original shipped it."""
        return self.path / "fandom_align_alignment.pkl"

    @property
    def journal(self) -> Path:
        """Finished characters of `prepare`."""
        return self.path / "prepare_journal.jsonl"

    @property
    def lock(self) -> Path:
        """What processes of `prepare` lock, so that only parts of one set write it at the same time."""
        return self.path / "prepare.lock"

    @property
    def records(self) -> Path:
        """Folder of the records that `prepare` writes, one per character."""
        return self.path / "_records"

    @property
    def failures(self) -> Path:
        """Characters that could not be prepared, with the reasons."""
        return self.path / "failures.json"

    def attribution(self, table_format: str) -> Path:
        """Author and licence of every character, as ``csv`` or ``json``."""
        return self.path / f"attribution.{table_format}"

    def kind(self, dtype: str) -> Path:
        """Folder of one kind of pictures."""
        return self.path / dtype

    def record(self, item: ItemId) -> Path:
        """What `prepare` knows about one character."""
        return self.records / item.franch / f"{item.idx}.json"


@dataclass(frozen=True)
class DatasetLayout:
    """One dataset root (``_data/lustrous`` in the original)."""

    root: Path

    @property
    def renders(self) -> Path:
        """Folder of all render sets."""
        return self.root / "renders"

    def render_set(self, renderset: str) -> SetFolder:
        """One render set."""
        return SetFolder(self.renders / renderset)

    def picture(self, name: PictureName) -> Path:
        """The picture of a five-part name."""
        return self.renders / name.renderset / name.dtype / name.franch / name.idx / f"{name.view}.png"

    def subset(self, name: str) -> Path:
        """The list called `name`, e.g. ``daredemoE_test``."""
        return self.root / "subsets" / f"{name}.csv"

    def character(self, renderset: str, item: ItemId) -> Path:
        """The character file of an item; for the set `own` without its suffix, which is the source's."""
        if renderset == VROID:
            return self.root / "raw" / "vroid" / item.franch / item.idx / f"{item.idx}.vrm"
        if renderset == ANIMERECON:
            return self.root / "raw" / "dssc" / item.franch / f"{item.idx}.vrm"
        return self.own_character(item, ".vrm")

    def own_character(self, item: ItemId, suffix: str) -> Path:
        """The copy of a user's character file."""
        return self.root / "raw" / OWN / item.franch / f"{item.idx}{suffix}"

    def illustration(self, source: str) -> Path:
        """A raw illustration by its source string, without its suffix (spec/data.md §4.1, §5)."""
        site, _, rest = source.partition("/")
        return self.root / "raw" / "fandom" / site / "images" / rest

    @property
    def face_detections(self) -> Path:
        """Face detections of all raw illustrations."""
        return self.root / "preprocessed" / "facecrop_fandom.pkl"


def find_root(folder: Path) -> DatasetLayout:
    """The dataset at `folder`, or at ``_data/lustrous`` below it.

    Raises:
        InputError: neither has ``renders`` or ``subsets``.
    """
    for root in (folder, folder / USUAL_ROOT, folder / "lustrous"):
        if (root / "renders").is_dir() or (root / "subsets").is_dir():
            return DatasetLayout(root)
    raise InputError(
        f"Expected a dataset (a folder with renders and subsets) in {folder}, found none.",
        next_step=f"Make one with python3 -m _scripts.prepare <folder of VRM files> --out {folder}.",
    )


def read_list(path: Path) -> list[str]:
    """The lines of a subset list in order; empty lines are left out (spec/data.md §2.2).

    Raises:
        InputError: there is no such list, or it is not UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors of Windows put a mark in front
    except FileNotFoundError as error:
        raise InputError(f"Expected the list {path}, found none.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"Expected a list of names in {path}, found bytes that are no UTF-8 text.") from error
    return [line for line in (line.rstrip("\r") for line in text.split("\n")) if line]
