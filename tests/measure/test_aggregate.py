"""Where means are taken: subsets, the last item's F1, missing and infinite values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from _exchange.items import SCORED_CAMERAS
from _exchange.scores import Score
from _measure.aggregate import Row, aggregate, item_value, plan_rows
from _measure.metrics.description import lpips_metric
from _measure.statistics import mean, standard_error

ITEMS = ["a/one", "a/two", "b/three"]
SPIN = SCORED_CAMERAS[2:]


def rows(scores: list[Score], f1_aggregate="mean", items=ITEMS, not_run=None) -> dict[tuple[str, str], Row]:
    plans = plan_rows(lpips_metric("squeeze"), f1_aggregate)
    filled = aggregate(plans, scores, items, not_run or {})
    return {(row.plan.subset, row.plan.label): row for row in filled}


def per_item(metric: str, view: str, values: list[float]) -> list[Score]:
    return [Score(item, metric, view, value) for item, value in zip(ITEMS, values)]


def test_rows_and_their_order() -> None:
    plans = plan_rows(lpips_metric("squeeze"), "mean")
    core = [(plan.subset, plan.label) for plan in plans if plan.is_core]
    images = [(subset, metric) for subset in ("front", "back", "360") for metric in ("clip", "lpips", "psnr")]
    assert core == [*images, ("geom", "cd"), ("geom", "f1@5"), ("geom", "f1@10")]
    others = [(plan.subset, plan.label) for plan in plans if not plan.is_core]
    assert others == [("front", "ssim"), ("back", "ssim"), ("360", "ssim"), ("all", "lpips"), ("all", "chamfer")]


def test_mean_and_standard_error_are_scipys() -> None:
    values = list(np.random.default_rng(0).random(7))
    assert mean(values) == pytest.approx(np.mean(values), rel=1e-15)
    assert standard_error(values) == pytest.approx(stats.sem(values), rel=1e-12)
    assert math.isnan(standard_error([1.0]))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, math.inf], math.inf),
        ([1, -math.inf], -math.inf),
        ([math.inf, -math.inf], math.nan),
        ([1, math.nan], math.nan),
    ],
)
def test_means_pass_infinity_on(values: list[float], expected: float) -> None:
    assert mean(values) == pytest.approx(expected, nan_ok=True)
    assert math.isnan(standard_error(values))


def test_scaling_of_table_values() -> None:
    scores = per_item("psnr", "ortho_front", [10, 20, 30]) + per_item("cd", "geom", [0.01, 0.02, 0.03])
    filled = rows(scores)
    assert filled["front", "psnr"].value == pytest.approx(20)
    assert filled["geom", "cd"].value == pytest.approx(2)  # centimetres
    assert filled["geom", "cd"].standard_error == pytest.approx(100 * stats.sem([0.01, 0.02, 0.03]))
    assert filled["all", "chamfer"].value == filled["geom", "cd"].value


def test_360_is_the_mean_over_views_then_over_items() -> None:
    scores = [Score(item, "psnr", view, 10 * i + v) for i, item in enumerate(ITEMS) for v, view in enumerate(SPIN)]
    assert rows(scores)["360", "psnr"].value == pytest.approx(np.mean([10 * i + 5.5 for i in range(3)]))


def test_all_lpips_is_the_unscaled_mean_over_fourteen_pictures() -> None:
    """Twelve views of 0.1, front 0.3, back 0.7: (1.2 + 1.0)/14."""
    scores = [Score("a/one", "lpips_squeeze", view, 0.1) for view in SPIN]
    scores += [Score("a/one", "lpips_squeeze", "ortho_front", 0.3), Score("a/one", "lpips_squeeze", "ortho_back", 0.7)]
    row = rows(scores, items=["a/one"])["all", "lpips"]
    assert row.value == pytest.approx(2.2 / 14)
    assert row.plan.scale == 1


def test_f1_of_the_last_item_and_the_mean_beside_it() -> None:
    scores = per_item("f1@5", "geom", [0.2, 0.4, 0.9])
    last, averaged = rows(scores, "last")["geom", "f1@5"], rows(scores)["geom", "f1@5"]
    assert (last.value, last.n) == (pytest.approx(90), 1)
    assert "b/three" in last.note
    assert "50.000" in last.note
    assert (averaged.value, averaged.n) == (pytest.approx(50), 3)


def test_a_mean_has_an_interval_and_the_last_items_value_has_none() -> None:
    """0, 0 and 3 cm: all resamples but 8 of 27 hold a 3, one of 27 nothing else."""
    scores = per_item("cd", "geom", [0.0, 0.0, 0.03]) + per_item("f1@5", "geom", [0.2, 0.4, 0.9])
    filled = rows(scores, "last")
    assert (filled["geom", "cd"].low, filled["geom", "cd"].high) == pytest.approx((0.0, 3.0))
    assert math.isnan(filled["geom", "f1@5"].low)
    assert math.isnan(filled["geom", "f1@5"].high)
    assert "±" in filled["geom", "f1@5"].note


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan])
def test_a_mean_that_is_no_number_has_no_interval(odd: float) -> None:
    row = rows(per_item("psnr", "ortho_front", [10, odd, 30]))["front", "psnr"]
    assert math.isnan(row.low)
    assert math.isnan(row.high)


def test_the_last_item_is_the_lists_not_the_alphabets() -> None:
    items = ["z/first", "a/last"]
    scores = [Score("z/first", "f1@5", "geom", 0.1), Score("a/last", "f1@5", "geom", 0.2)]
    assert rows(scores, "last", items)["geom", "f1@5"].value == pytest.approx(20)


def test_an_item_without_all_its_views_is_missing() -> None:
    scores = per_item("psnr", "ortho_front", [10, 20, 30])[:2]
    scores += [Score(item, "psnr", view, 5.0) for item in ITEMS for view in SPIN if (item, view) != (ITEMS[0], SPIN[3])]
    filled = rows(scores)
    assert (filled["front", "psnr"].n, filled["front", "psnr"].missing) == (2, 1)
    assert filled["front", "psnr"].value == pytest.approx(15)
    assert (filled["360", "psnr"].n, filled["360", "psnr"].missing) == (2, 1)
    assert (filled["back", "psnr"].n, filled["back", "psnr"].missing) == (0, 3)


def test_items_with_infinite_values_are_named() -> None:
    row = rows(per_item("psnr", "ortho_front", [10, math.inf, 30]))["front", "psnr"]
    assert row.value == math.inf
    assert row.note == "a/two is inf"


def test_a_metric_without_its_network_is_not_run() -> None:
    row = rows([], not_run={"lpips_squeeze": "Run this command"})["front", "lpips"]
    assert (row.not_run, row.n, row.missing) == ("Run this command", 0, 3)


def test_value_of_an_item_needs_every_view() -> None:
    assert item_value({"ortho_front": 2.0}, "front") == 2.0
    assert item_value({"ortho_front": 2.0}, "all") is None
