"""Two runs, item by item: worked by hand, by SciPy, and by the laws of a comparison."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from _measure.comparison.chosen_runs import NamedRun, common_items
from _measure.comparison.compare import (
    ComparedRow,
    Comparison,
    Paired,
    compare,
    compare_to_first,
    comparisons_csv,
    comparisons_data,
    comparisons_latex,
    comparisons_markdown,
    comparisons_text,
    paired,
)
from _measure.scored_run import ScoredRun
from tests.measure.scored_folders import NO_CLIP, write_scored

ITEMS = ("a/one", "a/two", "b/three", "b/four")
HOSTILE = 'x\n\\input{/etc/passwd} & 100% <script>alert(1)</script> [go](javascript:alert) | "a",b\u2028=1+1'
VALUES = st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=9)
QUICK = settings(derandomize=True, max_examples=25, deadline=None)


def named(folder: Path, values: Mapping[str, Mapping[str, float]], name: str = "", **options) -> NamedRun:
    return NamedRun(name or folder.name, ScoredRun.read(write_scored(folder, values, **options)))


def row_of(comparison: Comparison, subset: str, label: str) -> ComparedRow:
    return next(row for row in comparison.rows if (row.plan.subset, row.plan.label) == (subset, label))


def by_item(*values: float) -> dict[str, float]:
    return dict(zip(ITEMS, values))


# -- one row ----------------------------------------------------------------------------------------------------


def test_a_row_by_hand() -> None:
    """Differences 1, 2, 0 and −3: mean 0, two better, one worse, one tied."""
    result = paired(by_item(10, 20, 25, 30), by_item(11, 22, 25, 27), "higher")
    assert (result.a, result.b, result.difference) == (21.25, 21.25, 0)
    assert (result.better, result.worse, result.tied, result.n) == (2, 1, 1, 4)
    assert result.standing == "tie"


@pytest.mark.parametrize(("better", "standing"), [("higher", "better"), ("lower", "worse")])
def test_direction_decides_what_better_is(better: str, standing: str) -> None:
    result = paired(by_item(1, 2, 3, 4), by_item(2, 4, 5, 7), better)  # type: ignore[arg-type]
    assert result.difference == 2
    assert result.interval.low > 0
    assert (result.better, result.worse) == ((4, 0) if better == "higher" else (0, 4))
    assert result.standing == standing


def test_pairing_removes_what_all_items_share() -> None:
    """The items differ by tens, the runs by about one: unpaired intervals overlap widely, the paired one does not."""
    easy_to_hard = np.linspace(0, 100, 30)
    other = easy_to_hard + 1 + 0.1 * np.random.default_rng(0).standard_normal(30)
    a, b = ({str(i): float(v) for i, v in enumerate(values)} for values in (easy_to_hard, other))
    assert paired(a, b, "higher").standing == "better"
    assert stats.ttest_ind(easy_to_hard, other).pvalue > 0.5


def test_interval_of_the_difference_is_scipys() -> None:
    """At Student's level; an end's own error is about 0.03 standard errors of the mean, 0.1 is three times that."""
    level = 1 - 2 * stats.norm.cdf(stats.t.ppf(0.025, 39) * np.sqrt(40 / 39))
    rng = np.random.default_rng(4)
    first = rng.gamma(2.0, size=40)
    second = first + rng.normal(0.3, 0.5, size=40)
    other = stats.bootstrap(
        (second, first), lambda b, a, axis: np.mean(b - a, axis=axis), paired=True, vectorized=True,
        n_resamples=9999, confidence_level=level, method="percentile", rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    result = paired(*({str(i): float(v) for i, v in enumerate(values)} for values in (first, second)), "higher")
    assert result.difference == pytest.approx(np.mean(second - first), rel=1e-12)
    assert (result.interval.low, result.interval.high) == pytest.approx(
        (other.low, other.high), abs=0.1 * stats.sem(second - first)
    )


def test_items_of_one_side_only_do_not_enter() -> None:
    result = paired({"x": 1.0, "y": 3.0, "only a": 99.0}, {"y": 4.0, "x": 2.0, "only b": -99.0}, "higher")
    assert (result.a, result.b, result.difference, result.n) == (2, 3, 1, 2)


def test_without_a_common_item_nothing_is_said() -> None:
    result = paired({"x": 1.0}, {"y": 1.0}, "higher")
    assert math.isnan(result.difference)
    assert (result.n, result.standing) == (0, "undecided")


def test_one_item_decides_nothing() -> None:
    assert paired({"x": 1.0}, {"x": 9.0}, "higher").standing == "undecided"


@pytest.mark.parametrize(
    ("a", "b", "difference", "standing"),
    [
        ((1, 2, 3), (math.inf,) * 3, math.inf, "better"),  # all items agree
        ((math.inf,) * 3, (1, 2, 3), -math.inf, "worse"),
        ((1, 2, 3), (math.inf, 0, 0), math.inf, "undecided"),  # one perfect picture, two worse ones
        ((math.inf, 2, 3), (1, math.inf, 3), math.nan, "undecided"),
        ((math.inf, 2, 3), (math.inf, 2, 3), 0, "tie"),  # equal is equal
    ],
)
def test_infinite_values(a: tuple[float, ...], b: tuple[float, ...], difference: float, standing: str) -> None:
    result = paired(by_item(*a), by_item(*b), "higher")
    assert result.difference == pytest.approx(difference, nan_ok=True)
    assert result.standing == standing


def swapped(result: Paired) -> tuple[object, ...]:
    words = {"better": "worse", "worse": "better"}
    ends = (-result.interval.high, -result.interval.low)
    counts = (result.worse, result.better, result.tied, words.get(result.standing, result.standing))
    return (result.b, result.a, -result.difference, *map(repr, np.add(ends, 0.0)), *counts)


@QUICK
@given(VALUES, st.sampled_from(["higher", "lower"]))
def test_comparing_the_other_way_round_mirrors_everything_exactly(pairs, better) -> None:
    a, b = ({str(i): pair[side] for i, pair in enumerate(pairs)} for side in (0, 1))
    there, back = paired(a, b, better), paired(b, a, better)
    ends = map(repr, np.add((back.interval.low, back.interval.high), 0.0))
    found = (back.a, back.b, back.difference, *ends, back.better, back.worse, back.tied, back.standing)
    assert found == swapped(there)


@QUICK
@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(pairs, random) -> None:
    a, b = ({str(i): pair[side] for i, pair in enumerate(pairs)} for side in (0, 1))
    names = list(a)
    random.shuffle(names)
    assert repr(paired({name: a[name] for name in names}, b, "higher")) == repr(paired(a, b, "higher"))


@QUICK
@given(VALUES, st.sampled_from([0.5, 4.0, 1024.0]))
def test_another_unit_changes_no_verdict_and_scales_the_numbers(pairs, scale) -> None:
    a, b = ({str(i): pair[side] for i, pair in enumerate(pairs)} for side in (0, 1))
    plain = paired(a, b, "higher")
    scaled = paired(*({k: scale * v for k, v in values.items()} for values in (a, b)), "higher")
    assert scaled.difference == pytest.approx(scale * plain.difference, rel=1e-12, abs=1e-300)
    assert (scaled.interval.low, scaled.interval.high) == pytest.approx(
        (scale * plain.interval.low, scale * plain.interval.high), rel=1e-12, abs=1e-300, nan_ok=True
    )
    assert (scaled.better, scaled.worse, scaled.standing) == (plain.better, plain.worse, plain.standing)


# -- whole runs -------------------------------------------------------------------------------------------------


def test_rows_are_scaled_and_all_there(tmp_path: Path) -> None:
    a = named(tmp_path / "a", {"cd": by_item(0.01, 0.02, 0.03, 0.04), "psnr": by_item(10, 11, 12, 13)})
    b = named(tmp_path / "b", {"cd": by_item(0.02, 0.04, 0.05, 0.07), "psnr": by_item(10, 11, 12, 13)})
    comparison = compare(a, b)
    assert len(comparison.rows) == 17
    cd = row_of(comparison, "geom", "cd")
    assert (cd.paired.a, cd.paired.b, cd.paired.difference) == pytest.approx((2.5, 4.5, 2.0))  # centimetres
    assert (cd.verdict, cd.paired.worse) == ("worse", 4)
    assert row_of(comparison, "360", "psnr").verdict == "tie"
    assert row_of(comparison, "front", "clip").verdict == "not run"
    text = comparisons_text([comparison])
    assert f"clip not run in any run: {NO_CLIP}\n" in text
    cells = next(line.split() for line in text.split("\n") if line.split()[:2] == ["geom", "cd"])
    assert cells[2:5] == ["2.500", "4.500", "+2.000"]
    assert cells[-6:] == ["0", "4", "0", "4", "0", "worse"]


def test_a_run_against_itself_is_a_tie_of_zero_width_everywhere(tmp_path: Path) -> None:
    run = named(tmp_path / "a", {"cd": by_item(0.01, 0.02, 0.03, 0.04), "psnr": by_item(10, 11, 12, math.inf)})
    ran = [row for row in compare(run, run).rows if row.paired.n]
    assert ran
    assert {(row.verdict, row.paired.tied, row.paired.interval.low, row.paired.interval.high) for row in ran} == {
        ("tie", 4, 0.0, 0.0)
    }


def test_unpaired_items_are_counted_and_named_with_who_lacks_them(tmp_path: Path) -> None:
    a = named(tmp_path / "a", {"psnr": by_item(10, 11, 12)}, items=ITEMS, not_run={})
    b = named(tmp_path / "b", {"psnr": {"a/one": 9.0, "b/three": 9.0}}, items=ITEMS, not_run={})
    comparison = compare(a, b)
    row = row_of(comparison, "front", "psnr")
    assert row.unpaired == {"a/two": "B", "b/four": "A and B"}
    assert row.paired.n == 2
    text = comparisons_text([comparison])
    assert "unpaired a/two: no value in B for front psnr, back psnr, 360 psnr" in text
    assert "unpaired b/four: no value in A and B for any row" in text
    assert "4 items unpaired in some row:" in text


def test_an_item_that_is_not_in_the_others_list_is_unpaired(tmp_path: Path) -> None:
    a = named(tmp_path / "a", {"cd": by_item(0.1, 0.2, 0.3, 0.4)})
    b = named(tmp_path / "b", {"cd": by_item(0.1, 0.2)})
    assert row_of(compare(a, b), "geom", "cd").unpaired == {"b/three": "B", "b/four": "B"}
    assert row_of(compare(b, a), "geom", "cd").unpaired == {"b/three": "A", "b/four": "A"}


def test_an_undefined_value_does_not_enter_and_an_infinite_one_is_named(tmp_path: Path) -> None:
    a = named(tmp_path / "a", {"psnr": by_item(10, math.nan, 12, 13)})
    b = named(tmp_path / "b", {"psnr": by_item(11, 12, math.inf, 13)})
    row = row_of(compare(a, b), "front", "psnr")
    assert row.unpaired == {"a/two": "A"}
    assert row.note == "b/three is inf in B"


def test_f1_of_the_protocol_paper_is_compared_over_items(tmp_path: Path) -> None:
    """The table prints the last item alone, which would call the second run better."""
    a = named(tmp_path / "a", {"f1@5": by_item(0.5, 0.6, 0.7, 0.1)}, protocol="paper", network="alex")
    b = named(tmp_path / "b", {"f1@5": by_item(0.1, 0.2, 0.3, 0.2)}, protocol="paper", network="alex")
    row = row_of(compare(a, b), "geom", "f1@5")
    assert row.paired.difference == pytest.approx(100 * (0.8 - 1.9) / 4)
    assert "not the last item" in row.note


def test_few_pairs_are_called_few(tmp_path: Path) -> None:
    """Five pairs that all agree happen once in sixteen by chance, six once in thirty-two."""
    for count, is_few in ((5, True), (6, False)):
        values = {str(number): 0.1 * number for number in range(count)}
        a = named(tmp_path / f"a{count}", {"cd": values})
        b = named(tmp_path / f"b{count}", {"cd": {item: value + 0.1 for item, value in values.items()}})
        assert ("fewer than six pairs" in comparisons_text([compare(a, b)])) is is_few


def test_many_unpaired_items_are_counted_and_the_first_named(tmp_path: Path) -> None:
    items = [f"a/{number:03}" for number in range(60)]
    others = dict.fromkeys(("clip", "lpips_squeeze", "psnr", "ssim", "f1@5", "f1@10"), "no network")
    a = named(tmp_path / "a", {"cd": dict.fromkeys(items, 0.1)}, not_run=others)
    b = named(tmp_path / "b", {"cd": dict.fromkeys(items[:10], 0.1)}, not_run=others)
    text = comparisons_text([compare(a, b)])
    assert "50 items unpaired in some row:" in text
    assert text.count("unpaired a/") == 20
    assert "and 30 more such lines" in text


def test_common_items_are_those_of_all_runs_row_by_row(tmp_path: Path) -> None:
    a = named(tmp_path / "a", {"cd": by_item(0.1, 0.2, 0.3, 0.4), "psnr": by_item(1, 2, 3, 4)})
    b = named(tmp_path / "b", {"cd": by_item(0.1, 0.2, 0.3, 0.4), "psnr": by_item(1, 2, 3, 4)})
    c = named(tmp_path / "c", {"cd": by_item(0.1, 0.2), "psnr": by_item(1, 2, 3, 4)}, items=ITEMS)
    alone, restricted = compare_to_first([a, b, c]), compare_to_first([a, b, c], common_items([a, b, c]))
    assert [row_of(comparison, "geom", "cd").paired.n for comparison in alone] == [4, 2]
    assert [row_of(comparison, "geom", "cd").paired.n for comparison in restricted] == [2, 2]
    assert [row_of(comparison, "front", "psnr").paired.n for comparison in restricted] == [4, 4]
    assert "only items that all 3 runs have complete, 0 to 4 of 4 items" in restricted[0].header[-1]
    assert not any("common subset" in line for line in alone[0].header)


def test_runs_without_a_metric_do_not_empty_its_common_subset(tmp_path: Path) -> None:
    values = {"psnr": by_item(1, 2, 3, 4)}
    a = named(tmp_path / "a", {**values, "lpips_squeeze": by_item(0.1, 0.2, 0.3, 0.4)})
    b = named(tmp_path / "b", values, not_run={"clip": NO_CLIP, "lpips_squeeze": "no weights"})
    common = common_items([a, b])
    lpips = next(plan for plan in a.scored.plans if plan.label == "lpips")
    assert common[lpips] == frozenset(ITEMS)


def test_what_else_differs_is_said(tmp_path: Path) -> None:
    a = named(tmp_path / "a", {"cd": by_item(0.1, 0.2)}, sample_count=10_000, versions={"numpy": "1", "python": "3"})
    b = named(tmp_path / "b", {"cd": by_item(0.1, 0.2)}, sample_count=500, versions={"numpy": "2", "python": "3"})
    text = comparisons_text([compare(a, b)])
    assert "sample_count differs: 10000 in a, 500 in b" in text
    assert "numpy differs: 1 in a, 2 in b" in text
    assert "python differs" not in text


# -- writers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def hostile(tmp_path: Path) -> Comparison:
    facts = {"title": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    a = named(tmp_path / "a", {"cd": {HOSTILE: 0.1, "x": 0.2}}, HOSTILE, not_run={"clip": HOSTILE}, **facts)
    b = named(tmp_path / "b", {"cd": {"x": 0.1, "y": math.inf}}, HOSTILE + "2", not_run={"clip": HOSTILE})
    return compare(a, b)


def test_hostile_names_leave_no_line_of_the_text(hostile: Comparison) -> None:
    lines = comparisons_text([hostile]).rstrip("\n").split("\n")
    heads = next(place for place, line in enumerate(lines) if line.split()[:2] == ["subset", "metric"])
    assert [line.split()[0] for line in lines[heads + 2 : heads + 19]][-2:] == ["all", "all"]
    assert lines[heads + 19] == ""
    assert not any(sign in "".join(lines) for sign in "\r\u2028")


def test_hostile_names_make_no_markdown_element_and_no_cell(hostile: Comparison) -> None:
    text = comparisons_markdown([hostile])
    lines = text.rstrip("\n").split("\n")
    assert all(line[:2] in ("- ", "| ", "|-", "") for line in lines)
    assert {line.count("|") for line in lines if line.startswith("|")} == {13}
    assert text.count("<") == text.count("\\<") > 0
    assert text.count("[") == text.count("\\[") > 0


def test_hostile_names_stay_in_latex_comments(hostile: Comparison) -> None:
    lines = comparisons_latex([hostile]).rstrip("\n").split("\n")
    begin = next(place for place, line in enumerate(lines) if line.startswith(r"\begin{tabular}"))
    end = lines.index(r"\end{tabular}")
    assert all(line.startswith("% ") for line in (*lines[:begin], *lines[end + 1 :]))
    body = [line for line in lines[begin:end] if line.endswith(r"\\")]
    assert {line.count("&") for line in body} == {11}
    assert "$-$" in body[0]


def test_hostile_names_come_back_from_csv_and_json_as_they_were(hostile: Comparison) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    records = list(csv.DictReader(io.StringIO(comparisons_csv([hostile]))))
    assert len(records) == 17
    assert {(record["a"], record["b"]) for record in records} == {(HOSTILE, HOSTILE + "2")}
    cd = next(record for record in records if record["metric"] == "cd")
    assert (cd["n"], cd["unpaired"], float(cd["difference"])) == ("1", "2", pytest.approx(-10.0))
    data = json.loads(json.dumps(comparisons_data([hostile]), allow_nan=False), parse_constant=refuse)
    assert data[0]["rows"][9]["unpaired"] == {HOSTILE: "B", "y": "A"}
    assert data[0]["rows"][1]["value_a"] is None


def test_several_comparisons_stand_below_each_other(tmp_path: Path) -> None:
    runs = [named(tmp_path / name, {"cd": by_item(0.1, 0.2, 0.3, 0.4)}) for name in ("first", "second", "third")]
    comparisons = compare_to_first(runs)
    assert [(comparison.a, comparison.b) for comparison in comparisons] == [("first", "second"), ("first", "third")]
    assert comparisons_text(comparisons).count("A = first") == 2
    assert comparisons_latex(comparisons).count(r"\end{tabular}") == 2
    assert len(list(csv.DictReader(io.StringIO(comparisons_csv(comparisons))))) == 34
