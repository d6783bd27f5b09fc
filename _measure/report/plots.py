"""Scores of all characters on one line per row of the table: where each dot, the mean and its interval stand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from _measure.aggregate import RowPlan
from _measure.report.records import Dot, Plot, Tick
from _measure.statistics import mean, mean_interval

_MARGIN = 4.0
"""Per cent of the width that stay free on either side."""
_NEAR = 2.6
"""Dots whose places differ by less, per cent of the width, stand in different lanes."""
_LANES = (0, -1, 1, -2, 2)
_LANE_PX, _CENTRE_PX = 11, 32
_MOST_STEPS = 5


def plot_of(plan: RowPlan, values: Mapping[str, float], pages: Mapping[str, str]) -> Plot | None:
    """The plot of one row; None where fewer than two characters have a finite value.

    Args:
        plan: what the row shows.
        values: scaled, by character.
        pages: page of each character; others are left out.
    """
    finite = {name: value for name, value in values.items() if name in pages and math.isfinite(value)}
    if len(finite) < 2:
        return None
    low, high = min(finite.values()), max(finite.values())
    span = high - low or abs(high) or 1.0
    average = mean(list(finite.values()))
    interval = mean_interval(list(finite.values()))

    def left(value: float) -> float:
        return round(_MARGIN + (100 - 2 * _MARGIN) * (value - low) / span, 3)

    ordered = sorted(finite, key=lambda name: (finite[name], name))
    lanes = _lanes([left(finite[name]) for name in ordered])
    dots = tuple(
        Dot(name, pages[name], format(finite[name], plan.form), left(finite[name]), _CENTRE_PX + _LANE_PX * lane)
        for name, lane in zip(ordered, lanes)
    )
    left_out = len(values) - len(finite)
    return Plot(
        subset=plan.subset,
        metric=plan.label,
        better=plan.metric.better,
        dots=dots,
        ticks=tuple(Tick(left(value), format(value, "g")) for value in ticks(low, high)),
        mean=format(average, plan.form),
        mean_left=left(average),
        interval=f"{format(interval.low, plan.form)} … {format(interval.high, plan.form)}" if interval.exists else "",
        interval_left=left(interval.low) if interval.exists else 0.0,
        interval_width=round(left(interval.high) - left(interval.low), 3) if interval.exists else 0.0,
        remark=f"{left_out} without a finite value" if left_out else "",
    )


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, two to six: multiples of 1, 2 or 5 times a power of ten.

    >>> ticks(7.0, 13.9)
    [8.0, 10.0, 12.0]
    """
    if not low < high:
        return [low]
    rough = (high - low) / _MOST_STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [round(k * step, 12) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _lanes(lefts: Sequence[float]) -> list[int]:
    """A lane for each place, from left to right, so that near ones do not cover each other while there are lanes."""
    taken = dict.fromkeys(_LANES, -math.inf)
    chosen = []
    for left in lefts:
        lane = next((lane for lane in _LANES if left - taken[lane] >= _NEAR), min(_LANES, key=taken.__getitem__))
        taken[lane] = left
        chosen.append(lane)
    return chosen
