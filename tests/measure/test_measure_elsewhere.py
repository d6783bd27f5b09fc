"""Results repeat byte for byte wherever run and dataset lie, whatever of them is missing, and in any order of work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from _exchange.errors import InputError
from _exchange.items import ItemId, TruthFiles
from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _exchange.run_record import ItemStatus
from _exchange.shard import Shard
from _measure.protocols import Settings
from _measure.run import MeasureOptions, Target, measure_targets
from _measure.sentences import without_folders
from tests.measure.small_benchmark import SmallBenchmark, make_benchmark

pytestmark = pytest.mark.usefixtures("no_weights")


def spoiled(root: Path) -> SmallBenchmark:
    """Four items: one failed, one with a torn picture and an empty mesh, one without truth, one without character."""
    bench = make_benchmark(root, 4, views=("ortho_front", "ortho_back"))
    failed, torn, _, bare = bench.items
    ItemStatus("failed", f"Expected a picture {root}/raw/portrait.png, found none.").write(
        bench.run.item(failed).status
    )
    bench.run.item(torn).render("ortho_front").write_bytes(b"no picture")
    bench.run.item(torn).mesh.write_bytes(b"")
    bench.truths[bare].character.unlink()
    return bench


def measured(bench: SmallBenchmark, root: Path, **changes: object) -> dict[str, bytes]:
    """Journal, scores and tables."""

    def truth_of(item: ItemId) -> TruthFiles:
        if item == bench.items[2]:
            raise InputError(f"Expected an alignment in {root}/alignment.json, found none.")
        return bench.truth_of(item)

    targets = [Target(bench.run, bench.predictions, Settings(sample_count=50))]
    options = replace(MeasureOptions(may_download=False, folders=(bench.run.path, root)), **changes)
    measure_targets(bench.run.measured, targets, bench.items, truth_of, options)
    return {path.name: path.read_bytes() for path in files_of(bench.run) if path.is_file()}


def files_of(run: RunFolder) -> list[Path]:
    return [run.measured, run.scores, *map(run.table, TABLE_FORMATS)]


def test_no_result_says_where_it_was_made(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    one, two = tmp_path / "one", tmp_path / "deeper" / "another two"
    first, second = measured(spoiled(one), one), measured(spoiled(two), two)
    assert first == second
    assert len(first) == 2 + len(TABLE_FORMATS)
    assert all(str(tmp_path).encode() not in content for content in first.values())
    text = first["table.txt"].decode()
    assert "missing balls/ball_0: failed: Expected a picture raw/portrait.png, found none." in text
    assert "missing balls/ball_2: Expected an alignment in alignment.json, found none." in text


def test_shards_in_any_order_and_kept_truths_change_no_result(tmp_path: Path) -> None:
    """The journal has another order, scores and tables have not."""
    calm, shards = tmp_path / "calm", tmp_path / "shards"
    expected = measured(spoiled(calm), calm)
    bench, cache = spoiled(shards), tmp_path / "cache"
    measured(bench, shards, shard=Shard(2, 2), truth_cache=cache)
    found = measured(bench, shards, shard=Shard(1, 2), truth_cache=cache)
    bench.run.measured.unlink()
    kept = measured(bench, shards, truth_cache=cache)  # every true surface is found
    assert {name: content for name, content in found.items() if name != "measured.jsonl"} == {
        name: content for name, content in expected.items() if name != "measured.jsonl"
    }
    assert kept == expected


def test_a_file_that_may_not_be_read_is_named_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_benchmark(tmp_path, 1, views=("ortho_front",))
    secret = bench.truths[bench.items[0]].character

    def digest(path: Path) -> str:
        if path == secret:
            raise PermissionError(13, "Permission denied", str(path))
        return "digest"

    monkeypatch.setattr("_measure.score_items.sha256_of_file", digest)
    options = MeasureOptions(may_download=False, folders=(tmp_path,))
    target = Target(None, bench.predictions, Settings(sample_count=50))
    (table,) = measure_targets(bench.run.measured, [target], bench.items, bench.truth_of, options)
    assert [problem.reason for problem in table.problems] == [
        "Expected to read raw/ball_0.glb, found: Permission denied."
    ]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Expected /home/me/run/items/a.png, found none.", "Expected items/a.png, found none."),
        ("Expected items in /home/me/run, found none.", "Expected items in run, found none."),
        ("Expected items in /home/me/run.", "Expected items in run."),
        ("Expected /home/me/run.old/a.png.", "Expected /home/me/run.old/a.png."),
        ("Expected /home/me/running/a.png.", "Expected /home/me/running/a.png."),
        ("Expected /mnt/home/me/run/a.png.", "Expected /mnt/home/me/run/a.png."),
        ("Expected ('/home/me/run/a.png').", "Expected ('a.png')."),
    ],
)
def test_only_whole_names_of_folders_are_left_out(sentence: str, expected: str) -> None:
    assert without_folders(sentence, [Path("/home/me/run")]) == expected


@pytest.mark.parametrize("folder", [Path("."), Path("/"), Path("..")])
def test_folders_without_a_name_leave_other_words_alone(folder: Path) -> None:
    sentence = "Expected 1.5 m / 2 s, and/or three... found none."
    assert without_folders(sentence, [folder]) == sentence


def test_relative_folders_count_as_given_and_as_they_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    sentence = f"Expected runs/a/x.png or {tmp_path}/runs/a/x.png, not myruns/a/x.png."
    assert without_folders(sentence, [Path("runs/a")]) == "Expected x.png or x.png, not myruns/a/x.png."
