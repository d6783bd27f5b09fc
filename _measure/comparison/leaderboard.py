"""Many measured runs in an order, row by row, with ties where chance could swap them.

The rule. In a row, runs are ordered by the number of their missing items, then by their mean over items, then by
name. The first is the best of the first group; going down, a run belongs to the group while it lacks as many items as
the best of the group and is not told apart from it (the 95 % interval of the paired difference over the items both
have contains 0, or there is no interval to tell them apart: see `compare.Paired`). The first run that is told apart
becomes the best of the next group. All runs of a group share its rank, 1 + the number of runs before the group.

So what is printed is transitive: sharing a rank is an equivalence, and every group is an unbroken stretch of the
order. "Not told apart" itself is not transitive: with A, B, C in this order, B may be tied with A and with C, and C be
worse than A. Then A and B share rank 1 and C has rank 3. A rank says what a run is beside the best of its group, and
nothing about the last run of the group above.

A run with missing items stands after all that lack fewer, so nobody gains a place by leaving characters out; scoring
only the common subset is the other way, and says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from _measure.aggregate import RowPlan
from _measure.comparison.chosen_runs import (
    NamedRun,
    all_items,
    common_line,
    reasons_not_run,
    remarks_on,
    require_comparable,
)
from _measure.comparison.compare import paired
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

SCHEMA_VERSION = 1
_NOT_RUN, _NO_VALUE = "not run", "–"


@dataclass(frozen=True)
class Entry:
    """One run in one row.

    Attributes:
        run: its name.
        rank: shared within a group; 0 where there is no value.
        is_shared: whether another run has the same rank.
        value: mean over its items, in the table's scale; NaN where there is none.
        interval: bootstrap 95 % interval of that mean.
        n: items with a value.
        not_run: why the metric was not computed; empty where it was.
    """

    run: str
    rank: int
    is_shared: bool
    value: float
    interval: Interval
    n: int
    not_run: str = ""

    @property
    def shown_rank(self) -> str:
        """``3``, shared ranks as ``1=``, a dash for none."""
        return f"{self.rank}{'=' if self.is_shared else ''}" if self.rank else _NO_VALUE


@dataclass(frozen=True)
class BoardRow:
    """One row of the table for all runs.

    Attributes:
        plan: what is ranked.
        entries: in order.
        item_count: items that could have a value.
    """

    plan: RowPlan
    entries: tuple[Entry, ...]
    item_count: int


@dataclass(frozen=True)
class Leaderboard:
    """All rows.

    Attributes:
        header: what was ranked and how, one line each.
        rows: in order of the table.
        remarks: what a reader must know beside them.
    """

    header: tuple[str, ...]
    rows: tuple[BoardRow, ...]
    remarks: tuple[str, ...] = ()


def leaderboard(runs: Sequence[NamedRun], common: Mapping[RowPlan, frozenset[str]] | None = None) -> Leaderboard:
    """Rank runs in every row.

    Args:
        runs: with different names.
        common: by row, the only items to take: see `common_items`; default: all.

    Raises:
        InputError: they cannot be compared, as when protocols are mixed.
    """
    require_comparable(runs)
    items = all_items(runs)
    first = runs[0].scored
    header = (
        f"{len(runs)} runs, dataset {first.dataset or 'unknown'}, protocol {first.protocol}, "
        f"LPIPS through {first.lpips_network}, {first.pictures} pictures, {len(items)} items",
        "a rank is shared while the 95 % interval of the paired difference to the best of the group contains 0",
        "runs with missing items stand after those with fewer",
        f"value: mean over items; 95 % interval: bootstrap with {RESAMPLES:,} resamples of items",
        *(() if common is None else (common_line(common, runs),)),
    )
    rows = tuple(_board_row(plan, runs, items if common is None else common[plan]) for plan in first.plans)
    remarks = [
        f"{row.plan.subset} {row.plan.label}: mean over items, not the last item alone as in the table"
        for row in rows
        if row.plan.aggregate == "last"
    ]
    reasons = [f"{plan.label} not run in {reason}" for plan in first.plans for reason in reasons_not_run(plan, runs)]
    return Leaderboard(header, rows, (*dict.fromkeys(reasons), *remarks, *remarks_on(runs)))


def ranks(
    values: Mapping[str, Mapping[str, float]], item_count: int, better: Literal["higher", "lower"]
) -> dict[str, int]:
    """Rank of each run, in order; see the rule above.

    Args:
        values: by run and item; runs without any value are left out of the result.
        item_count: items that could have a value.
        better: which direction is an improvement.
    """

    def place(name: str) -> tuple[int, float, str]:
        average = mean(list(values[name].values()))
        worst_last = math.inf if math.isnan(average) else -average if better == "higher" else average
        return item_count - len(values[name]), worst_last, name

    ordered = sorted((name for name in values if values[name]), key=place)
    result: dict[str, int] = {}
    best = ""
    for position, name in enumerate(ordered, 1):
        if not best or not _share(values[best], values[name], better):
            best = name
            result[name] = position
        else:
            result[name] = result[best]
    return result


def _share(best: Mapping[str, float], other: Mapping[str, float], better: Literal["higher", "lower"]) -> bool:
    return len(best) == len(other) and paired(best, other, better).standing in ("tie", "undecided")


def _board_row(plan: RowPlan, runs: Sequence[NamedRun], items: Sequence[str] | frozenset[str]) -> BoardRow:
    wanted = set(items)
    values = {run.name: {i: v for i, v in run.values(plan).items() if i in wanted} for run in runs}
    rank = ranks(values, len(wanted), plan.metric.better)
    entries = []
    for name, position in rank.items():
        numbers = list(values[name].values())
        shared = list(rank.values()).count(position) > 1
        entries.append(Entry(name, position, shared, mean(numbers), mean_interval(numbers), len(numbers)))
    for run in runs:
        if run.name not in rank:
            entries.append(Entry(run.name, 0, False, math.nan, NO_INTERVAL, 0, run.not_run(plan)))
    return BoardRow(plan, tuple(entries), len(wanted))


# -- writers ----------------------------------------------------------------------------------------------------


def leaderboard_grid(board: Leaderboard) -> Grid:
    """The cells as people see them; subset and metric stand at the first run of a row."""
    heads = ("subset", "metric", "better", "rank", "run", "value", "95 % interval", "coverage", "remark")
    columns = tuple(Column(head, right=head in ("rank", "value", "95 % interval", "coverage")) for head in heads)
    cells = tuple(_cells(row, place) for row in board.rows for place in range(len(row.entries)))
    return Grid(columns, cells, board.header, board.remarks)


def leaderboard_text(board: Leaderboard) -> str:
    """Ranks for people."""
    return grid_text(leaderboard_grid(board))


def leaderboard_markdown(board: Leaderboard) -> str:
    """A pipe table."""
    return grid_markdown(leaderboard_grid(board))


def leaderboard_latex(board: Leaderboard) -> str:
    """A plain `tabular`."""
    return grid_latex(leaderboard_grid(board))


def leaderboard_csv(board: Leaderboard) -> str:
    """One record per row and run, values with all their digits."""
    return records_csv(_records(board))


def leaderboard_data(board: Leaderboard) -> dict[str, Any]:
    """JSON values; infinities as strings, absent values as null."""
    texts = {"header": list(map(one_line, board.header)), "remarks": list(map(one_line, board.remarks))}
    return {"schema": SCHEMA_VERSION, **texts, "rows": _records(board)}


def leaderboard_json(board: Leaderboard) -> str:
    """`leaderboard_data` as text."""
    return json.dumps(leaderboard_data(board), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _cells(row: BoardRow, place: int) -> tuple[str, ...]:
    plan, entry = row.plan, row.entries[place]
    labels = (plan.subset, plan.label, plan.metric.better) if place == 0 else ("", "", "")
    value = _NOT_RUN if entry.not_run else format(entry.value, plan.form) if entry.n else _NO_VALUE
    interval = interval_text(entry.interval.low, entry.interval.high, plan.form)
    mark = "incomplete" if entry.n < row.item_count and not entry.not_run else ""
    return (*labels, entry.shown_rank, entry.run, value, interval, f"{entry.n}/{row.item_count}", mark)


def _records(board: Leaderboard) -> list[dict[str, Any]]:
    return [
        {
            "subset": row.plan.subset,
            "metric": row.plan.label,
            "metric_id": row.plan.metric.id,
            "better": row.plan.metric.better,
            "rank": entry.rank or None,
            "shared": entry.is_shared,
            "run": entry.run,
            "value": json_number(entry.value) if entry.n else None,
            "low": finite_or_none(entry.interval.low),
            "high": finite_or_none(entry.interval.high),
            "n": entry.n,
            "items": row.item_count,
            "not_run": entry.not_run,
        }
        for row in board.rows
        for entry in row.entries
    ]
