"""The seal of a report covers every file of it, and nothing else."""

from __future__ import annotations

from hashlib import sha256

from _measure.integrity.seal import read_seal
from tests.measure.report.small_run import SmallRun


def test_a_report_is_sealed_with_every_file_of_it(reported: SmallRun) -> None:
    run = reported.run.path
    files = {path.relative_to(run).as_posix(): path for path in (run / "report").rglob("*") if path.is_file()}
    digests = {name: sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert {"report/index.html", "report/assets/style.css"} < digests.keys()
    assert read_seal(reported.run.report_seal).files["run"] == digests
