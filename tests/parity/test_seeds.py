"""The seed rule and the random training views. Source: spec/renderer.md §4.3, spec/measure.md §6.3."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from _exchange.camera import random_views, seeded_random_state
from tests.parity.fixtures import entries_of, measure_files

SEEDS = measure_files("seeds_views*.json")


@pytest.mark.parametrize("path", SEEDS)
def test_strings_become_seeds(path: Path) -> None:
    fixture = entries_of(path)
    for text, expected in zip(fixture["strings"], fixture["adler32"]):
        assert zlib.adler32(text.encode("utf-8")) == expected
        first = np.random.RandomState(expected).standard_normal(3)
        np.testing.assert_array_equal(seeded_random_state(text).standard_normal(3), first)


@pytest.mark.parametrize("path", SEEDS)
def test_random_views_of_an_id(path: Path) -> None:
    fixture = entries_of(path)
    for name, expected in zip(fixture["ids"], fixture["views"]):
        ours = [[c.elev, c.azim, c.dist, c.fov] for c in random_views(name, len(expected))]
        np.testing.assert_allclose(ours, expected, rtol=1e-12)
