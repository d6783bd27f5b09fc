"""A user's own published numbers: rows of a CSV beside those of the registry.

Columns, in any order; those in brackets may be left out or empty:

    id              unique; may not be one of the registry's
    method          that the number was published for
    dataset         a dataset of the registry, or the name of a render set, e.g. ``own``
    [items]         how many items that render set must have; empty for as many as the run has
    subset, metric  as in our table: ``front``, ``clip``
    value           in the table's scale; two ends as ``2..3``
    [unit]          in words
    direction       higher or lower
    protocol        a protocol of the registry: ``panic3d``, which is measured as ``paper``, or ``corrected``, …
    source          where the number stands
    [table]         which table
    [evidence]      code, paper (default), re-report or secondary
    [hardware]      that it was computed on; rows that differ in it alone are columns of one row
    [tolerance]     largest difference that counts as reproduced; needed where the protocol has no smallest one
    [tolerance_why] why that much
    [state]         checkable (default), not comparable, human study or re-report
    [notes]         what else a reader must know
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from _exchange.errors import FormatError, InputError
from _measure.published import Published, PublishedSet, Record, fault_of_judged, parse_record

_DEFAULTS = {"unit": "", "table": "", "evidence": "paper", "hardware": "", "tolerance": "", "tolerance_why": ""}
_OPTIONAL: Mapping[str, str] = {**_DEFAULTS, "state": "checkable", "notes": "", "items": ""}
_COLUMNS = (*(field.name for field in fields(Record)), "items")
_LARGEST_BYTES = 2**20


@dataclass(frozen=True)
class UserRows:
    """Records of one file, and the sets that the registry does not know."""

    records: tuple[Record, ...]
    datasets: Mapping[str, PublishedSet]


def user_rows(path: Path, published: Published) -> UserRows:
    """Rows of a CSV.

    Args:
        path: UTF-8, with a header; columns as above.
        published: what they will stand beside.

    Raises:
        InputError: the file cannot be read, or is larger than a mebibyte.
        FormatError: a column or a value is wrong, or an id collides; line and column are named.
    """
    lines = _read(path)
    header = lines[0][1] if lines else []
    _check_header(header, path)
    records: list[Record] = []
    datasets: dict[str, PublishedSet] = {}
    taken = {record.id for record in published.records}
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise FormatError(f"line {number}", f"{len(header)} cells", str(len(cells)), file=path)
        row = {**_OPTIONAL, **{name: cell.strip() for name, cell in zip(header, cells) if cell.strip()}}
        record, items = _record(row, number, path)
        if record.id in taken:
            raise FormatError(f"line {number}, column id", "an id of its own", f"{record.id!r} again", file=path)
        taken.add(record.id)
        _check_references(record, published, number, path)
        if record.dataset not in published.datasets:
            known = datasets.setdefault(record.dataset, PublishedSet(record.dataset, items))
            if known.items != items:
                expected = f"{known.items or 'nothing'}, as for the other rows of {record.dataset}"
                raise FormatError(f"line {number}, column items", expected, row["items"] or "nothing", file=path)
        elif items is not None and items != published.datasets[record.dataset].items:
            expected = f"nothing, or {published.datasets[record.dataset].items}, the count of {record.dataset}"
            raise FormatError(f"line {number}, column items", expected, row["items"], file=path)
        records.append(record)
    return UserRows(tuple(records), datasets)


def with_user_rows(published: Published, path: Path) -> Published:
    """The registry with the rows of a CSV behind it; raises as `user_rows` does."""
    rows = user_rows(path, published)
    return published.with_records(rows.records, rows.datasets)


def _read(path: Path) -> list[tuple[int, list[str]]]:
    """Cells of every line that is not empty, with its number."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise InputError(f"Expected a CSV of at most {_LARGEST_BYTES} bytes, found {path} with more.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"Expected a readable CSV {path}, found: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise FormatError("", "UTF-8 text", f"byte {error.start} that is none", file=path) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((reader.line_num, cells))
    except csv.Error as error:
        raise FormatError(f"line {reader.line_num}", "cells as CSV has them", str(error), file=path) from error
    return lines


def _check_header(header: Sequence[str], path: Path) -> None:
    for name in header:
        if name not in _COLUMNS:
            raise FormatError("line 1", f"columns out of {', '.join(_COLUMNS)}", f"{name!r:.80}", file=path)
        if header.count(name) > 1:
            raise FormatError("line 1", "every column once", f"{name} twice", file=path)
    missing = [name for name in _COLUMNS if name not in header and name not in _OPTIONAL]
    if missing:
        raise FormatError("line 1", f"the columns {', '.join(missing)}", ", ".join(header) or "none", file=path)


def _record(row: Mapping[str, str], number: int, path: Path) -> tuple[Record, int | None]:
    """One line as a record; its errors name the column instead of the place in a JSON file."""
    values: dict[str, Any] = {name: row.get(name, "") for name in _COLUMNS if name != "items"}
    values["value"] = [_number(end, "value", number, path) for end in values["value"].split("..")]
    values["hardware"] = values["hardware"] or None
    values["tolerance"] = _number(row["tolerance"], "tolerance", number, path) if row["tolerance"] else None
    items = row["items"]
    if items and not (items.isascii() and items.isdigit() and items.strip("0") and len(items) < 10):
        raise FormatError(f"line {number}, column items", "a count", f"{items!r:.80}", file=path)
    try:
        return parse_record(values, ""), int(items) if items else None
    except FormatError as error:
        column = error.place.rpartition(".")[2]
        raise FormatError(f"line {number}, column {column}", error.expected, error.found, file=path) from error


def _check_references(record: Record, published: Published, number: int, path: Path) -> None:
    protocol = published.protocols.get(record.protocol)
    if protocol is None:
        known = ", ".join(published.protocols)
        raise FormatError(f"line {number}, column protocol", f"one of {known}", repr(record.protocol), file=path)
    fault = fault_of_judged(record, protocol)
    if fault is not None:
        raise FormatError(f"line {number}, column {fault[0]}", *fault[1:], file=path)


def _number(text: str, column: str, number: int, path: Path) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise FormatError(f"line {number}, column {column}", "a number", f"{text!r:.80}", file=path) from error
