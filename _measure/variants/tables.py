"""Tables of a run's variants side by side and of what each switch changes, in the five formats."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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
    json_number,
    records_csv,
)
from _measure.table import UNITS, Table, shown_value
from _measure.variants.side_by_side import MeasuredVariants
from _measure.variants.switches import SWITCHES, Switch

SCHEMA_VERSION = 1
_NO_VALUE = "–"


@dataclass(frozen=True, eq=False)
class VariantTable:
    """One of the two tables.

    Attributes:
        name: of its files.
        grid: as people see it.
        records: one per cell with all digits, for CSV and JSON.
        facts: what stands beside the records in JSON.
    """

    name: str
    grid: Grid
    records: list[dict[str, Any]]
    facts: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """JSON values of the whole table."""
        return {"schema": SCHEMA_VERSION, **self.facts, "rows": self.records}


_WRITERS: dict[str, Callable[[VariantTable], str]] = {
    "txt": lambda table: grid_text(table.grid),
    "csv": lambda table: records_csv(table.records),
    "md": lambda table: grid_markdown(table.grid),
    "tex": lambda table: grid_latex(table.grid),
    "json": lambda table: json.dumps(table.data, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
}


def write_variant_tables(folder: RunFolder, measured: MeasuredVariants) -> tuple[VariantTable, VariantTable]:
    """Write ``variants/side_by_side.*`` and ``variants/switches.*`` and return both tables."""
    tables = side_by_side(measured), switch_table(measured)
    for table in tables:
        for name in TABLE_FORMATS:
            atomic.write_text(folder.path / "variants" / f"{table.name}.{name}", _WRITERS[name](table))
    return tables


def side_by_side(measured: MeasuredVariants) -> VariantTable:
    """Every row under every variant."""
    names, tables = list(measured.variants), list(measured.variants.values())
    columns = (Column("subset"), Column("metric"), *(Column(name, right=True) for name in names))
    rows = [
        (row.plan.subset, row.plan.label, *(_value_and_error(table.rows[place]) for table in tables))
        for place, row in enumerate(measured.paper.rows)
    ]
    networks = ", ".join(f"{name} {table.lpips_network}" for name, table in measured.variants.items())
    header = (
        measured.paper.title,
        _counts(measured.variants),
        UNITS,
        f"LPIPS v0.1 through: {networks}. Numbers through different networks cannot be compared.",
        "paper: as the published evaluation computes, accident for accident; corrected: as its names promise",
        "unpasted: the same pictures without the pixels of the portrait that the method pastes into them",
    )
    footer = (*measured.remarks, *_reasons(tables), *_notes(measured.variants))
    records = [_record(name, table, row) for name, table in measured.variants.items() for row in table.rows]
    facts = {"title": measured.paper.title, "items": len(measured.paper.items), "remarks": list(measured.remarks)}
    return VariantTable("side_by_side", Grid(columns, tuple(rows), header, footer), records, facts)


def switch_table(measured: MeasuredVariants) -> VariantTable:
    """The twelve rows under `paper`, and under `paper` with one switch corrected, switch by switch."""
    columns = (
        *(Column(head) for head in ("switch", "subset", "metric")),
        *(Column(head, right=True) for head in ("paper", "corrected alone", "difference")),
    )
    rows, records = [], []
    for switch, table in measured.switches:
        for before, after in zip(measured.paper.rows, table.rows):
            if before.plan.is_core:
                difference = _difference(before, after)
                shown = _NO_VALUE if difference is None else f"{difference:+{before.plan.form}}"
                rows.append(
                    (
                        *(switch.field, before.plan.subset, before.plan.label),
                        *(shown_value(before), shown_value(after), shown),
                    )
                )
                records.append(_switch_record(switch, before, after))
    header = (
        measured.paper.title,
        _counts({"paper": measured.paper}),
        UNITS,
        "paper beside paper with one switch corrected; LPIPS through alex on both sides",
        *(f"{_choice(switch)}: {switch.sentence}" for switch, _ in measured.switches),
    )
    elsewhere = [switch for switch in SWITCHES if switch.decided != "measuring"]
    footer = (
        "Switches that measuring does not decide; a method without the part that is named has nothing to switch:",
        *(_elsewhere_line(switch, measured) for switch in elsewhere),
        *_reasons([measured.paper]),
    )
    facts = {
        "title": measured.paper.title,
        "items": len(measured.paper.items),
        "truths": dict(measured.paper.truths),
        "predictions": dict(measured.paper.predictions),
        "switches": [_switch_facts(switch) for switch, _ in measured.switches],
        "elsewhere": [
            {**_switch_facts(switch), "this_run": _json_value(_in_run(switch, measured))} for switch in elsewhere
        ],
    }
    return VariantTable("switches", Grid(columns, tuple(rows), header, footer), records, facts)


# -- parts ------------------------------------------------------------------------------------------------------


def _counts(tables: Mapping[str, Table]) -> str:
    """How many items there are, and how many of them lack nothing, by variant."""
    complete = {name: len(table.items) - len({p.item for p in table.problems}) for name, table in tables.items()}
    counts = ", ".join(f"{name} {count}" for name, count in complete.items())
    lacking = any(table.problems for table in tables.values())
    where = "; what is missing stands below the variants' own tables" if lacking else ""
    return f"{len(next(iter(tables.values())).items)} items, complete: {counts}{where}"


def _notes(tables: Mapping[str, Table]) -> list[str]:
    """What rows hide, such as the mean beside the last item's value."""
    return [
        f"{name}, {row.plan.subset} {row.plan.label}: {row.note}"
        for name, table in tables.items()
        for row in table.rows
        if row.note
    ]


