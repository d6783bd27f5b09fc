"""Pictures go through networks in batches of fixed make-up, so what is missing changes no other score."""

from __future__ import annotations

import numpy as np
import pytest

from _exchange.items import SCORED_CAMERAS
from _exchange.pictures import write_png
from _measure.metrics.clip import preprocess
from _measure.metrics.lpips import LpipsNetwork, lpips
from _measure.picture_scores import ItemPictures, PicturePair, clip_scores, lpips_scores, pixel_scores, read_pictures
from tests.measure.small_benchmark import SmallBenchmark, disc
from tests.measure.test_lpips import random_weights

SIZES = {"front": (40, 36), "back": (40, 36), "360": (40, 64)}
"""Height and width of the parts of each subset."""


def pictures(without: tuple[str, ...] = ()) -> ItemPictures:
    random = np.random.default_rng(3)
    pairs = {}
    for camera in SCORED_CAMERAS:
        size = SIZES[{"ortho_front": "front", "ortho_back": "back"}.get(camera, "360")]
        both = random.integers(0, 256, (2, *size, 3), np.uint8)
        if camera not in without:
            pairs[camera] = PicturePair(*both)
    return ItemPictures("some/one", pairs)


def by_view(scored) -> dict[str, float]:
    return {score.view: score.value for score in scored.scores}


class PlacedEncoder:
    """Embeddings that depend on the number of pictures in a batch and on each one's place: the worst case."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def encode(self, batch: np.ndarray) -> np.ndarray:
        self.shapes.append(batch.shape)
        places = np.arange(len(batch))[:, None]
        return np.concatenate([batch.mean((2, 3)), places + 0.1 * len(batch)], axis=1)


@pytest.mark.parametrize("without", [("ortho_front",), SCORED_CAMERAS[3:5], SCORED_CAMERAS[1:-1]])
def test_a_missing_picture_changes_no_other_score(without: tuple[str, ...]) -> None:
    network = LpipsNetwork("alex", random_weights("alex"))
    for score in (
        lambda given: lpips_scores(given, network, "signed"),
        lambda given: clip_scores(given, PlacedEncoder()),
        lambda given: pixel_scores(given, "one"),
    ):
        whole, rest = by_view(score(pictures())), by_view(score(pictures(without)))
        assert rest == {view: value for view, value in whole.items() if view not in without}


def test_a_batch_of_clip_is_always_of_fourteen_pictures() -> None:
    encoder = PlacedEncoder()
    clip_scores(pictures(SCORED_CAMERAS[:5]), encoder)
    assert encoder.shapes == [(14, 3, 224, 224)] * 2


def test_equal_pictures_are_equal_to_clip_wherever_they_stand() -> None:
    pairs = {camera: PicturePair(pair.true, pair.true) for camera, pair in pictures().pairs.items()}
    values = by_view(clip_scores(ItemPictures("some/one", pairs), PlacedEncoder()))
    assert list(values) == list(SCORED_CAMERAS)
    assert values == pytest.approx(dict.fromkeys(values, 1.0))


def test_clip_compares_what_its_preprocessing_gives() -> None:
    class Means:
        def encode(self, batch: np.ndarray) -> np.ndarray:
            return batch.mean((2, 3))

    given = pictures()
    values = by_view(clip_scores(given, Means()))
    for camera, pair in given.pairs.items():
        a, b = (preprocess(side).mean((1, 2)) for side in (pair.predicted, pair.true))
        assert values[camera] == pytest.approx(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)), rel=1e-5)


def test_a_batch_is_lpips_pair_by_pair() -> None:
    import torch

    network = LpipsNetwork("squeeze", random_weights("squeeze"))
    given = pictures()
    values = by_view(lpips_scores(given, network, "unit"))
    assert set(values) == set(SCORED_CAMERAS)
    for camera in (SCORED_CAMERAS[0], SCORED_CAMERAS[7]):
        a, b = (torch.from_numpy(side).permute(2, 0, 1) for side in given.pairs[camera].unit)
        assert values[camera] == pytest.approx(lpips(network, a, b, "unit"), rel=1e-5)


def test_pictures_too_small_for_a_network_are_problems_of_every_view() -> None:
    network = LpipsNetwork("alex", random_weights("alex"))
    tiny = {camera: PicturePair(pair.predicted[:9], pair.true[:9]) for camera, pair in pictures().pairs.items()}
    scored = lpips_scores(ItemPictures("some/one", tiny), network, "signed")
    assert scored.scores == ()
    assert [problem.view for problem in scored.problems] == list(SCORED_CAMERAS)
    assert "at least 31 pixels a side" in scored.problems[0].reason


def test_reading_in_threads_keeps_order_and_problems(benchmark_run: SmallBenchmark) -> None:
    item = benchmark_run.items[0]
    write_png(benchmark_run.run.item(item).render(SCORED_CAMERAS[6]), disc(9)[:7, :7])
    benchmark_run.run.item(item).render(SCORED_CAMERAS[2]).unlink()
    read = read_pictures(item, benchmark_run.truths[item], benchmark_run.predictions)
    broken = (SCORED_CAMERAS[2], SCORED_CAMERAS[6])
    assert list(read.pairs) == [camera for camera in SCORED_CAMERAS if camera not in broken]
    assert [problem.view for problem in read.problems] == list(broken)
