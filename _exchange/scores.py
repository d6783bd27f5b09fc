"""`scores.jsonl`: one raw value per item × metric × view, sorted; means are taken elsewhere, in one place.

Values that JSON lacks are written as the strings ``"inf"``, ``"-inf"`` and ``"nan"``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from _exchange import atomic
from _exchange.errors import FormatError, InputError

_NOT_IN_JSON = ("inf", "-inf", "nan")


@dataclass(frozen=True, order=True)
class Score:
    """One number.

    Attributes:
        item: ``franch/idx``.
        metric: id of the metric, e.g. ``psnr``, ``lpips_squeeze``, ``cd``.
        view: camera name, or ``geom`` for surfaces.
        value: raw value in the metric's own unit, not scaled for the table.
    """

    item: str
    metric: str
    view: str
    value: float


def write_scores(path: Path, scores: Iterable[Score]) -> None:
    """Write all scores of a run, sorted by item, metric, view."""
    ordered = sorted(scores, key=lambda score: (score.item, score.metric, score.view))
    atomic.write_text(path, "".join(f"{score_line(score)}\n" for score in ordered))


def read_scores(path: Path) -> list[Score]:
    """All scores of a run, in file order.

    Raises:
        InputError: there is no such file.
        FormatError: a line is no score.
    """
    if not path.is_file():
        raise InputError(f"Expected scores in {path}, found none.", next_step="Run python3 -m _scripts.measure first.")
    lines = path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")
    return [parse_score(line, f"line {number}", path) for number, line in enumerate(lines, 1) if lines != [""]]


def score_line(score: Score) -> str:
    """One line of the file, without the line end. Values keep all their digits."""
    value: float | str = score.value if math.isfinite(score.value) else str(float(score.value))
    return json.dumps(
        {"item": score.item, "metric": score.metric, "view": score.view, "value": value}, ensure_ascii=False
    )


def parse_score(line: str, place: str, path: Path) -> Score:
    """The score of one line."""
    try:
        entry = json.loads(line)
        names, value = (entry["item"], entry["metric"], entry["view"]), entry["value"]
        if not all(isinstance(name, str) for name in names):
            raise TypeError("a name that is no text")
        if isinstance(value, bool) or (isinstance(value, str) and value not in _NOT_IN_JSON):
            raise TypeError("a value that is no number")
        return Score(*names, float(value))
    except (TypeError, KeyError, ValueError, OverflowError, RecursionError) as error:
        raise FormatError(place, "an object with item, metric, view and value", line[:80], file=path) from error
