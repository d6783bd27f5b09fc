"""Ranks: groups that cannot contradict themselves, missing items behind, and the common subset."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _exchange.errors import InputError
from _measure.comparison.chosen_runs import NamedRun, common_items
from _measure.comparison.compare import paired
from _measure.comparison.leaderboard import (
    BoardRow,
    Leaderboard,
    leaderboard,
    leaderboard_csv,
    leaderboard_json,
    leaderboard_latex,
    leaderboard_markdown,
    leaderboard_text,
    ranks,
)
from _measure.scored_run import ScoredRun
from tests.measure.scored_folders import NO_CLIP, write_scored

ITEMS = tuple(f"a/{number}" for number in range(8))
HOSTILE = "x\n\\input{y} & 100% <script>alert(1)</script> [go](javascript:x) | \u2028z"
QUICK = settings(derandomize=True, max_examples=20, deadline=None)
RUNS = st.lists(st.lists(st.integers(0, 6).map(float), min_size=4, max_size=4), min_size=2, max_size=5)


def by_item(*values: float) -> dict[str, float]:
    return dict(zip(ITEMS, values))


def named(folder: Path, values: Mapping[str, Mapping[str, float]], name: str = "", **options) -> NamedRun:
    return NamedRun(name or folder.name, ScoredRun.read(write_scored(folder, values, **options)))


def row_of(board: Leaderboard, subset: str, label: str) -> BoardRow:
    return next(row for row in board.rows if (row.plan.subset, row.plan.label) == (subset, label))


def order_of(row: BoardRow) -> list[tuple[str, str]]:
    return [(entry.run, entry.shown_rank) for entry in row.entries]


# -- the rule ---------------------------------------------------------------------------------------------------


def test_runs_that_differ_everywhere_are_ranked_by_their_means() -> None:
    values = {"low": by_item(1, 2, 3, 4), "high": by_item(5, 6, 7, 8), "middle": by_item(3, 4, 5, 6)}
    assert ranks(values, 4, "higher") == {"high": 1, "middle": 2, "low": 3}
    assert ranks(values, 4, "lower") == {"low": 1, "middle": 2, "high": 3}


def test_a_tie_takes_the_ranks_of_all_it_holds() -> None:
    values = {"a": by_item(5, 6, 7, 8), "b": by_item(6, 5, 8, 7), "c": by_item(1, 2, 3, 4)}
    assert ranks(values, 4, "higher") == {"a": 1, "b": 1, "c": 3}


def chain() -> dict[str, dict[str, float]]:
    """A over B and B over C by a noisy ½ each; A over C by a steady 1. No two neighbours can be told apart."""
    noise = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    steady = np.arange(8.0)
    rows = {"A": steady + 1, "B": steady + 0.5 + noise, "C": steady}
    return {name: dict(zip(ITEMS, map(float, row))) for name, row in rows.items()}


def test_not_told_apart_is_not_transitive_and_the_printed_ranks_are() -> None:
    values = chain()
    standings = {pair: paired(values[pair[0]], values[pair[1]], "higher").standing for pair in ("AB", "BC", "AC")}
    assert standings == {"AB": "tie", "BC": "tie", "AC": "worse"}
    assert ranks(values, 8, "higher") == {"A": 1, "B": 1, "C": 3}


def test_a_run_is_held_against_the_best_of_its_own_group_only() -> None:
    """B is told apart from A; C, below B, is too noisy to be told apart from A: it joins B, and never A again."""
    steady = np.zeros(8)
    wild = np.array([9.0, -9.0] * 4)
    rows = {"A": steady + 2, "B": steady + 1, "C": steady + 0.5 + wild}
    values = {name: dict(zip(ITEMS, map(float, row))) for name, row in rows.items()}
    assert paired(values["A"], values["C"], "higher").standing == "tie"
    assert ranks(values, 8, "higher") == {"A": 1, "B": 2, "C": 2}


@QUICK
@given(RUNS, st.sampled_from(["higher", "lower"]))
def test_groups_are_stretches_of_the_order_of_means(rows, better) -> None:
    values = {f"run{i}": by_item(*row) for i, row in enumerate(rows)}
    found = ranks(values, 4, better)
    means = [np.mean(list(values[name].values())) for name in found]
    assert means == sorted(means, reverse=better == "higher")
    numbers = list(found.values())
    assert numbers[0] == 1
    for place, (before, after) in enumerate(pairwise(numbers), 2):
        assert after in (before, place)  # the same group, or a new one that counts everybody above


@QUICK
@given(RUNS, st.randoms(use_true_random=False))
def test_neither_the_order_of_runs_nor_that_of_items_matters(rows, random) -> None:
    values = {f"run{i}": by_item(*row) for i, row in enumerate(rows)}
    names, items = list(values), list(ITEMS[:4])
    random.shuffle(names)
    random.shuffle(items)
    assert ranks({n: {i: values[n][i] for i in items} for n in names}, 4, "higher") == ranks(values, 4, "higher")


@QUICK
@given(RUNS, st.sampled_from([0.5, 1024.0]))
def test_another_unit_changes_no_rank(rows, scale) -> None:
    values = {f"run{i}": by_item(*row) for i, row in enumerate(rows)}
    scaled = {name: {item: scale * value for item, value in row.items()} for name, row in values.items()}
    assert ranks(scaled, 4, "higher") == ranks(values, 4, "higher")


@QUICK
@given(RUNS)
def test_negated_values_in_the_other_direction_rank_the_same(rows) -> None:
    values = {f"run{i}": by_item(*row) for i, row in enumerate(rows)}
    negated = {name: {item: -value for item, value in row.items()} for name, row in values.items()}
    assert ranks(negated, 4, "lower") == ranks(values, 4, "higher")


def test_equal_means_are_ordered_by_name_and_not_by_who_was_given_first() -> None:
    """X and Y have the mean 0; X is steady and told apart from the best, Y is too noisy to be."""
    rows = {"best": [1.0] * 8, "X": [0.0] * 8, "Y": [9.0, -9.0] * 4}
    values = {name: dict(zip(ITEMS, row)) for name, row in rows.items()}
    for names in (("best", "X", "Y"), ("Y", "X", "best")):
        assert list(ranks({name: values[name] for name in names}, 8, "higher").items()) == [
            ("best", 1),
            ("X", 2),
            ("Y", 2),
        ]


def test_perfect_pictures_stand_first_and_undefined_means_last() -> None:
    values = {
        "good": by_item(30, 31, 32),
        "perfect": by_item(*[math.inf] * 3),
        "undefined": by_item(math.inf, -math.inf, 30),
    }
    assert ranks(values, 3, "higher") == {"perfect": 1, "good": 2, "undefined": 2}


def test_one_item_tells_nobody_apart() -> None:
    assert ranks({"a": by_item(1), "b": by_item(9)}, 1, "higher") == {"b": 1, "a": 1}


# -- missing items ----------------------------------------------------------------------------------------------


def test_nobody_gains_a_place_by_leaving_items_out() -> None:
    values = {
        "complete": by_item(1, 2, 3, 4),
        "easy ones": by_item(9, 9),
        "nearly": by_item(8, 8, 8),
        "failed": {},
    }
    assert ranks(values, 4, "higher") == {"complete": 1, "nearly": 2, "easy ones": 3}


def test_a_complete_and_an_incomplete_run_share_no_rank() -> None:
    assert ranks({"a": by_item(1, 2, 3, 4), "b": by_item(1, 2, 3)}, 4, "higher") == {"a": 1, "b": 2}


def test_missing_items_are_shown_and_marked(tmp_path: Path) -> None:
    complete = named(tmp_path / "complete", {"cd": by_item(0.4, 0.5, 0.6)})
    partial = named(tmp_path / "partial", {"cd": by_item(0.1, 0.2)}, items=ITEMS[:3])
    short = named(tmp_path / "short", {"cd": by_item(0.3)})  # a run of one item, complete for itself
    row = row_of(leaderboard([partial, short, complete]), "geom", "cd")
    assert order_of(row) == [("complete", "1"), ("partial", "2"), ("short", "3")]
    assert [(entry.n, row.item_count) for entry in row.entries] == [(3, 3), (2, 3), (1, 3)]
    lines = [line.split() for line in leaderboard_text(leaderboard([partial, short, complete])).split("\n")]
    assert any(line[:2] == ["2", "partial"] and line[-2:] == ["2/3", "incomplete"] for line in lines)
    assert any(line[3:5] == ["1", "complete"] and line[-1] == "3/3" for line in lines)


def test_the_common_subset_ranks_by_what_all_have_and_says_so(tmp_path: Path) -> None:
    complete = named(tmp_path / "complete", {"cd": by_item(0.1, 0.2, 0.9)})
    partial = named(tmp_path / "partial", {"cd": by_item(0.15, 0.25)}, items=ITEMS[:3])
    runs = [partial, complete]
    board = leaderboard(runs, common_items(runs))
    row = row_of(board, "geom", "cd")
    assert order_of(row) == [("complete", "1"), ("partial", "2")]
    assert [entry.value for entry in row.entries] == pytest.approx([15.0, 20.0])
    assert row.item_count == 2
    text = leaderboard_text(board)
    assert "only items that all 2 runs have complete, 0 to 2 of 3 items" in text
    assert "2/2" in text


def test_a_row_that_was_not_run_has_no_rank_and_a_reason(tmp_path: Path) -> None:
    with_lpips = {"lpips_squeeze": by_item(0.1, 0.2, 0.3), "cd": by_item(0.1, 0.2, 0.3)}
    runs = [
        named(tmp_path / "without", {"cd": with_lpips["cd"]}, not_run={"lpips_squeeze": "no weights", "clip": NO_CLIP}),
        named(tmp_path / "with", with_lpips),
    ]
    board = leaderboard(runs)
    assert order_of(row_of(board, "all", "lpips")) == [("with", "1"), ("without", "–")]
    assert order_of(row_of(board, "front", "clip")) == [("without", "–"), ("with", "–")]
    text = leaderboard_text(board)
    assert text.count("lpips not run in without: no weights") == 1
    assert text.count(f"clip not run in any run: {NO_CLIP}") == 1


def test_intervals_are_those_of_each_runs_own_mean(tmp_path: Path) -> None:
    """Two items: each end has a quarter of all resamples."""
    runs = [named(tmp_path / name, {"cd": by_item(0.01, 0.03)}) for name in "ab"]
    entry = row_of(leaderboard(runs), "geom", "cd").entries[0]
    assert (entry.interval.low, entry.interval.high) == pytest.approx((1.0, 3.0))


def test_f1_of_the_protocol_paper_is_ranked_by_its_mean_and_says_so(tmp_path: Path) -> None:
    kind = {"protocol": "paper", "network": "alex"}
    runs = [
        named(tmp_path / "last", {"f1@5": by_item(0.1, 0.1, 0.9)}, **kind),
        named(tmp_path / "all", {"f1@5": by_item(0.5, 0.6, 0.7)}, **kind),
    ]
    board = leaderboard(runs)
    assert [entry.run for entry in row_of(board, "geom", "f1@5").entries] == ["all", "last"]
    assert "geom f1@5: mean over items, not the last item alone" in leaderboard_text(board)


def test_protocols_are_not_mixed(tmp_path: Path) -> None:
    runs = [named(tmp_path / "a", {"cd": by_item(0.1)}), named(tmp_path / "b", {"cd": by_item(0.1)}, protocol="paper")]
    with pytest.raises(InputError, match="the same protocol"):
        leaderboard(runs)


# -- writers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def hostile(tmp_path: Path) -> Leaderboard:
    names = [HOSTILE, HOSTILE + "2", "plain"]
    runs = [
        named(tmp_path / str(place), {"cd": by_item(0.1 * place, 0.2, math.inf)}, name, not_run={"clip": HOSTILE})
        for place, name in enumerate(names)
    ]
    return leaderboard(runs)


def test_hostile_names_leave_no_line_of_the_text(hostile: Leaderboard) -> None:
    lines = leaderboard_text(hostile).rstrip("\n").split("\n")
    begin = next(place for place, line in enumerate(lines) if line.startswith(" subset"))
    assert lines[begin + 2 + 17 * 3] == ""
    assert sum("input{y}" in line for line in lines[begin + 2 : begin + 2 + 17 * 3]) == 17 * 2
    assert "\u2028" not in "".join(lines)


def test_hostile_names_make_no_markdown_element_and_no_cell(hostile: Leaderboard) -> None:
    text = leaderboard_markdown(hostile)
    rows = [line.replace("\\|", "") for line in text.split("\n") if line.startswith("|")]
    assert len(rows) == 2 + 17 * 3
    assert {line.count("|") for line in rows} == {10}
    assert text.count("<") == text.count("\\<") > 17
    assert text.count("[") == text.count("\\[") > 17


def test_hostile_names_are_plain_text_in_latex(hostile: Leaderboard) -> None:
    lines = leaderboard_latex(hostile).rstrip("\n").split("\n")
    body = [line for line in lines if line.endswith(r"\\")]
    assert len(body) == 1 + 17 * 3
    cells = {line.replace(r"\&", "").count("&") for line in body}
    assert cells == {8}
    rows = "\n".join(body)
    assert r"\input" not in rows
    assert r"\textbackslash{}input\{y\} \& 100\% \textless{}script\textgreater{}" in rows
    assert all(line.startswith(("%", "\\")) or line.endswith(r"\\") for line in lines)


def test_csv_and_json_keep_names_and_are_strict(hostile: Leaderboard) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    records = list(csv.DictReader(io.StringIO(leaderboard_csv(hostile))))
    assert len(records) == 17 * 3
    assert {record["run"] for record in records} == {HOSTILE, HOSTILE + "2", "plain"}
    data = json.loads(leaderboard_json(hostile), parse_constant=refuse)
    entries = [row for row in data["rows"] if row["metric"] == "cd"]
    assert {entry["value"] for entry in entries} == {"inf"}
    assert {entry["low"] for entry in entries} == {None}
    assert {entry["rank"] for entry in data["rows"] if row_is_empty(entry)} == {None}


def row_is_empty(entry: Mapping[str, object]) -> bool:
    return entry["n"] == 0