def _value_and_error(row: Row) -> str:
    error = finite_or_none(row.standard_error)
    return shown_value(row) + ("" if error is None else f" ± {error:{row.plan.form}}")


def _difference(before: Row, after: Row) -> float | None:
    """Second minus first; None where either has no value."""
    return after.value - before.value if before.n and after.n else None


def _reasons(tables: list[Table]) -> list[str]:
    """Why rows did not run, each once."""
    return list(dict.fromkeys(f"{r.plan.label} not run: {r.not_run}" for t in tables for r in t.rows if r.not_run))


def _choice(switch: Switch) -> str:
    return f"{switch.field} (paper: {switch.paper}, corrected: {switch.corrected})"


def _in_run(switch: Switch, measured: MeasuredVariants) -> object:
    return switch.value_in_run(measured.generated_with, measured.shading)


def _elsewhere_line(switch: Switch, measured: MeasuredVariants) -> str:
    when = "the run was generated" if switch.decided == "generating" else "the true pictures were drawn"
    return f"{_choice(switch)}, decided when {when}, here {_in_run(switch, measured)}: {switch.sentence}"


def _switch_facts(switch: Switch) -> dict[str, Any]:
    return {
        "switch": switch.field,
        "decided": switch.decided,
        "paper": _json_value(switch.paper),
        "corrected": _json_value(switch.corrected),
        "sentence": switch.sentence,
    }


def _json_value(value: object) -> object:
    return value if isinstance(value, bool) else str(value)


def _number(row: Row) -> float | str | None:
    return json_number(row.value) if row.n else None


def _record(variant: str, table: Table, row: Row) -> dict[str, Any]:
    return {
        "variant": variant,
        "protocol": table.protocol,
        "pictures": table.pictures,
        "subset": row.plan.subset,
        "metric": row.plan.label,
        "metric_id": row.plan.metric.id,
        "value": _number(row),
        "standard_error": finite_or_none(row.standard_error),
        "n": row.n,
        "missing": row.missing,
        "not_run": row.not_run,
    }


def _switch_record(switch: Switch, before: Row, after: Row) -> dict[str, Any]:
    difference = _difference(before, after)
    return {
        "switch": switch.field,
        "subset": before.plan.subset,
        "metric": before.plan.label,
        "metric_id": before.plan.metric.id,
        "paper": _number(before),
        "corrected_alone": _number(after),
        "difference": None if difference is None else json_number(difference),
        "n": after.n,
        "not_run": after.not_run,
    }
