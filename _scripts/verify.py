"""A measured run → verdicts against published or stored numbers; or whether its files are as they were sealed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from _exchange.command import Outcome, Verb, main
from _exchange.run_folder import RunFolder, run_or_latest
from _measure.integrity.check import check_seal, unsealed_scores
from _measure.integrity.pack import check_pack
from _measure.measure import results_folder
from _measure.scored_run import MEASURE_COMMAND, measure_command
from _measure.verification import verification_data, verification_text
from _measure.verify_request import VerifyConfig, verify


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
        return _integrity(options)
    folder = run_or_latest(options.path)
    verification = verify(options)
    # Files name no folder, so that they travel; on the screen the command can be pasted as it stands.
    text = verification_text(verification).replace(f"{MEASURE_COMMAND} RUN", measure_command(folder))
    lines = [f"run: {folder.path}\n{text}"]
    lines += _seal_line(results_folder(folder), verification.scores)
    lines += [] if options.store is None else [f"stored in {options.store}\n"]
    lines += [] if options.out is None else [f"written: verify.* in {options.out}\n"]
    return Outcome(
        "".join(lines), {"run": str(folder.path), **verification_data(verification)}, int(not verification.holds)
    )


def _seal_line(folder: RunFolder, scores: Mapping[str, str]) -> list[str]:
    name = unsealed_scores(folder, scores)
    check = f"python3 -m _scripts.verify {shlex.quote(str(folder.path))} --integrity names every file"
    return [f"{name} is not what was sealed: {check}\n"] if name else []


def _integrity(options: Verify) -> Outcome:
    path = options.path
    if path is not None and (path.is_file() or (path.suffix == ".tar" and not path.is_dir())):
        report = check_pack(path, data=options.data)
    else:
        report = check_seal(results_folder(run_or_latest(path)).path, data=options.data)
    return Outcome(report.text, report.data, int(not report.intact))


if __name__ == "__main__":
    main(Verify, run)
