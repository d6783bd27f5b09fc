"""Two measured runs, character by character: difference, its interval, and for how many the second is better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from _measure.aggregate import RowPlan
from _measure.comparison.chosen_runs import NamedRun, all_items, common_line, reasons_not_run, remarks_on
from _measure.grid import (
    Column,
    Grid,
    finite_or_none,
    grid_latex,
    grid_markdown,
    grid_text,
    interval_text,
    json_number,
    one_line,
    records_csv,
)
from _measure.statistics import NO_INTERVAL, RESAMPLES, Interval, mean, mean_interval

Standing = Literal["better", "worse", "tie", "undecided"]
_NOT_RUN, _NO_VALUE = "not run", "–"
_ITEMS_NAMED = 20
_FEW_PAIRS = 6
"""Below so many pairs even items that all agree do so by chance more often than once in twenty: 2·2⁻⁵ = 6 %."""


@dataclass(frozen=True)
class Paired:
    """The items of which both runs have a value, in one row.

    Attributes:
        a, b: means over these items; NaN where there are none.
        difference: mean of b − a, where two equal values (infinite ones too) differ by 0; NaN where there are none.
        interval: bootstrap 95 % interval of that mean; none for fewer than two items or an infinite difference.
        better, worse, tied: items in which b is better than, worse than, equal to a.
        standing: of b: ``tie`` where the interval contains 0, else the side it lies on. Without an interval two or
            more items that all agree decide, and anything else is ``undecided``.
    """

    a: float
    b: float
    difference: float
    interval: Interval
    better: int
    worse: int
    tied: int
    standing: Standing

    @property
    def n(self) -> int:
        """Items of which both have a value."""
        return self.better + self.worse + self.tied


@dataclass(frozen=True)
class ComparedRow:
    """One row of a comparison.

    Attributes:
        plan: what is compared.
        paired: the numbers.
        unpaired: items that entered neither number, with what is missing: ``A``, ``B`` or ``A and B``.
        not_run: why there is nothing to compare; empty otherwise.
        note: what else a reader must know.
    """

    plan: RowPlan
    paired: Paired
    unpaired: Mapping[str, str]
    not_run: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        """What B is: a `Standing` or ``not run``."""
        return _NOT_RUN if self.not_run else self.paired.standing


@dataclass(frozen=True)
class Comparison:
    """Run B against run A.

    Attributes:
        a, b: their names.
        header: what was compared, one line each.
        rows: in order of the table.
        remarks: differences between the runs that a reader must know.
    """

    a: str
    b: str
    header: tuple[str, ...]
    rows: tuple[ComparedRow, ...]
    remarks: tuple[str, ...] = ()


def paired(a: Mapping[str, float], b: Mapping[str, float], better: Literal["higher", "lower"]) -> Paired:
    """Compare values by item; items that one side lacks do not enter.

    >>> result = paired({"x": 1.0, "y": 2.0}, {"x": 2.0, "y": 3.0, "z": 9.0}, "lower")
    >>> result.difference, result.interval, result.standing
    (1.0, Interval(low=1.0, high=1.0), 'worse')
    """
    items = [item for item in a if item in b]
    if not items:
        return Paired(math.nan, math.nan, math.nan, NO_INTERVAL, 0, 0, 0, "undecided")
    differences = [0.0 if a[item] == b[item] else b[item] - a[item] for item in items]
    higher, lower = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    gains, losses = (higher, lower) if better == "higher" else (lower, higher)
    interval = mean_interval(differences)
    return Paired(
        a=mean([a[item] for item in items]),
        b=mean([b[item] for item in items]),
        difference=mean(differences),
        interval=interval,
        better=gains,
        worse=losses,
        tied=len(items) - gains - losses,
        standing=_standing(interval, better, gains, losses, len(items)),
    )


def compare(a: NamedRun, b: NamedRun, common: Mapping[RowPlan, frozenset[str]] | None = None) -> Comparison:
    """Run `b` against run `a`, row by row. They are comparable: see `require_comparable`.

    Args:
        a: what it is held against.
        b: what is judged.
        common: by row, the only items to take; default: all that both have.
    """
    items = all_items([a, b])
    scored = a.scored
    header = (
        f"A = {a.name}: {scored.title}",
        f"B = {b.name}: {b.scored.title}",
        f"dataset {scored.dataset or 'unknown'}, protocol {scored.protocol}, LPIPS through {scored.lpips_network}, "
        f"{scored.pictures} pictures, {len(items)} items",
        "A and B are means over the n items that both have; better, worse, tied: items in which B is so",
        f"95 % interval of B − A: bootstrap with {RESAMPLES:,} resamples of items; tie: it contains 0",
        "every row is judged by itself: of twenty rows without any difference about one is no tie by chance",
    )
    rows = tuple(_compared(plan, a, b, items if common is None else common[plan]) for plan in scored.plans)
    return Comparison(a.name, b.name, header, rows, tuple(remarks_on([a, b])))


def compare_to_first(
    runs: Sequence[NamedRun], common: Mapping[RowPlan, frozenset[str]] | None = None
) -> tuple[Comparison, ...]:
    """Every run against the first, with the line that says so where only `common` items are taken."""
    line = () if common is None else (common_line(common, runs),)
    comparisons = [compare(runs[0], run, common) for run in runs[1:]]
    return tuple(Comparison(c.a, c.b, (*c.header, *line), c.rows, c.remarks) for c in comparisons)


# -- one row ----------------------------------------------------------------------------------------------------


def _compared(plan: RowPlan, a: NamedRun, b: NamedRun, items: Sequence[str] | frozenset[str]) -> ComparedRow:
    reasons = reasons_not_run(plan, (a, b))
    if reasons:
        return ComparedRow(plan, paired({}, {}, plan.metric.better), {}, "; ".join(reasons))
    wanted = set(items)
    mine, theirs = ({i: v for i, v in run.values(plan).items() if i in wanted} for run in (a, b))
    lacking = {
        item: " and ".join(word for word, known in (("A", mine), ("B", theirs)) if item not in known)
        for item in all_items([a, b])
        if item in wanted and not (item in mine and item in theirs)
    }
    notes = ["mean over items, not the last item alone as in the table"] if plan.aggregate == "last" else []
    notes += [
        f"{item} is {known[item]:g} in {word}"
        for word, known in (("A", mine), ("B", theirs))
        for item in mine
        if item in theirs and math.isinf(known[item])
    ]
    return ComparedRow(plan, paired(mine, theirs, plan.metric.better), lacking, "", "; ".join(notes))


def _standing(interval: Interval, better: Literal["higher", "lower"], gains: int, losses: int, count: int) -> Standing:
    if interval.contains_zero:
        return "tie"
    if interval.exists:
        return "better" if (interval.low > 0) == (better == "higher") else "worse"
    if count >= 2 and count in (gains, losses):
        return "better" if gains else "worse"
    return "undecided"


# -- writers ----------------------------------------------------------------------------------------------------


def comparison_grid(comparison: Comparison) -> Grid:
    """The cells as people see them."""
    heads = ("subset", "metric", "A", "B", "B − A", "95 % interval", "better", "worse", "tied", "n", "unpaired", "B is")
    columns = tuple(Column(head, right=head not in ("subset", "metric", "B is")) for head in heads)
    rows = tuple(_cells(row) for row in comparison.rows)
    return Grid(columns, rows, comparison.header, tuple(_footer(comparison)))


def comparisons_text(comparisons: Sequence[Comparison]) -> str:
    """One table below the other."""
    return "\n".join(grid_text(comparison_grid(comparison)) for comparison in comparisons)


def comparisons_markdown(comparisons: Sequence[Comparison]) -> str:
    """One pipe table below the other."""
    return "\n".join(grid_markdown(comparison_grid(comparison)) for comparison in comparisons)


def comparisons_latex(comparisons: Sequence[Comparison]) -> str:
    """One `tabular` below the other."""
    return "\n".join(grid_latex(comparison_grid(comparison)) for comparison in comparisons)


def comparisons_csv(comparisons: Sequence[Comparison]) -> str:
    """One record per pair of runs and row, values with all their digits."""
    records = [record for comparison in comparisons for record in _records(comparison)]
    return records_csv([{**record, "unpaired": len(record["unpaired"])} for record in records])


def comparisons_data(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """JSON values; infinities as strings, absent values as null."""
    return [
        {
            "a": comparison.a,
            "b": comparison.b,
            "header": list(map(one_line, comparison.header)),
            "remarks": list(map(one_line, comparison.remarks)),
            "rows": _records(comparison),
        }
        for comparison in comparisons
    ]


def _cells(row: ComparedRow) -> tuple[str, ...]:
    plan, numbers = row.plan, row.paired
    if row.not_run or not numbers.n:
        empty = _NOT_RUN if row.not_run else _NO_VALUE
        counts = ("0", str(len(row.unpaired)))
        return (plan.subset, plan.label, empty, empty, "", "", "", "", "", *counts, row.verdict)
    signed = f"+{plan.form}"
    return (
        plan.subset,
        plan.label,
        format(numbers.a, plan.form),
        format(numbers.b, plan.form),
        format(numbers.difference, signed),
        interval_text(numbers.interval.low, numbers.interval.high, signed),
        *map(str, (numbers.better, numbers.worse, numbers.tied, numbers.n, len(row.unpaired))),
        row.verdict,
    )


def _records(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "a": comparison.a,
            "b": comparison.b,
            "subset": row.plan.subset,
            "metric": row.plan.label,
            "metric_id": row.plan.metric.id,
            "direction": row.plan.metric.better,
            "value_a": json_number(row.paired.a) if row.paired.n else None,
            "value_b": json_number(row.paired.b) if row.paired.n else None,
            "difference": json_number(row.paired.difference) if row.paired.n else None,
            "low": finite_or_none(row.paired.interval.low),
            "high": finite_or_none(row.paired.interval.high),
            "better": row.paired.better,
            "worse": row.paired.worse,
            "tied": row.paired.tied,
            "n": row.paired.n,
            "unpaired": dict(row.unpaired),
            "verdict": row.verdict,
            "not_run": row.not_run,
            "note": row.note,
        }
        for row in comparison.rows
    ]


def _footer(comparison: Comparison) -> list[str]:
    rows = comparison.rows
    lines = list(dict.fromkeys(f"{row.plan.label} not run in {row.not_run}" for row in rows if row.not_run))
    lines += [f"{row.plan.subset} {row.plan.label}: {row.note}" for row in rows if row.note]
    if any(0 < row.paired.n < _FEW_PAIRS for row in rows):
        lines.append("fewer than six pairs: such intervals are too narrow, better and worse are hints and no findings")
    lacking: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for item, where in row.unpaired.items():
            lacking.setdefault((item, where), []).append(f"{row.plan.subset} {row.plan.label}")
    ran = sum(not row.not_run for row in rows)
    named = [
        f"unpaired {item}: no value in {where} for {'any row' if len(labels) == ran else ', '.join(labels)}"
        for (item, where), labels in lacking.items()
    ]
    items = len({item for item, _ in lacking})
    if named:
        lines.append(f"{items} {'item' if items == 1 else 'items'} unpaired in some row:")
    lines += named[:_ITEMS_NAMED]
    if len(named) > _ITEMS_NAMED:
        lines.append(f"and {len(named) - _ITEMS_NAMED} more such lines; the JSON output has them all")
    return [*lines, *comparison.remarks]
