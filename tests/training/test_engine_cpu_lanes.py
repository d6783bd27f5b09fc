"""Functions of sixteen numbers at once, against float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from training.engine.cpu_lanes import LANES, exp_lanes, load, sigmoid_lanes, softplus_lanes, store, total

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[NDArray], NDArray], float]] = {
    "exp": (exp_lanes, np.exp, 1.1),
    "softplus": (softplus_lanes, lambda x: np.logaddexp(0, x), 3.0),
    "sigmoid": (sigmoid_lanes, lambda x: 1 / (1 + np.exp(-x)), 3.0),
}


def mapped(function: Callable[[Any], Any], values: NDArray[np.float32]) -> NDArray[np.float32]:
    @njit
    def run(x: Any, y: Any) -> None:
        for start in range(0, x.size, LANES):
            store(y, start, function(load(x, start)))

    found = np.zeros_like(values)
    run(values, found)
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_few_units_in_the_last_place(name: str) -> None:
    function, truth, units = FUNCTIONS[name]
    spread = np.random.default_rng(0).standard_normal((6, 1 << 14)) * np.array([[1e-6], [0.01], [1], [5], [20], [60]])
    values = np.concatenate([spread.ravel().clip(-85, 85), np.zeros(LANES)]).astype(np.float32)
    expected = truth(values.astype(np.float64))
    error = np.abs(mapped(function, values) - expected) / np.spacing(np.abs(expected.astype(np.float32)))
    assert error.max() < units


def test_limits() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 1000, -1000, 0, -0.0, 1e-12] * 2, np.float32)
    exp, softplus, sigmoid = (mapped(FUNCTIONS[name][0], values)[:8] for name in FUNCTIONS)
    assert np.isnan([exp[0], softplus[0], sigmoid[0]]).all()
    assert np.array_equal(exp[5:], np.ones(3))
    assert exp[1] > 1e37
    assert softplus[1] == np.inf
    assert np.array_equal(softplus[3:5], np.array([1000, softplus[4]], np.float32))
    assert np.array_equal(sigmoid[[1, 3]], [1, 1])
    assert all(0 <= tiny < 1e-37 for part in (exp, softplus, sigmoid) for tiny in part[[2, 4]])


def test_totals_have_one_order() -> None:
    @njit
    def run(x: Any) -> Any:
        return total(load(x, 0))

    values = np.random.default_rng(1).standard_normal(LANES).astype(np.float32) * np.float32(1e4)
    halves = values.copy()
    while halves.size > 1:
        halves = halves[: halves.size // 2] + halves[halves.size // 2 :]
    assert run(values) == halves[0]
