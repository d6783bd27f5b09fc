"""A measured run → verdicts against published or stored numbers; or whether its files are as they were sealed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from _exchange.command import Outcome, Verb, main
from _exchange.run_folder import run_or_latest
from _measure.verification import verification_data
from _measure.verify_request import VerifyConfig, integrity_of, shown_text, verify


@dataclass(frozen=True, kw_only=True)
class Verify(Verb, VerifyConfig):
    """Hold a run's numbers against published or stored ones; leaves with 1 where a comparable row does not hold.

    Examples:
        python3 -m _scripts.verify                                     the latest run against the published numbers
        python3 -m _scripts.verify runs/mine --seeds 5                 with the spread of five draws of samples
        python3 -m _scripts.verify runs/mine --rows mine.csv --all --out verdicts
        python3 -m _scripts.verify runs/mine --store baseline.json     keep its numbers
        python3 -m _scripts.verify runs/mine --against baseline.json
        python3 -m _scripts.verify runs/mine.tar --integrity           an archive of pack, or a run
    """

    path: Positional[Path | None] = None
    """Measured run; default: the latest below runs/. With --integrity also an archive of pack."""
    integrity: bool = False
    """Recompute all digests of the seal instead, and name the first file that differs; nothing else is looked at."""


def run(options: Verify) -> Outcome:
    """Verify and show the verdicts, or what became of the files."""
    if options.integrity:
        report = integrity_of(options)
        return Outcome(report.text, report.data, int(not report.intact))
    folder = run_or_latest(options.path)
    verification = verify(options)
    data = {"run": str(folder.path), **verification_data(verification)}
    return Outcome(shown_text(folder, verification, options), data, int(not verification.holds))


if __name__ == "__main__":
    main(Verify, run)
