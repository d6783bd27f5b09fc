"""What seals cover, who writes them and when, and what they do not depend on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from _exchange import atomic
from _exchange.run_record import ItemStatus
from _measure.integrity import sealing
from _measure.integrity.check import check_seal
from _measure.integrity.seal import read_seal
from _measure.integrity.sealing import seal_report, seal_verdicts, sealed_files
from _measure.measure import MeasureConfig, measure
from _measure.verify_request import VerifyConfig, verify
from tests.measure.report.small_run import PLAIN, SmallRun, copied
from tests.measure.sealed_run import (
    KINDS_OF_RUN,
    WEIGHTS,
    copy_sealed,
    make_complete_run,
    seal,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """Sealed; not to be changed."""
    small = make_complete_run(tmp_path_factory.mktemp("sealed"))
    seal(small)
    return small


@pytest.fixture
def sealed(made: SmallRun, tmp_path: Path) -> SmallRun:
    """A copy of one's own."""
    return copy_sealed(made, tmp_path)


def test_digests_are_those_of_the_files_and_weights_are_named(made: SmallRun) -> None:
    value = json.loads(made.run.seal.read_text())
    assert value["files"]["run"]["scores.jsonl"] == sha256(made.run.scores.read_bytes()).hexdigest()
    assert value["weights"] == WEIGHTS
    assert value["folders"] == {"dataset": str(made.data)}


def test_sealing_twice_gives_the_same_bytes(sealed: SmallRun) -> None:
    before = sealed.run.seal.read_bytes()
    seal(sealed)
    assert sealed.run.seal.read_bytes() == before


def test_results_do_not_depend_on_machine_seconds_order_and_folder(made: SmallRun, tmp_path: Path) -> None:
    copy = copy_sealed(made, tmp_path)  # its record names another folder
    copy.run.journal.write_text("in another order\n")
    ItemStatus("ok", seconds=99.0).write(copy.run.item(PLAIN).status)
    first, second = read_seal(made.run.seal), seal(copy)
    assert first.files != second.files
    assert first.results == second.results


@pytest.mark.parametrize(
    "kind",
    [k for k in KINDS_OF_RUN if k not in ("run.json", "journal.jsonl", "measured.jsonl", "items/*/*/status.json")],
)
def test_results_depend_on_every_kind_of_result(kind: str, made: SmallRun, tmp_path: Path) -> None:
    copy = copy_sealed(made, tmp_path)
    path = next(copy.run.path.glob(kind))
    path.write_bytes(path.read_bytes() + b" ")
    assert seal(copy).results != read_seal(made.run.seal).results


def test_verdicts_and_report_have_seals_of_their_own_and_leave_the_runs_as_it_is(sealed: SmallRun) -> None:
    before = sealed.run.seal.read_bytes()
    sealed.run.verdicts.write_text("[]")
    sealed.run.report.write_text("<html>other")
    assert check_seal(sealed.run.path).differ == ("run/report/index.html", "run/verify.json")
    seal_verdicts(sealed.run)
    seal_report(sealed.run)
    assert check_seal(sealed.run.path).intact
    assert sealed.run.seal.read_bytes() == before


def test_verifying_seals_the_verdicts(sealed: SmallRun) -> None:
    shutil.rmtree(sealed.run.path / "variants")  # these scores are under no protocol of theirs
    seal(sealed)
    sealed.run.verdicts_seal.unlink()
    verify(VerifyConfig(path=sealed.run.path))
    assert sealed.run.verdicts.stat().st_size > 10
    report = check_seal(sealed.run.path)
    assert (report.intact, report.unsealed) == (True, ())


def test_verdicts_and_report_of_a_variant_are_no_results_of_the_run(sealed: SmallRun) -> None:
    variant = sealed.run.variant("paper")
    for path, write_seal in ((variant.verdicts, seal_verdicts), (variant.report, seal_report)):
        path.parent.mkdir(exist_ok=True)
        path.write_text("later")
        write_seal(variant)
        report = check_seal(sealed.run.path)
        assert (report.intact, report.unsealed) == (True, ())
        path.write_text("changed")
        assert check_seal(sealed.run.path).first == f"run/{path.relative_to(sealed.run.path).as_posix()}"
        write_seal(variant)


def test_files_that_no_seal_knows_are_counted_and_no_fault(sealed: SmallRun) -> None:
    sealed.run.verdicts_seal.unlink()
    (sealed.run.report.parent / "more.html").write_text("mine")
    (sealed.run.path / "notes.txt").write_text("mine")
    (sealed.run.path / ".partial-7-x").write_text("of a killed process")
    report = check_seal(sealed.run.path)
    assert report.intact
    assert report.unsealed == ("run/notes.txt", "run/report/more.html", "run/verify.json")
    assert report.text.splitlines()[1:-1] == [
        "Not sealed, so that nobody can tell whether they changed: 3 files that were added later, such as run/notes.txt"
    ]


def test_a_folder_that_is_a_link_is_sealed_by_its_content(sealed: SmallRun, tmp_path: Path) -> None:
    items = sealed.run.path / "items"
    shutil.move(items, tmp_path / "elsewhere")
    items.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "elsewhere")
    assert len(sealed_files(sealed.run.path)) == len(read_seal(sealed.run.seal).files["run"])
    assert check_seal(sealed.run.path).intact


def test_what_is_no_file_is_not_sealed_and_stops_nothing(sealed: SmallRun) -> None:
    before = seal(sealed)
    os.mkfifo(sealed.run.path / "items" / "pipe")
    (sealed.run.path / "items" / "nothing").symlink_to("nowhere")
    assert seal(sealed) == before
    assert check_seal(sealed.run.path).intact


def test_of_two_that_seal_at_once_the_last_has_seen_what_both_wrote(
    sealed: SmallRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests, others = sealing.digests_of, iter(["another process"])

    def digests_while_another_writes(root: Path, paths: Sequence[Path]) -> dict[str, str]:
        found = digests(root, paths)
        if root == sealed.run.path and (text := next(others, "")):
            atomic.write_text(sealed.run.scores, text)
            atomic.write_text(sealed.run.variant("other").scores, text)
        return found

    monkeypatch.setattr(sealing, "digests_of", digests_while_another_writes)
    seal(sealed)
    report = check_seal(sealed.run.path)
    assert (report.intact, report.unsealed) == (True, ())


def test_measuring_seals_the_run_and_measuring_again_changes_no_byte(
    made: SmallRun, tmp_path: Path, no_weights: Path
) -> None:
    small = copied(made, tmp_path)
    config = MeasureConfig(path=small.run.path, workers=1, offline=True)
    measure(config)
    report = check_seal(small.run.path)
    assert (report.intact, report.unchecked, report.unsealed) == (True, {}, ())
    first = small.run.seal.read_bytes()
    measure(config)
    assert small.run.seal.read_bytes() == first
    small.run.measured.unlink()
    measure(replace(config, workers=2))
    assert read_seal(small.run.seal).results == report.results
