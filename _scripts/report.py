"""A run → a static page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from _exchange.command import Outcome, Verb, main
from _exchange.run_folder import run_or_latest
from _exchange.workers import available_cores
from _measure.report.write import write_report
from _measure.truth_cache import user_truth_cache


@dataclass(frozen=True, kw_only=True)
class Report(Verb):
    """Write the pages of a run: its table, and every character with input, truth, result, error, turntable and 3D view.

    Example:
        python3 -m _scripts.report runs/mine
    """

    path: Positional[Path | None] = None
    """Run folder; default: the latest run below runs/."""


def run(options: Report) -> Outcome:
    """Write the pages and say where they begin."""
    page = write_report(run_or_latest(options.path), workers=available_cores(), truth_cache=user_truth_cache())
    return Outcome(f"report: {page}", {"page": str(page)})


if __name__ == "__main__":
    main(Report, run)
