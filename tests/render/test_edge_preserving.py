"""The recursive edge-preserving filter against what any such filter must keep, and its reach."""

from __future__ import annotations

import numpy as np
import pytest

from _render.edge_preserving import smooth_within_edges

SIZE = 161
PLAIN = np.ones((SIZE, SIZE), np.float32)


def test_a_constant_stays() -> None:
    values = np.full((SIZE, SIZE, 2), 0.7, np.float32)
    np.testing.assert_allclose(smooth_within_edges(values, PLAIN, PLAIN, 9.0), 0.7, atol=1e-6)


def test_no_reach_changes_nothing() -> None:
    values = np.random.default_rng(0).random((SIZE, SIZE, 3), np.float32)
    np.testing.assert_array_equal(smooth_within_edges(values, PLAIN, PLAIN, 0.0), values)


@pytest.mark.parametrize("reach", [4.0, 8.0])
def test_a_point_spreads_evenly_to_all_sides_by_the_reach(reach: float) -> None:
    point = np.zeros((SIZE, SIZE, 1), np.float32)
    point[SIZE // 2, SIZE // 2] = 1
    spread = smooth_within_edges(point, PLAIN, PLAIN, reach)[..., 0].astype(float)
    away = np.arange(SIZE) - SIZE // 2
    for profile in (spread.sum(axis=0), spread.sum(axis=1)):
        assert profile.sum() == pytest.approx(1.0, abs=2e-3)
        assert (profile * away).sum() == pytest.approx(0.0, abs=0.05)
        # two rounds of a discrete exponential: the paper's continuous variance is met to 6 %
        assert np.sqrt((profile * away**2).sum()) == pytest.approx(reach, rel=0.06)


@pytest.mark.parametrize("axis", [0, 1])
def test_nothing_passes_an_infinite_distance(axis: int) -> None:
    values = np.zeros((SIZE, SIZE, 1), np.float32)
    values[(slice(None),) * axis + (slice(60, None),)] = 1
    wall = PLAIN.copy()
    wall[(slice(None),) * axis + (60,)] = np.inf
    across, down = (PLAIN, wall) if axis == 0 else (wall, PLAIN)
    np.testing.assert_allclose(smooth_within_edges(values, across, down, 12.0), values, atol=1e-6)
    assert np.abs(smooth_within_edges(values, PLAIN, PLAIN, 12.0) - values).max() > 0.3


def test_the_argument_is_not_written_into() -> None:
    values = np.random.default_rng(1).random((20, 30, 3), np.float32)
    before = values.copy()
    smooth_within_edges(values, np.ones((20, 30), np.float32), np.ones((20, 30), np.float32), 5.0)
    np.testing.assert_array_equal(values, before)
