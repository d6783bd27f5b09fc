"""The journal of scores, ``measured.jsonl``: one line per item and part, found again by its key."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import cast

from _exchange import atomic
from _exchange.scores import Score
from _measure.item_scores import ItemScores, Problem
from _measure.scoring import Part

Known = dict[tuple[str, Part, str], ItemScores]
"""Scores by item, part and key."""


def append_scores(journal: Path, item: str, part: Part, key: str, scored: ItemScores) -> None:
    """Add one line. Several processes may do so at once: a line is appended with one write."""
    scores = [
        [score.metric, score.view, score.value if math.isfinite(score.value) else str(score.value)]
        for score in scored.scores
    ]
    problems = [[problem.view, problem.reason] for problem in scored.problems]
    value = {"item": item, "part": part, "key": key, "scores": scores, "problems": problems}
    atomic.append_line(journal, json.dumps(value, ensure_ascii=False))


def read_journal(journal: Path) -> Known:
    """All its scores; a line that a kill tore, that is none, or that is of an older kind counts as absent."""
    known: Known = {}
    for line in atomic.read_lines(journal):
        try:
            value = json.loads(line)
            item, part, key = (_text(value[name]) for name in ("item", "part", "key"))
            scores = tuple(
                Score(item, _text(metric), _text(view), float(number)) for metric, view, number in value["scores"]
            )
            problems = tuple(Problem(item, _text(view), _text(reason)) for view, reason in value["problems"])
            known[item, cast(Part, part), key] = ItemScores(scores, problems)
        except (KeyError, TypeError, ValueError):
            continue
    return known


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"Expected text, found {value!r}.")
    return value
