"""The table: rows with how they came about, and its five writers. Source: spec/measure.md §7, §8."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from _exchange import atomic
from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _measure.aggregate import Row
from _measure.item_scores import Problem

SCHEMA_VERSION = 2
_NOT_RUN, _NO_VALUE = "not run", "–"
_PROBLEMS_PER_ITEM = 3


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


def table_text(table: Table) -> str:
    """The table for people, with everything needed to judge it."""
    body = [_cells(table, row) for row in table.rows]
    heads = ("subset", "metric", "value", "± s.e.", "n", "missing", "better")
    widths = [max(len(head), *(len(cells[i]) for cells in body)) for i, head in enumerate(heads)]
    right = (False, False, True, True, True, True, False)

    def line(cells: Sequence[str]) -> str:
        shown = [f"{cell:>{w}}" if r else f"{cell:<{w}}" for cell, w, r in zip(cells, widths, right)]
        return (" " + "  ".join(shown)).rstrip()

    rule = "=" * (sum(widths) + 2 * len(widths))
    parts = [*header_lines(table), "", line(heads), rule, *map(line, body)]
    footer = footer_lines(table)
    return "\n".join([*parts, *([""] if footer else []), *footer]) + "\n"


def table_csv(table: Table) -> str:
    """One record per row, values with all their digits."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(_record(table, table.rows[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_record(table, row) for row in table.rows)
    return stream.getvalue()


def table_markdown(table: Table) -> str:
    """A pipe table with header and footer as lists."""
    lines = [*(f"- {_markdown(line)}" for line in header_lines(table)), ""]
    lines += ["| subset | metric | value | ± s.e. | n | missing | better |", "|---|---|---:|---:|---:|---:|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(table, row)) + " |" for row in table.rows]
    footer = footer_lines(table)
    lines += ["", *(f"- {_markdown(line)}" for line in footer)] if footer else []
    return "\n".join(lines) + "\n"


def table_latex(table: Table) -> str:
    """A plain `tabular`; header and footer as comments."""
    lines = [f"% {line}" for line in header_lines(table)]
    lines += [r"\begin{tabular}{llrrrrl}", r"\hline"]
    lines += [r"subset & metric & value & $\pm$ s.e. & $n$ & missing & better \\", r"\hline"]
    lines += [" & ".join(map(_latex, _cells(table, row))) + r" \\" for row in table.rows]
    lines += [r"\hline", r"\end{tabular}", *(f"% {line}" for line in footer_lines(table))]
    return "\n".join(lines) + "\n"


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
    lines = [
        table.title,
        f"protocol {table.protocol}, {len(table.items)} items, {complete} complete",
        f"LPIPS v0.1 through {table.lpips_network}; {table.sample_count} samples per surface{seed}",
        "clip, lpips, ssim, f1 ×100; psnr in dB; cd and chamfer in cm; all lpips unscaled; ± is one standard error",
    ]
    if table.weights:
        lines.append(
            "weights " + ", ".join(f"{name} (SHA-256 {digest[:12]}…)" for name, digest in table.weights.items())
        )
    if table.versions:
        lines.append("versions " + ", ".join(f"{name} {version}" for name, version in table.versions.items()))
    return _one_line_each(lines)


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
    return _one_line_each(lines)


def _one_line_each(lines: Sequence[str]) -> list[str]:
    """Names and reasons may hold line ends, with which they could leave a LaTeX comment or a list."""
    return [" ".join(line.split()) for line in lines if line.strip()]


def _cells(table: Table, row: Row) -> tuple[str, ...]:
    finite = math.isfinite(row.standard_error)
    error = format(row.standard_error, row.plan.form) if finite else ""
    label = f"lpips ({table.lpips_network})" if row.plan.label == "lpips" else row.plan.label
    return row.plan.subset, label, shown_value(row), error, str(row.n), str(row.missing), row.plan.metric.better


def _record(table: Table, row: Row) -> dict[str, Any]:
    return {
        "protocol": table.protocol,
        "subset": row.plan.subset,
        "metric": row.plan.label,
        "metric_id": row.plan.metric.id,
        "value": _json_number(row.value) if row.n else None,
        "shown": shown_value(row),
        "standard_error": _json_number(row.standard_error) if math.isfinite(row.standard_error) else None,
        "n": row.n,
        "missing": row.missing,
        "better": row.plan.metric.better,
        "scale": row.plan.scale,
        "aggregate": row.plan.aggregate,
        "not_run": row.not_run,
        "note": row.note,
    }


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _markdown(text: str) -> str:
    """Names and reasons must make neither HTML elements nor links nor pictures; commands stay as they are typed."""
    return text.replace("\\", "\\\\").replace("<", "\\<").replace("[", "\\[")


def _latex(text: str) -> str:
    for sign in "&%#_$":
        text = text.replace(sign, "\\" + sign)
    return text.replace("–", "--")
