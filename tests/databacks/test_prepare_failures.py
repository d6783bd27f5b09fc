"""What `prepare` does with bad files, bad options and a bad machine."""

from __future__ import annotations

import errno
import json

import pytest

from _databacks import prepare_character
from _databacks.dataset import open_dataset
from _databacks.folder import Problem
from _databacks.prepare import PrepareConfig, prepare
from _exchange.errors import InputError
from tests.databacks.preparing import own, run
from tests.databacks.tiny_characters import cube, write_tiny


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in"
    write_tiny(folder / "a.vrm")
    write_tiny(folder / "b.vrm", positions=cube(0.05))
    return folder


def test_bad_files_are_listed_with_their_reasons_and_stop_nobody(source, tmp_path):
    (source / "broken.vrm").write_bytes(b"glTF but not quite")
    write_tiny(source / "x/own/a.vrm")
    result = run(source, tmp_path / "out", workers=2)
    assert (result.total, result.drawn, result.failed) == (3, 2, 1)
    table = json.loads((own(tmp_path / "out") / "failures.json").read_text())
    assert [(row["item"], row["file"], row["status"]) for row in table] == [
        ("own/a", "x/own/a.vrm", "skipped"),
        ("own/broken", "broken.vrm", "failed"),
    ]
    assert "broken.vrm" in table[1]["reason"]
    assert not list((tmp_path / "out").rglob("broken*"))
    assert (tmp_path / "out/subsets/own_all.csv").read_text() == "own/a\nown/b\n"


def test_a_failure_is_remembered_until_it_is_asked_for_again(source, tmp_path):
    (source / "broken.vrm").write_bytes(b"glTF but not quite")
    run(source, tmp_path / "out")
    journal = own(tmp_path / "out") / "prepare_journal.jsonl"
    lines = journal.read_text().count("\n")
    assert run(source, tmp_path / "out").failed == 1
    assert journal.read_text().count("\n") == lines
    assert run(source, tmp_path / "out", retry_failed=True).failed == 1
    assert journal.read_text().count("\n") == lines + 1


def test_a_mended_file_is_no_failure_any_more(source, tmp_path):
    (source / "broken.vrm").write_bytes(b"glTF but not quite")
    run(source, tmp_path / "out")
    write_tiny(source / "broken.vrm")
    assert run(source, tmp_path / "out").failed == 0
    assert json.loads((own(tmp_path / "out") / "failures.json").read_text()) == []


def test_a_character_that_breaks_later_loses_its_pictures(source, tmp_path):
    run(source, tmp_path / "out")
    (source / "a.vrm").write_bytes(b"glTF but not quite")
    run(source, tmp_path / "out")
    assert [str(item) for item in open_dataset(tmp_path / "out").items()] == ["own/b"]
    assert not (own(tmp_path / "out") / "ortho/own/a").exists()


def test_a_character_with_nothing_above_its_neck_is_refused(tmp_path):
    write_tiny(tmp_path / "in/low.vrm", positions=cube(0.05, above=-0.3))
    result = run(tmp_path / "in", tmp_path / "out")
    assert "above its neck" in result.problems[0].reason


def test_paper_draws_vrm_0_and_refuses_vrm_1(tmp_path):
    write_tiny(tmp_path / "in/old.vrm")
    write_tiny(tmp_path / "in/new.vrm", "1.0")
    result = run(tmp_path / "in", tmp_path / "out", shading="paper")
    assert [problem.item for problem in result.problems] == ["own/new"]
    assert open_dataset(tmp_path / "out").default_protocol == "paper"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kinds": ("ortho", "depth")}, "depth"),
        ({"kinds": ("rgb_spin12",)}, "rgb_spin12"),
        ({"renderset": "kiddoWE"}, "kiddoWE"),
        ({"renderset": "daredemoE"}, "daredemoE"),
        ({"limit": -1}, "limit"),
        ({"shading": "toon"}, "toon"),
        ({"out": None}, "--out"),
    ],
)
def test_wrong_options_are_sentences(source, tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        prepare(PrepareConfig(**({"source": source, "out": tmp_path / "out", "backend": "cpu"} | options)))


def test_a_full_disk_stops_the_run_and_blames_no_character(source, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr("_databacks.prepare_character.atomic.write_bytes", full)
        with pytest.raises(InputError, match="No space left on device"):
            run(source, tmp_path / "out")
    assert run(source, tmp_path / "out").drawn == 2


def test_a_place_that_cannot_be_written_is_a_sentence(source, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="Not a directory"):
        run(source, tmp_path / "file")


def test_a_fault_of_the_suite_in_one_character_is_recorded_for_it_alone(source, tmp_path, monkeypatch):
    read = prepare_character.read_head_mesh

    def faulty(path, **options):
        if path.name == "a.vrm":
            raise ZeroDivisionError("division by zero")
        return read(path, **options)

    monkeypatch.setattr("_databacks.prepare_character.read_head_mesh", faulty)
    result = run(source, tmp_path / "out")
    assert [(problem.item, problem.reason) for problem in result.problems] == [
        ("own/a", "Unexpected ZeroDivisionError: division by zero.")
    ]
    assert result.drawn == 1


def test_a_folder_without_characters_is_refused_and_writes_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no character")
    with pytest.raises(InputError, match=r"Expected \.vrm or \.glb files in .*, found none"):
        run(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_sentence_of_a_problem_names_its_file_once():
    problem = Problem("own/a", "sub/a.vrm", "failed", "a.vrm: header: expected 12 bytes, found 0 bytes.")
    assert problem.sentence == "failed: sub/a.vrm: header: expected 12 bytes, found 0 bytes."
    skipped = Problem("own/a", "sub/a.vrm", "skipped", "Another file has this name.")
    assert skipped.sentence == "skipped: sub/a.vrm: Another file has this name."


def test_a_file_beyond_the_limit_is_refused_unread(source, tmp_path):
    with open(source / "vast.vrm", "wb") as stream:
        stream.truncate(2**36)  # 64 GiB of nothing: reading them would take minutes
    result = run(source, tmp_path / "out")
    assert (result.drawn, [problem.item for problem in result.problems]) == (2, ["own/vast"])
    assert result.problems[0].reason == f"Expected a file of at most {512 * 2**20} bytes, found {2**36} bytes."


def test_what_a_killed_run_left_among_the_copies_is_no_character(source, tmp_path):
    run(source, tmp_path / "out")
    leftover = tmp_path / "out/raw/own/own/.partial-12-c.vrm"
    leftover.write_bytes(b"glTF")
    result = run(tmp_path / "out", None)
    assert (result.total, result.failed) == (2, 0)
    assert not leftover.exists()
