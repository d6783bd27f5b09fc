"""Any folder of VRM and GLB files as a list of characters: who is in it, and under which names.

Source: spec/renderer.md §12.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from _databacks.layout import CHARACTER_SUFFIXES
from _databacks.names import OWN
from _exchange.errors import InputError
from _exchange.items import ItemId


@dataclass(frozen=True)
class SourceCharacter:
    """One character file.

    Attributes:
        item: its name in the dataset.
        path: where it is.
        file: the same relative to the folder that was given, ``/`` as separator.
    """

    item: ItemId
    path: Path
    file: str


@dataclass(frozen=True)
class Problem:
    """A file or item that did not become a character.

    Attributes:
        item: its name in the dataset; empty where it has none.
        file: the source, relative to the folder that was given.
        status: ``failed`` (it cannot be read or drawn) or ``skipped`` (not even tried).
        reason: one sentence.
    """

    item: str
    file: str
    status: str
    reason: str

    @property
    def sentence(self) -> str:
        """Status, file and reason in one line; reasons about a file may begin with its name already."""
        name = self.file.rpartition("/")[2]
        return f"{self.status}: {self.file}: {self.reason.removeprefix(f'{name}: ')}"


def characters_below(folder: Path, leave_out: Path | None = None) -> tuple[list[SourceCharacter], list[Problem]]:
    """The characters below a folder, sorted by item, and the files that are skipped.

    The group of a character is the name of the folder that holds its file, without leading underscores (the index
    passes over such folders), or `own` directly in the folder given; its id is the file's stem.

    Args:
        folder: the folder given.
        leave_out: a folder below it that is not searched: copies in the dataset that is being written.

    Raises:
        InputError: the folder does not exist.
    """
    if not folder.is_dir():
        raise InputError(f"Expected a folder of VRM or GLB files, found no folder {folder}.")
    excluded = leave_out.resolve() if leave_out is not None else None
    found: dict[ItemId, SourceCharacter] = {}
    skipped: list[Problem] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in CHARACTER_SUFFIXES or not path.is_file():
            continue
        if excluded is not None and excluded in path.resolve().parents:
            continue
        file = path.relative_to(folder).as_posix()
        try:
            item = _item_of(path, folder)
        except (InputError, UnicodeEncodeError) as error:
            skipped.append(Problem("", ascii(file), "skipped", f"The file name makes no item name: {error}"))
            continue
        if item in found:
            reason = f"The name {item} belongs to {found[item].file} already; rename one of the files."
            skipped.append(Problem(str(item), file, "skipped", reason))
        else:
            found[item] = SourceCharacter(item, path, file)
    return sorted(found.values(), key=lambda character: character.item), skipped


def _item_of(path: Path, folder: Path) -> ItemId:
    franch = OWN if path.parent == folder else path.parent.name.lstrip("_") or OWN
    item = ItemId(franch, path.stem)
    str(item).encode("utf-8")  # names that are no text could not stand in lists
    return item
