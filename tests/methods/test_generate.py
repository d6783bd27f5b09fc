"""Items × method → run folder: what lies in it, what failures and interruptions leave, and what may go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from _exchange.digest import sha256_of_file
from _exchange.errors import InputError
from _exchange.items import RENDERED_CAMERAS, ItemId
from _exchange.journal import Journal
from _exchange.pictures import read_picture
from _exchange.run_folder import RunFolder
from _exchange.run_record import ItemStatus, RunRecord
from _exchange.shard import Shard
from _methods.generate import GenerateOptions, generate
from _methods.interface import MethodSettings
from tests.methods.quick_method import install_quick_method
from tests.methods.tiny_dataset import TinyDataset

NAMES = ["made/disc0", "made/disc1", "made/disc2"]


@pytest.fixture(autouse=True)
def _quick_method(tmp_path_factory, monkeypatch):
    install_quick_method(tmp_path_factory.mktemp("distribution"), monkeypatch)
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")


def _options(out: Path, **changes: object) -> GenerateOptions:
    return replace(GenerateOptions(out=out, method="quick"), **changes)


def _with(**options: object) -> MethodSettings:
    return MethodSettings(options=options)


def results(run: Path) -> dict[str, str]:
    """Digest by path of everything that must repeat byte for byte."""
    files = sorted(path for path in (run / "items").rglob("*") if path.is_file() and path.name != "status.json")
    return {path.relative_to(run).as_posix(): sha256_of_file(path) for path in files}


@pytest.fixture(scope="module")
def _undisturbed_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("undisturbed")


@pytest.fixture
def undisturbed(_undisturbed_folder):
    """Results of a run that nothing interrupted; made once."""
    run = _undisturbed_folder / "run"
    if not run.exists():
        generate(TinyDataset(), _options(run))
    return results(run)


# -- a whole run ------------------------------------------------------------------------------------------------


def test_every_item_gets_sixteen_pictures_and_position_maps_and_a_mesh(undisturbed):
    for name in NAMES:
        files = {path.removeprefix(f"items/{name}/") for path in undisturbed if path.startswith(f"items/{name}/")}
        expected = {f"{kind}/{camera}.png" for kind in ("renders", "position") for camera in RENDERED_CAMERAS}
        assert files == expected | {"mesh.glb"}


def test_pictures_are_512_pixels_square_with_alpha(tmp_path):
    run = generate(TinyDataset(count=1), _options(tmp_path / "run")).run
    picture = read_picture(run.item(ItemId("made", "disc0")).render("rgb60_0042"))
    assert picture.shape == (512, 512, 4)
    assert picture[..., 3].min() == 255


def test_a_portrait_that_the_method_prepared_is_kept_beside_the_results(tmp_path):
    run = generate(TinyDataset(count=1), _options(tmp_path / "run", settings=_with(prepares=77))).run
    assert (read_picture(run.item(ItemId("made", "disc0")).prepared_input) == 77).all()
    assert "items/made/disc0/prepared_input.png" in results(run.path)


def test_pasted_pictures_have_unpasted_twins(tmp_path):
    run = generate(TinyDataset(count=1), _options(tmp_path / "run", settings=_with(pastes="yes"))).run
    item = run.item(ItemId("made", "disc0"))
    assert not read_picture(item.unpasted_render("rgb60_0042")).any()
    assert {path.name for path in (item.path / "renders_unpasted").iterdir()} == {
        path.name for path in (item.path / "renders").iterdir()
    }


@pytest.mark.parametrize("protocol", ["paper", "corrected"])
def test_a_method_is_loaded_with_the_protocol_of_the_run_and_its_note_is_kept(tmp_path, protocol):
    settings = _with(says="mean nothing")
    generate(TinyDataset(count=1), _options(tmp_path / "run", settings=settings, protocol=protocol))
    assert RunRecord.read(tmp_path / "run" / "run.json").note == f"{protocol}: mean nothing"


def test_the_record_says_what_was_run(tmp_path):
    settings = MethodSettings(seed=5, options={"fails": "nobody"})
    generate(TinyDataset(count=2), _options(tmp_path / "run", settings=settings, resolution=64))
    record = RunRecord.read(tmp_path / "run" / "run.json")
    assert (record.method, record.dataset, record.protocol, record.seed) == ("quick", "tiny", "corrected", 5)
    assert record.items == ("made/disc0", "made/disc1")
    assert record.settings == {"resolution": 64, "back_end": "cpu", "fails": "nobody"}
    assert set(record.digests) == {"dataset", "weights"}
    assert record.digests["weights"] == "of a file that decides the results"
    assert record.machine["device"] == "cpu"


def test_the_journal_carries_the_digests_of_all_files(tmp_path):
    run = generate(TinyDataset(count=2), _options(tmp_path / "run")).run
    entries = Journal(run.journal).entries()
    assert [entry.item for entry in entries] == NAMES[:2]
    assert {path: digest for entry in entries for path, digest in entry.files.items()} == results(run.path)


def test_statuses_say_how_long_it_took_and_how_much_memory(tmp_path):
    run = generate(TinyDataset(count=1), _options(tmp_path / "run")).run
    status = ItemStatus.read(run.item(ItemId("made", "disc0")).status)
    assert (status.status, status.reason) == ("ok", "")
    assert 0 < status.seconds < 600
    assert 10 < status.peak_memory_mb < 100_000


def test_results_do_not_depend_on_the_number_of_workers(tmp_path, undisturbed):
    summary = generate(TinyDataset(), _options(tmp_path / "run", workers=2))
    assert (summary.made, summary.kept, dict(summary.failed)) == (3, 0, {})
    assert results(tmp_path / "run") == undisturbed


# -- going on ---------------------------------------------------------------------------------------------------


def test_a_finished_run_is_kept_as_it_is(tmp_path):
    first = generate(TinyDataset(count=2), _options(tmp_path / "run"))
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "items").rglob("*")}
    again = generate(TinyDataset(count=2), _options(tmp_path / "run"))
    assert (first.made, first.kept, again.made, again.kept) == (2, 0, 0, 2)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "items").rglob("*")} == times


@pytest.mark.parametrize("damage", ["change", "delete"])
def test_an_item_whose_files_are_no_longer_what_they_were_is_made_again(tmp_path, undisturbed, damage):
    run = generate(TinyDataset(), _options(tmp_path / "run")).run
    victim = run.item(ItemId("made", "disc2")).render("ortho_back")
    if damage == "change":
        victim.write_bytes(b"not a picture")
    else:
        victim.unlink()
    again = generate(TinyDataset(), _options(tmp_path / "run"))
    assert (again.made, again.kept) == (1, 2)
    assert results(run.path) == undisturbed


def test_files_that_an_earlier_attempt_left_are_removed(tmp_path, undisturbed):
    run = generate(TinyDataset(), _options(tmp_path / "run")).run
    folder = run.item(ItemId("made", "disc1"))
    (folder.path / "renders" / "old.png").write_bytes(b"old")
    (folder.path / "renders" / ".partial-1-ortho_front.png").write_bytes(b"half")
    folder.mesh.unlink()
    generate(TinyDataset(), _options(tmp_path / "run"))
    assert results(run.path) == undisturbed


def test_another_configuration_is_refused_and_the_differing_fields_are_named(tmp_path):
    generate(TinyDataset(count=1), _options(tmp_path / "run"))
    changed = _options(tmp_path / "run", resolution=64, settings=MethodSettings(seed=9), protocol="paper")
    with pytest.raises(InputError) as caught:
        generate(TinyDataset(count=1), changed)
    assert "other values of protocol, seed, settings.resolution." in str(caught.value)
    assert "another --out" in caught.value.next_step
    assert "--overwrite" in caught.value.next_step


def test_changed_inputs_are_another_configuration(tmp_path):
    generate(TinyDataset(count=2), _options(tmp_path / "run"))
    with pytest.raises(InputError, match=r"other values of digests\.dataset"):
        generate(TinyDataset(count=2, broken=("made/disc1",)), _options(tmp_path / "run"))


def test_a_limited_run_goes_on_with_more_items(tmp_path, undisturbed):
    first = generate(TinyDataset(), _options(tmp_path / "run", limit=1))
    assert first.record.items == ("made/disc0",)
    rest = generate(TinyDataset(), _options(tmp_path / "run"))
    assert (rest.made, rest.kept) == (2, 1)
    assert RunRecord.read(tmp_path / "run" / "run.json").items == tuple(NAMES)
    assert results(tmp_path / "run") == undisturbed


def test_a_smaller_limit_leaves_the_list_of_the_run_as_it_is(tmp_path):
    generate(TinyDataset(count=3), _options(tmp_path / "run"))
    again = generate(TinyDataset(count=3), _options(tmp_path / "run", limit=1))
    assert (again.made, again.kept) == (0, 1)
    assert RunRecord.read(tmp_path / "run" / "run.json").items == tuple(NAMES[:3])


def test_overwriting_deletes_the_run_and_nothing_else(tmp_path):
    run = generate(TinyDataset(count=2), _options(tmp_path / "run")).run
    for path in (run.scores, run.report, run.table("txt"), run.seal, run.verdicts, run.variant("paper").scores):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of the old run")
    (run.path / "notes.txt").write_text("mine")
    summary = generate(TinyDataset(count=1), _options(run.path, resolution=64, existing="overwrite"))
    assert (summary.made, summary.kept) == (1, 0)
    assert sorted(path.name for path in run.path.iterdir()) == ["items", "journal.jsonl", "notes.txt", "run.json"]
    assert [path.name for path in (run.path / "items" / "made").iterdir()] == ["disc0"]


def test_requiring_a_run_where_there_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="run to go on with"):
        generate(TinyDataset(count=1), _options(tmp_path / "run", existing="require"))
    assert not (tmp_path / "run").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    for existing in ("resume", "overwrite"):
        with pytest.raises(InputError, match="new or empty folder"):
            generate(TinyDataset(count=1), _options(tmp_path, existing=existing))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_start_that_was_killed_before_its_record_was_written_does_not_matter(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".partial-17-run.json").write_text("{")
    assert generate(TinyDataset(count=1), _options(tmp_path / "run")).made == 1


# -- shards and limits ------------------------------------------------------------------------------------------


def test_shards_share_a_folder_and_make_every_item_once(tmp_path, undisturbed):
    made = [generate(TinyDataset(), _options(tmp_path / "run", shard=Shard(n, 2))).made for n in (1, 2)]
    assert made == [2, 1]
    assert results(tmp_path / "run") == undisturbed
    assert RunRecord.read(tmp_path / "run" / "run.json").items == tuple(NAMES)


def test_a_part_deletes_no_other_parts_work(tmp_path):
    generate(TinyDataset(), _options(tmp_path / "run", shard=Shard(1, 2)))
    with pytest.raises(InputError, match="work of the other parts"):
        generate(TinyDataset(), _options(tmp_path / "run", shard=Shard(2, 2), existing="overwrite"))
    assert generate(TinyDataset(), _options(tmp_path / "run")).kept == 2


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/", "-1/2", "1/²"])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="Expected a shard"):
        Shard.parse(text)


def test_a_shard_is_written_i_of_n():
    assert Shard.parse("2/5") == Shard(2, 5)


def test_a_negative_limit_is_refused(tmp_path):
    with pytest.raises(InputError, match="limit of at least 0, found -1"):
        generate(TinyDataset(), _options(tmp_path / "run", limit=-1))


def test_a_dataset_without_items_is_refused(tmp_path):
    with pytest.raises(InputError, match="Expected items in the dataset"):
        generate(TinyDataset(count=0), _options(tmp_path / "run"))


def test_unknown_names_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="found 'nerf'"):
        generate(TinyDataset(), _options(tmp_path / "run", method="nerf"))
    with pytest.raises(InputError, match="found 'fast'"):
        generate(TinyDataset(), _options(tmp_path / "run", protocol="fast"))
    assert not (tmp_path / "run").exists()


# -- failures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "changes", "reason"),
    [
        (TinyDataset(broken=("made/disc1",)), {"workers": 2}, "Expected a portrait of made/disc1, found none."),
        (TinyDataset(), {"settings": _with(fails="made/disc1")}, "Expected another item than made/disc1."),
        (TinyDataset(), {"settings": _with(breaks="made/disc1")}, "Unexpected ZeroDivisionError: a bug."),
    ],
    ids=["unreadable, two workers", "refused", "bug"],
)
def test_one_failing_item_is_recorded_and_stops_nothing(tmp_path, undisturbed, dataset, changes, reason):
    summary = generate(dataset, _options(tmp_path / "run", **changes))
    assert dict(summary.failed) == {"made/disc1": reason}
    status = ItemStatus.read(summary.run.item(ItemId("made", "disc1")).status)
    assert (status.status, status.reason) == ("failed", reason)
    others = {path: digest for path, digest in undisturbed.items() if "disc1" not in path}
    assert results(tmp_path / "run") == others


def test_a_worker_that_dies_fails_its_item_only(tmp_path, undisturbed):
    summary = generate(TinyDataset(), _options(tmp_path / "run", settings=_with(dies="made/disc1"), workers=2))
    assert list(summary.failed) == ["made/disc1"]
    assert "worker process died" in summary.failed["made/disc1"]
    assert results(tmp_path / "run") == {path: d for path, d in undisturbed.items() if "disc1" not in path}


def test_a_failed_item_stays_failed_until_it_is_asked_for_again(tmp_path):
    settings = _with(fails="made/disc0")
    options = _options(tmp_path / "run", settings=settings)
    generate(TinyDataset(count=2), options)
    again = generate(TinyDataset(count=2), options)
    assert (again.made, again.kept, list(again.failed)) == (0, 1, ["made/disc0"])
    retried = generate(TinyDataset(count=2), replace(options, retry_failed=True))
    assert (retried.made, retried.kept, list(retried.failed)) == (0, 1, ["made/disc0"])


def test_what_an_item_had_is_removed_when_it_fails_later(tmp_path):
    run = RunFolder(tmp_path / "run")
    folder = run.item(ItemId("made", "disc0"))
    settings = _with(fails="made/disc0")
    generate(TinyDataset(count=1), _options(run.path, settings=settings))
    folder.mesh.write_bytes(b"of an attempt that did not end")
    generate(TinyDataset(count=1), _options(run.path, settings=settings, retry_failed=True))
    assert results(run.path) == {}


def test_ctrl_c_keeps_what_is_finished_and_leaves_nothing_half_written(tmp_path, undisturbed):
    settings = _with(interrupts="made/disc2")
    with pytest.raises(KeyboardInterrupt):
        generate(TinyDataset(), _options(tmp_path / "run", settings=settings))
    lines = (tmp_path / "run" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["item"] for line in lines] == NAMES[:2]
    assert results(tmp_path / "run") == {p: d for p, d in undisturbed.items() if "disc0" in p or "disc1" in p}
