"""A table of finished cells, and how it looks as text, Markdown, LaTeX and CSV. Names in it may be hostile."""

from __future__ import annotations

import csv
import io
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: "\\" + sign for sign in "&%#_${}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
}


@dataclass(frozen=True)
class Column:
    """One column: its head, and whether its cells stand at the right, as numbers do."""

    head: str
    right: bool = False


@dataclass(frozen=True)
class Grid:
    """Cells as they are shown, with lines above and below.

    Attributes:
        columns: from left to right.
        rows: one cell per column each.
        header, footer: what stands above and below, one line each.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    header: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()


def grid_text(grid: Grid) -> str:
    """Aligned columns for people."""
    heads = [column.head for column in grid.columns]
    rows = [[one_line(cell) for cell in row] for row in grid.rows]
    widths = [max(len(head), *(len(row[i]) for row in rows), 0) for i, head in enumerate(heads)]

    def line(cells: Sequence[str]) -> str:
        shown = [f"{c:>{w}}" if column.right else f"{c:<{w}}" for c, w, column in zip(cells, widths, grid.columns)]
        return (" " + "  ".join(shown)).rstrip()

    header, footer = _lines(grid.header), _lines(grid.footer)
    rule = "=" * (sum(widths) + 2 * len(widths))
    parts = [*header, *([""] if header else []), line(heads), rule, *map(line, rows)]
    return "\n".join([*parts, *([""] if footer else []), *footer]) + "\n"


def grid_markdown(grid: Grid) -> str:
    """A pipe table with header and footer as lists."""
    header, footer = ([f"- {markdown_text(line)}" for line in _lines(lines)] for lines in (grid.header, grid.footer))
    lines = [*header, *([""] if header else [])]
    lines.append("| " + " | ".join(markdown_cell(column.head) for column in grid.columns) + " |")
    lines.append("|" + "|".join("---:" if column.right else "---" for column in grid.columns) + "|")
    lines += ["| " + " | ".join(map(markdown_cell, row)) + " |" for row in grid.rows]
    return "\n".join([*lines, *([""] if footer else []), *footer]) + "\n"


def grid_latex(grid: Grid) -> str:
    """A plain `tabular`; header and footer as comments."""
    kinds = "".join("r" if column.right else "l" for column in grid.columns)
    lines = [f"% {line}" for line in _lines(grid.header)]
    lines += [rf"\begin{{tabular}}{{{kinds}}}", r"\hline"]
    lines += [" & ".join(latex_text(column.head) for column in grid.columns) + r" \\", r"\hline"]
    lines += [" & ".join(map(latex_text, row)) + r" \\" for row in grid.rows]
    lines += [r"\hline", r"\end{tabular}", *(f"% {line}" for line in _lines(grid.footer))]
    return "\n".join(lines) + "\n"


def records_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """One line per record below the names of their fields, which are those of the first; at least one record."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()


def one_line(text: str) -> str:
    """Text that stays in its line and its direction, and gives a terminal no orders.

    Names and reasons may hold line ends, with which they could leave a LaTeX comment, a list or a row. Control signs
    (escape sequences) and format signs (turned writing direction) are shown as �.

    >>> one_line("a\\n b\\x1b[2J")
    'a b�[2J'
    """
    shown = " ".join(text.split())
    return "".join("�" if unicodedata.category(sign) in ("Cc", "Cf", "Cs") else sign for sign in shown)


def markdown_text(text: str) -> str:
    """Names and reasons make neither HTML elements nor links nor pictures; commands stay as they are typed."""
    return one_line(text).replace("\\", "\\\\").replace("<", "\\<").replace("[", "\\[")


def markdown_cell(text: str) -> str:
    """`markdown_text` that does not end its cell either."""
    return markdown_text(text).replace("|", "\\|")


def latex_text(text: str) -> str:
    """Plain text for LaTeX: no sign starts a command, a comment, a cell or mathematics.

    >>> print(latex_text("50 % of a_b & c"))
    50 \\% of a\\_b \\& c
    """
    return "".join(_LATEX.get(sign, sign) for sign in one_line(text))


def number_text(value: float, sign: str = "") -> str:
    """Three decimals as the published table prints them; four digits for small numbers, none for rounding errors.

    >>> number_text(20.1254), number_text(0.01234, "+"), number_text(-1e-9, "+"), number_text(math.nan)
    ('20.125', '+0.01234', '+0.000', '–')
    """
    if math.isnan(value):
        return "–"
    is_small = 1e-5 <= abs(value) < 0.1
    return f"{value:{sign}.4g}" if is_small else f"{round(value, 3) + 0.0:{sign}.3f}"


def json_number(value: float) -> float | str:
    """A number as strict JSON knows it: what JSON lacks by its name, as in `scores.jsonl`.

    >>> json_number(0.5), json_number(-math.inf), json_number(math.nan)
    (0.5, '-inf', 'nan')
    """
    return value if math.isfinite(value) else str(float(value))


def finite_or_none(value: float) -> float | None:
    """A number that may be absent, for JSON and CSV: null, or an empty cell, where it is not finite."""
    return value if math.isfinite(value) else None


def interval_text(low: float, high: float, form: str) -> str:
    """``1.250 to 1.375``; empty where there is no interval.

    >>> interval_text(-0.5, 1.0, ".3f")
    '-0.500 to 1.000'
    """
    return f"{low:{form}} to {high:{form}}" if math.isfinite(low) and math.isfinite(high) else ""


def _lines(texts: Sequence[str]) -> list[str]:
    return [one_line(text) for text in texts if text.strip()]
