"""The interval of a mean: enumerated and binomial truths, SciPy's bootstrap, and the laws a comparison rests on.

The share beyond each end is that of Student's interval (Hesterberg 2015, §3.3), computed here from SciPy's
distributions.
"""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from _measure.statistics import NO_INTERVAL, RESAMPLES, Interval, mean, mean_interval, standard_error

REPOSITORY = Path(__file__).resolve().parents[2]
NUMBERS = st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=2, max_size=12)
QUICK = settings(derandomize=True, max_examples=25, deadline=None)


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def share_beyond(count: int) -> float:
    return float(stats.norm.cdf(stats.t.ppf(0.025, count - 1) * math.sqrt(count / (count - 1))))


def enumerated(values: list[float]) -> tuple[float, float]:
    """The same percentiles over all nⁿ resamples instead of 10,000 drawn ones."""
    means = sorted(math.fsum(chosen) / len(values) for chosen in itertools.product(values, repeat=len(values)))
    beyond = int(len(means) * share_beyond(len(values)))
    return means[beyond], means[-1 - beyond]


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([0.0, 1.0], 0.0, 1.0),  # a quarter of the resamples at each end
        ([0.0, 0.0, 3.0], 0.0, 3.0),  # (2/3)³ = 30 % and (1/3)³ = 3.7 %; the share beyond is below 0.01 %
        ([1.0, 1.0, 3.0, 1.0], 1.0, 3.0),  # (1/4)⁴ = 0.4 %, the share beyond 0.01 %
    ],
)
def test_ends_by_counting(values: list[float], low: float, high: float) -> None:
    assert ends(mean_interval(values)) == pytest.approx((low, high), abs=1e-15)


def test_five_values_are_those_of_all_resamples() -> None:
    """3,125 resamples: 0.03 % hold nothing but the smallest, 0.16 % that and once the next; beyond are 0.1 %."""
    values = [1.0, 2.0, 4.0, 8.0, 16.0]
    assert enumerated(values) == (1.2, 14.4)
    assert ends(mean_interval(values)) == pytest.approx((1.2, 14.4), rel=1e-15)


@pytest.mark.parametrize(("count", "share"), [(20, 0.3), (40, 0.1), (68, 0.25), (200, 0.4)])
def test_zeros_and_ones_are_binomial(count: int, share: float) -> None:
    """The sum of a resample of zeros and ones is binomial; one step is allowed where a step lies at the percentile."""
    ones, beyond = round(count * share), share_beyond(count)
    interval = mean_interval([1.0] * ones + [0.0] * (count - ones))
    expected = stats.binom.ppf([beyond, 1 - beyond], count, ones / count) / count
    assert ends(interval) == pytest.approx(tuple(expected), abs=1.01 / count)
    below = stats.binom.cdf(round(interval.low * count) - 1, count, ones / count)
    above = stats.binom.sf(round(interval.high * count), count, ones / count)
    spread = 5 * math.sqrt(beyond * (1 - beyond) / RESAMPLES)  # five standard errors of a counted share
    assert below < beyond + spread
    assert above < beyond + spread


@pytest.mark.parametrize("count", [12, 68])
@pytest.mark.parametrize("kind", ["normal", "lognormal"])
def test_intervals_are_scipys(count: int, kind: str) -> None:
    """Two draws of 10,000: an end's own error is below 0.05 standard errors of the mean; 0.15 is three times that."""
    values = getattr(np.random.default_rng(count), kind)(size=count)
    other = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, confidence_level=1 - 2 * share_beyond(count),
        method="percentile", rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    tolerance = 0.15 * stats.sem(values)
    assert ends(mean_interval(list(values))) == pytest.approx((other.low, other.high), abs=tolerance)


@pytest.mark.parametrize("count", [12, 68])
def test_normal_values_give_about_students_interval(count: int) -> None:
    """Within a tenth of its reach: what the values drawn here differ from normal ones."""
    values = np.random.default_rng(8).normal(size=count)
    student = stats.t.interval(0.95, count - 1, np.mean(values), stats.sem(values))
    assert ends(mean_interval(list(values))) == pytest.approx(student, abs=0.1 * (student[1] - student[0]) / 2)


def test_many_normal_values_give_the_textbook_interval() -> None:
    values = list(np.random.default_rng(3).normal(5.0, 2.0, 5_000))
    reach = 1.96 * stats.sem(values)
    assert ends(mean_interval(values)) == pytest.approx((mean(values) - reach, mean(values) + reach), abs=reach / 15)


