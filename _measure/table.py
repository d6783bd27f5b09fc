"""The table: rows with how they came about, and its five writers. Source: spec/measure.md §7, §8."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from _exchange import atomic
from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _measure.aggregate import Row
from _measure.grid import (
    Column,
    Grid,
    finite_or_none,
    grid_latex,
    grid_markdown,
    grid_text,
    interval_text,
    json_number,
    records_csv,
)
from _measure.item_scores import Problem
from _measure.statistics import RESAMPLES

SCHEMA_VERSION = 2
UNITS = "clip, lpips, ssim, f1 ×100; psnr in dB; cd and chamfer in cm; all lpips unscaled; ± is one standard error"
"""Of the value columns of tables, for people."""
_NOT_RUN, _NO_VALUE = "not run", "–"
_PROBLEMS_PER_ITEM = 3
_COLUMNS = (
    Column("subset"),
    Column("metric"),
    Column("value", right=True),
    Column("± s.e.", right=True),
    Column("95 % interval", right=True),
    Column("n", right=True),
    Column("missing", right=True),
    Column("better"),
)


@dataclass(frozen=True)
class Table:
    """Everything that is printed.

    Attributes:
        title: method and dataset in a few words.
        protocol: ``paper`` or ``corrected``.
        lpips_network: ``alex``, ``vgg`` or ``squeeze``.
        items: names of all items of the run, in list order.
        rows: in order of the table.
        problems: what could not be scored, sorted.
        sample_count: points per surface.
        sample_seed: what the samples follow, in words.
        weights: SHA-256 by file name of the networks that ran.
        versions: of Python and the libraries that decide results.
        method: that made what was scored; the run's name where the original's layout says no more.
        dataset: render set, e.g. ``daredemoE`` or ``own``.
        generated_with: protocol that the reconstructions were made in; empty where nobody recorded it.
        pictures: as the method gives them, with pixels of the portrait pasted in, or their twins without.
        device: where networks ran.
        truths: by item, the digest of its truth (pictures, character, region); items whose truth was not read are
            left out.
        predictions: by item, the digest of what was predicted (surface, pictures with and without pasted pixels), the
            same whichever of it was scored; the same items.
    """

    title: str
    protocol: str
    lpips_network: str
    items: tuple[str, ...]
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...] = ()
    sample_count: int = 0
    sample_seed: str = ""
    weights: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    method: str = ""
    dataset: str = ""
    generated_with: str = ""
    pictures: Literal["pasted", "unpasted"] = "pasted"
    device: str = "cpu"
    truths: Mapping[str, str] = field(default_factory=dict)
    predictions: Mapping[str, str] = field(default_factory=dict)


def paper_table_text(rows: Sequence[Row]) -> str:
    """The twelve rows exactly as the published evaluation prints them."""
    core = [row for row in rows if row.plan.is_core]
    values = [shown_value(row) for row in core]
    width = max(len("value"), *map(len, values))
    lines = [f" subset metric {'value':>{width}} ", "=" * (16 + width)]
    lines += [f" {row.plan.subset:<6} {row.plan.label:<6} {value:>{width}} " for row, value in zip(core, values)]
    return "".join(f"{line}\n" for line in lines)


def shown_value(row: Row) -> str:
    """The value column: the scaled value, ``not run``, or a dash where no item has a value."""
    if row.not_run:
        return _NOT_RUN
    return format(row.value, row.plan.form) if row.n else _NO_VALUE


def table_grid(table: Table) -> Grid:
    """The cells as people see them, with everything needed to judge them."""
    rows = tuple(_cells(table, row) for row in table.rows)
    return Grid(_COLUMNS, rows, tuple(header_lines(table)), tuple(footer_lines(table)))


def table_text(table: Table) -> str:
    """The table for people."""
    return grid_text(table_grid(table))


def table_csv(table: Table) -> str:
    """One record per row, values with all their digits."""
    return records_csv([_record(table, row) for row in table.rows])


def table_markdown(table: Table) -> str:
    """A pipe table with header and footer as lists."""
    return grid_markdown(table_grid(table))


def table_latex(table: Table) -> str:
    """A plain `tabular`; header and footer as comments."""
    return grid_latex(table_grid(table))


def table_data(table: Table) -> dict[str, Any]:
    """JSON values of the whole table; infinity and NaN as strings, absent values as null."""
    value = asdict(table)
    value["rows"] = [_record(table, row) for row in table.rows]
    return {"schema": SCHEMA_VERSION, "item_count": len(table.items), **value}


def table_json(table: Table) -> str:
    """`table_data` as text."""
    return json.dumps(table_data(table), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


WRITERS = {"txt": table_text, "csv": table_csv, "md": table_markdown, "tex": table_latex, "json": table_json}


def write_tables(run: RunFolder, table: Table) -> None:
    """Write all formats into the run folder."""
    for name in TABLE_FORMATS:
        atomic.write_text(run.table(name), WRITERS[name](table))


# -- parts ------------------------------------------------------------------------------------------------------


def header_lines(table: Table) -> list[str]:
    """What made the table, one line each."""
    complete = len(table.items) - len({problem.item for problem in table.problems})
    seed = f", {table.sample_seed}" if table.sample_seed else ""
    is_other = table.generated_with not in ("", table.protocol)
    made = f", reconstructions made under {table.generated_with}" if is_other else ""
    unpasted = ", pictures without pasted pixels" if table.pictures == "unpasted" else ""
    device = f" on {table.device}" if table.device != "cpu" else ""
    lines = [
        table.title,
        f"protocol {table.protocol}, {len(table.items)} items, {complete} complete{made}{unpasted}",
        f"LPIPS v0.1 through {table.lpips_network}{device}; {table.sample_count} samples per surface{seed}",
        UNITS,
        f"95 % interval: of the mean over items, bootstrap with {RESAMPLES:,} resamples of items",
    ]
    if table.weights:
        lines.append(
            "weights " + ", ".join(f"{name} (SHA-256 {digest[:12]}…)" for name, digest in table.weights.items())
        )
    if table.versions:
        lines.append("versions " + ", ".join(f"{name} {version}" for name, version in table.versions.items()))
    return lines


def footer_lines(table: Table) -> list[str]:
    """Why rows did not run, what rows hide, and which items lack what."""
    lines = list(dict.fromkeys(f"{row.plan.label} not run: {row.not_run}" for row in table.rows if row.not_run))
    lines += [f"{row.plan.subset} {row.plan.label}: {row.note}" for row in table.rows if row.note]
    by_item: dict[str, list[Problem]] = {}
    for problem in table.problems:
        by_item.setdefault(problem.item, []).append(problem)
    for item, problems in by_item.items():
        for problem in problems[:_PROBLEMS_PER_ITEM]:
            view = f" {problem.view}" if problem.view else ""
            lines.append(f"missing {item}{view}: {problem.reason}")
        if len(problems) > _PROBLEMS_PER_ITEM:
            lines.append(f"missing {item}: and {len(problems) - _PROBLEMS_PER_ITEM} more")
    return lines


def _cells(table: Table, row: Row) -> tuple[str, ...]:
    finite = math.isfinite(row.standard_error)
    error = format(row.standard_error, row.plan.form) if finite else ""
    label = f"lpips ({table.lpips_network})" if row.plan.label == "lpips" else row.plan.label
    interval = interval_text(row.low, row.high, row.plan.form)
    counts = (str(row.n), str(row.missing))
    return row.plan.subset, label, shown_value(row), error, interval, *counts, row.plan.metric.better


def _record(table: Table, row: Row) -> dict[str, Any]:
    return {
        "protocol": table.protocol,
        "pictures": table.pictures,
        "subset": row.plan.subset,
        "metric": row.plan.label,
        "metric_id": row.plan.metric.id,
        "value": json_number(row.value) if row.n else None,
        "shown": shown_value(row),
        "standard_error": finite_or_none(row.standard_error),
        "low": finite_or_none(row.low),
        "high": finite_or_none(row.high),
        "n": row.n,
        "missing": row.missing,
        "better": row.plan.metric.better,
        "scale": row.plan.scale,
        "aggregate": row.plan.aggregate,
        "not_run": row.not_run,
        "note": row.note,
    }
