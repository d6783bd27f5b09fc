"""What `measure` left in a run folder, ready to be shown: the table, and each character's scores beside the others'."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from _exchange.errors import FormatError, InputError
from _exchange.run_folder import RunFolder
from _measure.aggregate import Row, RowPlan
from _measure.metrics.description import Metric
from _measure.report.records import Cell, Column, Fact, ScoreTable, TableRow
from _measure.scored_run import MEASURE_COMMAND, MEASURED_BEFORE, ScoredRun
from _measure.statistics import mean
from _measure.table import shown_value

RawScores = Mapping[tuple[str, str], Mapping[str, float]]
"""Raw scores by item and metric, then by view."""
_SEED = "-seed-"
"""In the names of variants that differ from others in their seed alone."""


@dataclass(frozen=True, eq=False)
class Scored:
    """The scores of a run as its pages show them; empty where it is not measured.

    Attributes:
        table: formatted.
        plans: rows with values per item.
        rows: scaled values by item, one mapping per plan.
        values: raw scores by item and metric, then by view.
        run: as read; None where it is not measured.
        variants: the same predictions scored under other rules.
        unpasted: raw scores of the twins without pasted pixels, where they were measured.
        problems: view and reason by item; the view is empty for the item as a whole.
        notices: what is missing or damaged.
    """

    table: ScoreTable = field(default_factory=ScoreTable)
    plans: tuple[RowPlan, ...] = ()
    rows: tuple[Mapping[str, float], ...] = ()
    values: RawScores = field(default_factory=dict)
    run: ScoredRun | None = None
    variants: tuple[ScoredRun, ...] = ()
    unpasted: RawScores = field(default_factory=dict)
    problems: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def read_scored(run: RunFolder) -> Scored:
    """Scores and table of a run; what is missing or damaged becomes a notice."""
    if not run.scores.is_file() and not run.table("json").is_file():
        return Scored(notices=(f"This run is not measured yet: {MEASURE_COMMAND} brings scores and table.",))
    try:
        scored = ScoredRun.read(run)
    except (FormatError, InputError) as error:
        return Scored(notices=(f"The scores cannot be read: {error} Run {MEASURE_COMMAND} again.",))
    found, notices = read_variants(run)
    variants = [variant for variant in found if variant.is_beside(scored)]
    if len(variants) < len(found):
        names = ", ".join(variant.folder.path.name for variant in found if variant not in variants)
        notices = (*notices, f"Variants are not shown ({names}), {MEASURED_BEFORE}")
    unpasted = [v for v in variants if v.pictures == "unpasted" and v.protocol == scored.protocol]
    return replace(
        scored_of(scored),
        run=scored,
        variants=tuple(variants),
        unpasted=_by_view(unpasted[0]) if unpasted else {},
        notices=notices,
    )


def read_variants(run: RunFolder) -> tuple[list[ScoredRun], tuple[str, ...]]:
    """The same predictions scored under other rules, by name of their folder, and what could not be read.

    Repeats with other seeds are no other rules; `verify` tells what they say.
    """
    found, notices = [], []
    for path in sorted(run.variant("x").path.parent.glob("*/scores.jsonl")):
        if _SEED in path.parent.name:
            continue
        try:
            found.append(ScoredRun.read(RunFolder(path.parent)))
        except (FormatError, InputError) as error:
            notices.append(f"The variant {path.parent.name} cannot be read: {error}")
    return found, tuple(notices)


def scored_of(scored: ScoredRun) -> Scored:
    """The same from scores that were read already."""
    rows = [(row, scored.values(row.plan)) for row in scored.rows]
    with_values = [(row.plan, values) for row, values in rows if values]
    problems: dict[str, tuple[tuple[str, str], ...]] = {}
    for problem in scored.problems:
        problems[problem.item] = (*problems.get(problem.item, ()), (problem.view, problem.reason))
    return Scored(
        table=_table_of(scored, [row for row, _ in rows]),
        plans=tuple(plan for plan, _ in with_values),
        rows=tuple(values for _, values in with_values),
        values=_by_view(scored),
        problems=problems,
    )


def columns_of(scored: Scored) -> tuple[Column, ...]:
    """The columns of the per-item scores, each with its mean over all items."""
    columns = []
    for plan, values in zip(scored.plans, scored.rows):
        average = mean(list(values.values()))
        columns.append(Column(plan.subset, plan.label, plan.metric.better, format(average, plan.form)))
    return tuple(columns)


def cells_of(scored: Scored, names: Sequence[str]) -> dict[str, tuple[Cell, ...]]:
    """Per item its scores in the order of `scored.plans`, ranked within each column."""
    columns = []
    for plan, values in zip(scored.plans, scored.rows):
        known = {name: values[name] for name in names if name in values}
        ordered = sorted((v for v in known.values() if not math.isnan(v)), reverse=plan.metric.better == "higher")
        column = {}
        for name, value in known.items():
            shown = format(value, plan.form)
            if math.isnan(value):
                column[name] = Cell(shown)
            else:
                rank = ordered.index(value) / (len(ordered) - 1) if len(ordered) > 1 else None
                column[name] = Cell(shown, value, rank)
        columns.append(column)
    return {name: tuple(column.get(name, Cell("–")) for column in columns) for name in names}


def view_scores(plans: Sequence[RowPlan], values: RawScores, item: str, camera: str) -> tuple[Fact, ...]:
    """What one picture scored, metric by metric, in the table's scale."""
    scales: dict[Metric, float] = {}
    for plan in plans:
        scales.setdefault(plan.metric, plan.scale)
    facts = []
    for metric, scale in scales.items():
        value = values.get((item, metric.id), {}).get(camera)
        if value is not None:
            facts.append(Fact(metric.label, f"{value * scale:.3f}"))
    return tuple(facts)


def _by_view(scored: ScoredRun) -> RawScores:
    by_view: dict[tuple[str, str], dict[str, float]] = {}
    for score in scored.scores:
        by_view.setdefault((score.item, score.metric), {})[score.view] = score.value
    return by_view


def _table_of(scored: ScoredRun, rows: Sequence[Row]) -> ScoreTable:
    seed = f", {scored.sample_seed}" if scored.sample_seed else ""
    return ScoreTable(
        protocol=scored.protocol,
        network=scored.lpips_network,
        item_count=len(scored.items),
        missing_count=len({problem.item for problem in scored.problems}),
        facts=(
            Fact("surface samples", f"{scored.sample_count} per surface{seed}"),
            Fact("pictures", scored.pictures),
            Fact("networks ran on", scored.device),
            *(Fact(f"weights {name}", f"SHA-256 {digest}") for name, digest in scored.weights.items()),
            *(Fact(name, version) for name, version in scored.versions.items()),
        ),
        rows=tuple(map(table_row, rows)),
    )


def table_row(row: Row) -> TableRow:
    """One row of the table as text; an interval stands only where both ends are finite."""
    plan = row.plan
    known = math.isfinite(row.low) and math.isfinite(row.high)
    return TableRow(
        subset=plan.subset,
        metric=plan.label,
        value=shown_value(row),
        standard_error=format(row.standard_error, plan.form) if math.isfinite(row.standard_error) else "",
        interval=f"{format(row.low, plan.form)} … {format(row.high, plan.form)}" if known else "",
        n=row.n,
        missing=row.missing,
        better=plan.metric.better,
        is_core=plan.is_core,
        remark=row.not_run or row.note,
    )
