"""Curves through few points: the guides of locks and the outlines of painted shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def smoothstep(value: ArrayLike, low: float = 0.0, high: float = 1.0) -> Floats:
    """0 below `low`, 1 above `high`, 3t² − 2t³ between."""
    t = np.clip((np.asarray(value, np.float64) - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def bump(distance: ArrayLike) -> Floats:
    """A hill of height 1 at 0 that ends at |distance| = 1: (1 − d²)²."""
    inside = np.maximum(1 - np.asarray(distance, np.float64) ** 2, 0.0)
    return inside * inside


def spline(points: ArrayLike, count: int) -> Floats:
    """(count, D) points of a Catmull-Rom curve through (K, D) points, evenly spread over its segments."""
    knots = np.asarray(points, np.float64)
    padded = np.concatenate([[2 * knots[0] - knots[1]], knots, [2 * knots[-1] - knots[-2]]])
    place = np.linspace(0, len(knots) - 1, count)
    segment = np.minimum(place.astype(np.int64), len(knots) - 2)
    t = (place - segment)[:, None]
    a, b, c, d = (padded[segment + shift] for shift in range(4))
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def profile(at: ArrayLike, knots: Sequence[tuple[float, float]]) -> Floats:
    """Smooth interpolation of (place, value) pairs, level at their hills and valleys; constant outside."""
    places = np.array([knot[0] for knot in knots])
    values = np.array([knot[1] for knot in knots])
    at = np.asarray(at, np.float64)
    segment = np.clip(np.searchsorted(places, at, side="right") - 1, 0, len(places) - 2)
    steps = np.diff(places)
    slopes = np.diff(values) / steps
    tangents = np.concatenate([[slopes[0]], (slopes[1:] + slopes[:-1]) / 2, [slopes[-1]]])
    flat = np.concatenate([[False], slopes[1:] * slopes[:-1] <= 0, [False]])
    tangents = np.where(flat, 0.0, tangents)
    step = steps[segment]
    t = np.clip((at - places[segment]) / step, 0.0, 1.0)
    low, high = values[segment], values[segment + 1]
    hermite = (2 * t**3 - 3 * t**2 + 1) * low + (t**3 - 2 * t**2 + t) * step * tangents[segment]
    return hermite + (3 * t**2 - 2 * t**3) * high + (t**3 - t**2) * step * tangents[segment + 1]


def unit(vectors: Floats) -> Floats:
    """Vectors of length 1 along the last axis."""
    return vectors / np.maximum(np.sqrt((vectors**2).sum(axis=-1, keepdims=True)), 1e-12)
