"""Measured runs → which one is better, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from _exchange.command import Outcome, Verb, main
from _measure.comparison.request import compare_runs


@dataclass(frozen=True, kw_only=True)
class Compare(Verb):
    """Compare measured runs of one dataset, character by character: every run against the first, with the difference,
    its 95 % interval and for how many characters it is better; three and more runs are ranked as well.

    Examples:
        python3 -m _scripts.compare runs/mine runs/other
        python3 -m _scripts.compare runs/inflate runs/billboard runs/mean_head --common --out compared
        python3 -m _scripts.compare runs/mine runs/other --protocol paper --json
    """

    paths: Positional[tuple[Path, ...]] = ()
    """Two or more run folders, measured; the first is what the others are held against."""
    protocol: Literal["paper", "corrected"] | None = None
    """Whose scores to take where a run was measured under both; default: those in the run folder itself."""
    common: bool = False
    """Score only characters that all runs have complete in a row, instead of those of each pair."""
    out: Path | None = None
    """Folder for comparison.* and leaderboard.* as text, CSV, Markdown, LaTeX and JSON."""


def run(options: Compare) -> Outcome:
    """Compare, show, and write where asked."""
    result = compare_runs(options.paths, options.protocol, only_common=options.common)
    if options.out is not None:
        result.write(options.out)
    return Outcome(result.text, result.data)


if __name__ == "__main__":
    main(Compare, run)
