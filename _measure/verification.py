"""Verdicts of one run with everything needed to judge them, and how they are shown. No state hides a value."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from _exchange import atomic
from _exchange.run_folder import RunFolder
from _measure.grid import Column, Grid, grid_text, json_number
from _measure.published import NotObtained, PublishedRow
from _measure.seeds import SeedStudy, seed_lines, seed_records
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

    @property
    def holds(self) -> bool:
        """Whether no row that can be compared is off."""
        return not any(verdict.state == "off" for verdict in self.verdicts)

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows by state."""
        return dict(Counter(verdict.state for verdict in self.verdicts))


def verification_text(verification: Verification) -> str:
    """For people: a table per protocol, then reasons, seeds, listed numbers and what was not obtained."""
    protocols = dict.fromkeys(verdict.protocol for verdict in verification.verdicts)
    parts = [grid_text(_grid(verification, protocol)) for protocol in protocols]
    if verification.study is not None:
        parts.append("\n".join(seed_lines(verification.study, verification.seed_rows)) + "\n")
    if verification.listed:
        parts.append(grid_text(_listed_grid(verification)))
    counts = ", ".join(f"{count} {state}" for state, count in verification.counts.items())
    footer = [f"{len(verification.verdicts)} rows: {counts}", *verification.notes]
    footer += [f"not obtained: {n.work}: {', '.join(n.tables)} ({n.why})" for n in verification.not_obtained]
    return "\n".join([*parts, *footer]) + "\n"


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
    }
    if verification.study is not None:
        data["seeds"] = seed_records(verification.study, verification.seed_rows)
    return data


def write_verification(run: RunFolder, verification: Verification) -> None:
    """Write ``verify.json``; equal verdicts give equal bytes."""
    text = json.dumps(verification_data(verification), indent=1, ensure_ascii=False, allow_nan=False)
    atomic.write_text(run.verdicts, text + "\n")


def _grid(verification: Verification, protocol: str) -> Grid:
    paper = "paper" if verification.against == "published" else "stored"
    heads = ("subset", "metric", paper, "ours", "difference", "tolerance", "verdict")
    columns = tuple(Column(head, right=2 <= place < 6) for place, head in enumerate(heads))
    verdicts = [verdict for verdict in verification.verdicts if verdict.protocol == protocol]
    header = (
        f"{verification.method or 'unnamed method'} on {verification.dataset or 'unknown dataset'} "
        f"against {verification.against}, protocol {protocol}",
    )
    below: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        if len(verdict.reason) > _SHORT:
            names = below.setdefault((verdict.state, verdict.reason), [])
            names.append(f"{verdict.subset} {verdict.metric}")
    footer = tuple(f"{', '.join(names)}: {state}: {reason}" for (state, reason), names in below.items())
    return Grid(columns, tuple(_cells(verification, verdict) for verdict in verdicts), header, footer)


def _cells(verification: Verification, verdict: Verdict) -> tuple[str, ...]:
    row = verification.rows.get(verdict.reference)
    expected = [verdict.expected] if row is None else [record.number for record in row.columns]
    beside = f" ({verdict.reason})" if 0 < len(verdict.reason) <= _SHORT else ""
    return (
        verdict.subset,
        verdict.metric,
        " / ".join(map(_shown, expected)),
        _shown(verdict.ours),
        _shown(verdict.difference, "+"),
        "" if math.isnan(verdict.tolerance) else f"{verdict.tolerance:.3g}",
        verdict.shown_state + beside,
    )


def _listed_grid(verification: Verification) -> Grid:
    columns = (Column("published number"), Column("value", right=True), Column("state"), Column("why"))
    rows = tuple((v.reference, f"{v.expected:.6g}", v.state, v.reason) for v in verification.listed)
    return Grid(columns, rows, ("numbers that no run can be held against",))


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


def _shown(value: float, sign: str = "") -> str:
    """Three decimals as the published table prints them; four digits for small numbers, none for rounding errors.

    >>> _shown(20.1254), _shown(0.01234, "+"), _shown(-1e-9, "+")
    ('20.125', '+0.01234', '+0.000')
    """
    if math.isnan(value):
        return "–"
    is_small = 1e-5 <= abs(value) < 0.1
    return f"{value:{sign}.4g}" if is_small else f"{round(value, 3) + 0.0:{sign}.3f}"
