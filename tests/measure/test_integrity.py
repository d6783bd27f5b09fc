"""Seals: every byte that a run's scores rest on is looked at, and what was changed is named."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from _databacks.dataset import open_dataset
from _exchange import atomic
from _exchange.errors import FormatError, InputError
from _exchange.items import SCORED_CAMERAS
from _exchange.run_folder import RunFolder
from _exchange.run_record import ItemStatus
from _measure import sealing
from _measure.integrity import check_seal
from _measure.measure import MeasureConfig, measure
from _measure.seal import Seal, read_seal
from _measure.sealing import seal_report, seal_run, seal_verdicts, sealed_files
from _measure.verify_request import VerifyConfig, verify
from tests.measure.report.small_run import ITEMS, ODD, PLAIN, SmallRun, copied
from tests.measure.sealed_run import (
    KINDS_MADE_LATER,
    KINDS_OF_DATASET,
    KINDS_OF_RUN,
    SEALS,
    WEIGHTS,
    copy_sealed,
    make_complete_run,
    seal,
)


def flipped(content: bytes) -> bytes:
    """One bit in the middle turned around."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


KINDS = [
    *(("run", kind) for kind in (*KINDS_OF_RUN, *KINDS_MADE_LATER)),
    *(("dataset", kind) for kind in KINDS_OF_DATASET),
]
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a flipped bit": flipped,
    "cut short": lambda content: content[:-1],
    "one byte more": lambda content: content + b"\0",
    "empty": lambda _: b"",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """Sealed; every test that changes a file puts it back."""
    small = make_complete_run(tmp_path_factory.mktemp("sealed"))
    seal(small)
    return small


@pytest.fixture
def sealed(made: SmallRun, tmp_path: Path) -> SmallRun:
    """A copy of one's own."""
    return copy_sealed(made, tmp_path)


def folder_of(small: SmallRun, section: str) -> Path:
    return small.run.path if section == "run" else small.data


def changed(path: Path, content: bytes) -> Iterator[None]:
    before = path.read_bytes()
    path.write_bytes(content)
    yield
    path.write_bytes(before)


# -- what is found ----------------------------------------------------------------------------------------------


def test_a_sealed_run_is_intact_and_every_file_was_looked_at(made: SmallRun) -> None:
    report = check_seal(made.run.path)
    seals = [made.run.path / name for name in SEALS]
    files = [path for path in made.run.path.rglob("*") if path.is_file() and path not in seals]
    data = [path for path in made.data.rglob("*") if path.is_file()]
    assert report.intact
    assert (report.first, report.unchecked, report.unsealed) == ("", {}, ())
    assert report.checked == len(files) + len(data)


def test_the_kinds_below_are_all_kinds_of_a_seal(made: SmallRun) -> None:
    for section, kinds in (("run", KINDS_OF_RUN), ("dataset", KINDS_OF_DATASET)):
        names = set(read_seal(made.run.seal).files[section])
        root = folder_of(made, section)
        of_kinds = {path.relative_to(root).as_posix() for kind in kinds for path in root.glob(kind)}
        assert names == of_kinds


@pytest.mark.parametrize(("section", "kind"), KINDS, ids=[f"{section}/{kind}" for section, kind in KINDS])
def test_a_flipped_bit_in_any_kind_of_file_is_found_and_named(section: str, kind: str, made: SmallRun) -> None:
    root = folder_of(made, section)
    path = sorted(root.glob(kind))[-1]
    for _ in changed(path, flipped(path.read_bytes())):
        report = check_seal(made.run.path)
    assert not report.intact
    assert report.differ == (report.first,) == (f"{section}/{path.relative_to(root).as_posix()}",)
    assert (report.missing, report.extra) == ((), ())


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_kind_of_change_is_found_in_all_kinds_of_files_at_once(damage: str, sealed: SmallRun) -> None:
    names = []
    for section, kind in KINDS:
        root = folder_of(sealed, section)
        path = next(root.glob(kind))
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
        names.append(f"{section}/{path.relative_to(root).as_posix()}")
    report = check_seal(sealed.run.path)
    assert sorted(report.differ) == sorted(names)
    assert report.first == min(name for name in names if name.startswith("run/"))


@pytest.mark.parametrize(("section", "kind"), KINDS, ids=[f"{section}/{kind}" for section, kind in KINDS])
def test_a_deleted_file_of_any_kind_is_found_and_named(section: str, kind: str, made: SmallRun) -> None:
    root = folder_of(made, section)
    path = next(root.glob(kind))
    content = path.read_bytes()
    path.unlink()
    report = check_seal(made.run.path)
    path.write_bytes(content)
    assert report.missing == (report.first,) == (f"{section}/{path.relative_to(root).as_posix()}",)
    assert not report.intact


