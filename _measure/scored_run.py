"""What `measure` left in a folder, read back: raw scores and how they were made. No torch, no pictures."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

from _exchange.errors import FormatError, InputError
from _exchange.protocol import Way, protocol_named
from _exchange.run_folder import RunFolder
from _exchange.run_record import read_json_object
from _exchange.scores import Score, read_scores
from _measure.aggregate import Row, RowPlan, aggregate, item_values, plan_rows
from _measure.item_scores import Problem
from _measure.metrics.description import LpipsBackbone, lpips_metric
from _measure.table import SCHEMA_VERSION

MEASURE_COMMAND = "python3 -m _scripts.measure"
MEASURED_BEFORE = f"measured before the run changed: {MEASURE_COMMAND} RUN --variants"
"""Of variants that score other predictions, or hold them against another truth, than the run's own table."""
_TEXTS = (
    "title",
    "protocol",
    "lpips_network",
    "sample_seed",
    "method",
    "dataset",
    "generated_with",
    "pictures",
    "device",
)
_ALLOWED = {"protocol": get_args(Way), "lpips_network": get_args(LpipsBackbone), "pictures": ("pasted", "unpasted")}


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """Raw scores of a run under one protocol. Rows are taken from the scores, not from the table beside them.

    Attributes:
        folder: where they lie.
        title, protocol, lpips_network, sample_count, sample_seed, method, dataset, generated_with, pictures, device:
            as in `Table`.
        items: names of all items of the run, in list order.
        scores: raw, in the file's order.
        not_run: by metric id, why it was not computed.
        problems: what could not be scored.
        weights: SHA-256 by file name of the networks that ran.
        versions: of Python and the libraries that decide results.
        truths: by item, the digest of its truth; empty in tables that were written before it was recorded.
        predictions: by item, the digest of what was predicted; None in tables that were written before it was recorded.
    """

    folder: RunFolder
    title: str
    protocol: str
    lpips_network: LpipsBackbone
    sample_count: int
    sample_seed: str
    method: str
    dataset: str
    generated_with: str
    pictures: str
    device: str
    items: tuple[str, ...]
    scores: tuple[Score, ...]
    not_run: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    weights: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    truths: Mapping[str, str] = field(default_factory=dict)
    predictions: Mapping[str, str] | None = None

    @classmethod
    def read(cls, folder: RunFolder) -> ScoredRun:
        """Scores and facts of a folder.

        Raises:
            InputError: it was not measured yet.
            FormatError: a file is damaged, of another version, or the two do not belong together.
        """
        path = folder.table("json")
        for needed in (folder.scores, path):
            if not needed.is_file():
                raise InputError(f"Expected {needed}, found none.", next_step=f"Run {measure_command(folder)} first.")
        scores = read_scores(folder.scores)
        value = read_json_object(path)
        if value.get("schema") != SCHEMA_VERSION:
            found = f"{value.get('schema')!r:.80}; {measure_command(folder)} writes it anew"
            raise FormatError("schema", str(SCHEMA_VERSION), found, file=path)
        try:
            facts = _facts(value)
        except FormatError as error:
            raise error.in_file(path) from error
        except (KeyError, TypeError) as error:
            raise FormatError("", "a table with its facts", f"{type(error).__name__}: {error}", file=path) from error
        _check_scores(scores, facts["items"], folder.scores)
        return cls(folder=folder, scores=tuple(scores), **facts)

    @property
    def plans(self) -> tuple[RowPlan, ...]:
        """The rows of its table."""
        return plan_rows(lpips_metric(self.lpips_network), protocol_named(self.protocol).f1_aggregate)

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its table, from the scores. A metric that has scores did run, whatever the table's file says."""
        measured = {score.metric for score in self.scores}
        not_run = {metric: reason for metric, reason in self.not_run.items() if metric not in measured}
        return aggregate(self.plans, self.scores, self.items, not_run)

    def is_beside(self, own: ScoredRun) -> bool:
        """Whether it scores what `own` scores, the same predictions held against the same truth, and both say so."""
        return self.predictions is not None and (self.predictions, self.truths) == (own.predictions, own.truths)

    def values(self, plan: RowPlan) -> dict[str, float]:
        """Scaled value of a row by item, in list order; items without one are left out."""
        return item_values(plan, self.scores, self.items)


