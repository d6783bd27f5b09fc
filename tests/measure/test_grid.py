"""Cells as text, Markdown and LaTeX: literal outputs, and signs that mean something there."""

from __future__ import annotations

import csv
import io
import math

import pytest

from _measure.grid import (
    Column,
    Grid,
    finite_or_none,
    grid_latex,
    grid_markdown,
    grid_text,
    interval_text,
    json_number,
    latex_text,
    markdown_cell,
    markdown_text,
    one_line,
    records_csv,
)

GRID = Grid(
    (Column("name"), Column("value ±", right=True)), (("a", "1.5"), ("longer", "22.25")), ("above",), ("below",)
)


def test_text_is_aligned() -> None:
    assert grid_text(GRID) == (
        "above\n\n"
        " name    value ±\n"
        "=================\n"
        " a           1.5\n"
        " longer    22.25\n"
        "\nbelow\n"
    )  # fmt: skip


def test_markdown() -> None:
    assert grid_markdown(GRID) == (
        "- above\n\n| name | value ± |\n|---|---:|\n| a | 1.5 |\n| longer | 22.25 |\n\n- below\n"
    )


def test_latex() -> None:
    assert grid_latex(GRID) == (
        "% above\n\\begin{tabular}{lr}\n\\hline\nname & value $\\pm$ \\\\\n\\hline\n"
        "a & 1.5 \\\\\nlonger & 22.25 \\\\\n\\hline\n\\end{tabular}\n% below\n"
    )


@pytest.mark.parametrize("write", [grid_text, grid_markdown, grid_latex])
def test_nothing_above_and_below_leaves_no_empty_lines(write) -> None:
    for lines in ((), ("", " \n ")):
        written = write(Grid(GRID.columns, (), lines, lines))
        assert "" not in written.split("\n")[:-1]
        assert written.endswith("\n")


def test_a_line_end_in_a_cell_does_not_end_its_row() -> None:
    grid = Grid((Column("x"), Column("y")), (("a\nb\r\u2028c", "d"),))
    assert grid_text(grid).count("\n") == 3
    assert "| a b c | d |" in grid_markdown(grid)
    assert "a b c & d \\\\" in grid_latex(grid)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b]0;title\x07b", "a�]0;title�b"),  # an order to a terminal
        ("file\u202egnp.exe", "file�gnp.exe"),  # writing direction turned round
        ("caf\udce9", "caf�"),  # a byte that is no UTF-8
        ("日本 é ±", "日本 é ±"),
    ],
)
def test_signs_that_give_orders_are_shown_as_unreadable(text: str, shown: str) -> None:
    assert one_line(text) == shown


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("50%_#&$", r"50\%\_\#\&\$"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
        ("<a|b>", r"\textless{}a\textbar{}b\textgreater{}"),
        ("–", "--"),
    ],
)
def test_latex_signs(text: str, latex: str) -> None:
    assert latex_text(text) == latex


def test_markdown_signs() -> None:
    assert markdown_text(r"<b> ![p](x) a|b \<") == r"\<b> !\[p](x) a|b \\\<"
    assert markdown_cell("a|b") == r"a\|b"
    assert markdown_cell("a\\|b") == r"a\\\|b"  # a backslash in the name does not free the bar


def test_csv_keeps_every_sign() -> None:
    records = [{"name": 'a,"b"\nc', "value": 0.1}, {"name": "", "value": None}]
    assert list(csv.DictReader(io.StringIO(records_csv(records), newline=""))) == [
        {"name": 'a,"b"\nc', "value": "0.1"},
        {"name": "", "value": ""},
    ]


def test_numbers_that_json_lacks() -> None:
    assert [json_number(value) for value in (1.5, math.inf, -math.inf, math.nan)] == [1.5, "inf", "-inf", "nan"]
    assert [finite_or_none(value) for value in (1.5, math.inf, math.nan)] == [1.5, None, None]


@pytest.mark.parametrize(
    ("low", "high", "form", "shown"),
    [
        (1.25, 1.5, ".3f", "1.250 to 1.500"),
        (-0.5, 0.25, "+.2f", "-0.50 to +0.25"),
        (0.01, 0.02, ".1E", "1.0E-02 to 2.0E-02"),
        (math.nan, math.nan, ".3f", ""),
        (0.0, math.inf, ".3f", ""),
    ],
)
def test_intervals(low: float, high: float, form: str, shown: str) -> None:
    assert interval_text(low, high, form) == shown
