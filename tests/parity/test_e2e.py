"""Whole miniature benchmarks: predictions in the original's layout → raw scores → the printed table.

Source: spec/measure.md §7; the LPIPS backbone and the stand-in for CLIP are those of the fixtures' README.
"""

from __future__ import annotations

import json
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
from tests.parity.fixtures import measure_files
from tests.parity.lpips_weights import seeded_alexnet

BENCHMARKS = [param for param in measure_files("e2e*") if param.values[0] is None or param.values[0].is_dir()]
SETTINGS = Settings(protocol=PAPER, lpips_network="alex")


class LinearEncoder:
    """The fixtures' stand-in for CLIP: W · means of 32 × 32 blocks."""

    def __init__(self, seed: int) -> None:
        self.weights = np.random.RandomState(seed).standard_normal((64, 147)).astype(np.float32)

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        blocks = pictures.reshape(len(pictures), 3, 7, 32, 7, 32).mean((3, 5)).reshape(len(pictures), -1)
        return blocks @ self.weights.T


@dataclass(frozen=True)
class Benchmark:
    expected: dict
    items: list[ItemId]
    truths: list[TruthFiles]
    predictions: OriginalPredictions
    scored: list[ItemScores]
    pairs: list[SurfacePair]

    @property
    def names(self) -> list[str]:
        return [str(item) for item in self.items]

    def scores_with_given_samples(self) -> list[Score]:
        """Image scores as measured, and surface scores on the fixture's samples."""
        images = [score for scored in self.scored for score in scored.scores if score.view != "geom"]
        surfaces = [
            Score(str(item), metric, "geom", value)
            for item, pair in zip(self.items, self.pairs)
            for metric, value in surface_scores(pair)
        ]
        return images + surfaces


@cache
def run_benchmark(path: Path) -> Benchmark:
    companions = [path.with_name(f"{path.name}_{rest}") for rest in ("results.json", "surface_samples.npz")]
    for companion in companions:
        if not companion.exists():
            pytest.skip(f"{path.name} needs {companion.name}, which is absent")
    expected, samples = json.loads(companions[0].read_text(encoding="utf-8")), np.load(companions[1])
    dataset = open_dataset(path)
    predictions = OriginalPredictions(OriginalRun(path / "temp" / "eval" / expected["run"] / dataset.renderset))
    network = LpipsNetwork("alex", seeded_alexnet(expected["lpips_weight_seed"]))
    networks = Networks(lpips=network, clip=LinearEncoder(expected["clip_stub_seed"]))
    items = dataset.items()
    truths = [dataset.truth(item) for item in items]
    scored, pairs = [], []
    for index, (item, truth) in enumerate(zip(items, truths)):
        scored.append(score_item(item, truth, predictions, SETTINGS, networks))
        pair = surface_pair(item, truth, predictions, SETTINGS)
        given = [
            SurfaceSamples(samples[f"sample{index}_{side}_face"], samples[f"sample{index}_{side}_bary"])
            for side in ("pred", "gt")
        ]
        pairs.append(SurfacePair(pair.predicted, pair.true, *given))
    return Benchmark(expected, items, truths, predictions, scored, pairs)


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
def test_image_scores(path: Path, subset: str) -> None:
    benchmark = run_benchmark(path)
    tolerances = {
        "psnr": ("psnr", {"abs": 2e-4}),
        "lpips": ("lpips_alex", {"rel": 1e-4}),
        "clip": ("clip", {"abs": 2e-5}),
    }
    for name, (metric, tolerance) in tolerances.items():
        for scored, expected in zip(benchmark.scored, benchmark.expected["2d"][subset][name]):
            assert value_of(scored, metric, subset) == pytest.approx(expected, **{"rel": 0, "abs": 0, **tolerance})


@pytest.mark.parametrize("path", BENCHMARKS)
def test_surfaces_after_the_cuts(path: Path) -> None:
    benchmark = run_benchmark(path)
    counts = benchmark.expected.get("faces_after_roi")
    if counts is None:
        pytest.skip(f"{path.name} states no face counts")
    assert [len(pair.predicted.faces) for pair in benchmark.pairs] == counts["pred"]
    assert [len(pair.true.faces) for pair in benchmark.pairs] == counts["gt"]


@pytest.mark.parametrize("path", BENCHMARKS)
def test_surface_scores_on_the_given_samples(path: Path) -> None:
    benchmark = run_benchmark(path)
    values = [dict(surface_scores(pair)) for pair in benchmark.pairs]
    for metric in ("p2s", "s2p", "cd"):
        ours = [value[metric] for value in values]
        np.testing.assert_allclose(ours, benchmark.expected["3d"][metric], rtol=0, atol=1e-8)
    assert benchmark.expected["f1_per_sample"]
    for entry in benchmark.expected["f1_per_sample"]:
        value = values[benchmark.expected["bns"].index(entry["bn"])]
        assert value[fscore_metric(entry["threshold"]).id] == pytest.approx(entry["f1"], rel=0, abs=2e-4)


@pytest.mark.parametrize("path", BENCHMARKS)
def test_surface_scores_on_our_own_samples(path: Path) -> None:
    """10,000 fresh samples: 3 % in cd and 0.02 in F1 are the README's tolerances for another draw."""
    benchmark = run_benchmark(path)
    for scored, cd in zip(benchmark.scored, benchmark.expected["3d"]["cd"]):
        assert value_of(scored, "cd", "geom") == pytest.approx(cd, rel=0.03)
    for entry in benchmark.expected["f1_per_sample"]:
        scored = benchmark.scored[benchmark.expected["bns"].index(entry["bn"])]
        ours = value_of(scored, fscore_metric(entry["threshold"]).id, "geom")
        assert ours == pytest.approx(entry["f1"], rel=0, abs=0.02)


@pytest.mark.parametrize("path", BENCHMARKS)
def test_printed_table_is_exact(path: Path) -> None:
    benchmark = run_benchmark(path)
    plans = plan_rows(lpips_metric("alex"), PAPER.f1_aggregate)
    rows: tuple[Row, ...] = aggregate(plans, benchmark.scores_with_given_samples(), benchmark.names, {})
    printed = path.with_name(f"{path.name}_table.txt").read_text(encoding="utf-8")
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
