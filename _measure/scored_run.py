"""What `measure` left in a folder, read back: raw scores and how they were made. No torch, no pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from _exchange.errors import FormatError
from _exchange.protocol import protocol_named
from _exchange.run_folder import RunFolder
from _exchange.run_record import read_json_object
from _exchange.scores import Score, read_scores
from _measure.aggregate import Row, RowPlan, aggregate, item_values, plan_rows
from _measure.item_scores import Problem
from _measure.metrics.description import LpipsBackbone, lpips_metric
from _measure.table import SCHEMA_VERSION

MEASURE_COMMAND = "python3 -m _scripts.measure"
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

    @classmethod
    def read(cls, folder: RunFolder) -> ScoredRun:
        """Scores and facts of a folder.

        Raises:
            InputError: it was not measured yet.
            FormatError: a file is damaged, or of another version.
        """
        scores = read_scores(folder.scores)
        path = folder.table("json")
        value = read_json_object(path)
        if value.get("schema") != SCHEMA_VERSION:
            found = f"{value.get('schema')!r}; {MEASURE_COMMAND} writes it anew"
            raise FormatError("schema", str(SCHEMA_VERSION), found, file=path)
        try:
            return cls(folder=folder, scores=tuple(scores), **_facts(value))
        except FormatError as error:
            raise error.in_file(path) from error
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise FormatError("", "a table with its facts", f"{type(error).__name__}: {error}", file=path) from error

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

    def values(self, plan: RowPlan) -> dict[str, float]:
        """Scaled value of a row by item, in list order; items without one are left out."""
        return item_values(plan, self.scores, self.items)


def _facts(value: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: value[name] for name in _TEXTS}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise FormatError(name, "a text", f"{text!r:.80}")
    if texts["lpips_network"] not in get_args(LpipsBackbone):
        raise FormatError("lpips_network", f"one of {', '.join(get_args(LpipsBackbone))}", repr(texts["lpips_network"]))
    protocol_named(texts["protocol"])
    items = value["items"]
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise FormatError("items", "a list of item names", f"{items!r:.80}")
    problems = tuple(Problem(str(p["item"]), str(p["view"]), str(p["reason"])) for p in value["problems"])
    return {
        **texts,
        "sample_count": int(value["sample_count"]),
        "items": tuple(items),
        "not_run": {str(row["metric_id"]): str(row["not_run"]) for row in value["rows"] if row["not_run"]},
        "problems": problems,
        "weights": {str(name): str(digest) for name, digest in value["weights"].items()},
        "versions": {str(name): str(version) for name, version in value["versions"].items()},
    }


def complete_items(scored: ScoredRun, plan: RowPlan) -> int:
    """How many items have a finite value in a row: what stands before ``of 68``."""
    return sum(math.isfinite(value) for value in scored.values(plan).values())
