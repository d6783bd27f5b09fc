"""Seals: every byte that a run's scores rest on is looked at, and what was changed is named."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from _databacks.dataset import open_dataset
from _exchange.errors import FormatError, InputError
from _exchange.items import SCORED_CAMERAS
from _exchange.run_folder import RunFolder
from _measure.integrity.check import check_seal
from _measure.integrity.seal import Seal, read_seal
from _measure.integrity.sealing import seal_run
from tests.measure.report.small_run import ITEMS, ODD, PLAIN, SmallRun
from tests.measure.sealed_run import (
    KINDS_MADE_LATER,
    KINDS_OF_DATASET,
    KINDS_OF_RUN,
    SEALS,
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
