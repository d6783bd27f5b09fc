"""What `measure` left in a run folder: the table, formatted, and every character's scores beside the others'."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from _exchange.errors import FormatError, InputError
from _exchange.run_folder import RunFolder
from _exchange.run_record import read_json_object
from _exchange.scores import Score, read_scores
from _measure.aggregate import RowPlan, item_value, plan_rows
from _measure.metrics.description import lpips_metric
from _measure.report.records import Cell, Fact, ScoreTable, TableRow

MEASURE_COMMAND = "python3 -m _scripts.measure"
_KNOWN_NETWORKS = ("alex", "vgg", "squeeze")
_CORE_ROWS = sum(plan.is_core for plan in plan_rows(lpips_metric("squeeze"), "mean"))


@dataclass(frozen=True, eq=False)
class Scored:
    """What `measure` left in the run folder.

    Attributes:
        table: formatted.
        plans: rows with values per item.
        values: raw scores by item, metric and view.
        problems: view and reason by item; the view is empty for the item as a whole.
        notices: what is missing or damaged.
    """

    table: ScoreTable
    plans: tuple[RowPlan, ...]
    values: Mapping[tuple[str, str], Mapping[str, float]]
    problems: Mapping[str, tuple[tuple[str, str], ...]]
    notices: tuple[str, ...] = ()


def read_scored(run: RunFolder) -> Scored:
    """Scores and table of a run; what is missing or damaged becomes a notice."""
    notices = []
    table, problems, network = ScoreTable("", "", 0, 0), dict[str, tuple[tuple[str, str], ...]](), "squeeze"
    scores: list[Score] = []
    try:
        value = read_json_object(run.table("json")) if run.table("json").is_file() else None
        if value is not None:
            table, problems = _table_of(value), _problems_of(value)
            network = table.network if table.network in _KNOWN_NETWORKS else network
        scores = read_scores(run.scores) if run.scores.is_file() else []
    except (FormatError, InputError) as error:
        notices.append(f"The scores cannot be read: {error} Run {MEASURE_COMMAND} again.")
    if not table.rows and not notices:
        notices.append(f"This run is not measured yet: {MEASURE_COMMAND} brings scores and table.")
    values: dict[tuple[str, str], dict[str, float]] = {}
    for score in scores:
        values.setdefault((score.item, score.metric), {})[score.view] = score.value
    found = {metric for _, metric in values}
    plans = plan_rows(lpips_metric(network), "mean")  # type: ignore[arg-type]  # one of the known networks
    return Scored(table, tuple(p for p in plans if p.metric.id in found), values, problems, tuple(notices))


def _table_of(value: Mapping[str, Any]) -> ScoreTable:
    """The table of `table.json`; raises `FormatError` where it is none."""
    try:
        rows = tuple(
            TableRow(
                subset=str(row["subset"]),
                metric=str(row["metric"]),
                value=str(row["shown"]),
                standard_error=_error_text(row["standard_error"], str(row["shown"])),
                n=int(row["n"]),
                missing=int(row["missing"]),
                better="higher" if row["better"] == "higher" else "lower",
                is_core=place < _CORE_ROWS,
                remark=str(row["not_run"] or row["note"]),
            )
            for place, row in enumerate(value["rows"])
        )
        weights = [Fact(f"weights {name}", f"SHA-256 {digest}") for name, digest in value["weights"].items()]
        versions = [Fact(str(name), str(version)) for name, version in value["versions"].items()]
        seed = f", {value['sample_seed']}" if value["sample_seed"] else ""
        samples = Fact("surface samples", f"{value['sample_count']} per surface{seed}")
        return ScoreTable(
            protocol=str(value["protocol"]),
            network=str(value["lpips_network"]),
            item_count=int(value["item_count"]),
            missing_count=len({str(problem["item"]) for problem in value["problems"]}),
            facts=(samples, *weights, *versions),
            rows=rows,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FormatError("", "a table with rows", f"{type(error).__name__}: {error}", file="table.json") from error


def _problems_of(value: Mapping[str, Any]) -> dict[str, tuple[tuple[str, str], ...]]:
    """View and reason by item; raises `FormatError` where they are none."""
    problems: dict[str, tuple[tuple[str, str], ...]] = {}
    try:
        for problem in value["problems"]:
            item, view, reason = (str(problem[name]) for name in ("item", "view", "reason"))
            problems[item] = (*problems.get(item, ()), (view, reason))
    except (KeyError, TypeError) as error:
        raise FormatError("problems", "objects with item, view and reason", repr(error), file="table.json") from error
    return problems


def _error_text(error: object, shown: str) -> str:
    """A standard error in the form of its value: as many decimals, with an exponent where the value has one."""
    if not isinstance(error, (int, float)):
        return ""
    number, exponent, _ = shown.partition("E")
    return f"{error:.{len(number.partition('.')[2]) or 3}{exponent or 'f'}}"


def cells_of(scored: Scored, names: Sequence[str]) -> dict[str, tuple[Cell, ...]]:
    """Per item its scores in the order of `scored.plans`, ranked within each column."""
    columns = []
    for plan in scored.plans:
        values: dict[str, float] = {}
        for name in names:
            value = item_value(scored.values.get((name, plan.metric.id), {}), plan.views)
            if value is not None:
                values[name] = value * plan.scale
        ordered = sorted((v for v in values.values() if not math.isnan(v)), reverse=plan.metric.better == "higher")
        column = {}
        for name, value in values.items():
            shown = format(value, plan.form)
            if math.isnan(value):
                column[name] = Cell(shown)
            else:
                rank = ordered.index(value) / (len(ordered) - 1) if len(ordered) > 1 else None
                column[name] = Cell(shown, value, rank)
        columns.append(column)
    return {name: tuple(column.get(name, Cell("–")) for column in columns) for name in names}
