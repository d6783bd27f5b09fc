"""CLIP preprocessing and cosine similarity. Source: spec/measure.md §5.1."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from _measure.metrics.clip import cosine_similarity, preprocess, resize_and_crop
from tests.parity.fixtures import measure_files

CLIP = measure_files("clip_preprocess*.npz")


def indices(fixture: np.lib.npyio.NpzFile) -> list[int]:
    found = [int(key.removeprefix("input")) for key in fixture.files if re.fullmatch(r"input\d+", key)]
    assert found
    return found


@pytest.mark.parametrize("path", CLIP)
def test_resizing_and_cropping_is_exact(path: Path) -> None:
    fixture = np.load(path)
    for index in indices(fixture):
        with Image.open(path.with_name(f"clip_resized{index}.png")) as expected:
            np.testing.assert_array_equal(resize_and_crop(fixture[f"input{index}"]), np.asarray(expected))


@pytest.mark.parametrize("path", CLIP)
def test_normalised_tensors(path: Path) -> None:
    fixture = np.load(path)
    for index in indices(fixture):
        tensor = preprocess(fixture[f"input{index}"])
        np.testing.assert_allclose(tensor[:, ::8, ::8], fixture[f"norm{index}_stride8"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(tensor.sum((1, 2), dtype=np.float64), fixture[f"norm{index}_sum"], rtol=1e-5)


@pytest.mark.parametrize("path", CLIP)
def test_cosines(path: Path) -> None:
    fixture = np.load(path)
    ours = [100 * cosine_similarity(a, b) for a, b in zip(fixture["emb_a"], fixture["emb_b"])]
    np.testing.assert_allclose(ours, fixture["cosine_x100"], rtol=1e-5, atol=1e-8)
