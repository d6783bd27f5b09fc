"""Laws of runs: shards, growing lists, damage, second tries and what is recorded."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from _exchange.digest import sha256_of_file
from _exchange.errors import FormatError, InputError
from _exchange.items import ItemId
from _exchange.journal import Journal
from _exchange.run_folder import RunFolder
from _exchange.run_record import ItemStatus, RunRecord
from _exchange.shard import Shard
from _methods import generate as generate_module
from _methods.generate import GenerateOptions, OtherRun, generate
from _methods.interface import Method, MethodSettings
from _render.scene_cpu import CpuRenderer
from tests.methods import quick_method
from tests.methods.quick_method import install_quick_method
from tests.methods.tiny_dataset import TinyDataset

ITEMS = [ItemId("made", f"disc{number}") for number in range(3)]


@pytest.fixture(autouse=True)
def _quick_method(tmp_path_factory, monkeypatch):
    install_quick_method(tmp_path_factory.mktemp("distribution"), monkeypatch)
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")
    # Two pictures an item instead of sixteen: runs of many items stay quick.
    monkeypatch.setattr(generate_module, "RENDERED_CAMERAS", ("ortho_front", "rgb60_0042"))


def _options(out: Path, **changes: object) -> GenerateOptions:
    return replace(GenerateOptions(out=out, method="quick"), **changes)


def _results(run: Path) -> dict[str, str]:
    files = sorted(path for path in (run / "items").rglob("*") if path.is_file() and path.name != "status.json")
    return {path.relative_to(run).as_posix(): sha256_of_file(path) for path in files}


# -- shards and growing lists -------------------------------------------------------------------------------------


@hypothesis_settings(max_examples=50, deadline=None, derandomize=True)
@given(items=st.integers(0, 40), count=st.integers(1, 50))
def test_shards_hold_every_item_once_and_differ_by_at_most_one(items: int, count: int) -> None:
    names = [ItemId("made", str(number)) for number in range(items)]
    parts = [Shard(number, count).of(names) for number in range(1, count + 1)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(part == sorted(part, key=names.index) for part in parts)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_union_of_all_shards_in_any_order_is_the_whole_run(tmp_path: Path, count: int) -> None:
    whole = generate(TinyDataset(count=4), _options(tmp_path / "whole"))
    made = [
        generate(TinyDataset(count=4), _options(tmp_path / "parts", shard=Shard(number, count))).made
        for number in range(count, 0, -1)
    ]
    assert sum(made) == 4
    assert _results(tmp_path / "parts") == _results(tmp_path / "whole")
    entries = [Journal(tmp_path / name / "journal.jsonl").entries() for name in ("parts", "whole")]
    assert entries[0] == entries[1], "also the keys, so that one goes on where the other stopped"
    assert generate(TinyDataset(count=4), _options(tmp_path / "parts")).kept == 4
    assert RunRecord.read(tmp_path / "parts" / "run.json").resolved == whole.record.resolved


def test_shards_of_a_limited_list_share_that_list(tmp_path: Path) -> None:
    made = [
        generate(TinyDataset(count=5), _options(tmp_path / "run", limit=3, shard=Shard(number, 2))).made
        for number in (1, 2)
    ]
    assert made == [2, 1]
    assert {path.split("/")[2] for path in _results(tmp_path / "run")} == {"disc0", "disc1", "disc2"}


def test_a_list_that_grows_step_by_step_ends_as_the_whole_run(tmp_path: Path) -> None:
    generate(TinyDataset(count=4), _options(tmp_path / "whole"))
    for limit in (1, 2, 4):
        summary = generate(TinyDataset(count=4), _options(tmp_path / "run", limit=limit))
        assert summary.made + summary.kept == limit
        assert len(RunRecord.read(tmp_path / "run" / "run.json").items) == limit
    assert summary.made == 2
    assert _results(tmp_path / "run") == _results(tmp_path / "whole")


def test_a_dataset_that_got_more_items_goes_on_and_one_with_others_does_not(tmp_path: Path) -> None:
    generate(TinyDataset(count=2), _options(tmp_path / "run"))
    assert (grown := generate(TinyDataset(count=3), _options(tmp_path / "run"))).made == 1
    assert grown.kept == 2
    with pytest.raises(OtherRun, match=r"digests\.dataset"):
        generate(TinyDataset(count=3, broken=("made/disc0",)), _options(tmp_path / "run"))


# -- damage -------------------------------------------------------------------------------------------------------


def _break(run: RunFolder, what: str) -> None:
    folder = run.item(ITEMS[1])
    if what == "mesh emptied":
        folder.mesh.write_bytes(b"")
    elif what == "one bit of a position map":
        content = bytearray(folder.position("ortho_front").read_bytes())
        content[-20] ^= 1
        folder.position("ortho_front").write_bytes(content)
    elif what == "whole item gone":
        shutil.rmtree(folder.path)
    else:
        lines = run.journal.read_text().splitlines(keepends=True)
        run.journal.write_text(lines[0] + lines[1][: len(lines[1]) // 2] + "\n" + lines[2])


@pytest.mark.parametrize("what", ["mesh emptied", "one bit of a position map", "whole item gone", "torn journal line"])
def test_only_a_damaged_item_is_made_again(tmp_path: Path, what: str) -> None:
    run = generate(TinyDataset(), _options(tmp_path / "run")).run
    before = _results(run.path)
    _break(run, what)
    again = generate(TinyDataset(), _options(run.path))
    assert (again.made, again.kept) == (1, 2)
    assert _results(run.path) == before
    assert generate(TinyDataset(), _options(run.path)).made == 0


def test_a_lost_status_does_not_matter_to_going_on(tmp_path: Path) -> None:
    run = generate(TinyDataset(), _options(tmp_path / "run")).run
    run.item(ITEMS[0]).status.unlink()
    assert generate(TinyDataset(), _options(run.path)).made == 0


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 99}'])
def test_a_damaged_record_is_named_and_nothing_is_overwritten(tmp_path: Path, content: str) -> None:
    run = generate(TinyDataset(count=1), _options(tmp_path / "run")).run
    before = _results(run.path)
    run.record.write_text(content)
    with pytest.raises(FormatError, match=r"run\.json"):
        generate(TinyDataset(count=1), _options(run.path))
    assert _results(run.path) == before
    assert run.record.read_text() == content


# -- second tries -------------------------------------------------------------------------------------------------


def test_an_item_that_failed_by_accident_succeeds_when_tried_again(tmp_path: Path, monkeypatch) -> None:
    whole = generate(TinyDataset(), _options(tmp_path / "whole")).run
    reconstruct = quick_method.Quick.reconstruct

    def out_of_memory(self: Method, method_input):
        if method_input.item == ITEMS[1]:
            raise MemoryError("no room")
        return reconstruct(self, method_input)

    monkeypatch.setattr(quick_method.Quick, "reconstruct", out_of_memory)
    failed = generate(TinyDataset(), _options(tmp_path / "run"))
    assert dict(failed.failed) == {"made/disc1": "Unexpected MemoryError: no room."}
    monkeypatch.setattr(quick_method.Quick, "reconstruct", reconstruct)
    assert list(generate(TinyDataset(), _options(tmp_path / "run")).failed) == ["made/disc1"], "not without being asked"
    retried = generate(TinyDataset(), _options(tmp_path / "run", retry_failed=True))
    assert (retried.made, retried.kept, dict(retried.failed)) == (1, 2, {})
    assert ItemStatus.read(retried.run.item(ITEMS[1]).status).status == "ok"
    assert _results(retried.run.path) == _results(whole.path)
    lines = [json.loads(line) for line in retried.run.journal.read_text().splitlines()]
    assert [line["status"] for line in lines if line["item"] == "made/disc1"] == ["failed", "ok"]


def test_an_error_without_a_message_is_a_failure_all_the_same(tmp_path: Path, monkeypatch) -> None:
    def mute(self: Method, method_input):
        raise InputError("")

    monkeypatch.setattr(quick_method.Quick, "reconstruct", mute)
    summary = generate(TinyDataset(count=1), _options(tmp_path / "run"))
    assert dict(summary.failed) == {"made/disc0": "InputError without a message."}
    assert ItemStatus.read(summary.run.item(ITEMS[0]).status).status == "failed"


# -- what is recorded ---------------------------------------------------------------------------------------------


def test_the_device_is_recorded_and_decides_nothing(tmp_path: Path) -> None:
    generate(TinyDataset(count=1), _options(tmp_path / "run", settings=MethodSettings(device="cuda")))
    record = RunRecord.read(tmp_path / "run" / "run.json")
    assert record.machine["device"] == "cuda"
    assert generate(TinyDataset(count=1), _options(tmp_path / "run")).kept == 1


@pytest.mark.parametrize(("drawn_by", "recorded"), [("egl", "egl"), ("cpu", "cpu")])
def test_auto_is_recorded_as_the_back_end_that_was_chosen(tmp_path, monkeypatch, drawn_by, recorded) -> None:
    class Chosen(CpuRenderer):
        name = drawn_by

    monkeypatch.setattr(generate_module, "renderer", lambda asked: Chosen() if asked == "auto" else None)
    generate(TinyDataset(count=1), _options(tmp_path / "run", settings=MethodSettings(back_end="auto")))
    assert RunRecord.read(tmp_path / "run" / "run.json").settings["back_end"] == recorded


def test_another_back_end_is_another_configuration(tmp_path: Path) -> None:
    generate(TinyDataset(count=1), _options(tmp_path / "run"))
    with pytest.raises(OtherRun, match=r"other values of settings\.back_end"):
        generate(TinyDataset(count=1), _options(tmp_path / "run", settings=MethodSettings(back_end="egl")))


@pytest.mark.parametrize("resolution", [7, 1025])
def test_an_impossible_resolution_is_refused_before_anything_is_written(tmp_path: Path, resolution: int) -> None:
    with pytest.raises(InputError, match=f"between 8 and 1024, found {resolution}"):
        generate(TinyDataset(), _options(tmp_path / "run", resolution=resolution))
    assert not (tmp_path / "run").exists()


def test_the_same_run_elsewhere_has_the_same_record_and_keys(tmp_path: Path) -> None:
    """Neither the folder of the run nor that of the dataset decides anything."""
    for name in ("one", "other"):
        generate(TinyDataset(root=tmp_path / name, count=2), _options(tmp_path / f"run of {name}"))
    journals = [Journal(tmp_path / f"run of {name}" / "journal.jsonl").entries() for name in ("one", "other")]
    assert journals[0] == journals[1]
