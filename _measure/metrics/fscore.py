"""F1 of two sampled surfaces at a distance threshold. Source: spec/measure.md §6.6."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _measure.metrics.description import Metric

F1_THRESHOLDS_M = (0.005, 0.01, 0.05, 0.1, 0.5)
"""Thresholds of the published evaluation, metres."""


def fscore_metric(threshold_m: float) -> Metric:
    """The description of F1 at a threshold; its id names millimetres.

    >>> fscore_metric(0.005).id
    'f1@5'
    """
    name = f"f1@{threshold_m * 1000:g}"
    return Metric(name, name, "", "higher", 0.0, 1.0)


def fscore(p2s_m: NDArray, s2p_m: NDArray, threshold_m: float) -> float:
    """2PR/(P + R) with P, R = shares of predicted and true samples not farther than the threshold; 0 if both are 0.

    Args:
        p2s_m: (N,) distances of predicted samples to the true surface, metres.
        s2p_m: (M,) distances of true samples to the predicted surface, metres.
        threshold_m: metres, inclusive.

    Raises:
        InputError: a surface has no samples.

    >>> near, far = 0.001, 0.02
    >>> fscore(np.array([near, far]), np.array([near, near]), 0.005)  # P = 1/2, R = 1
    0.6666666666666666
    """
    if not len(p2s_m) or not len(s2p_m):
        raise InputError("Expected distances of surface samples, found none: a surface is empty in this region.")
    precision = float(np.mean(p2s_m <= threshold_m))
    recall = float(np.mean(s2p_m <= threshold_m))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