@pytest.mark.parametrize(("count", "plain"), [(6, 0.87), (12, 0.91), (68, 0.94)])
def test_a_plain_percentile_interval_would_cover_what_the_docstring_says(count: int, plain: float) -> None:
    """1.96 √((n−1)/n) standard errors on Student's distribution."""
    reach = stats.norm.ppf(0.975) * math.sqrt((count - 1) / count)
    assert 1 - 2 * stats.t.sf(reach, count - 1) == pytest.approx(plain, abs=0.006)


@pytest.mark.parametrize("count", [6, 12])
def test_normal_items_are_covered_in_95_of_100_cases(count: int) -> None:
    """400 simulated runs; three binomial standard errors are 0.033. The plain interval fails for six items."""
    draws = np.random.default_rng(5).normal(size=(400, count))
    hits = [interval.low <= 0 <= interval.high for interval in (mean_interval(list(draw)) for draw in draws)]
    assert np.mean(hits) == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 400))


@pytest.mark.parametrize(
    "values", [[], [1.0], [1.0, math.inf], [1.0, -math.inf, 2.0], [math.nan, 1.0], [math.inf] * 3, [1e308] * 3]
)
def test_no_interval_of_one_value_or_of_what_is_no_number(values: list[float]) -> None:
    interval = mean_interval(values)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert not interval.exists
    assert not interval.contains_zero


def test_values_whose_squares_overflow_are_no_crash() -> None:
    assert mean([1e308] * 3) == math.inf
    assert math.isnan(standard_error([1e200, -1e200]))


@pytest.mark.parametrize("value", [0.1, -1 / 3, 0.0, 1e100])
@pytest.mark.parametrize("count", [2, 7, 49])
def test_constant_values_have_no_width(value: float, count: int) -> None:
    assert ends(mean_interval([value] * count)) == (value, value)


@pytest.mark.parametrize(
    ("low", "high", "contains"), [(-1, 1, True), (0, 1, True), (-1, 0, True), (0.1, 1, False), (-1, -0.1, False)]
)
def test_what_contains_zero(low: float, high: float, contains: bool) -> None:
    assert Interval(low, high).contains_zero is contains


def test_the_absent_interval_contains_nothing() -> None:
    assert not NO_INTERVAL.contains_zero


@QUICK
@given(NUMBERS, st.randoms(use_true_random=False))
def test_order_does_not_matter(values: list[float], random) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert mean_interval(shuffled) == mean_interval(values)


@QUICK
@given(NUMBERS)
def test_the_interval_of_the_negatives_is_the_mirror_image(values: list[float]) -> None:
    low, high = ends(mean_interval(values))
    assert ends(mean_interval([-value for value in values])) == (-high, -low)


@QUICK
@given(NUMBERS, st.sampled_from([0.25, 2.0, 1024.0]))
def test_scaling_by_a_power_of_two_is_exact(values: list[float], scale: float) -> None:
    low, high = ends(mean_interval(values))
    assert ends(mean_interval([scale * value for value in values])) == (scale * low, scale * high)


@QUICK
@given(NUMBERS, st.floats(-100, 100))
def test_shifting_shifts(values: list[float], shift: float) -> None:
    low, high = ends(mean_interval(values))
    assert ends(mean_interval([v + shift for v in values])) == pytest.approx((low + shift, high + shift), abs=1e-10)


@QUICK
@given(NUMBERS)
def test_the_interval_lies_between_the_extremes(values: list[float]) -> None:
    low, high = ends(mean_interval(values))
    slack = 1e-12 * max(map(abs, values))
    assert min(values) - slack <= low <= high <= max(values) + slack


def test_bits_are_the_same_in_another_process_and_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Literal ends: a change of the draw, or of NumPy's stream, is noticed."""
    values = [0.5, 1.25, 2.0, 8.0, 3.5, 0.125, 7.0]
    code = f"from _measure.statistics import mean_interval as m; i = m({values}); print(repr(i.low), repr(i.high))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    here = mean_interval(values)
    assert answer.stdout.split() == [repr(here.low), repr(here.high)] == ["0.7678571428571432", "6.214285714285714"]
    monkeypatch.setattr("_measure.statistics._DRAWS_AT_ONCE", 7 * 1000)
    assert mean_interval(values) == here


def test_memory_is_bounded_for_many_items() -> None:
    """4,000 items would need 160 MB for all ranks at once."""
    import tracemalloc

    values = list(np.linspace(0, 1, 4_000))
    mean_interval(values[:3])  # loads what it needs
    tracemalloc.start()
    mean_interval(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
