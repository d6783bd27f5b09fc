"""A run → raw scores and the table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from _exchange.command import Outcome, Verb, main
from _exchange.run_folder import run_or_latest
from _measure.grid import grid_text
from _measure.measure import MeasureConfig, measure_shard
from _measure.run import Unfinished
from _measure.table import table_data, table_text


@dataclass(frozen=True, kw_only=True)
class Measure(Verb, MeasureConfig):
    """Score a run and print its table.

    Examples:
        python3 -m _scripts.measure                                          the latest run
        python3 -m _scripts.measure runs/mine --protocol paper --lpips-net alex
        python3 -m _scripts.measure runs/mine --variants
        python3 -m _scripts.measure temp/eval/RUN/daredemoE --data _data/lustrous
    """

    path: Positional[Path | None] = None
    """Run folder, predictions in the original's layout, or where their results are; default: the latest below runs/."""
    variants: bool = False
    """Also measure both protocols, with and without pasted pixels, and every switch of the protocol alone."""


def run(options: Measure) -> Outcome:
    """Measure and show the table."""
    run_taken = run_or_latest(options.path)
    measured = measure_shard(options, with_variants=options.variants)
    name = {"run": str(run_taken.path)}
    head = f"run: {run_taken.path}\n"
    if isinstance(measured, Unfinished):
        return Outcome(measured.sentence, {**name, "scored": measured.scored, "item_count": measured.items})
    if measured.results.path != run_taken.path:
        name["results"] = str(measured.results.path)
        head += f"results: {measured.results.path}\n"
    text = "\n".join([table_text(measured.table), *(grid_text(table.grid) for table in measured.beside)])
    beside = {table.name: table.data for table in measured.beside}
    return Outcome(head + text, {**name, **table_data(measured.table), **beside})


if __name__ == "__main__":
    main(Measure, run)
