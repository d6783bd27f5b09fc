"""Plots of per-item scores: where dots, ticks and intervals stand, and which values cannot be drawn."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _measure.aggregate import RowPlan, plan_rows
from _measure.metrics.description import lpips_metric
from _measure.report.plots import plot_of, ticks
from _measure.report.records import Plot

CD = next(plan for plan in plan_rows(lpips_metric("squeeze"), "mean") if plan.label == "cd")


def plot(values: dict[str, float], plan: RowPlan = CD) -> Plot:
    found = plot_of(plan, values, {name: f"items/{name}.html" for name in values})
    assert found is not None
    return found


def test_the_extremes_stand_near_the_ends_and_the_mean_between_by_its_value() -> None:
    shown = plot({"a": 1.0, "b": 2.0, "c": 6.0})
    assert [(dot.name, dot.left) for dot in shown.dots] == [("a", 4.0), ("b", 22.4), ("c", 96.0)]
    assert shown.mean == "3.000"
    assert shown.mean_left == pytest.approx(4 + 92 * 2 / 5)
    assert [dot.page for dot in shown.dots] == ["items/a.html", "items/b.html", "items/c.html"]


def test_the_interval_lies_around_the_mean() -> None:
    shown = plot({str(k): float(k) for k in range(12)})
    assert shown.interval_left < shown.mean_left < shown.interval_left + shown.interval_width
    low, high = map(float, shown.interval.split(" … "))
    assert shown.interval_left == pytest.approx(4 + 92 * low / 11, abs=0.01)
    assert shown.interval_left + shown.interval_width == pytest.approx(4 + 92 * high / 11, abs=0.01)


def test_equal_values_stand_in_lanes_of_their_own_while_there_are_lanes() -> None:
    shown = plot(dict.fromkeys("abcde", 1.5))
    assert len({dot.left for dot in shown.dots}) == 1
    tops = sorted(dot.top for dot in shown.dots)
    assert all(second - first >= 10 for first, second in itertools.pairwise(tops))


def test_values_that_have_no_place_are_counted() -> None:
    shown = plot({"a": 1.0, "b": math.inf, "c": 2.0, "d": math.nan})
    assert [dot.name for dot in shown.dots] == ["a", "c"]
    assert shown.remark == "2 without a finite value"


@pytest.mark.parametrize("values", [{}, {"a": 1.0}, {"a": 1.0, "b": math.inf}])
def test_one_value_is_no_plot(values: dict[str, float]) -> None:
    assert plot_of(CD, values, dict.fromkeys(values, "x.html")) is None


def test_values_have_the_form_of_their_row() -> None:
    shown = plot({"a": 0.1, "b": 0.3}, replace(CD, form=".4E"))
    assert [dot.value for dot in shown.dots] == ["1.0000E-01", "3.0000E-01"]


@settings(derandomize=True, max_examples=50)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    high = low + span
    found = ticks(low, high)
    assert 2 <= len(found) <= 6
    slack = 1e-9 * max(abs(low), abs(high), 1)
    assert all(low - slack <= tick <= high + slack for tick in found)
    assert found == sorted(found)
