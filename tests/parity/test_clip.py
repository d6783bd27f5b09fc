"""CLIP preprocessing and cosine similarity. Source: spec/measure.md §5.1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from _measure.metrics.clip import cosine_similarity, preprocess, resize_and_crop
from tests.parity.fixtures import arrays_of, measure_files, needed, whatever_is_there

CLIP = measure_files("clip_preprocess*.npz")


PICTURES = r"(input|norm)\d+(_stride8|_sum)?"


@pytest.mark.parametrize("path", CLIP)
def test_resizing_and_cropping_is_exact(path: Path) -> None:
    fixture = arrays_of(path)
    with whatever_is_there() as part:
        for index in fixture.numbers(PICTURES):
            with part(), Image.open(needed(path.with_name(f"clip_resized{index}.png"))) as expected:
                np.testing.assert_array_equal(resize_and_crop(fixture[f"input{index}"]), np.asarray(expected))


@pytest.mark.parametrize("path", CLIP)
def test_normalised_tensors(path: Path) -> None:
    fixture = arrays_of(path)
    with whatever_is_there() as part:
        for index in fixture.numbers(PICTURES):
            with part():
                ours = preprocess(fixture[f"input{index}"])[:, ::8, ::8]
                np.testing.assert_allclose(ours, fixture[f"norm{index}_stride8"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", CLIP)
def test_sums_of_normalised_tensors(path: Path) -> None:
    fixture = arrays_of(path)
    with whatever_is_there() as part:
        for index in fixture.numbers(PICTURES):
            with part():
                ours = preprocess(fixture[f"input{index}"]).sum((1, 2), dtype=np.float64)
                np.testing.assert_allclose(ours, fixture[f"norm{index}_sum"], rtol=1e-5)


@pytest.mark.parametrize("path", CLIP)
def test_cosines(path: Path) -> None:
    fixture = arrays_of(path)
    ours = [100 * cosine_similarity(a, b) for a, b in zip(fixture["emb_a"], fixture["emb_b"])]
    np.testing.assert_allclose(ours, fixture["cosine_x100"], rtol=1e-5, atol=1e-8)
