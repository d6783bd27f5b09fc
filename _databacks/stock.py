"""What of the manifest is at hand, and how the rest comes: the table and the work of ``_scripts.download``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Literal

from _databacks.download import USUAL, Conditions, download
from _databacks.licences import Ask, require_acceptance
from _databacks.manifest import Gated, Manifest, ManifestFile
from _databacks.weight_folders import find_file, user_cache
from _exchange.errors import InputError, MissingComponent

ALL = "all"
_WIDTH = 110
State = Literal["here", "missing", "damaged", "by hand", "gated"]


@dataclass(frozen=True)
class Holding:
    """One line of the table.

    Attributes:
        name: of the entry.
        what: it is.
        size: bytes; None where nobody has counted.
        licence: its name, or the terms of a gated thing.
        state: *gated* and *by hand* things cannot be downloaded; *damaged* is a file with another digest, or what
            cannot be read.
        path: of the file that is here; empty where none is.
        sentence: what to do, a command to be copied on a line of its own; empty where it is here.
    """

    name: str
    what: str
    size: int | None
    licence: str
    state: State
    path: str
    sentence: str


def take_stock(catalogue: Manifest, folders: Sequence[Path], working_folder: Path) -> list[Holding]:
    """Look for every entry: files in `folders`, parts of gated things below `working_folder`; nothing is fetched."""
    files = [_holding(file, folders) for file in catalogue.files]
    return files + [_gated_holding(thing, working_folder) for thing in catalogue.gated]


def fetch(
    catalogue: Manifest,
    names: Sequence[str],
    folders: Sequence[Path],
    *,
    accepted: bool,
    ask: Ask | None,
    conditions: Conditions = USUAL,
) -> dict[str, Path]:
    """Bring entries into the last of `folders`; a file that any of them holds is kept where it is.

    Args:
        catalogue: the manifest.
        names: of entries; `ALL` stands for every file with an address.
        folders: where files are looked for.
        accepted: whether the command line accepts the licences.
        ask: how to ask a person; None where nobody can be asked.
        conditions: of downloading.

    Returns:
        Where each file lies, by name; of a gated thing that is complete, its first file.

    Raises:
        InputError: an unknown name, a licence that is not accepted, a damaged file, or as `download`.
        MissingComponent: an address cannot be reached, or something cannot be downloaded by anybody but a person.
    """
    every = [file.name for file in catalogue.files if file.url]
    wanted = dict.fromkeys(name for given in names for name in (every if given == ALL else [given]))
    entries = [catalogue.entry(name) for name in wanted]
    found = {entry.name: _fetch_one(entry, folders, accepted, ask, conditions) for entry in _files_first(entries)}
    return {name: found[name] for name in wanted}


def stock_text(holdings: Sequence[Holding]) -> str:
    """The table for people: a line per entry; below it its licence and where it is, or what to do."""
    rows = [(h.name, _size_text(h.size), h.state, h.what) for h in holdings]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for (name, size, state, what), holding in zip(rows, holdings):
        lines.append(f"{name:<{widths[0]}}  {size:>{widths[1]}}  {state:<{widths[2]}}  {what}")
        for note in (f"Licence: {holding.licence}", holding.path, holding.sentence):
            for line in note.splitlines():
                lines += [f"    {part}" for part in wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)]
    return "\n".join(lines)


def _fetch_one(
    entry: ManifestFile | Gated, folders: Sequence[Path], accepted: bool, ask: Ask | None, conditions: Conditions
) -> Path:
    if isinstance(entry, Gated):
        return _gated_file(entry, Path())
    here = find_file(entry, folders)
    if here is not None:
        return here
    if entry.url:
        require_acceptance(entry, user_cache(), accepted=accepted, ask=ask)
    return download(entry, folders[-1], conditions)


def _files_first(entries: Sequence[ManifestFile | Gated]) -> list[ManifestFile | Gated]:
    """What can be fetched comes before what stops with a sentence."""
    return sorted(entries, key=lambda entry: isinstance(entry, Gated) or not entry.url)


def _gated_file(thing: Gated, working_folder: Path) -> Path:
    """The first file of a gated thing that is complete."""
    paths, lacking = _parts(thing, working_folder)
    if lacking:
        raise MissingComponent(
            f"Expected {thing.what}, found no {', no '.join(lacking)}; it is not ours to hand out. {thing.terms}",
            next_step=f"Get it by hand. {thing.how_to_get} Then run {thing.check}",
        )
    return paths[0]


def _holding(file: ManifestFile, folders: Sequence[Path]) -> Holding:
    state: State
    path, sentence = "", ""
    try:
        found = find_file(file, folders)
    except InputError as error:
        state, sentence = "damaged", str(error)
    else:
        if found is not None:
            state, path = "here", str(found)
        elif file.url:
            state, sentence = "missing", file.command
        else:
            state, sentence = "by hand", file.by_hand
    return Holding(file.name, file.what, file.size, file.licence.name, state, path, sentence)


def _gated_holding(thing: Gated, working_folder: Path) -> Holding:
    paths, lacking = _parts(thing, working_folder)
    if not lacking:
        return Holding(thing.name, thing.what, None, thing.terms, "here", str(paths[0]), "")
    some = f"Missing: {', '.join(lacking)}. " if paths else ""
    return Holding(
        thing.name, thing.what, None, thing.terms, "gated", "", f"{some}{thing.how_to_get}\nThen run {thing.check}"
    )


def _parts(thing: Gated, working_folder: Path) -> tuple[list[Path], list[str]]:
    """Files of the parts that are there, and what the others are."""
    found = {part.what: part.find(working_folder) for part in thing.parts}
    return [path for path in found.values() if path is not None], [what for what, path in found.items() if path is None]


def _size_text(size: int | None) -> str:
    return "–" if size is None else f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"
