"""What this machine has and lacks, in sentences with the fixing command."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from _databacks.findings import data_findings
from _exchange.command import Outcome, Verb, main
from _exchange.findings import findings_text, machine_findings
from _measure.findings import network_findings
from _methods.findings import weight_findings
from _render.findings import drawing_findings


@dataclass(frozen=True, kw_only=True)
class Doctor(Verb):
    """Say what this machine has and lacks; exit code 3 where something is missing that the main job needs."""

    data: Path = Path("_data")
    """Folder that holds the datasets."""


def run(options: Doctor) -> Outcome:
    """Gather the findings of every room."""
    of_files = [*network_findings(), *weight_findings(), *data_findings(options.data)]
    findings = [*machine_findings(), *drawing_findings(), *of_files]
    lacks = any(finding.needed and not finding.present for finding in findings)
    data = {"findings": [asdict(finding) for finding in findings]}
    return Outcome(findings_text(findings), data, exit_code=3 if lacks else 0)


if __name__ == "__main__":
    main(Doctor, run)
