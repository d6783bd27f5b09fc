"""The files that describe a whole set, rebuilt from the records of its characters in sorted order.

Whatever was interrupted before, the same records give the same bytes. Source: spec/data.md §2.1, §2.2, §10.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _databacks.alignment import identity_alignment, write_alignments
from _databacks.folder import Problem
from _databacks.layout import PORTRAIT_KIND, DatasetLayout, SetFolder
from _databacks.names import OWN, PictureName
from _databacks.records import CharacterRecord, read_records
from _exchange import atomic
from _exchange.items import ItemId
from _exchange.run_record import read_json_object
from _render.kinds import KINDS

_FIRST_COLUMNS = ("item", "file", "sha256", "title", "author", "licence")


def write_tables(layout: DatasetLayout, renderset: str, problems: Sequence[Problem]) -> None:
    """View metadata, attribution and failures; for the set `own` also its list and its alignment."""
    folder = layout.render_set(renderset)
    records = read_records(folder)
    metadata: dict[str, Any] = {}
    if renderset == OWN:
        _write_own_list(layout, records)
    elif folder.metadata.is_file():
        metadata = read_json_object(folder.metadata)  # the authors' entries of characters that are not drawn here
    for record in records:
        metadata |= record.view_metadata(renderset)
    atomic.write_json(folder.metadata, dict(sorted(metadata.items())))
    _write_attribution(folder, records)
    ordered = sorted(problems, key=lambda problem: (problem.item, problem.file))
    atomic.write_json(folder.failures, [asdict(problem) for problem in ordered])


def _write_own_list(layout: DatasetLayout, records: Sequence[CharacterRecord]) -> None:
    atomic.write_text(layout.subset(f"{OWN}_all"), "".join(f"{record.item}\n" for record in records))
    alignments = {}
    for record in records:
        name = PictureName(OWN, PORTRAIT_KIND, record.franch, record.idx, "front")
        alignments[record.item] = identity_alignment(record.area, str(name))
    write_alignments(layout.render_set(OWN), alignments)


def _write_attribution(folder: SetFolder, records: Sequence[CharacterRecord]) -> None:
    """Who made each character and what its licence says, as JSON and as CSV with one column per field."""
    rows = [
        dict(record.attribution) | {"item": str(record.item), "file": record.file, "sha256": record.sha256}
        for record in records
    ]
    atomic.write_json(folder.attribution("json"), rows)
    others = sorted({key for row in rows for key in row} - set(_FIRST_COLUMNS))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_FIRST_COLUMNS, *others], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic.write_text(folder.attribution("csv"), text.getvalue())


def remove_unlisted(
    layout: DatasetLayout,
    listed: Iterable[ItemId],
    failed: Iterable[ItemId],
    *,
    everything: bool,
    keep_copies: bool = False,
) -> None:
    """Remove what the set `own` holds besides its characters: files of failed ones, and of earlier settings.

    Args:
        layout: the dataset root.
        listed: characters of this run.
        failed: those of them that failed now.
        everything: the run looked at the whole folder, so characters that are not listed are gone from it.
        keep_copies: the copies of the characters are the folder that the run looked at: none is removed.
    """
    folder = layout.render_set(OWN)
    present, broken = set(listed), set(failed)
    for path in list(folder.records.rglob("*.json")):
        item = ItemId(path.parent.name, path.stem)
        if item in broken or (everything and item not in present):
            path.unlink()
    records = {record.item: record for record in read_records(folder)}
    _keep_only(folder.records, {folder.record(item) for item in records})
    if not keep_copies:
        _keep_only(layout.root / "raw" / OWN, {layout.root / record.character for record in records.values()})
    for kind in (*KINDS, PORTRAIT_KIND):
        pictures = {
            layout.picture(PictureName(OWN, kind, item.franch, item.idx, view))
            for item, record in records.items()
            for view in record.views.get(kind, ())
        }
        _keep_only(folder.kind(kind), pictures)


def _keep_only(folder: Path, keep: set[Path]) -> None:
    """Remove all other files below a folder, then the folders that are empty; folders that are linked in stay."""
    for path in (*sorted(folder.rglob("*"), reverse=True), folder):
        if path.is_dir():
            if not path.is_symlink() and not any(path.iterdir()):
                path.rmdir()
        elif path not in keep and os.path.lexists(path):
            path.unlink()
