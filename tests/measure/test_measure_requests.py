"""From what a person asks for to a measured run: which run, data, protocol, items; and data prepared anew."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from _exchange.errors import InputError
from _exchange.items import SCORED_CAMERAS
from _exchange.pictures import write_png
from _exchange.run_folder import RunFolder
from _exchange.run_record import RunRecord
from _exchange.scores import read_scores
from _measure.integrity.seal import read_seal
from _measure.measure import MeasureConfig, MeasuredRun, bench, measure, measure_shard
from _measure.table import table_text
from _measure.weights import FOLDERS_VARIABLE
from tests.measure.report.small_run import COLOUR, FAILED, ODD, PLAIN, SmallRun, copied, disc, make_run

pytestmark = pytest.mark.usefixtures("no_weights")


def request(small: SmallRun, **changes) -> MeasureConfig:
    return MeasureConfig(**({"path": small.run.path, "workers": 1, "offline": True} | changes))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """Not measured yet, and not to be changed."""
    run = make_run(tmp_path_factory.mktemp("requests"))
    replace(RunRecord.read(run.run.record), method="discs").write(run.run.record)
    return run


@pytest.fixture(scope="module")
def measured_once(made: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """Measured as its record says, and not to be changed."""
    copy = copied(made, tmp_path_factory.mktemp("measured"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(FOLDERS_VARIABLE, raising=False)
        measure(request(copy))
    return copy


@pytest.fixture
def small(made: SmallRun, tmp_path: Path) -> SmallRun:
    """A copy to measure."""
    return copied(made, tmp_path)


@pytest.fixture
def measured(measured_once: SmallRun, tmp_path: Path) -> SmallRun:
    """A copy of the measured run, journal and results included."""
    return copied(measured_once, tmp_path)


def psnr_of(run: RunFolder) -> dict[tuple[str, str], float]:
    return {(score.item, score.view): score.value for score in read_scores(run.scores) if score.metric == "psnr"}


def rescored(small: SmallRun, **changes) -> list[str]:
    """Items that got new lines of the journal."""
    before = small.run.measured.read_text().splitlines() if small.run.measured.exists() else []
    measure(request(small, **changes))
    lines = small.run.measured.read_text().splitlines()
    assert lines[: len(before)] == before
    return list(dict.fromkeys(json.loads(line)["item"] for line in lines[len(before) :]))


# -- which run, which protocol ----------------------------------------------------------------------------------


def test_a_run_is_measured_as_its_record_says(measured: SmallRun) -> None:
    table = measure(request(measured))
    assert (table.protocol, table.lpips_network, table.title) == ("corrected", "squeeze", "discs on daredemoE")
    assert table.items == (str(PLAIN), str(ODD), str(FAILED))
    # Discs of another colour by counting pixels: both cover the same share of the box of 288 × 200.
    inside = (disc(COLOUR)[96:384, 128:328, 3] > 0).mean()
    squared = inside * np.mean([(120 / 255) ** 2, (120 / 255) ** 2, 0])
    assert psnr_of(measured.run)[str(ODD), "ortho_front"] == pytest.approx(-10 * np.log10(squared), abs=1e-5)
    assert psnr_of(measured.run)[str(PLAIN), "ortho_front"] == np.inf


def test_what_a_method_says_of_its_numbers_stands_in_the_first_line_of_the_table(measured: SmallRun) -> None:
    replace(RunRecord.read(measured.run.record), note="Random weights.").write(measured.run.record)
    assert measure(request(measured)).title == "discs on daredemoE. Random weights."
    assert "Random weights." in measured.run.table("txt").read_text().splitlines()[0]


def test_the_protocol_asked_for_wins_and_brings_its_network(small: SmallRun) -> None:
    table = measure(request(small, protocol="paper", limit=1))
    assert (table.protocol, table.lpips_network, table.sample_seed) == ("paper", "alex", "run seed 0")
    assert measure(request(small, lpips_net="vgg", limit=1)).lpips_network == "vgg"


def test_a_limit_takes_the_first_items_and_lifting_it_scores_only_the_rest(small: SmallRun) -> None:
    assert rescored(small, limit=1) == [str(PLAIN)]
    assert {score.item for score in read_scores(small.run.scores)} == {str(PLAIN)}
    assert rescored(small) == [str(ODD)]


def test_going_back_to_earlier_settings_scores_nothing_again(measured: SmallRun) -> None:
    first = measured.run.scores.read_bytes()
    assert len(rescored(measured, protocol="paper")) == 2
    assert rescored(measured) == []
    assert measured.run.scores.read_bytes() == first


def test_a_table_says_what_was_measured_and_how_much_of_it(measured: SmallRun) -> None:
    replace(RunRecord.read(measured.run.record), protocol="paper").write(measured.run.record)
    table = measure(request(measured, protocol="corrected", limit=2))
    assert (table.method, table.dataset, table.generated_with) == ("discs", "daredemoE", "paper")
    assert (table.pictures, table.device) == ("pasted", "cpu")
    assert table.title == "discs on daredemoE. The first 2 of 3 items."


def test_results_may_go_elsewhere(small: SmallRun, tmp_path: Path) -> None:
    before = small.run.table("txt").read_bytes()
    measure(request(small, out=tmp_path / "elsewhere", limit=1))
    assert (tmp_path / "elsewhere" / "table.json").is_file()
    assert small.run.table("txt").read_bytes() == before


@pytest.mark.parametrize("changes", [{"limit": -1}, {"workers": -2}, {"seed": -1, "protocol": "paper"}])
def test_negative_numbers_are_refused(small: SmallRun, changes: dict) -> None:
    with pytest.raises(InputError, match=r"Expected .*found .*-"):
        measure(request(small, **changes))


def test_a_folder_that_is_no_run_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        measure(MeasureConfig(path=tmp_path))
    assert caught.value.next_step == "Run python3 -m _scripts.generate first."


def test_an_item_that_stands_twice_is_refused(small: SmallRun) -> None:
    record = RunRecord.read(small.run.record)
    replace(record, items=(*record.items, str(ODD))).write(small.run.record)
    with pytest.raises(InputError, match=r"every item once, found .* more than once"):
        measure(request(small))


# -- predictions in the original's layout -----------------------------------------------------------------------


@pytest.fixture
def original(small: SmallRun, tmp_path: Path) -> Path:
    """The scored pictures of the run in ``temp/eval/trial/daredemoE``."""
    root = tmp_path / "temp" / "eval" / "trial" / "daredemoE"
    for item in (PLAIN, ODD):
        for camera in SCORED_CAMERAS:
            kind, _, view = camera.partition("_")
            target = root / kind / item.franch / item.idx / f"{view}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(small.run.item(item).render(camera), target)
    return root


@pytest.mark.parametrize("given", ["absolute", "relative", "here"])
def test_results_of_the_original_go_to_a_run_of_its_name(
    small: SmallRun, original: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = original if given == "here" else original.parent
    path = {"absolute": original, "relative": Path("daredemoE"), "here": Path(".")}[given]
    monkeypatch.chdir(place)
    table = measure(request(small, path=path, data=small.data, limit=1))
    assert (table.protocol, table.method, table.generated_with) == ("paper", "trial", "")
    assert table.title == "trial on daredemoE. The first 1 of 3 items."
    assert (place / "runs" / "trial" / "table.txt").is_file()
    assert psnr_of(RunFolder(place / "runs" / "trial"))[str(PLAIN), "ortho_front"] == np.inf


def test_predictions_of_the_original_need_data(small: SmallRun, original: Path) -> None:
    with pytest.raises(InputError, match="Expected --data DATASET"):
        measure(request(small, path=original))


def test_results_of_the_original_lead_back_to_their_predictions(
    small: SmallRun, original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of results, as an argument or as the latest run, can be measured and timed again without --data."""
    monkeypatch.chdir(tmp_path)
    results = RunFolder(Path("runs") / "a4")
    path = original.relative_to(tmp_path)
    first = measure(request(small, path=path, data=Path("data"), out=results.path, limit=1))
    said = json.loads(results.measured_from.read_text())
    assert (said["predictions"], said["predictions_at"]) == (str(path), str(original))
    assert (said["data"], said["data_at"], said["dataset"]) == ("data", str(small.data), "daredemoE")
    assert "measured_from.json" in read_seal(results.seal).files["run"]
    written = results.measured_from.stat().st_mtime_ns
    for given in (results.path, None):
        assert table_text(measure(request(small, path=given, limit=1))) == table_text(first)
    assert results.measured_from.stat().st_mtime_ns == written
    beside = measure_shard(request(small, path=results.path, limit=1), with_variants=True)
    assert isinstance(beside, MeasuredRun)
    assert results.variant("corrected").table("json").is_file()
    with pytest.raises(InputError, match=rf"^{PLAIN}: .*front\.npz or front\.pkl, found neither"):
        bench(request(small, path=results.path, limit=1))
    measure(request(small, path=results.path, out=Path("elsewhere"), limit=1))
    assert table_text(measure(request(small, path=Path("elsewhere"), limit=1))) == table_text(first)


