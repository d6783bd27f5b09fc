"""Whole miniature benchmarks: predictions in the original's layout → raw scores → the printed table.

Source: spec/measure.md §7; the LPIPS backbone and the stand-in for CLIP are those of the fixtures' README.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from _databacks.dataset import open_dataset
from _exchange.items import ItemId, TruthFiles
from _exchange.original_layout import OriginalRun
from _exchange.protocol import PAPER
from _exchange.scores import Score
from _measure.aggregate import Row, aggregate, item_value, plan_rows
from _measure.item_scores import ItemScores
from _measure.metrics.description import lpips_metric
from _measure.metrics.fscore import fscore_metric
from _measure.metrics.lpips import LpipsNetwork
from _measure.predictions import OriginalPredictions
from _measure.protocols import Settings
from _measure.sampling import SurfaceSamples
from _measure.scoring import Networks, score_item
from _measure.surface_scores import SurfacePair, surface_pair, surface_scores
from _measure.table import paper_table_text
from tests.parity.fixtures import Recorded, arrays_of, entries_of, measure_files, needed, whatever_is_there
from tests.parity.lpips_weights import seeded_alexnet

BENCHMARKS = [param for param in measure_files("e2e*") if param.values[0] is None or param.values[0].is_dir()]
SETTINGS = Settings(protocol=PAPER, lpips_network="alex")
IMAGE_METRICS = {
    "psnr": ("psnr", (), {"rel": 0, "abs": 2e-4}),
    "lpips": ("lpips_alex", ("lpips_weight_seed",), {"rel": 1e-4, "abs": 0}),
    "clip": ("clip", ("clip_stub_seed",), {"rel": 0, "abs": 2e-5}),
}
"""By recorded name: our metric, the seeds of its network, the README's tolerance."""


class LinearEncoder:
    """The fixtures' stand-in for CLIP: W · means of 32 × 32 blocks."""

    def __init__(self, seed: int) -> None:
        self.weights = np.random.RandomState(seed).standard_normal((64, 147)).astype(np.float32)

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        blocks = pictures.reshape(len(pictures), 3, 7, 32, 7, 32).mean((3, 5)).reshape(len(pictures), -1)
        return blocks @ self.weights.T


@dataclass(frozen=True)
class Benchmark:
    """What was recorded, and what was measured without the recorded samples."""

    expected: Recorded
    samples: Recorded
    items: list[ItemId]
    truths: list[TruthFiles]
    scored: list[ItemScores]
    pairs: list[SurfacePair]

    @property
    def names(self) -> list[str]:
        return [str(item) for item in self.items]

    @property
    def f1_entries(self) -> list[Recorded]:
        return [Recorded(f"{self.expected.name}: f1_per_sample", entry) for entry in self.expected["f1_per_sample"]]

    def index_of(self, bn: str) -> int:
        return [truth.bn for truth in self.truths].index(bn)

    def surface_scores_on_given_samples(self, index: int) -> dict[str, float]:
        pair = self.pairs[index]
        given = [
            SurfaceSamples(self.samples[f"sample{index}_{side}_face"], self.samples[f"sample{index}_{side}_bary"])
            for side in ("pred", "gt")
        ]
        return dict(surface_scores(SurfacePair(pair.predicted, pair.true, *given)))

    def scores_with_given_samples(self) -> list[Score]:
        """Image scores as measured, and surface scores on the fixture's samples."""
        images = [score for scored in self.scored for score in scored.scores if score.view != "geom"]
        surfaces = [
            Score(name, metric, "geom", value)
            for index, name in enumerate(self.names)
            for metric, value in self.surface_scores_on_given_samples(index).items()
        ]
        return images + surfaces


def networks_of(expected: Recorded) -> Networks:
    """The networks whose seeds are recorded."""
    seeds = [expected.content.get(key) for key in ("lpips_weight_seed", "clip_stub_seed")]
    return Networks(
        lpips=None if seeds[0] is None else LpipsNetwork("alex", seeded_alexnet(seeds[0])),
        clip=None if seeds[1] is None else LinearEncoder(seeds[1]),
    )


@cache
def run_benchmark(path: Path) -> Benchmark:
    expected = entries_of(path.with_name(f"{path.name}_results.json"))
    samples = arrays_of(path.with_name(f"{path.name}_surface_samples.npz"))
    dataset = open_dataset(path)
    runs = sorted((path / "temp" / "eval").iterdir())
    run = runs[0].name if len(runs) == 1 else expected["run"]
    predictions = OriginalPredictions(OriginalRun(path / "temp" / "eval" / run / dataset.renderset))
    networks, items = networks_of(expected), dataset.items()
    truths = [dataset.truth(item) for item in items]
    scored = [score_item(*pair, predictions, SETTINGS, networks) for pair in zip(items, truths)]
    pairs = [surface_pair(*pair, predictions, SETTINGS) for pair in zip(items, truths)]
    return Benchmark(expected, samples, items, truths, scored, pairs)


