"""Tables with extreme values and hostile texts: widths, infinities, and no text that leaves its place."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import pytest

from _exchange.scores import Score
from _measure.aggregate import Row, aggregate, plan_rows
from _measure.item_scores import Problem
from _measure.metrics.description import lpips_metric
from _measure.table import WRITERS, Table, paper_table_text, shown_value

HOSTILE = 'x\n\\input{/etc/passwd} & 100% <img src=//e.org> [go](javascript:alert) ![p](//e.org) | "a",b'
ITEMS = ("a/one", "a/two")


def filled(scores: list[Score], f1: str = "mean", not_run: dict[str, str] | None = None) -> tuple[Row, ...]:
    return aggregate(plan_rows(lpips_metric("squeeze"), f1), scores, ITEMS, not_run or {})


def row_of(rows: tuple[Row, ...], subset: str, label: str) -> Row:
    return next(row for row in rows if (row.plan.subset, row.plan.label) == (subset, label))


def hostile_table() -> Table:
    problems = (Problem(HOSTILE, HOSTILE, HOSTILE),)
    return Table(
        HOSTILE, "corrected", "squeeze", (HOSTILE, "a/two"), filled([], not_run={"clip": HOSTILE}), problems, 10
    )


# -- values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (math.inf, " front  psnr       inf "),
        (-math.inf, " front  psnr      -inf "),
        (math.nan, " front  psnr       nan "),
        (-12.0, " front  psnr   -12.000 "),
        (123456.0, " front  psnr   123456.000 "),
    ],
)
def test_published_text_with_extreme_values(value: float, line: str) -> None:
    rows = [replace(row, value=2.0, n=1) for row in filled([]) if row.plan.is_core]
    wanted = row_of(tuple(rows), "front", "psnr")
    rows[rows.index(wanted)] = replace(wanted, value=value)
    rows[0] = replace(rows[0], value=-12.0)  # seven characters: the column is at least as wide as that
    text = paper_table_text(rows)
    assert line in text.split("\n")
    assert len({len(shown) for shown in text.split("\n")[:-1]}) == 1


@pytest.mark.parametrize(("value", "shown"), [(0.9999996, "100.000"), (0.99999, "99.999"), (0.0, "0.000")])
def test_values_are_rounded_to_three_decimals_only_when_shown(value: float, shown: str) -> None:
    row = row_of(filled([Score(item, "f1@5", "geom", value) for item in ITEMS]), "geom", "f1@5")
    assert shown_value(row) == shown
    assert row.value == pytest.approx(100 * value, rel=1e-15)


def test_headline_rows_have_forms_of_their_own() -> None:
    scores = [Score(ITEMS[0], "cd", "geom", 0.0132912)]
    scores += [Score(ITEMS[0], "lpips_squeeze", view, 0.03494312) for view in _views()]
    rows = filled(scores)
    assert shown_value(row_of(rows, "all", "lpips")) == "3.4943E-02"
    assert shown_value(row_of(rows, "all", "chamfer")) == "1.3291"
    assert shown_value(row_of(rows, "geom", "cd")) == "1.329"


def _views() -> tuple[str, ...]:
    return ("ortho_front", "ortho_back", *(f"rgb60_{index:04d}" for index in range(36, 48)))


def test_the_standard_error_is_that_of_scaled_item_values_by_hand() -> None:
    """1 and 3 cm: deviation √2, over √2 items: 1 cm. Views of one item do not count as items."""
    rows = filled([Score(ITEMS[0], "cd", "geom", 0.01), Score(ITEMS[1], "cd", "geom", 0.03)])
    assert row_of(rows, "geom", "cd").standard_error == pytest.approx(1.0)
    views = [Score(item, "psnr", f"rgb60_{i:04d}", float(i)) for item in ITEMS for i in range(36, 48)]
    assert row_of(filled(views), "360", "psnr").standard_error == 0


def test_the_last_f1_is_that_of_the_last_item_with_a_value_and_says_which() -> None:
    row = row_of(filled([Score(ITEMS[0], "f1@10", "geom", 0.25)], "last"), "geom", "f1@10")
    assert (row.value, row.n, row.missing) == (pytest.approx(25), 1, 1)
    assert "a/one" in row.note
    assert "±" not in row.note  # one item has no standard error


def test_infinities_stand_in_every_format() -> None:
    rows = filled([Score(item, "psnr", "ortho_front", math.inf) for item in ITEMS])
    table = Table("t", "paper", "alex", ITEMS, rows)
    assert ["front", "psnr", "inf", "2", "0", "higher"] in [line.split() for line in WRITERS["txt"](table).split("\n")]
    assert "| front | psnr | inf |  |  | 2 | 0 | higher |" in WRITERS["md"](table)
    assert r"front & psnr & inf &  &  & 2 & 0 & higher \\" in WRITERS["tex"](table)
    record = next(r for r in csv.DictReader(io.StringIO(WRITERS["csv"](table))) if r["metric"] == "psnr")
    assert (record["value"], record["standard_error"]) == ("inf", "")
    assert "a/one is inf; a/two is inf" in record["note"]


# -- texts ------------------------------------------------------------------------------------------------------


def test_latex_comments_cannot_be_left() -> None:
    lines = WRITERS["tex"](hostile_table()).rstrip("\n").split("\n")
    begin, end = lines.index(r"\begin{tabular}{llrrrrrl}"), lines.index(r"\end{tabular}")
    assert all(line.startswith("% ") for line in (*lines[:begin], *lines[end + 1 :]))
    assert not any("input" in line for line in lines[begin : end + 1])


def test_markdown_makes_no_element_link_or_picture_and_keeps_its_table() -> None:
    lines = WRITERS["md"](hostile_table()).rstrip("\n").split("\n")
    assert all(line[:2] in ("- ", "| ", "|-", "") for line in lines)
    assert {line.count("|") for line in lines if line.startswith("|")} == {9}
    text = "\n".join(lines)
    assert text.count("<") == text.count("\\<") > 0
    assert text.count("[") == text.count("\\[") > 0


def test_commands_in_markdown_can_be_copied() -> None:
    rows = filled([], not_run={"clip": "Run python3 -m _scripts.download alexnet"})
    assert "python3 -m _scripts.download alexnet" in WRITERS["md"](Table("t", "paper", "alex", ITEMS, rows))


def test_text_and_csv_and_json_keep_one_record_a_line_and_every_character() -> None:
    table = hostile_table()
    assert len(list(csv.DictReader(io.StringIO(WRITERS["csv"](table))))) == len(table.rows)
    assert next(csv.DictReader(io.StringIO(WRITERS["csv"](table))))["not_run"] == HOSTILE
    data = json.loads(WRITERS["json"](table))
    assert data["problems"] == [{"item": HOSTILE, "view": HOSTILE, "reason": HOSTILE}]
    assert data["items"][0] == HOSTILE
    assert WRITERS["txt"](table).count("\n") == WRITERS["txt"](replace(table, title="t")).count("\n")
