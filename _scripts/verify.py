"""A measured run → verdicts against published or stored numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from _exchange.command import Outcome, Verb, main
from _exchange.run_folder import run_or_latest
from _measure.verification import verification_data, verification_text
from _measure.verify_request import VerifyConfig, verify


@dataclass(frozen=True, kw_only=True)
class Verify(Verb, VerifyConfig):
    """Hold a run's numbers against published or stored ones; leaves with 1 where a comparable row does not hold.

    Examples:
        python3 -m _scripts.verify                                     the latest run against the published numbers
        python3 -m _scripts.verify runs/mine --seeds 5                 with the spread of five draws of samples
        python3 -m _scripts.verify runs/mine --rows mine.csv --all
        python3 -m _scripts.verify runs/mine --store baseline.json     keep its numbers
        python3 -m _scripts.verify runs/mine --against baseline.json
    """

    path: Positional[Path | None] = None
    """Measured run; default: the latest below runs/."""


def run(options: Verify) -> Outcome:
    """Verify and show the verdicts."""
    folder = run_or_latest(options.path)
    verification = verify(options)
    text = f"run: {folder.path}\n{verification_text(verification)}"
    code = 0 if verification.holds else 1
    return Outcome(text, {"run": str(folder.path), **verification_data(verification)}, code)


if __name__ == "__main__":
    main(Verify, run)
