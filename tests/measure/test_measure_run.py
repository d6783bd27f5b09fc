"""A whole run: closed-form scores, missing parts, resuming, workers."""

from __future__ import annotations

import json
import math
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from _exchange.errors import FormatError, InputError
from _exchange.glb import write_mesh_glb
from _exchange.items import ItemId
from _exchange.mesh import Mesh
from _exchange.pictures import write_png
from _exchange.protocol import CORRECTED, PAPER
from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _exchange.run_record import ItemStatus
from _exchange.scores import read_scores
from _measure.mesh_file import read_mesh_file
from _measure.predictions import OriginalPredictions, RunPredictions, predictions_in
from _measure.protocols import Settings
from _measure.run import MeasureOptions, Target, measure_targets
from _measure.surface_scores import score_surfaces
from _measure.table import Table
from _measure.weights import FOLDERS_VARIABLE
from tests.measure.small_benchmark import DISC_PX, SmallBenchmark, disc, make_benchmark, sphere

pytestmark = pytest.mark.usefixtures("no_weights")


SETTINGS = Settings(sample_count=500)
OPTIONS = MeasureOptions(may_download=False)


def first_table(bench: SmallBenchmark, target: Target, options: MeasureOptions) -> Table:
    tables = measure_targets(bench.run.measured, [target], bench.items, bench.truth_of, options)
    assert isinstance(tables, list)
    return tables[0]


def measure(bench: SmallBenchmark, settings: Settings = SETTINGS, **options) -> Table:
    target = Target(bench.run, bench.predictions, settings)
    return first_table(bench, target, replace(OPTIONS, **options))


def results(run: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [run.scores, *map(run.table, TABLE_FORMATS)]}


def journal_lines(bench: SmallBenchmark) -> list[dict]:
    return [json.loads(line) for line in bench.run.measured.read_text().splitlines()]


def scores_of(run: RunFolder) -> dict[tuple[str, str, str], float]:
    return {(score.item, score.metric, score.view): score.value for score in read_scores(run.scores)}