@pytest.mark.parametrize(
    "name", ["items/genshin/albedo/renders/more.png", "items/other/item/mesh.glb", "variants/mine/scores.jsonl"]
)
def test_an_added_prediction_or_variant_is_found(name: str, sealed: SmallRun) -> None:
    path = sealed.run.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    report = check_seal(sealed.run.path)
    assert report.extra == (report.first,) == (f"run/{name}",)
    assert not report.intact


def test_two_swapped_files_are_both_found(sealed: SmallRun) -> None:
    one, other = sealed.run.item(PLAIN).position("ortho_front"), sealed.run.item(PLAIN).position("rgb60_0036")
    content = one.read_bytes()
    shutil.copy(other, one)
    other.write_bytes(content)
    report = check_seal(sealed.run.path)
    root = sealed.run.path
    assert report.differ == tuple(f"run/{path.relative_to(root).as_posix()}" for path in (one, other))


def test_all_that_differ_are_counted_and_the_first_by_section_and_name_is_named(sealed: SmallRun) -> None:
    list_file = next(sealed.data.glob("subsets/*.csv"))
    list_file.write_bytes(list_file.read_bytes() + b"\n")
    sealed.run.table("txt").unlink()
    sealed.run.scores.write_bytes(b"")
    report = check_seal(sealed.run.path)
    assert report.first == "run/scores.jsonl"
    assert report.text.splitlines()[:2] == [
        f"{sealed.run.path}: CHANGED. {report.checked} files are as they were sealed, 2 different, 1 missing.",
        "The first file that is not as it was sealed: run/scores.jsonl",
    ]
    assert report.data["differ"] == ["run/scores.jsonl", f"dataset/subsets/{list_file.name}"]
    assert report.data["missing"] == ["run/table.txt"]


