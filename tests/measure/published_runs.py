"""Measured runs of 68 invented items whose rows have chosen values, with the digests of the published networks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from _exchange.protocol import protocol_named
from _exchange.run_folder import RunFolder
from _exchange.scores import Score, write_scores
from _measure.aggregate import VIEWS_OF_SUBSET, aggregate, plan_rows
from _measure.metrics.description import lpips_metric
from _measure.table import Table, write_tables

REGISTRY = Path(__file__).resolve().parents[2] / "_measure" / "published.json"
COUNT = 68
ITEMS = tuple(f"franchise_{place % 7}/character_{place:02}" for place in range(COUNT))
ALEXNET = {"alexnet-owt-7be5be79.pth": "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02"}
"""As PyTorch publishes it."""
CLIP = {"ViT-B-32.pt": "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"}
"""As OpenAI publishes it."""
CARDS = ("RTX 3080 Ti", "GTX 1080 Ti")
FLOORS = {"clip": 0.1, "lpips": 0.1, "psnr": 0.05, "cd": 0.01, "f1@5": 0.5, "f1@10": 0.5}
"""The smallest tolerances before seeds are measured, as the task states them."""
SCALES = {"psnr": 1.0}
Rows = dict[tuple[str, str], float]


def published_column(card: str) -> Rows:
    """The twelve values of one card by subset and metric, read as plain JSON."""
    records = json.loads(REGISTRY.read_text(encoding="utf-8"))["records"]
    ours = [record for record in records if record["protocol"] == "panic3d" and record["hardware"] == card]
    return {(record["subset"], record["metric"]): record["value"] for record in ours}


def scores_of(rows: Mapping[tuple[str, str], float], protocol: str, network: str, apart: float = 0.0) -> list[Score]:
    """Scores whose rows are `rows`: items lie by `apart` above and below each value, so that their mean is it."""
    scores = []
    for (subset, metric), value in rows.items():
        name = f"lpips_{network}" if metric == "lpips" else metric
        for place, item in enumerate(ITEMS):
            away = apart * (-1) ** place
            if metric.startswith("f1") and protocol == "paper":
                away = 0.0 if place == COUNT - 1 else -value  # the last item alone makes the row
            raw = (value + away) / SCALES.get(metric, 100.0)
            scores += [Score(item, name, view, raw) for view in VIEWS_OF_SUBSET[subset]]
    return scores


def write_published_run(
    path: Path,
    rows: Mapping[tuple[str, str], float],
    *,
    protocol: str = "paper",
    network: str = "alex",
    without: Mapping[str, int] | None = None,
    not_run: Mapping[str, str] | None = None,
    apart: float = 0.0,
    **facts: object,
) -> RunFolder:
    """A measured run of the 68 items.

    Args:
        path: its folder.
        rows: values by subset and metric.
        without: by metric, how many of the first items have no score of it.
        not_run: why a metric has no scores.
        apart: how far items lie from the value of their row, in its scale.
        facts: fields of `Table` that differ from those of a comparable run.
    """
    run = RunFolder(path)
    scores = scores_of(rows, protocol, network, apart)
    for metric, count in (without or {}).items():
        scores = [score for score in scores if score.metric != metric or score.item not in ITEMS[:count]]
    items = facts.pop("items", ITEMS)
    scores = [score for score in scores if score.item in items]
    write_scores(run.scores, scores)
    plans = plan_rows(lpips_metric(network), protocol_named(protocol).f1_aggregate)
    given = {"dataset": "daredemoE", "method": "invented", "weights": ALEXNET | CLIP, "title": "invented"} | facts
    made = aggregate(plans, scores, items, not_run or {})
    write_tables(run, Table(protocol=protocol, lpips_network=network, items=tuple(items), rows=made, **given))
    return run
