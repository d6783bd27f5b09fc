"""Run → one archive that can be signed and checked elsewhere."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tyro.conf import Positional

from _exchange.command import Outcome, Verb, main
from _exchange.run_folder import run_or_latest
from _measure.integrity.pack import pack_run


@dataclass(frozen=True, kw_only=True)
class Pack(Verb):
    """Put a measured run into one plain archive; the same run gives the same bytes.

    Examples:
        python3 -m _scripts.pack                               the latest run, beside its folder
        python3 -m _scripts.pack runs/mine --with-report
        python3 -m _scripts.verify runs/mine.tar --integrity   checks it anywhere
    """

    path: Positional[Path | None] = None
    """Run folder; default: the latest run below runs/."""
    out: Path | None = None
    """File to write, *.tar; default: beside the run's folder, under its name."""
    with_report: bool = False
    """Also the report and verify.json."""
    with_data: bool = False
    """Also the files of the dataset that the scores rest on; they stay under their own licences."""
    data: Path | None = None
    """Dataset root; default: where it was when the run was measured."""


def run(options: Pack) -> Outcome:
    """Pack, and show how to sign and check the archive."""
    folder = run_or_latest(options.path).path
    place = Path(os.path.abspath(folder))  # also where the folder is "."
    target = options.out or place.with_name(f"{place.name}.tar")
    packed = pack_run(folder, target, with_report=options.with_report, with_data=options.with_data, data=options.data)
    return Outcome(packed.text, {**asdict(packed), "path": str(packed.path)})


if __name__ == "__main__":
    main(Pack, run)
