"""CLIP in half precision to the end, as on a GPU: steps of the cosine, and the same path run on a CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from _measure.metrics.clip import SIDE, cosine_similarity
from _measure.networks.vit_b32 import ImageEncoder
from _measure.picture_scores import ItemPictures, PicturePair, clip_scores
from tests.measure.clip_weights import random_tower

STEP = 2.0**-11
"""Between neighbouring float16 numbers from 0.5 to 1."""


def similar_halves(seed: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Two float16 embeddings of CLIP's length, the more alike the smaller the spread."""
    draws = np.random.default_rng(seed)
    a = draws.normal(size=512)
    return a.astype(np.float16), (a + spread * draws.normal(size=512)).astype(np.float16)


@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(0.05, 1.2))
@settings(derandomize=True, max_examples=40, deadline=None)
def test_the_half_cosine_is_the_nearest_step_or_the_one_beside(seed: int, spread: float) -> None:
    """The product's rounding moves it by half a step at most, that of the unit vectors' numbers by far less."""
    a, b = similar_halves(seed, spread)
    found, exact = cosine_similarity(a, b), cosine_similarity(a.astype(float), b.astype(float))
    assert exact > 0.5
    assert found / STEP == round(found / STEP)
    assert abs(found - exact) < STEP


def test_neighbouring_steps_are_five_hundredths_of_a_table_point() -> None:
    """spec/measure.md §5.1: the cosine comes in steps of about 0.0005 near 0.9."""
    found = np.unique([cosine_similarity(*similar_halves(seed, 0.484)) for seed in range(300)])
    assert 0.85 < found.min() < found.max() < 0.95
    assert np.diff(found).min() * 100 == pytest.approx(0.0488, abs=1e-4)


def test_torch_s_half_arithmetic_agrees() -> None:
    for seed in range(20):
        a, b = similar_halves(seed, 0.5)
        unit_a, unit_b = (torch.nn.functional.normalize(torch.from_numpy(x), dim=0) for x in (a, b))
        theirs = torch.dot(unit_a, unit_b)
        assert theirs.dtype == torch.float16
        # torch also rounds the norms, so each unit vector is off by up to half a step as a whole.
        assert abs(cosine_similarity(a, b) - float(theirs)) <= 2 * STEP


def test_an_embedding_is_like_itself_in_half_too() -> None:
    for seed in range(20):
        a, _ = similar_halves(seed, 1.0)
        assert cosine_similarity(a, a) == 1.0


def test_a_half_and_a_float32_embedding_are_compared_in_float64() -> None:
    a, b = similar_halves(0, 0.5)
    assert cosine_similarity(a, b.astype(np.float32)) == cosine_similarity(a.astype(float), b.astype(float))


def test_scores_of_a_half_encoder_come_in_half_steps() -> None:
    draws = np.random.default_rng(2)
    cameras = ("ortho_front", "ortho_back")
    pairs = {camera: PicturePair(*draws.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)) for camera in cameras}
    weights = random_tower(width=64, depth=1, patch=SIDE // 7, grid=7, embedding=16)
    values = {}
    for numbers in ("float16", "float32"):
        scores = clip_scores(ItemPictures("a", pairs), ImageEncoder(weights, "cpu", numbers))
        assert not scores.problems
        values[numbers] = [score.value for score in scores.scores]
    assert len(values["float16"]) == len(pairs)
    assert all(value == float(np.float16(value)) for value in values["float16"])
    assert not any(value == float(np.float16(value)) for value in values["float32"])
    np.testing.assert_allclose(values["float16"], values["float32"], atol=0.01)
