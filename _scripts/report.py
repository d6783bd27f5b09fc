"""Runs → static pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from _exchange.command import Outcome, Verb, main
from _exchange.errors import InputError
from _exchange.run_folder import RunFolder, run_or_latest
from _exchange.workers import available_cores
from _measure.report.many import write_many
from _measure.report.subject import results_of
from _measure.report.write import write_report
from _measure.truth_cache import user_truth_cache


@dataclass(frozen=True, kw_only=True)
class Report(Verb):
    """Write the pages of a run: its table, and every character with input, truth, result, error, turntable and 3D view.

    Several runs also get a page of their own: leaderboard, and every character side by side.

    Examples:
        python3 -m _scripts.report runs/mine
        python3 -m _scripts.report runs/mine runs/inflate --out runs/beside
    """

    paths: Positional[tuple[Path, ...]] = ()
    """Run folders, or measured predictions in the original's layout; default: the latest run below runs/."""

    out: Path | None = None
    """Folder for the page over several runs, which takes a copy of their reports; default: report/ beside the first."""


def run(options: Report) -> Outcome:
    """Write the pages and say where they begin."""
    workers, cache = available_cores(), user_truth_cache()
    if len(options.paths) > 1:
        out = options.out or options.paths[0].resolve().parent / "report"
        page = write_many(
            [results_of(RunFolder(path)) for path in options.paths], out, workers=workers, truth_cache=cache
        )
    elif options.out is not None:
        raise InputError(f"Expected at least two runs with --out, found {len(options.paths)}.")
    else:
        only = results_of(run_or_latest(options.paths[0] if options.paths else None))
        page = write_report(only, workers=workers, truth_cache=cache)
    return Outcome(f"report: {page}", {"page": str(page)})


if __name__ == "__main__":
    main(Report, run)