def value_of(scored: ItemScores, metric: str, views: str) -> float:
    value = item_value({score.view: score.value for score in scored.scores if score.metric == metric}, views)
    assert value is not None, (metric, views, scored.problems)
    return value


@pytest.mark.parametrize("path", BENCHMARKS)
def test_items_come_in_file_order(path: Path) -> None:
    benchmark = run_benchmark(path)
    assert [truth.bn for truth in benchmark.truths] == benchmark.expected["bns"]


@pytest.mark.parametrize("path", BENCHMARKS)
@pytest.mark.parametrize("subset", ["front", "back", "360"])
@pytest.mark.parametrize("name", IMAGE_METRICS)
def test_image_scores(path: Path, subset: str, name: str) -> None:
    benchmark = run_benchmark(path)
    metric, seeds, tolerance = IMAGE_METRICS[name]
    for seed in seeds:
        _ = benchmark.expected[seed]
    for scored, expected in zip(benchmark.scored, benchmark.expected.inside("2d").inside(subset)[name]):
        assert value_of(scored, metric, subset) == pytest.approx(expected, **tolerance)


@pytest.mark.parametrize("path", BENCHMARKS)
@pytest.mark.parametrize(("side", "of_pair"), [("pred", "predicted"), ("gt", "true")])
def test_surfaces_after_the_cuts(path: Path, side: str, of_pair: str) -> None:
    benchmark = run_benchmark(path)
    counts = benchmark.expected.inside("faces_after_roi")[side]
    assert [len(getattr(pair, of_pair).faces) for pair in benchmark.pairs] == counts


@pytest.mark.parametrize("path", BENCHMARKS)
@pytest.mark.parametrize("metric", ["p2s", "s2p", "cd"])
def test_distances_on_the_given_samples(path: Path, metric: str) -> None:
    benchmark = run_benchmark(path)
    with whatever_is_there() as part:
        for index, expected in enumerate(benchmark.expected.inside("3d")[metric]):
            with part():
                value = benchmark.surface_scores_on_given_samples(index)[metric]
                assert value == pytest.approx(expected, rel=0, abs=1e-8)


@pytest.mark.parametrize("path", BENCHMARKS)
def test_f1_on_the_given_samples(path: Path) -> None:
    benchmark = run_benchmark(path)
    assert benchmark.f1_entries
    with whatever_is_there() as part:
        for entry in benchmark.f1_entries:
            with part():
                values = benchmark.surface_scores_on_given_samples(benchmark.index_of(entry["bn"]))
                assert values[fscore_metric(entry["threshold"]).id] == pytest.approx(entry["f1"], rel=0, abs=2e-4)


@pytest.mark.parametrize("path", BENCHMARKS)
def test_chamfer_on_our_own_samples(path: Path) -> None:
    """10,000 fresh samples: 3 % is the README's tolerance for another draw."""
    benchmark = run_benchmark(path)
    for scored, cd in zip(benchmark.scored, benchmark.expected.inside("3d")["cd"]):
        assert value_of(scored, "cd", "geom") == pytest.approx(cd, rel=0.03)


@pytest.mark.parametrize("path", BENCHMARKS)
def test_f1_on_our_own_samples(path: Path) -> None:
    """10,000 fresh samples: 0.02 is the README's tolerance for another draw."""
    benchmark = run_benchmark(path)
    with whatever_is_there() as part:
        for entry in benchmark.f1_entries:
            with part():
                scored = benchmark.scored[benchmark.index_of(entry["bn"])]
                ours = value_of(scored, fscore_metric(entry["threshold"]).id, "geom")
                assert ours == pytest.approx(entry["f1"], rel=0, abs=0.02)


@pytest.mark.parametrize("path", BENCHMARKS)
def test_printed_table_is_exact(path: Path) -> None:
    benchmark = run_benchmark(path)
    plans = plan_rows(lpips_metric("alex"), PAPER.f1_aggregate)
    for seed in ("lpips_weight_seed", "clip_stub_seed"):
        _ = benchmark.expected[seed]
    rows: tuple[Row, ...] = aggregate(plans, benchmark.scores_with_given_samples(), benchmark.names, {})
    printed = needed(path.with_name(f"{path.name}_table.txt")).read_text(encoding="utf-8")
    assert paper_table_text(rows) == printed


@pytest.mark.parametrize("path", BENCHMARKS)
def test_pickled_meshes_equal_the_plain_ones(path: Path, tmp_path: Path) -> None:
    """Every ``front.pkl`` repeats the ``front.npz`` beside it."""
    pickles = sorted(path.glob("temp/eval/*/*/marching_cubes/*/*/front.pkl"))
    assert pickles
    for pickled in pickles:
        run = pickled.parents[3]
        item = ItemId(pickled.parent.parent.name, pickled.parent.name)
        alone = tmp_path / pickled.relative_to(run)
        alone.parent.mkdir(parents=True)
        shutil.copy(pickled, alone)
        plain, mesh = OriginalRun(run).mesh(item), OriginalRun(tmp_path).mesh(item)
        np.testing.assert_array_equal(mesh.verts, plain.verts)
        np.testing.assert_array_equal(mesh.faces, plain.faces)