@pytest.fixture(scope="module")
def measured_once(tmp_path_factory: pytest.TempPathFactory) -> SmallBenchmark:
    """Three items, complete and measured with `SETTINGS`; not to be changed."""
    bench = make_benchmark(tmp_path_factory.mktemp("measured"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(FOLDERS_VARIABLE, raising=False)
        measure(bench)
    return bench


@pytest.fixture
def measured(measured_once: SmallBenchmark, tmp_path: Path) -> SmallBenchmark:
    """A copy of that run with its journal: what a test changes in it is scored again, and nothing else."""
    run = shutil.copytree(measured_once.run.path, tmp_path / "measured" / "run")
    return replace(measured_once, run=RunFolder(run))


# -- values -----------------------------------------------------------------------------------------------------


def test_chamfer_of_concentric_balls_is_the_difference_of_radii(measured_once: SmallBenchmark) -> None:
    """Icospheres lie up to 0.3 % inside their ball, both by the same share: 0.1 mm is allowed."""
    values = scores_of(measured_once.run)
    for index, item in enumerate(measured_once.items):
        millimetres = index + 1
        assert values[str(item), "cd", "geom"] == pytest.approx(0.001 * millimetres, abs=1e-4)
        assert values[str(item), "f1@5", "geom"] == 1
    assert values["balls/ball_0", "psnr", "ortho_front"] == math.inf  # the same picture


def test_psnr_of_discs_by_counting_pixels(measured_once: SmallBenchmark) -> None:
    """The discs differ in a ring; the strip of `360` is four times as wide as the front box: a quarter of its error."""
    values = scores_of(measured_once.run)
    ring = (disc(DISC_PX + 1)[..., 3] > 0) & (disc(DISC_PX)[..., 3] == 0)
    squared = np.mean([(1 - c / 255) ** 2 for c in (200, 80, 60)]) * ring.sum()
    expected = 10 * math.log10(96 * 128 / squared)
    assert values["balls/ball_1", "psnr", "ortho_front"] == pytest.approx(expected, abs=1e-5)
    assert values["balls/ball_1", "psnr", "rgb60_0042"] == pytest.approx(expected + 10 * math.log10(4), abs=1e-5)


def test_scores_are_sorted_and_infinities_named(measured: SmallBenchmark) -> None:
    table = measure(measured)
    scores = read_scores(measured.run.scores)
    keys = [(score.item, score.metric, score.view) for score in scores]
    assert keys == sorted(keys)
    front = next(row for row in table.rows if (row.plan.subset, row.plan.label) == ("front", "psnr"))
    assert front.value == math.inf
    assert "balls/ball_0 is inf" in front.note


def test_without_weights_lpips_is_not_run_and_nothing_else_stops(benchmark_run: SmallBenchmark) -> None:
    table = measure(benchmark_run, Settings(PAPER, "alex", sample_count=100))
    by_row = {(row.plan.subset, row.plan.label): row for row in table.rows}
    assert "python3 -m _scripts.download alexnet" in by_row["front", "lpips"].not_run
    assert by_row["front", "clip"].not_run
    assert by_row["front", "psnr"].n == 3


def test_real_squeeze_network_scores_every_picture(tmp_path: Path, shared_squeeze_weights) -> None:
    bench = make_benchmark(tmp_path, 2)
    table = measure(bench)
    row = next(row for row in table.rows if (row.plan.subset, row.plan.label) == ("all", "lpips"))
    assert (row.n, row.missing) == (2, 0)
    assert 0 < row.value < 0.2
    values = scores_of(bench.run)
    assert values["balls/ball_0", "lpips_squeeze", "ortho_front"] == 0
    assert values["balls/ball_1", "lpips_squeeze", "ortho_front"] > 0
    assert table.weights == {shared_squeeze_weights.source: shared_squeeze_weights.sha256}
    before = results(bench.run)
    lines = bench.run.measured.read_text().splitlines(keepends=True)
    bench.run.measured.write_text("".join(line for line in lines if "balls/ball_1" not in line))
    measure(bench, workers=2)  # the item is scored in another process
    assert bench.run.measured.read_text().splitlines(keepends=True) == lines
    assert results(bench.run) == before


def test_paper_accepts_alexnet_only() -> None:
    with pytest.raises(InputError, match="alex in the protocol paper, found squeeze"):
        Settings(PAPER, "squeeze")


# -- what is missing --------------------------------------------------------------------------------------------


def test_missing_and_broken_parts_are_counted_and_named(measured: SmallBenchmark) -> None:
    first, second, third = (measured.run.item(item) for item in measured.items)
    first.render("rgb60_0042").unlink()
    second.mesh.write_bytes(b"glTF, but not really")
    third.render("ortho_back").write_bytes(b"no picture")
    table = measure(measured)
    by_row = {(row.plan.subset, row.plan.label): row for row in table.rows}
    assert [by_row[key].missing for key in (("360", "psnr"), ("geom", "cd"), ("back", "psnr"))] == [1, 1, 1]
    assert by_row["front", "psnr"].missing == 0
    reasons = {(problem.item, problem.view): problem.reason for problem in table.problems}
    assert reasons["balls/ball_0", "rgb60_0042"] == "Expected a predicted picture rgb60_0042, found none."
    assert "mesh.glb" in reasons["balls/ball_1", "geom"]
    assert "ortho_back.png" in reasons["balls/ball_2", "ortho_back"]


def test_a_failed_item_carries_its_reason(measured: SmallBenchmark) -> None:
    ItemStatus("failed", "The hair caught fire.").write(measured.run.item(measured.items[0]).status)
    table = measure(measured)
    assert {row.missing for row in table.rows if not row.not_run} == {1}
    assert table.problems[0].reason == "failed: The hair caught fire."


def test_a_torn_status_makes_its_item_missing(measured: SmallBenchmark) -> None:
    measured.run.item(measured.items[2]).status.write_text("{")
    table = measure(measured)
    assert [problem.item for problem in table.problems] == ["balls/ball_2"]
    assert "status.json" in table.problems[0].reason


def test_truth_that_cannot_be_found_makes_its_item_missing(measured: SmallBenchmark) -> None:
    def truth_of(item: ItemId):
        if item == measured.items[1]:
            raise InputError("Expected an alignment of ball_1, found none.")
        return measured.truth_of(item)

    target = Target(measured.run, measured.predictions, SETTINGS)
    (table,) = measure_targets(measured.run.measured, [target], measured.items, truth_of, OPTIONS)
    assert [problem.item for problem in table.problems] == ["balls/ball_1"]
    assert len(table.items) == 3


def test_a_surface_outside_the_region_is_missing_not_zero(measured: SmallBenchmark) -> None:
    write_mesh_glb(measured.run.item(measured.items[0]).mesh, sphere(0.01, (0.3, 0.3, 0)))
    table = measure(measured)
    assert table.problems[0].reason == "Expected predicted triangles inside the region of interest, found none."


def test_pictures_of_another_size_are_refused(measured: SmallBenchmark) -> None:
    write_png(measured.run.item(measured.items[0]).render("ortho_front"), disc(9)[:64, :32])
    table = measure(measured)
    assert table.problems[0].reason == "Expected a picture of 512 × 512, found 32 × 64."


def test_a_run_without_items_is_refused(benchmark_run: SmallBenchmark) -> None:
    with pytest.raises(InputError, match="at least one item"):
        measure(replace(benchmark_run, items=[]))


def test_a_fault_in_one_item_stops_no_other(benchmark_run: SmallBenchmark, monkeypatch) -> None:
    def faulty(item: ItemId, *rest):
        if item == benchmark_run.items[0]:
            raise ZeroDivisionError("a fault of ours")
        return score_surfaces(item, *rest)

    monkeypatch.setattr("_measure.scoring.score_surfaces", faulty)
    table = measure(benchmark_run)
    assert [(p.item, p.reason) for p in table.problems] == [
        ("balls/ball_0", "Unexpected ZeroDivisionError: a fault of ours.")
    ]
    assert {score.item for score in read_scores(benchmark_run.run.scores)} == {"balls/ball_1", "balls/ball_2"}


@dataclass(frozen=True)
class DeadlyPredictions(RunPredictions):
    """Ends every process but its maker's when asked for the surface of ball_1."""

    maker: int = 0

    def mesh(self, item: ItemId) -> Mesh:
        if item.idx == "ball_1" and os.getpid() != self.maker:
            os._exit(1)
        return super().mesh(item)


def test_an_item_that_kills_its_worker_stops_no_other(benchmark_run: SmallBenchmark) -> None:
    deadly = DeadlyPredictions(benchmark_run.run, maker=os.getpid())
    target = Target(benchmark_run.run, deadly, SETTINGS)
    table = first_table(benchmark_run, target, replace(OPTIONS, workers=2))
    assert [problem.item for problem in table.problems] == ["balls/ball_1"]
    assert "worker process died" in table.problems[0].reason
    assert {score.item for score in read_scores(benchmark_run.run.scores)} == {"balls/ball_0", "balls/ball_2"}


# -- reading predictions ----------------------------------------------------------------------------------------


def test_kind_of_a_run_is_seen_from_its_folders(tmp_path: Path) -> None:
    (tmp_path / "ours" / "items").mkdir(parents=True)
    (tmp_path / "original" / "marching_cubes").mkdir(parents=True)
    assert isinstance(predictions_in(tmp_path / "ours"), RunPredictions)
    assert isinstance(predictions_in(tmp_path / "original"), OriginalPredictions)
    with pytest.raises(InputError, match="found neither"):
        predictions_in(tmp_path)


def test_mesh_files_keep_their_vertices_and_faces(tmp_path: Path) -> None:
    mesh = sphere(subdivisions=2)
    write_mesh_glb(tmp_path / "mesh.glb", mesh)
    read = read_mesh_file(tmp_path / "mesh.glb")
    np.testing.assert_array_equal(read.verts, mesh.verts.astype(np.float32))
    np.testing.assert_array_equal(read.faces, mesh.faces)


def test_mesh_files_keep_their_colours_and_are_white_without(tmp_path: Path) -> None:
    bare = sphere(subdivisions=1)
    colors = np.arange(4 * len(bare.verts), dtype=np.uint32).astype(np.uint8).reshape(-1, 4)
    write_mesh_glb(tmp_path / "coloured.glb", Mesh(bare.verts, bare.faces, colors))
    write_mesh_glb(tmp_path / "bare.glb", bare)
    np.testing.assert_array_equal(read_mesh_file(tmp_path / "coloured.glb").colors, colors)
    assert (read_mesh_file(tmp_path / "bare.glb").colors == 255).all()


def test_mesh_files_without_triangles_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mesh.gltf").write_text('{"asset": {"version": "2.0"}, "scenes": [{}], "scene": 0}')
    with pytest.raises(FormatError, match=r"mesh\.gltf: scenes: expected a scene that draws triangles"):
        read_mesh_file(tmp_path / "mesh.gltf")


# -- repeating and resuming -------------------------------------------------------------------------------------


def test_a_finished_item_is_not_scored_again_and_a_changed_one_is(measured: SmallBenchmark) -> None:
    before = results(measured.run)
    lines = measured.run.measured.read_text().splitlines()
    measure(measured)
    assert measured.run.measured.read_text().splitlines() == lines
    assert results(measured.run) == before
    write_png(measured.run.item(measured.items[1]).render("ortho_front"), disc(30))
    measure(measured)
    added = measured.run.measured.read_text().splitlines()[len(lines) :]
    assert [(json.loads(line)["item"], json.loads(line)["part"]) for line in added] == [("balls/ball_1", "pixels")]
    assert results(measured.run) != before


def test_an_interrupted_run_keeps_what_is_finished(benchmark_run: SmallBenchmark, monkeypatch) -> None:
    scored = []

    def interrupted(item: ItemId, *rest):
        scored.append(item)
        if len(scored) == 2:
            raise KeyboardInterrupt
        return score_surfaces(item, *rest)

    monkeypatch.setattr("_measure.scoring.score_surfaces", interrupted)
    with pytest.raises(KeyboardInterrupt):
        measure(benchmark_run)
    assert not benchmark_run.run.scores.exists()
    measure(benchmark_run)
    assert scored == [benchmark_run.items[i] for i in (0, 1, 1, 2)]


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        (Settings(sample_count=600), {"surfaces"}),
        (Settings(replace(CORRECTED, psnr_peak="target"), sample_count=500), {"pixels"}),
        (Settings(replace(CORRECTED, f1_aggregate="last"), sample_count=500), set()),
        (Settings(CORRECTED, "vgg", sample_count=500, run_seed=3), set()),
        (Settings(PAPER, "alex", sample_count=500), {"pixels", "surfaces"}),
    ],
)
def test_other_settings_score_the_parts_that_they_decide(
    measured: SmallBenchmark, settings: Settings, parts: set[str]
) -> None:
    """Without weights there are the parts pixels and surfaces; a network that is not run decides neither."""
    before = len(journal_lines(measured))
    measure(measured, settings)
    added = journal_lines(measured)[before:]
    assert {line["part"] for line in added} == parts
    assert len(added) == 3 * len(parts)


