"""A run that changes after it was measured: what was measured before belongs to it no more, and everybody says so."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from _exchange.errors import CheckFailed, InputError
from _exchange.journal import Journal, JournalEntry, digests_below
from _exchange.pictures import png_bytes
from _exchange.run_folder import RunFolder
from _exchange.run_record import RunRecord
from _measure.comparison.chosen_runs import read_runs
from _measure.integrity.check import check_seal
from _measure.integrity.pack import check_pack, header_of, pack_run
from _measure.integrity.seal import read_seal
from _measure.measure import MeasureConfig, measure, measure_shard
from _measure.report.write import write_report
from _measure.scored_run import ScoredRun
from _measure.verify import measured_protocols, verify_published
from _measure.verify_request import VerifyConfig, verify
from _measure.weights import FOLDERS_VARIABLE
from _scripts.verify import Verify
from _scripts.verify import run as run_verify
from tests.measure.report.small_run import FAILED, ODD, PLAIN, SmallRun, copied, disc, make_run

pytestmark = pytest.mark.usefixtures("no_weights")
CHANGED = "measured before the run changed: python3 -m _scripts.measure RUN --variants"


def config(run: RunFolder) -> MeasureConfig:
    return MeasureConfig(path=run.path, protocol="corrected", workers=1, offline=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """Measured with all variants, its own table under `corrected`."""
    small = make_run(tmp_path_factory.mktemp("made"))
    replace(RunRecord.read(small.run.record), method="discs").write(small.run.record)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(FOLDERS_VARIABLE, raising=False)
        measure_shard(config(small.run), with_variants=True)
    return small


@pytest.fixture
def small(made: SmallRun, tmp_path: Path) -> SmallRun:
    return copied(made, tmp_path / "run")


def disc_bytes() -> bytes:
    """A picture of another colour."""
    return png_bytes(disc((10, 10, 10)))


def change(small: SmallRun) -> None:
    """Another picture, and the run's own table measured anew."""
    small.run.item(PLAIN).render("ortho_front").write_bytes(disc_bytes())
    measure(config(small.run))


def paper_reasons(run: RunFolder) -> set[str]:
    return {verdict.reason for verdict in verify_published(run) if verdict.protocol == "paper"}


def forget_predictions(run: RunFolder) -> None:
    """As tables were before they recorded it."""
    path = run.table("json")
    value = json.loads(path.read_text(encoding="utf-8"))
    del value["predictions"]
    path.write_text(json.dumps(value), encoding="utf-8")


def test_all_tables_of_one_call_record_the_same_predictions(small: SmallRun) -> None:
    own, *variants = (ScoredRun.read(small.run.variant(name)) for name in ("corrected", "paper"))
    top = ScoredRun.read(small.run)
    assert top.predictions
    assert top.predictions == own.predictions == variants[0].predictions
    assert set(measured_protocols(small.run)) == {"paper", "corrected"}


@pytest.mark.parametrize("name", ["mesh.glb", "renders/ortho_front.png"])
def test_each_file_of_an_item_shows_in_its_digest_alone(small: SmallRun, name: str) -> None:
    before = ScoredRun.read(small.run).predictions
    path = small.run.item(PLAIN).path / name
    path.write_bytes(path.read_bytes()[:-1])
    measure(config(small.run))
    after = ScoredRun.read(small.run).predictions
    assert before is not None
    assert after is not None
    assert [item for item in before if before[item] != after[item]] == [str(PLAIN)]


def test_variants_of_other_predictions_are_not_judged(small: SmallRun) -> None:
    change(small)
    assert set(measured_protocols(small.run)) == {"corrected"}
    assert paper_reasons(small.run) == {f"variant paper {CHANGED}"}
    measure_shard(config(small.run), with_variants=True)
    assert set(measured_protocols(small.run)) == {"paper", "corrected"}


def test_variants_that_do_not_say_what_they_scored_are_not_judged(small: SmallRun) -> None:
    forget_predictions(small.run.variant("paper"))
    assert paper_reasons(small.run) == {f"variant paper {CHANGED}"}


def test_variants_of_other_predictions_are_not_compared(small: SmallRun, made: SmallRun) -> None:
    assert len(read_runs([small.run.path, made.run.path], "paper")) == 2
    change(small)
    with pytest.raises(InputError, match="found corrected and paper measured before the run changed"):
        read_runs([small.run.path, made.run.path], "paper")
    assert len(read_runs([small.run.path, made.run.path], "corrected")) == 2


# -- verdicts and the seal --------------------------------------------------------------------------------------


