"""Chamfer, F1 and CLIP against other libraries, whose conventions are turned into ours here; and their descriptions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from scipy.spatial import cKDTree, distance
from sklearn.metrics import f1_score

from _exchange.errors import InputError
from _measure.metrics.chamfer import CHAMFER, PREDICTED_TO_TRUE, TRUE_TO_PREDICTED, chamfer, mean_distance
from _measure.metrics.clip import CLIP, cosine_similarity, preprocess
from _measure.metrics.fscore import F1_THRESHOLDS_M, fscore, fscore_metric


def clouds(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two samples of one surface, of different sizes."""
    generator = np.random.default_rng(seed)
    return generator.uniform(size=(200, 3)) * (1, 1, 0), generator.uniform(size=(333, 3)) * (1, 1, 0.01)


def distances_between(one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return cKDTree(two).query(one)[0], cKDTree(one).query(two)[0]


@pytest.mark.parametrize("seed", range(3))
def test_chamfer_is_half_of_what_others_add_up(seed: int) -> None:
    """The usual chamfer adds up both means, of squares or, as here, of distances; scipy compares all with all."""
    one, two = clouds(seed)
    each = distance.cdist(one, two)
    summed = each.min(1).mean() + each.min(0).mean()
    assert chamfer(*distances_between(one, two)) == pytest.approx(summed / 2, rel=1e-12)


def test_chamfer_of_float32_distances_is_summed_in_float64() -> None:
    many = np.full(2_000_000, 0.1, np.float32)
    assert mean_distance(many) == pytest.approx(float(np.float32(0.1)), rel=1e-12)


@pytest.mark.parametrize("threshold", F1_THRESHOLDS_M)
def test_f1_is_the_harmonic_mean_of_scipy(threshold: float) -> None:
    p2s, s2p = distances_between(*clouds(4))
    shares = [np.mean(p2s <= threshold), np.mean(s2p <= threshold)]
    assert fscore(p2s, s2p, threshold) == pytest.approx(stats.hmean(shares), abs=1e-12)


def test_f1_is_scikit_learns_where_points_stand_for_labels() -> None:
    """As many points on both sides: hits of predicted points are true positives, the rest false ones, and so back."""
    p2s = np.array([0.001, 0.002, 0.02, 0.003, 0.5])
    s2p = np.array([0.001, 0.02, 0.003, 0.002, 0.5])  # as many hits, so one count of true positives holds for both
    predicted, true = [1] * 5 + [0] * 2, [1, 1, 1, 0, 0, 1, 1]
    assert fscore(p2s, s2p, 0.01) == pytest.approx(f1_score(true, predicted))


@pytest.mark.parametrize("sides", [(0, 3), (3, 0), (0, 0)])
def test_an_empty_side_is_told_by_every_surface_metric(sides: tuple[int, int]) -> None:
    p2s, s2p = (np.zeros(count) for count in sides)
    sentence = r"Expected distances of surface samples, found none: a surface is empty in this region\."
    for metric in (lambda: chamfer(p2s, s2p), lambda: fscore(p2s, s2p, 0.01)):
        with pytest.raises(InputError, match=sentence):
            metric()
    with pytest.raises(InputError, match=sentence):
        mean_distance(np.zeros(0))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_cosines_are_scipys_and_torchs(kind: type) -> None:
    """Half precision rounds on purpose; test_clip_half.py holds how."""
    for a, b in np.random.default_rng(2).standard_normal((5, 2, 64)).astype(kind):
        found = cosine_similarity(a, b)
        assert found == pytest.approx(1 - distance.cosine(a.astype(float), b.astype(float)), abs=1e-12)
        theirs = torch.nn.functional.cosine_similarity(torch.tensor(a).double(), torch.tensor(b).double(), 0)
        assert found == pytest.approx(float(theirs), abs=1e-12)


@pytest.mark.parametrize("shape", [(224, 224), (300, 512), (512, 262), (100, 150), (1000, 640)])
def test_pictures_are_prepared_as_transformers_prepares_them(shape: tuple[int, int]) -> None:
    """Even margins only: theirs rounds half a pixel down, the original rounds it to the even side."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: one reference less")
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    processor = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)()
    expected = np.asarray(processor(Image.fromarray(picture), return_tensors="np")["pixel_values"][0])
    np.testing.assert_allclose(preprocess(picture), expected, atol=1e-5)


def test_descriptions_say_unit_direction_range_and_scale() -> None:
    for metric in (CHAMFER, PREDICTED_TO_TRUE, TRUE_TO_PREDICTED):
        assert (metric.unit, metric.better, metric.lowest, metric.highest) == ("m", "lower", 0.0, math.inf)
    assert (CLIP.id, CLIP.better, CLIP.lowest, CLIP.highest, CLIP.table_scale) == ("clip", "higher", -1.0, 1.0, 100.0)
    assert [fscore_metric(threshold).id for threshold in F1_THRESHOLDS_M] == [
        "f1@5",
        "f1@10",
        "f1@50",
        "f1@100",
        "f1@500",
    ]
    assert {(m.better, m.lowest, m.highest) for m in map(fscore_metric, F1_THRESHOLDS_M)} == {("higher", 0.0, 1.0)}
