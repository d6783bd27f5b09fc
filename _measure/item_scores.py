"""What measuring one item answers: raw scores, and what could not be scored with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from _exchange.errors import SuiteError
from _exchange.items import SCORED_CAMERAS
from _exchange.scores import Score
from _measure.sentences import without_folders

_ORDER = {view: place for place, view in enumerate(("", *SCORED_CAMERAS))}


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

    def without_folders(self, folders: Sequence[Path]) -> ItemScores:
        """The same, its reasons with paths below these folders."""
        reasons = (without_folders(problem.reason, folders) for problem in self.problems)
        problems = tuple(replace(problem, reason=reason) for problem, reason in zip(self.problems, reasons))
        return ItemScores(self.scores, problems)


def joined(parts: Iterable[ItemScores]) -> ItemScores:
    """The parts of one item as one: scores sorted, problems in the order of the pictures and each of them once."""
    answers = list(parts)
    scores = tuple(sorted(score for answer in answers for score in answer.scores))
    problems = dict.fromkeys(problem for answer in answers for problem in answer.problems)
    return ItemScores(scores, tuple(sorted(problems, key=lambda problem: _ORDER.get(problem.view, len(_ORDER)))))


@dataclass
class Collector:
    """Scores and problems of one item while it is compared."""

    item: str
    scores: list[Score] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, metric: str, view: str, value: float) -> None:
        """Note one score."""
        self.scores.append(Score(self.item, metric, view, value))

    @contextmanager
    def problems_of(self, view: str) -> Iterator[None]:
        """An error of the data inside the block ends the block and becomes a problem of that view."""
        try:
            yield
        except SuiteError as error:
            self.problems.append(Problem(self.item, view, str(error)))

    def answer(self) -> ItemScores:
        """What was collected."""
        return ItemScores(tuple(self.scores), tuple(self.problems))
