"""The report of predictions in the original's layout, measured into a folder of results, and of results elsewhere."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from _exchange.errors import InputError
from _exchange.items import SCORED_CAMERAS
from _exchange.run_folder import RunFolder
from _measure.measure import MeasureConfig, measure
from _measure.mesh_file import read_mesh_file
from _measure.report.many import write_many
from _measure.report.write import write_report
from _scripts.report import Report, run
from tests.measure.report.markup import Markup
from tests.measure.report.small_run import FAILED, ODD, PLAIN, SmallRun, copied, make_run

pytestmark = pytest.mark.usefixtures("no_weights")


@dataclass(frozen=True)
class Original:
    """Pictures of two items, a surface of the first, nothing of the third; and where the results are."""

    small: SmallRun
    predictions: Path
    results: RunFolder


def make_original(root: Path) -> Original:
    small = make_run(root)
    predictions = root / "temp" / "eval" / "trial" / "daredemoE"
    for item in (PLAIN, ODD):
        for camera in SCORED_CAMERAS:
            kind, _, view = camera.partition("_")
            target = predictions / kind / item.franch / item.idx / f"{view}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(small.run.item(item).render(camera), target)
    mesh = read_mesh_file(small.run.item(PLAIN).mesh)
    surface = predictions / "marching_cubes" / PLAIN.franch / PLAIN.idx / "front.npz"
    surface.parent.mkdir(parents=True)
    np.savez(surface, verts=mesh.verts * (-1, 1, 1), faces=mesh.faces)  # the original's mesh files are mirrored in x
    results = RunFolder(root / "runs" / "a4")
    measure(MeasureConfig(path=predictions, data=small.data, out=results.path, workers=1, offline=True))
    return Original(small, predictions, results)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    """Measured and reported once, and not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("original")
        patch.delenv("ANIME3D_WEIGHTS", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        made = make_original(root)
        write_report(made.results)
    return made


def item_page(original: Original, item: object) -> Markup:
    return Markup(original.results.report.parent / "items" / f"{item}.html")


def test_every_page_leads_only_to_files_that_are_there(original: Original) -> None:
    pages = sorted(original.results.report.parent.rglob("*.html"))
    assert len(pages) == 4
    for page in pages:
        assert [path for path in Markup(page).local_files() if not path.exists()] == []


def test_the_first_page_says_what_the_table_says_and_no_seed(original: Original) -> None:
    markup = Markup(original.results.report)
    assert "method trial" in markup.text
    assert "protocol paper" in markup.text
    assert "The predictions lie in the original's layout, which records neither seed nor settings." in markup.text
    assert "seed 0 " not in markup.text.replace("run seed 0", "")


def test_pictures_truth_and_errors_are_those_of_the_predictions(original: Original) -> None:
    sources = [image.get("src", "") for image in item_page(original, PLAIN).all("img")]
    for shown in ("ours-ortho_front", "ours-rgb60_0042", "truth-ortho_front", "error-of-ours-ortho_front", "portrait"):
        assert any(source.endswith(f"{shown}.webp") for source in sources), shown


def test_the_surface_can_be_turned_and_downloaded_as_glb_in_its_true_place(original: Original) -> None:
    models = original.results.report.parent / "models" / str(PLAIN)
    assert (models / "ours.js").is_file()
    offered, ours = (
        read_mesh_file(path) for path in (models / f"{PLAIN.idx}.glb", original.small.run.item(PLAIN).mesh)
    )
    np.testing.assert_allclose(offered.verts, ours.verts, atol=1e-7)
    np.testing.assert_array_equal(offered.faces, ours.faces)


def test_what_was_not_predicted_is_said_without_a_folder(original: Original) -> None:
    text = item_page(original, ODD).text
    assert f"Expected marching_cubes/{ODD}/front.npz or front.pkl, found neither." in text
    assert "missing" in item_page(original, FAILED).text
    for path in original.results.report.parent.rglob("*"):
        assert not path.is_file() or str(original.small.data.parent).encode() not in path.read_bytes(), path


def test_the_command_takes_the_predictions_as_well_and_says_what_is_missing(
    original: Original, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(original.predictions.parents[3])
    with pytest.raises(InputError, match=r"Expected results of .* in runs/trial, found none\. Run .*--data DATASET"):
        run(Report(paths=(original.predictions,)))
    shutil.copytree(original.results.path, "runs/trial")
    assert run(Report(paths=(original.predictions,))).text == "report: runs/trial/report/index.html"
    shutil.rmtree("runs/trial")


def test_one_page_over_a_run_and_the_original(original: Original, tmp_path: Path) -> None:
    page = write_many([original.small.run, original.results], tmp_path / "beside")
    assert "trial" in Markup(page).text
    assert [path for path in Markup(page).local_files() if not path.exists()] == []


def test_results_of_a_run_elsewhere_have_its_pictures_and_its_record(original: Original, tmp_path: Path) -> None:
    small = copied(original.small, tmp_path)
    elsewhere = RunFolder(tmp_path / "elsewhere")
    measure(MeasureConfig(path=small.run.path, out=elsewhere.path, limit=1, workers=1, offline=True))
    write_report(elsewhere)
    assert (elsewhere.report.parent / "models" / str(PLAIN) / f"{PLAIN.idx}.glb").is_file()
    assert not small.run.report.exists() or small.run.report.stat().st_mtime < elsewhere.report.stat().st_mtime
