"""Any folder of VRM and GLB files as a list of characters: who is in it, and under which names.

Source: spec/renderer.md §12.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from _databacks.layout import CHARACTER_SUFFIXES
from _databacks.names import OWN
from _exchange.atomic import TEMPORARY_PREFIX
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


def characters_below(folder: Path, leave_out: tuple[Path, ...] = ()) -> tuple[list[SourceCharacter], list[Problem]]:
    """The characters below a folder, sorted by item, and the files that are skipped.

    The group of a character is the name of the folder that holds its file, without leading underscores (the index
    passes over such folders), or `own` directly in the folder given; its id is the file's stem. Links are followed.

    Args:
        folder: the folder given.
        leave_out: folders below it that are not searched: those of the dataset that is being written.

    Raises:
        InputError: the folder does not exist.
    """
    if not folder.is_dir():
        raise InputError(f"Expected a folder of VRM or GLB files, found no folder {folder}.")
    found: dict[ItemId, SourceCharacter] = {}
    skipped: list[Problem] = []
    for path in _paths_below(folder, tuple(path.resolve() for path in leave_out)):
        file = path.relative_to(folder).as_posix()
        if path.is_dir():
            skipped.append(Problem("", ascii(file), "skipped", "The folder cannot be read."))
            continue
        if path.suffix.lower() not in CHARACTER_SUFFIXES or path.name.startswith(TEMPORARY_PREFIX):
            continue
        if not path.is_file():
            skipped.append(Problem("", ascii(file), "skipped", "It is no file, or a link that leads nowhere."))
            continue
        try:
            item = _item_of(path, folder)
            file.encode("utf-8")  # texts that are none could not stand in tables
        except (InputError, UnicodeEncodeError) as error:
            skipped.append(Problem("", ascii(file), "skipped", f"The file name makes no item name: {error}"))
            continue
        if item in found:
            reason = f"The name {item} belongs to {found[item].file} already; rename one of the files."
            skipped.append(Problem(str(item), file, "skipped", reason))
        else:
            found[item] = SourceCharacter(item, path, file)
    return sorted(found.values(), key=lambda character: character.item), skipped


def _paths_below(folder: Path, left_out: tuple[Path, ...], above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Everything below a folder that is no folder, sorted part by part, and the folders that cannot be read.

    A folder inside itself (by a link) is left out.
    """
    here = folder.resolve()
    if here in left_out or here in above:
        return
    try:
        inner = sorted(folder.iterdir())
    except OSError:
        yield folder
        return
    for path in inner:
        if path.is_dir():
            yield from _paths_below(path, left_out, (*above, here))
        else:
            yield path


def _item_of(path: Path, folder: Path) -> ItemId:
    franch = OWN if path.parent == folder else path.parent.name.lstrip("_") or OWN
    item = ItemId(franch, path.stem)
    str(item).encode("utf-8")  # names that are no text could not stand in lists
    return item