def measure_command(folder: RunFolder) -> str:
    """The command that measures a run, ready to be pasted into a shell."""
    return f"{MEASURE_COMMAND} {shlex.quote(str(folder.path))}"


def complete_items(scored: ScoredRun, plan: RowPlan) -> int:
    """How many items have a finite value in a row: what stands before ``of 68``."""
    return sum(math.isfinite(value) for value in scored.values(plan).values())


def _facts(value: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: _text(value[name], name) for name in _TEXTS}
    for name, allowed in _ALLOWED.items():
        if texts[name] not in allowed:
            raise FormatError(name, f"one of {', '.join(allowed)}", f"{texts[name]!r:.80}")
    items = [_text(item, f"items[{place}]") for place, item in enumerate(_a(list, value["items"], "items"))]
    if len(set(items)) < len(items):
        twice = next(item for item in items if items.count(item) > 1)
        raise FormatError("items", "every item once", f"{twice!r:.80} more than once")
    sample_count = value["sample_count"]
    if type(sample_count) is not int or sample_count < 0:
        raise FormatError("sample_count", "a whole number of at least 0", f"{sample_count!r:.80}")
    problems = _a(list, value["problems"], "problems")
    return {
        **texts,
        "sample_count": sample_count,
        "items": tuple(items),
        "not_run": _not_run(_a(list, value["rows"], "rows")),
        "problems": tuple(_problem(problem, f"problems[{place}]") for place, problem in enumerate(problems)),
        "weights": _texts(value["weights"], "weights"),
        "versions": _texts(value["versions"], "versions"),
        "truths": _texts(value.get("truths", {}), "truths"),
        "predictions": _texts(value["predictions"], "predictions") if "predictions" in value else None,
    }


def _not_run(rows: Sequence[Any]) -> dict[str, str]:
    reasons = {}
    for place, row in enumerate(rows):
        where = f"rows[{place}]"
        reason = _text(_a(dict, row, where)["not_run"], f"{where}.not_run")
        if reason:
            reasons[_text(row["metric_id"], f"{where}.metric_id")] = reason
    return reasons


def _problem(value: Any, place: str) -> Problem:
    names = _a(dict, value, place)
    return Problem(*(_text(names[name], f"{place}.{name}") for name in ("item", "view", "reason")))


def _texts(value: Any, place: str) -> dict[str, str]:
    return {name: _text(text, f"{place}.{name}") for name, text in _a(dict, value, place).items()}


def _text(value: Any, place: str) -> str:
    """A text that can be written again: JSON escapes can spell halves of surrogate pairs, which are no Unicode."""
    text = _a(str, value, place)
    if any(0xD800 <= ord(sign) < 0xE000 for sign in text):
        raise FormatError(place, "a text of Unicode characters", f"{text!a:.80}")
    return text


_Kind = TypeVar("_Kind", str, list, dict)
_WORDS = {str: "a text", list: "a list", dict: "an object"}


def _a(kind: type[_Kind], value: Any, place: str) -> _Kind:
    if not isinstance(value, kind):
        raise FormatError(place, _WORDS[kind], f"{value!r:.80}")
    return value


def _check_scores(scores: Sequence[Score], items: Sequence[str], path: Path) -> None:
    """Scores of other items, or two for one place, show that the file does not belong to its table."""
    known = set(items)
    seen = set[tuple[str, str, str]]()
    for number, score in enumerate(scores, 1):
        if score.item not in known:
            raise FormatError(f"line {number}", "an item of table.json", f"{score.item!r:.80}", file=path)
        key = (score.item, score.metric, score.view)
        if key in seen:
            raise FormatError(f"line {number}", "one score per item, metric and view", f"{key} again", file=path)
        seen.add(key)