def test_verdicts_name_every_file_of_scores_that_they_rest_on(small: SmallRun) -> None:
    verify(VerifyConfig(path=small.run.path))
    judged = json.loads(small.run.verdicts.read_text(encoding="utf-8"))["scores"]
    assert judged == {
        name: sha256((small.run.path / name).read_bytes()).hexdigest()
        for name in ("scores.jsonl", "variants/paper/scores.jsonl")
    }
    change(small)
    verify(VerifyConfig(path=small.run.path))
    assert list(json.loads(small.run.verdicts.read_text(encoding="utf-8"))["scores"]) == ["scores.jsonl"]


def test_a_report_shows_nothing_of_what_was_before_the_change(small: SmallRun) -> None:
    verify(VerifyConfig(path=small.run.path))
    before = write_report(small.run).read_text(encoding="utf-8")
    assert "Verdicts against published" in before
    assert "not shown" not in before
    change(small)
    after = write_report(small.run).read_text(encoding="utf-8")
    assert "Verdicts against published" not in after
    assert after.count("not shown") == 3, "verdicts, variants, switches"


@pytest.mark.parametrize("name", ["scores.jsonl", "variants/paper/scores.jsonl"])
def test_scores_that_are_not_what_was_sealed_are_said_in_one_line(small: SmallRun, name: str) -> None:
    before = run_verify(Verify(path=small.run.path))
    assert "sealed" not in before.text
    (small.run.path / name).write_bytes((small.run.path / name).read_bytes().replace(b"}", b" }", 1))
    after = run_verify(Verify(path=small.run.path))
    quoted = shlex.quote(str(small.run.path))
    line = f"{name} is not what was sealed: python3 -m _scripts.verify {quoted} --integrity names every file\n"
    assert line in after.text
    assert (after.data["verdicts"], after.exit_code) == (before.data["verdicts"], before.exit_code)
    small.run.seal.unlink()
    assert "sealed" not in run_verify(Verify(path=small.run.path)).text


# -- what generate wrote ----------------------------------------------------------------------------------------


def journal(small: SmallRun) -> None:
    """The lines that `generate` leaves: one that a later one replaces, two items, one that failed."""
    wrong = JournalEntry(str(PLAIN), "k", "ok", "", {f"items/{PLAIN}/mesh.glb": "00"})
    right = [
        JournalEntry(str(item), "k", "ok", "", digests_below(small.run.path, small.run.item(item).result_files()))
        for item in (PLAIN, ODD)
    ]
    lost = JournalEntry(str(FAILED), "k", "failed", "no face", {f"items/{FAILED}/mesh.glb": "00"})
    for entry in (wrong, *right, lost):
        Journal(small.run.journal).append(entry)


def test_what_generate_wrote_is_intact_wherever_items_failed_or_are_in_no_journal(small: SmallRun) -> None:
    assert not small.run.journal.exists()
    journal(small)
    (small.run.item(PLAIN).path / "notes.txt").write_text("of one's own")
    measure(config(small.run))
    report = check_seal(small.run.path)
    assert report.intact, report.text


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(disc_bytes()), Path.unlink])
def test_what_was_damaged_before_it_was_measured_is_named(
    small: SmallRun, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    journal(small)
    measure(config(small.run))
    archive = pack_run(small.run.path, tmp_path / "intact.tar").path
    assert check_pack(archive).intact
    damage(small.run.item(PLAIN).render("ortho_front"))
    measure(config(small.run))
    outcome = run_verify(Verify(path=small.run.path, integrity=True))
    name = f"run/items/{PLAIN}/renders/ortho_front.png"
    assert outcome.exit_code == 1
    assert (outcome.data["first"], outcome.data["not_generated"]) == (name, [name])
    assert outcome.data["differ"] == outcome.data["missing"] == []
    assert f"The first file that is not what generate wrote, by the run's journal: {name}" in outcome.text
    assert "1 not what generate wrote" in outcome.text
    with pytest.raises(CheckFailed, match=f"Expected what generate wrote, found {name}"):
        pack_run(small.run.path, tmp_path / "run.tar")


def test_an_archive_of_damaged_items_names_them_too(small: SmallRun, tmp_path: Path) -> None:
    """Packed by somebody who does not look."""
    journal(small)
    path = small.run.item(PLAIN).render("ortho_front")
    path.write_bytes(disc_bytes())
    measure(config(small.run))
    seal = read_seal(small.run.seal)
    with open(tmp_path / "run.tar", "wb") as stream:
        for name in ("seal.json", *seal.files["run"]):
            content = (small.run.path / name).read_bytes()
            stream.write(header_of(f"run/{name}", len(content)) + content + bytes(-len(content) % 512))
        stream.write(bytes(1024))
    report = check_pack(tmp_path / "run.tar")
    assert report.not_generated == (f"run/items/{PLAIN}/renders/ortho_front.png",)
    assert not report.intact
