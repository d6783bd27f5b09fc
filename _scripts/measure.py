"""A run → raw scores and the table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from _exchange.command import Outcome, Verb, main
from _exchange.run_folder import run_or_latest
from _measure.measure import MeasureConfig, measure
from _measure.table import table_data, table_text


@dataclass(frozen=True, kw_only=True)
class Measure(Verb, MeasureConfig):
    """Score a run and print its table.

    Examples:
        python3 -m _scripts.measure                                          the latest run
        python3 -m _scripts.measure runs/mine --protocol paper --lpips-net alex
        python3 -m _scripts.measure temp/eval/RUN/daredemoE --data _data/lustrous
    """

    path: Positional[Path | None] = None
    """Run folder, or a folder of predictions in the original's layout; default: the latest run below runs/."""


def run(options: Measure) -> Outcome:
    """Measure and show the table."""
    run_taken = run_or_latest(options.path)
    table = measure(options)
    return Outcome(f"run: {run_taken.path}\n{table_text(table)}", {"run": str(run_taken.path), **table_data(table)})


if __name__ == "__main__":
    main(Measure, run)
