"""Distances between two sampled surfaces and their chamfer mean. Source: spec/measure.md §6.4, §6.5."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _measure.metrics.description import Metric

CHAMFER = Metric("cd", "cd", "m", "lower", 0.0, math.inf)
PREDICTED_TO_TRUE = Metric("p2s", "p2s", "m", "lower", 0.0, math.inf)
TRUE_TO_PREDICTED = Metric("s2p", "s2p", "m", "lower", 0.0, math.inf)


def mean_distance(distances_m: NDArray) -> float:
    """Mean of the distances from one surface's samples to the other surface, metres.

    Args:
        distances_m: (N,) unsigned distances, metres.

    Raises:
        InputError: there are no distances.
    """
    if not len(distances_m):
        raise InputError("Expected distances of surface samples, found none: a surface is empty in this region.")
    return float(np.mean(distances_m, dtype=np.float64))


def chamfer(p2s_m: NDArray, s2p_m: NDArray) -> float:
    """Half the sum of the two mean distances, metres: neither squared nor doubled.

    Args:
        p2s_m: (N,) distances of predicted samples to the true surface, metres.
        s2p_m: (M,) distances of true samples to the predicted surface, metres.

    Raises:
        InputError: a surface has no samples.

    >>> chamfer(np.array([0.01, 0.03]), np.array([0.0]))  # (0.02 + 0)/2
    0.01
    """
    return (mean_distance(p2s_m) + mean_distance(s2p_m)) / 2
