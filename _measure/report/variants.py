"""The same predictions under other rules, side by side: a column for the run itself and one for each variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from _measure.aggregate import Row
from _measure.grid import Column, Grid
from _measure.scored_run import ScoredRun
from _measure.table import shown_value

_NO_ROW = ""


def variants_grid(own: ScoredRun, variants: Sequence[ScoredRun]) -> Grid | None:
    """A row per subset and metric; None where there is no variant.

    A row that a variant shows through another network is another row of the same name: its network stands in its
    column's head.
    """
    if not variants:
        return None
    runs = [own, *variants]
    heads = [Column("subset"), Column("metric"), *(Column(_head(run), right=True) for run in runs)]
    tables = [_by_name(run) for run in runs]
    names = dict.fromkeys(name for table in tables for name in table)
    rows = tuple(
        (*name, *(shown_value(table[name]) if name in table else _NO_ROW for table in tables)) for name in names
    )
    return Grid(tuple(heads), rows)


def _head(run: ScoredRun) -> str:
    return f"{run.protocol}, {run.pictures}, lpips-{run.lpips_network}"


def _by_name(run: ScoredRun) -> Mapping[tuple[str, str], Row]:
    return {(row.plan.subset, row.plan.label): row for row in run.rows}