def test_results_whose_predictions_are_gone_say_so(
    small: SmallRun, original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    measure(request(small, path=original, data=small.data, limit=1))
    original.rename(tmp_path / "moved")
    with pytest.raises(InputError, match=rf"Expected the predictions in {original}, found no such folder"):
        measure(request(small, path=Path("runs/trial")))


def test_results_of_a_run_of_ours_elsewhere_can_be_measured_again(small: SmallRun, tmp_path: Path) -> None:
    first = measure(request(small, out=tmp_path / "elsewhere", limit=1))
    assert table_text(measure(request(small, path=tmp_path / "elsewhere", limit=1))) == table_text(first)
    assert not small.run.measured_from.exists()


def test_results_of_the_original_never_replace_those_of_a_run_of_ours(
    small: SmallRun, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(original.parent)
    ours = RunFolder(Path("runs") / "trial")
    RunRecord.read(small.run.record).write(ours.record)
    with pytest.raises(InputError, match=r"Expected runs/trial to be free .*, found a run of ours") as caught:
        measure(request(small, path=original, data=small.data, limit=1))
    assert caught.value.next_step == "Choose another folder with --out"
    assert [path.name for path in ours.path.iterdir()] == ["run.json"]


# -- data prepared anew -----------------------------------------------------------------------------------------


def test_another_true_picture_scores_its_item_again_and_no_other(measured: SmallRun) -> None:
    folder = measured.data / "renders" / "daredemoE" / "ortho" / ODD.franch / ODD.idx
    shutil.copy(measured.run.item(ODD).render("ortho_front"), folder / "front.png")
    assert rescored(measured) == [str(ODD)]
    assert psnr_of(measured.run)[str(ODD), "ortho_front"] == np.inf


def test_another_character_or_region_scores_its_item_again(measured: SmallRun) -> None:
    character = measured.data / "raw" / "dssc" / f"{PLAIN}.vrm"
    character.write_bytes(character.read_bytes() + bytes(4))
    assert rescored(measured) == [str(PLAIN)]
    alignment = measured.data / "renders" / "daredemoE" / "fandom_align_alignment.json"
    value = json.loads(alignment.read_text())
    value[f"daredemoE/fandom_align/{ODD}/front"]["area_of_interest"][0][0] += 1
    alignment.write_text(json.dumps(value))
    assert rescored(measured) == [str(ODD)]


def test_equal_data_written_again_score_nothing_again(measured: SmallRun) -> None:
    for path in (measured.data / "renders" / "daredemoE").rglob("*.png"):
        path.write_bytes(path.read_bytes())
    assert rescored(measured) == []


def test_an_item_that_left_the_data_is_missing_and_comes_back_without_scoring(measured: SmallRun) -> None:
    complete = measured.run.scores.read_bytes()
    alignment = measured.data / "renders" / "daredemoE" / "fandom_align_alignment.json"
    whole = alignment.read_text()
    value = json.loads(whole)
    del value[f"daredemoE/fandom_align/{PLAIN}/front"]
    alignment.write_text(json.dumps(value))
    table = measure(request(measured))
    assert "alignment" in {problem.item: problem.reason for problem in table.problems}[str(PLAIN)]
    alignment.write_text(whole)
    assert rescored(measured) == []
    assert measured.run.scores.read_bytes() == complete


# -- bench ------------------------------------------------------------------------------------------------------


def test_bench_names_the_item_that_it_cannot_measure(small: SmallRun) -> None:
    small.run.item(ODD).mesh.unlink()
    with pytest.raises(InputError) as caught:
        bench(request(small, limit=2))
    assert str(caught.value).startswith(f"{ODD}: Expected a predicted surface mesh.glb, found none.")


def test_bench_says_in_a_sentence_what_it_cannot_read_and_writes_nothing(small: SmallRun) -> None:
    small.run.measured.unlink(missing_ok=True)
    write_png(small.run.item(PLAIN).render("ortho_front"), disc(COLOUR)[:9, :9])
    with pytest.raises(InputError, match="Expected a picture of 512 × 512, found 9 × 9"):
        bench(request(small, limit=1))
    assert not small.run.measured.exists()