@pytest.mark.parametrize("name", SEALS)
def test_a_flipped_bit_anywhere_in_a_seal_is_found(name: str, made: SmallRun) -> None:
    path = made.run.path / name
    content = path.read_bytes()
    for place in range(0, len(content), len(content) // 30):
        other = bytearray(content)
        other[place] ^= 1 << place % 7
        for _ in changed(path, bytes(other)):
            with pytest.raises(FormatError, match=f"^{re.escape(name)}: "):
                check_seal(made.run.path)


def test_a_seal_of_later_files_cannot_speak_for_others(sealed: SmallRun) -> None:
    for name in ("scores.jsonl", "report/index.html", "verify.seal.json", "variants/paper/verify.json"):
        text = Seal({"run": {name: "0" * 64}, "predictions": {}, "dataset": {}}).text
        sealed.run.verdicts_seal.write_text(text)
        with pytest.raises(FormatError, match=f"verify.seal.json: expected a seal of what was made later, .*{name}"):
            check_seal(sealed.run.path)


# -- what a seal covers -----------------------------------------------------------------------------------------


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


# -- where files are --------------------------------------------------------------------------------------------


def test_a_dataset_that_is_not_here_is_counted_and_said(sealed: SmallRun, tmp_path: Path) -> None:
    count = len(read_seal(sealed.run.seal).files["dataset"])
    moved = Path(shutil.move(sealed.data, tmp_path / "moved"))
    report = check_seal(sealed.run.path)
    assert report.intact
    assert report.unchecked == {"dataset": count}
    assert f"Not checked: {count} files of the dataset, which are not here. --data DATASET says where" in report.text
    found = check_seal(sealed.run.path, data=moved)
    assert (found.intact, found.unchecked, found.checked) == (True, {}, report.checked + count)
    with pytest.raises(InputError, match="Expected a dataset"):
        check_seal(sealed.run.path, data=tmp_path / "nowhere")


def test_another_dataset_with_the_same_names_is_not_taken_for_it(sealed: SmallRun, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(sealed.data, other)
    character = next(other.glob("raw/dssc/*/*.vrm"))
    character.write_bytes(character.read_bytes()[:-1])
    assert check_seal(sealed.run.path, data=other).first == f"dataset/{character.relative_to(other).as_posix()}"


def test_a_run_that_was_moved_is_checked_from_any_folder(
    sealed: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = Path(shutil.move(sealed.run.path, tmp_path / "moved"))
    for here, path in ((moved, "."), (moved / "items", ".."), (tmp_path, "moved")):
        monkeypatch.chdir(here)
        report = check_seal(Path(path))
        assert (report.intact, report.unchecked, report.unsealed) == (True, {}, ())


def test_folders_that_were_named_from_where_one_stood_are_found_from_elsewhere(
    sealed: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results, run = RunFolder(Path("scored")), sealed.run.path.relative_to(tmp_path)
    shutil.copytree(sealed.run.variant("paper").path, results.path)
    seal_run(results, run, ITEMS, open_dataset(sealed.data.relative_to(tmp_path)), {})
    monkeypatch.chdir("/")
    report = check_seal(tmp_path / "scored")
    assert (report.intact, report.unchecked) == (True, {})


def test_scores_in_another_folder_rest_on_the_predictions_of_the_run(sealed: SmallRun, tmp_path: Path) -> None:
    results = RunFolder(tmp_path / "scored")
    shutil.copytree(sealed.run.variant("paper").path, results.path)
    made = seal_run(results, sealed.run.path, ITEMS, open_dataset(sealed.data), {})
    predicted = set(made.files["predictions"])
    assert {"run.json", "journal.jsonl"} < predicted
    assert not predicted & {"scores.jsonl", "table.txt", "variants/paper/scores.jsonl", "measured.jsonl"}
    mesh = sealed.run.item(ODD).mesh
    mesh.write_bytes(mesh.read_bytes() + b" ")
    report = check_seal(results.path)
    assert report.differ == (f"predictions/{mesh.relative_to(sealed.run.path).as_posix()}",)


def test_predictions_in_the_originals_layout_are_sealed_by_item(sealed: SmallRun, tmp_path: Path) -> None:
    original, results = tmp_path / "eval" / "daredemoE", RunFolder(tmp_path / "scored")
    names = [f"rgb60/{PLAIN}/{camera[6:]}.png" for camera in SCORED_CAMERAS[2:]]
    names += [f"marching_cubes/{PLAIN}/front.npz", f"ortho/{PLAIN}/front.png"]
    for name in [*names, "rgb60/not/listed/0036.png"]:
        path = original / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    results.path.mkdir()
    made = seal_run(results, original, ITEMS, open_dataset(sealed.data), {})
    assert set(made.files["predictions"]) == set(names)
    (original / names[0]).write_bytes(b"")
    assert check_seal(results.path).first == f"predictions/{names[0]}"
    shutil.rmtree(original.parent)
    assert check_seal(results.path).unchecked == {"predictions": len(names)}


# -- seals that are none ----------------------------------------------------------------------------------------


def test_a_run_without_a_seal_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Expected the seal .* found none\. python3 -m _scripts\.measure"):
        check_seal(tmp_path)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "items/../../outside", "", "items//a"])
def test_a_seal_cannot_lead_out_of_its_folders(name: str, sealed: SmallRun) -> None:
    value = json.loads(sealed.run.seal.read_text())
    value["files"]["run"][name] = "0" * 64
    sealed.run.seal.write_text(json.dumps(value))
    with pytest.raises(FormatError, match="expected paths below the section's folder"):
        check_seal(sealed.run.path)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "[" * 100_000, '{"format": "anime3d seal", "version": 2}', '{"format": "anime3d seal"}'],
)
def test_other_files_are_no_seals(text: str, sealed: SmallRun) -> None:
    sealed.run.seal.write_text(text)
    with pytest.raises(FormatError):
        check_seal(sealed.run.path)


@pytest.mark.parametrize("name", ["a" * 300, "\ud800", "scores.jsonl/a", "items/" + "a/" * 3000 + "a", "a\x1b[2J\n"])
def test_names_that_no_file_has_are_missing_and_give_a_terminal_no_orders(name: str, sealed: SmallRun) -> None:
    known = read_seal(sealed.run.seal)
    files = {**known.files, "run": {**known.files["run"], name: "0" * 64}}
    sealed.run.seal.write_text(replace(known, files=files).text)
    report = check_seal(sealed.run.path)
    assert report.missing == (f"run/{name}",)
    assert all(line.replace("\ufffd", "?").isprintable() for line in report.text.split("\n"))
    assert len(report.text.split("\n")) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_cannot_be_read_is_named(sealed: SmallRun) -> None:
    sealed.run.scores.chmod(0)
    with pytest.raises(InputError, match=r"Expected a readable file .*scores\.jsonl"):
        check_seal(sealed.run.path)
