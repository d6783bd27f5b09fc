"""The one place where means are taken: raw scores of items → rows of the table. Source: spec/measure.md §6.6, §7."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from _exchange.camera import SPIN12
from _exchange.items import SCORED_CAMERAS
from _exchange.scores import Score
from _measure.metrics.chamfer import CHAMFER
from _measure.metrics.clip import CLIP
from _measure.metrics.description import Metric
from _measure.metrics.fscore import fscore_metric
from _measure.metrics.psnr import PSNR
from _measure.metrics.ssim import SSIM
from _measure.statistics import mean, mean_interval, standard_error

Aggregate = Literal["mean", "last"]
VIEWS_OF_SUBSET = {
    "front": ("ortho_front",),
    "back": ("ortho_back",),
    "360": tuple(f"rgb60_{index:04d}" for index in SPIN12),
    "all": SCORED_CAMERAS,
    "geom": ("geom",),
}
"""Which scores an item's value in a subset is the mean of."""
_F1_OF_TABLE = (fscore_metric(0.005), fscore_metric(0.01))


@dataclass(frozen=True)
class RowPlan:
    """One row before any score is known.

    Attributes:
        subset: first column of the table.
        metric: what is averaged.
        label: second column.
        scale: the printed value is the raw one times this.
        views: key of `VIEWS_OF_SUBSET`: which pictures an item's value is the mean of.
        aggregate: mean over items, or the last item's value.
        form: how the value is printed.
        is_core: one of the twelve rows of the published table.
    """

    subset: str
    metric: Metric
    label: str
    scale: float
    views: str
    aggregate: Aggregate = "mean"
    form: str = ".3f"
    is_core: bool = True


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        plan: what it shows.
        value: scaled; NaN where no item has a value and `not_run` or `n` = 0 says so.
        standard_error: of the mean, scaled; NaN below two items and for a single item's value.
        n: items that entered the value.
        missing: items of the run without a value.
        not_run: why the metric was not computed at all, with the command that changes it; empty otherwise.
        note: what else a reader must know: the items with infinite or undefined values, the mean beside a last value.
        low, high: bootstrap 95 % interval of the mean, scaled; NaN below two items, where a value is not finite, and
            for a single item's value.
    """

    plan: RowPlan
    value: float
    standard_error: float
    n: int
    missing: int
    not_run: str = ""
    note: str = ""
    low: float = math.nan
    high: float = math.nan


def plan_rows(lpips: Metric, f1_aggregate: Aggregate) -> tuple[RowPlan, ...]:
    """The twelve rows in their published order, then SSIM, then the two headline rows."""
    rows = [
        RowPlan(subset, metric, label, metric.table_scale, subset)
        for subset in ("front", "back", "360")
        for metric, label in ((CLIP, "clip"), (lpips, "lpips"), (PSNR, "psnr"))
    ]
    rows.append(RowPlan("geom", CHAMFER, "cd", CHAMFER.table_scale, "geom"))
    rows += [RowPlan("geom", f1, f1.label, f1.table_scale, "geom", f1_aggregate) for f1 in _F1_OF_TABLE]
    rows += [
        RowPlan(subset, SSIM, "ssim", SSIM.table_scale, subset, is_core=False) for subset in ("front", "back", "360")
    ]
    rows.append(RowPlan("all", lpips, "lpips", 1.0, "all", form=".4E", is_core=False))
    rows.append(RowPlan("all", CHAMFER, "chamfer", CHAMFER.table_scale, "geom", form=".4f", is_core=False))
    return tuple(rows)


def item_values(plan: RowPlan, scores: Sequence[Score], items: Sequence[str]) -> dict[str, float]:
    """Scaled value of a row by item, in list order; items without one are left out."""
    return _values(plan, _by_metric_and_item(scores), items)


def aggregate(
    plans: Sequence[RowPlan], scores: Sequence[Score], items: Sequence[str], not_run: Mapping[str, str]
) -> tuple[Row, ...]:
    """Fill the planned rows.

    Args:
        plans: from `plan_rows`.
        scores: raw scores of all items, any order.
        items: names of all items of the run in list order; the last one with a value is "the last item".
        not_run: by metric id, why it was not computed.
    """
    by_key = _by_metric_and_item(scores)
    return tuple(_row(plan, by_key, items, not_run.get(plan.metric.id, "")) for plan in plans)


def item_value(value_of_view: Mapping[str, float], views: str) -> float | None:
    """An item's value: the mean over its views (a key of `VIEWS_OF_SUBSET`); None where one of them is missing."""
    wanted = VIEWS_OF_SUBSET[views]
    complete = all(view in value_of_view for view in wanted)
    return mean([value_of_view[view] for view in wanted]) if complete else None


_ByMetricAndItem = Mapping[tuple[str, str], Mapping[str, float]]


def _by_metric_and_item(scores: Sequence[Score]) -> _ByMetricAndItem:
    by_key: dict[tuple[str, str], dict[str, float]] = {}
    for score in scores:
        by_key.setdefault((score.metric, score.item), {})[score.view] = score.value
    return by_key


def _values(plan: RowPlan, by_key: _ByMetricAndItem, items: Sequence[str]) -> dict[str, float]:
    values = {}
    for item in items:
        value = item_value(by_key.get((plan.metric.id, item), {}), plan.views)
        if value is not None:
            values[item] = value * plan.scale
    return values


def _row(plan: RowPlan, by_key: _ByMetricAndItem, items: Sequence[str], not_run: str) -> Row:
    if not_run:
        return Row(plan, math.nan, math.nan, 0, len(items), not_run)
    values = _values(plan, by_key, items)
    missing = len(items) - len(values)
    if not values:
        return Row(plan, math.nan, math.nan, 0, missing)
    odd = [f"{item} is {value:g}" for item, value in values.items() if not math.isfinite(value)]
    average, error = mean(list(values.values())), standard_error(list(values.values()))
    if plan.aggregate == "mean":
        interval = mean_interval(list(values.values()))
        note = "; ".join(odd)
        return Row(plan, average, error, len(values), missing, "", note, interval.low, interval.high)
    last = list(values)[-1]
    beside = f"{average:.3f}" + (f" ± {error:.3f}" if math.isfinite(error) else "")
    note = f"the last item alone ({last}), as published; mean over {len(values)} items {beside}"
    return Row(plan, values[last], math.nan, 1, missing, note="; ".join([note, *odd]))
