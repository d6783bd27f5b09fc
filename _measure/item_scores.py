"""What measuring one item answers: raw scores, and what could not be scored with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from _exchange.scores import Score


@dataclass(frozen=True, order=True)
class Problem:
    """Something of one item that could not be scored.

    Attributes:
        item: ``franch/idx``.
        view: camera name, ``geom``, or empty for the item as a whole.
        reason: one sentence.
    """

    item: str
    view: str
    reason: str


@dataclass(frozen=True)
class ItemScores:
    """Raw scores of one item, and what is missing with its reason."""

    scores: tuple[Score, ...]
    problems: tuple[Problem, ...] = ()
