"""Measured runs without pictures: raw scores as given, and the tables that belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from _exchange.items import SCORED_CAMERAS
from _exchange.protocol import protocol_named
from _exchange.run_folder import RunFolder
from _exchange.scores import Score, write_scores
from _measure.aggregate import aggregate, plan_rows
from _measure.item_scores import Problem
from _measure.metrics.description import lpips_metric
from _measure.table import Table, write_tables

GEOMETRY = ("cd", "f1@5", "f1@10")
NO_CLIP = "Expected CLIP, found none. Run the command."


def score_everywhere(item: str, metric: str, value: float) -> list[Score]:
    """The same raw value at every view of an item."""
    return [Score(item, metric, view, value) for view in (("geom",) if metric in GEOMETRY else SCORED_CAMERAS)]


def write_scored(
    path: Path,
    values: Mapping[str, Mapping[str, float]],
    *,
    items: Sequence[str] = (),
    protocol: str = "corrected",
    network: str = "squeeze",
    problems: Sequence[Problem] = (),
    not_run: Mapping[str, str] | None = None,
    **facts: object,
) -> RunFolder:
    """A measured run.

    Args:
        path: its folder.
        values: raw value by metric id and item.
        items: all items of the run in list order; default: those with a value.
        facts: further fields of `Table`.
    """
    run = RunFolder(path)
    scores = [
        score
        for metric, by_item in values.items()
        for item, value in by_item.items()
        for score in score_everywhere(item, metric, value)
    ]
    items = tuple(items) or tuple(dict.fromkeys(score.item for score in scores))
    reasons = {"clip": NO_CLIP} if not_run is None else not_run
    write_scores(run.scores, scores)
    rows = aggregate(plan_rows(lpips_metric(network), protocol_named(protocol).f1_aggregate), scores, items, reasons)
    given = {"title": f"{path.name} on own", "dataset": "own", "sample_count": 10, **facts}
    write_tables(
        run, Table(protocol=protocol, lpips_network=network, items=items, rows=rows, problems=tuple(problems), **given)
    )
    return run
