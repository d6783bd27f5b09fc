"""Verdicts of one run with everything needed to judge them, and how they are shown. No state hides a value."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from _exchange import atomic
from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _measure.grid import (
    Column,
    Grid,
    grid_latex,
    grid_markdown,
    grid_text,
    json_number,
    markdown_text,
    number_text,
    one_line,
    records_csv,
)
from _measure.published import NotObtained, PublishedRow
from _measure.seeds import SeedStudy, seed_grid, seed_records
from _measure.verdict import Verdict

SCHEMA_VERSION = 1
_SHORT = 24
"""Reasons up to so many signs stand beside their verdict, longer ones below the table."""


@dataclass(frozen=True)
class Verification:
    """What a run was held against, and what followed.

    Attributes:
        against: ``published``, or the name of a baseline.
        method, dataset: of the run.
        verdicts: in the order of the table, protocol by protocol.
        rows: published rows by the id of each of their columns; empty for a baseline.
        tolerance_why: by reference, where the tolerance comes from.
        notes: what else a reader must know.
        listed: published numbers that no run can be held against.
        not_obtained: published tables that nobody here has read.
        study: repeats with several seeds, where they were asked for.
        seed_rows: published rows that these repeats are beside.
        scores: SHA-256 of every file of scores that was judged, by path below the run's folder.
    """

    against: str
    method: str
    dataset: str
    verdicts: tuple[Verdict, ...]
    rows: Mapping[str, PublishedRow] = field(default_factory=dict)
    tolerance_why: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    listed: tuple[Verdict, ...] = ()
    not_obtained: tuple[NotObtained, ...] = ()
    study: SeedStudy | None = None
    seed_rows: tuple[PublishedRow, ...] = ()
    scores: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether no row that can be compared is off."""
        return not any(verdict.state == "off" for verdict in self.verdicts)

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows by state."""
        return dict(Counter(verdict.state for verdict in self.verdicts))


def verification_grids(verification: Verification) -> list[Grid]:
    """A table per protocol and method that numbers were published for, then seeds and listed numbers."""
    tables: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verification.verdicts:
        row = verification.rows.get(verdict.reference)
        tables.setdefault((verdict.protocol, "" if row is None else row.first.method), []).append(verdict)
    grids = [_grid(verification, *whose, verdicts) for whose, verdicts in (tables or {("", ""): []}).items()]
    if verification.study is not None:
        grids.append(seed_grid(verification.study, verification.seed_rows))
    if verification.listed:
        grids.append(_listed_grid(verification))
    return grids


def closing_lines(verification: Verification) -> list[str]:
    """What is true of all tables, one line each."""
    counts = ", ".join(f"{count} {state}" for state, count in verification.counts.items())
    first = f"{len(verification.verdicts)} rows: {counts or 'nothing to compare'}"
    return list(map(one_line, [first, *verification.notes, *_not_obtained(verification)]))


def verification_text(verification: Verification) -> str:
    """For people."""
    return "\n".join([*map(grid_text, verification_grids(verification)), *closing_lines(verification)]) + "\n"


def verification_markdown(verification: Verification) -> str:
    """One pipe table below the other, and a list."""
    closing = [f"- {markdown_text(line)}" for line in closing_lines(verification)]
    return "\n".join([*map(grid_markdown, verification_grids(verification)), *closing]) + "\n"


def verification_latex(verification: Verification) -> str:
    """One `tabular` below the other, and comments."""
    closing = [f"% {line}" for line in closing_lines(verification)]
    return "\n".join([*map(grid_latex, verification_grids(verification)), *closing]) + "\n"


def verification_csv(verification: Verification) -> str:
    """One record per verdict, listed numbers last, values with all their digits."""
    records = [_record(verification, verdict) for verdict in (*verification.verdicts, *verification.listed)]
    for record in records:
        record["published"] = " / ".join(str(column["value"]) for column in record["published"])
    return records_csv(records) if records else ""


def verification_data(verification: Verification) -> dict[str, Any]:
    """JSON values; infinity as a string, absent numbers as null."""
    data: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "against": verification.against,
        "method": verification.method,
        "dataset": verification.dataset,
        "holds": verification.holds,
        "counts": verification.counts,
        "verdicts": [_record(verification, verdict) for verdict in verification.verdicts],
        "notes": list(verification.notes),
        "listed": [_record(verification, verdict) for verdict in verification.listed],
        "not_obtained": [asdict(entry) for entry in verification.not_obtained],
        "scores": dict(verification.scores),
    }
    if verification.study is not None:
        data["seeds"] = seed_records(verification.study, verification.seed_rows)
    return data


def verification_json(verification: Verification) -> str:
    """`verification_data` as text."""
    return json.dumps(verification_data(verification), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


WRITERS = {
    "txt": verification_text,
    "csv": verification_csv,
    "md": verification_markdown,
    "tex": verification_latex,
    "json": verification_json,
}


def write_verification(run: RunFolder, verification: Verification) -> None:
    """Write ``verify.json``; equal verdicts give equal bytes."""
    atomic.write_text(run.verdicts, verification_json(verification))


def write_verification_tables(folder: Path, verification: Verification) -> None:
    """Write ``verify.*`` in every format of tables."""
    for name in TABLE_FORMATS:
        atomic.write_text(folder / f"verify.{name}", WRITERS[name](verification))


# -- parts ------------------------------------------------------------------------------------------------------


def _grid(verification: Verification, protocol: str, method: str, verdicts: Sequence[Verdict]) -> Grid:
    paper = "paper" if verification.against == "published" else "stored"
    heads = ("subset", "metric", paper, "ours", "difference", "tolerance", "verdict")
    columns = tuple(Column(head, right=2 <= place < 6) for place, head in enumerate(heads))
    whose = f"{verification.method or 'unnamed method'} on {verification.dataset or 'unknown dataset'}"
    against = verification.against + (f" ({method})" if method else "")
    under = f", protocol {protocol}" if protocol else ""
    beside, below = _reasons(verdicts)
    rows = tuple(_cells(verification, verdict, reason) for verdict, reason in zip(verdicts, beside))
    footer = (*below, *_tolerances(verification, verdicts))
    return Grid(columns, rows, (f"{whose} against {against}{under}",), footer)


def _reasons(verdicts: Sequence[Verdict]) -> tuple[list[str], list[str]]:
    """What stands beside each verdict, and lines below the table: what is true of all rows is said once."""
    parts = [verdict.reason.split("; ") if verdict.reason else [] for verdict in verdicts]
    shared: list[str] = []
    if len(verdicts) > 1 and any(len(verdict.reason) > _SHORT for verdict in verdicts):
        shared = [part for part in dict.fromkeys(parts[0]) if all(part in own for own in parts)]
    own_reasons = ["; ".join(part for part in own if part not in shared) for own in parts]
    long: dict[str, list[Verdict]] = {}
    for reason, verdict in zip(own_reasons, verdicts):
        if len(reason) > _SHORT:
            long.setdefault(reason, []).append(verdict)
    below = [f"all rows: {'; '.join(shared)}"] if shared else []
    below += [f"{_names(those, verdicts)}: {reason}" for reason, those in long.items()]
    return ["" if len(reason) > _SHORT else reason for reason in own_reasons], below


def _tolerances(verification: Verification, verdicts: Sequence[Verdict]) -> list[str]:
    """Where tolerances come from, of the rows that were judged."""
    whys: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        why = verification.tolerance_why.get(verdict.reference, "")
        if why and not math.isnan(verdict.tolerance):
            whys.setdefault(why, []).append(verdict)
    return [f"tolerance of {_names(those, verdicts)}: {why}" for why, those in whys.items()]


def _names(those: Sequence[Verdict], verdicts: Sequence[Verdict]) -> str:
    """Rows by name; by their metric alone where no row of it is missing."""
    partial = {verdict.metric for verdict in verdicts if not any(verdict is each for each in those)}
    names = (each.metric if each.metric not in partial else f"{each.subset} {each.metric}" for each in those)
    return ", ".join(dict.fromkeys(names))


def _cells(verification: Verification, verdict: Verdict, reason: str) -> tuple[str, ...]:
    row = verification.rows.get(verdict.reference)
    expected = [verdict.expected] if row is None else [record.number for record in row.columns]
    return (
        verdict.subset,
        verdict.metric,
        " / ".join(map(number_text, expected)),
        number_text(verdict.ours),
        number_text(verdict.difference, "+"),
        "" if math.isnan(verdict.tolerance) else f"{verdict.tolerance:.3g}",
        verdict.shown_state + (f" ({reason})" if reason else ""),
    )


def _not_obtained(verification: Verification) -> list[str]:
    """Works whose tables nobody here has read; which tables and why where all numbers are listed."""
    absent = verification.not_obtained
    if verification.listed:
        return [f"not obtained: {each.work}: {', '.join(each.tables)} ({each.why})" for each in absent]
    return [f"tables not obtained: {'; '.join(each.work for each in absent)}; see --all"] if absent else []


def _listed_grid(verification: Verification) -> Grid:
    """Reasons are long and the same for many: rows name them by number."""
    columns = (Column("published number"), Column("value", right=True), Column("state"), Column("why", right=True))
    numbers: dict[str, int] = {}
    rows = tuple(
        (v.reference, f"{v.expected:.6g}", v.state, f"({numbers.setdefault(v.reason, len(numbers) + 1)})")
        for v in verification.listed
    )
    footer = tuple(f"({number}) {reason}" for reason, number in numbers.items())
    return Grid(columns, rows, ("numbers that no run can be held against",), footer)


def _record(verification: Verification, verdict: Verdict) -> dict[str, Any]:
    row = verification.rows.get(verdict.reference)
    published = [] if row is None else row.columns
    return {
        "reference": verdict.reference,
        "protocol": verdict.protocol,
        "subset": verdict.subset,
        "metric": verdict.metric,
        "expected": _number(verdict.expected),
        "published": [{"id": r.id, "hardware": r.hardware, "value": r.number} for r in published],
        "ours": _number(verdict.ours),
        "difference": _number(verdict.difference),
        "tolerance": _number(verdict.tolerance),
        "tolerance_why": verification.tolerance_why.get(verdict.reference, ""),
        "state": verdict.state,
        "shown": verdict.shown_state,
        "reason": verdict.reason,
    }


def _number(value: float) -> float | str | None:
    return None if math.isnan(value) else json_number(value)
