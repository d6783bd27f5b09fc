"""Runs whose pictures hold pixels of the portrait, scored with and without them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from _exchange.errors import InputError
from _exchange.items import SCORED_CAMERAS
from _exchange.pictures import write_png
from _exchange.scores import read_scores
from _measure.predictions import RunPredictions, has_unpasted_pictures, predictions_in
from _measure.protocols import Settings
from _measure.run import MeasureOptions, Target, measure_targets
from _measure.table import Table
from tests.measure.small_benchmark import DISC_PX, SmallBenchmark, disc, make_benchmark

pytestmark = pytest.mark.usefixtures("no_weights")


@pytest.fixture
def benchmark_run(tmp_path: Path) -> SmallBenchmark:
    return make_benchmark(tmp_path, 2)


@pytest.fixture
def pasting(benchmark_run: SmallBenchmark) -> SmallBenchmark:
    """Every picture has a twin: a disc of 5 more pixels than the truth."""
    for item in benchmark_run.items:
        for camera in SCORED_CAMERAS:
            write_png(benchmark_run.run.item(item).unpasted_render(camera), disc(DISC_PX + 5))
    return benchmark_run


def measure(bench: SmallBenchmark, pictures: str) -> Table:
    settings = replace(Settings(sample_count=100), pictures=pictures)
    folder = bench.run if pictures == "pasted" else bench.run.variant("corrected-unpasted")
    target = Target(folder, predictions_in(bench.run.path, pictures), settings)
    answer = measure_targets(
        bench.run.measured, [target], bench.items, bench.truth_of, MeasureOptions(may_download=False)
    )
    assert isinstance(answer, list)
    return answer[0]


def psnr_of(bench: SmallBenchmark, folder) -> dict[str, float]:
    scores = read_scores(folder.scores)
    return {s.item: s.value for s in scores if (s.metric, s.view) == ("psnr", "ortho_front")}


def test_the_twins_are_compared_and_surfaces_are_not_scored_again(pasting: SmallBenchmark) -> None:
    assert measure(pasting, "pasted").pictures == "pasted"
    before = pasting.run.measured.read_text()
    table = measure(pasting, "unpasted")
    assert table.pictures == "unpasted"
    ring = (disc(DISC_PX + 5)[..., 3] > 0) & (disc(DISC_PX)[..., 3] == 0)
    squared = np.mean([(1 - c / 255) ** 2 for c in (200, 80, 60)]) * ring.sum()
    expected = 10 * math.log10(96 * 128 / squared)
    values = psnr_of(pasting, pasting.run.variant("corrected-unpasted"))
    assert values == pytest.approx(dict.fromkeys(map(str, pasting.items), expected), abs=1e-5)
    added = pasting.run.measured.read_text().removeprefix(before)
    assert '"surfaces"' not in added
    assert added.count('"pixels"') == 2
    assert psnr_of(pasting, pasting.run)["balls/ball_0"] == math.inf


def test_an_item_that_lacks_a_twin_is_a_problem_and_falls_back_to_nothing(pasting: SmallBenchmark) -> None:
    pasting.run.item(pasting.items[1]).unpasted_render("ortho_front").unlink()
    table = measure(pasting, "unpasted")
    assert [(p.item, p.view, p.reason) for p in table.problems] == [
        ("balls/ball_1", "ortho_front", "Expected an unpasted predicted picture ortho_front, found none.")
    ]
    front = next(row for row in table.rows if (row.plan.subset, row.plan.label) == ("front", "psnr"))
    assert (front.n, front.missing) == (1, 1)


def test_a_run_without_twins_has_no_unpasted_pictures(benchmark_run: SmallBenchmark) -> None:
    assert not has_unpasted_pictures(benchmark_run.run.path)
    with pytest.raises(InputError, match=r"pictures without pasted pixels in .*, found none"):
        predictions_in(benchmark_run.run.path, "unpasted")


def test_the_originals_layout_has_none_either(tmp_path: Path) -> None:
    (tmp_path / "marching_cubes").mkdir()
    with pytest.raises(InputError, match="found none"):
        predictions_in(tmp_path, "unpasted")


def test_meshes_are_those_of_the_run(pasting: SmallBenchmark) -> None:
    item = pasting.items[0]
    pasted, unpasted = RunPredictions(pasting.run), RunPredictions(pasting.run, "unpasted")
    assert pasted.mesh_files(item) == unpasted.mesh_files(item) == [pasting.run.item(item).mesh]
