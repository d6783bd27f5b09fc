"""Scores of an item's surface: both surfaces cut alike, points drawn on each, distances to the other.

Source: spec/measure.md §6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _exchange.items import ItemId, TruthFiles
from _exchange.mesh import Mesh
from _measure.item_scores import Collector, ItemScores
from _measure.metrics.chamfer import CHAMFER, PREDICTED_TO_TRUE, TRUE_TO_PREDICTED, chamfer, mean_distance
from _measure.metrics.fscore import F1_THRESHOLDS_M, fscore, fscore_metric
from _measure.predictions import Predictions
from _measure.protocols import GEOMETRY, Settings
from _measure.sampling import SurfaceSamples, sample_generator, sample_surface
from _measure.surface_distance import distance_to_surface
from _measure.true_surface import compared_true_surface, cut_to_region


@dataclass(frozen=True, eq=False)
class SurfacePair:
    """Both surfaces of an item after all cuts, `head_world`, and the samples drawn on them."""

    predicted: Mesh
    true: Mesh
    predicted_samples: SurfaceSamples
    true_samples: SurfaceSamples


def score_surfaces(
    item: ItemId, truth: TruthFiles, predictions: Predictions, settings: Settings, truth_cache: Path | None = None
) -> ItemScores:
    """Distances and F1 of one item; a surface that cannot be read or is empty becomes a problem.

    Args:
        truth_cache: folder of visible true surfaces (see `compared_true_surface`).
    """
    collected = Collector(str(item))

    with collected.problems_of(GEOMETRY):
        for metric, value in surface_scores(surface_pair(item, truth, predictions, settings, truth_cache)):
            collected.add(metric, GEOMETRY, value)
    return collected.answer()


def surface_pair(
    item: ItemId, truth: TruthFiles, predictions: Predictions, settings: Settings, truth_cache: Path | None = None
) -> SurfacePair:
    """Read, cut and sample both surfaces of an item.

    Raises:
        SuiteError: a surface cannot be read, or is empty after the cuts.
    """
    predicted = cut_to_region(predictions.mesh(item), truth.region)
    if not len(predicted.faces):
        raise InputError("Expected predicted triangles inside the region of interest, found none.")
    true = compared_true_surface(truth, settings.protocol, truth_cache)
    if not len(true.faces):
        raise InputError("Expected true triangles inside the region of interest, found none.")
    seed = settings.run_seed if settings.protocol.sample_seed == "run" else None
    count = settings.sample_count
    return SurfacePair(
        predicted,
        true,
        sample_surface(predicted, count, sample_generator(truth.bn, "predicted", seed)),
        sample_surface(true, count, sample_generator(truth.bn, "true", seed)),
    )


def surface_distances(pair: SurfacePair) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances of predicted samples to the true surface, and of true samples to the predicted one, metres."""
    p2s = distance_to_surface(pair.predicted_samples.points(pair.predicted), pair.true)
    s2p = distance_to_surface(pair.true_samples.points(pair.true), pair.predicted)
    return p2s, s2p


def surface_scores(pair: SurfacePair) -> Iterator[tuple[str, float]]:
    """Metric ids and raw values of one pair of surfaces."""
    p2s, s2p = surface_distances(pair)
    yield PREDICTED_TO_TRUE.id, mean_distance(p2s)
    yield TRUE_TO_PREDICTED.id, mean_distance(s2p)
    yield CHAMFER.id, chamfer(p2s, s2p)
    for threshold in F1_THRESHOLDS_M:
        yield fscore_metric(threshold).id, fscore(p2s, s2p, threshold)