@pytest.mark.parametrize("damage", ["{torn", '{"item": 3}', '{"item": "balls/ball_0", "key": "x", "scores": [1]}'])
def test_a_damaged_journal_line_counts_as_absent(measured: SmallBenchmark, damage: str) -> None:
    before = results(measured.run)
    lines = measured.run.measured.read_text().splitlines()
    measured.run.measured.write_text("\n".join([damage, *lines[1:]]) + "\n")
    measure(measured)
    assert results(measured.run) == before
    assert len(measured.run.measured.read_text().splitlines()) == len(lines) + 1


@pytest.mark.parametrize("change", [{"problems": [["geom", 3]]}, {"scores": [[1, "geom", 0.5]]}])
def test_a_journal_line_of_the_right_key_without_texts_counts_as_absent(measured: SmallBenchmark, change: dict) -> None:
    before = results(measured.run)
    first, *rest = journal_lines(measured)
    measured.run.measured.write_text("".join(f"{json.dumps(line)}\n" for line in [first | change, *rest]))
    measure(measured)
    assert results(measured.run) == before


def test_paper_samples_follow_the_run_seed_and_corrected_ones_do_not(tmp_path: Path) -> None:
    bench = make_benchmark(tmp_path, 1)

    def chamfer(protocol, network: str, seed: int) -> float:
        measure(bench, Settings(protocol, network, sample_count=200, run_seed=seed))
        values = scores_of(bench.run)
        return values.get(("balls/ball_0", "cd", "geom"), math.nan)

    assert chamfer(CORRECTED, "squeeze", 1) == chamfer(CORRECTED, "squeeze", 2)
    # The bind pose of `paper` needs a VRM file, so only its seeding is taken over.
    spread = replace(CORRECTED, sample_seed="run")
    assert chamfer(spread, "squeeze", 1) != chamfer(spread, "squeeze", 2)
