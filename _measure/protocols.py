"""What is compared for one item, and how: predicted against true pictures and surfaces, as raw scores.

Source: spec/measure.md §4–§6, §8. The choices come as `Settings`, whose `protocol` names every quirk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError, SuiteError
from _exchange.frames import IMAGE_SIZE
from _exchange.items import SCORED_CAMERAS, ItemId, Region, TruthFiles
from _exchange.mesh import Mesh
from _exchange.pictures import composite_on_white, read_picture, unit_from_bytes
from _exchange.protocol import CORRECTED
from _exchange.protocol import Protocol as EvaluationProtocol
from _exchange.scores import Score
from _measure.crops import Box, Subset, box_of_region, cut
from _measure.item_scores import ItemScores, Problem
from _measure.metrics.chamfer import CHAMFER, PREDICTED_TO_TRUE, TRUE_TO_PREDICTED, chamfer, mean_distance
from _measure.metrics.clip import CLIP, cosine_similarity, preprocess
from _measure.metrics.description import LpipsBackbone, lpips_metric
from _measure.metrics.fscore import F1_THRESHOLDS_M, fscore, fscore_metric
from _measure.metrics.psnr import PSNR, psnr
from _measure.metrics.ssim import SSIM, ssim
from _measure.predictions import Predictions
from _measure.sampling import SAMPLE_COUNT, SurfaceSamples, sample_generator, sample_surface
from _measure.surface_distance import distance_to_surface
from _measure.true_surface import compared_true_surface, cut_to_region

if TYPE_CHECKING:
    from _measure.metrics.lpips import LpipsNetwork

GEOMETRY = "geom"
"""The view of scores of surfaces."""


class ClipEncoder(Protocol):
    """An image encoder of CLIP."""

    def encode(self, pictures: NDArray[np.float32]) -> NDArray[np.floating]:
        """(B, 3, 224, 224) preprocessed pictures → (B, D) embeddings."""


@dataclass(frozen=True)
class Settings:
    """Everything but the data that decides scores.

    Attributes:
        protocol: the quirks.
        lpips_network: which LPIPS; `paper` knows AlexNet only.
        sample_count: points per surface.
        run_seed: appended to the item's seed where the protocol's samples follow the run.

    Raises:
        InputError: a value makes no sense.
    """

    protocol: EvaluationProtocol = CORRECTED
    lpips_network: LpipsBackbone = "squeeze"
    sample_count: int = SAMPLE_COUNT
    run_seed: int = 0

    def __post_init__(self) -> None:
        if self.protocol.lpips_range == "unit" and self.lpips_network != "alex":
            raise InputError(
                f"Expected LPIPS through alex in the protocol {self.protocol.name}, found {self.lpips_network}.",
                next_step="Choose --lpips-net alex or --protocol corrected.",
            )
        if self.sample_count < 1 or self.run_seed < 0:
            raise InputError(
                f"Expected at least one sample and a seed ≥ 0, found {self.sample_count} and {self.run_seed}."
            )


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks at hand; what is absent makes no scores."""

    lpips: LpipsNetwork | None = None
    clip: ClipEncoder | None = None


@dataclass(frozen=True, eq=False)
class SurfacePair:
    """Both surfaces of an item after all cuts, `head_world`, and the samples drawn on them."""

    predicted: Mesh
    true: Mesh
    predicted_samples: SurfaceSamples
    true_samples: SurfaceSamples


def subset_of_camera(camera: str) -> Subset:
    """``front``, ``back`` or ``360``: which rows a scored picture belongs to."""
    if camera == "ortho_front":
        return "front"
    return "back" if camera == "ortho_back" else "360"


def score_item(
    item: ItemId, truth: TruthFiles, predictions: Predictions, settings: Settings, networks: Networks
) -> ItemScores:
    """All raw scores of one item. What cannot be scored becomes a problem; no error of the data escapes."""
    failure = predictions.failure(item)
    if failure:
        return ItemScores((), (Problem(str(item), "", failure),))
    collected = _Collector(str(item))
    for camera in SCORED_CAMERAS:
        pictures = _picture_pair(truth, predictions, item, camera, collected)
        if pictures is not None:
            _score_pair(pictures, camera, settings.protocol, networks, collected)
    surfaces: list[SurfacePair] = []
    if collected.attempt(GEOMETRY, lambda: surfaces.append(surface_pair(item, truth, predictions, settings))):
        for metric, value in surface_scores(surfaces[0]):
            collected.scores.append(Score(str(item), metric, GEOMETRY, value))
    return ItemScores(tuple(sorted(collected.scores)), tuple(collected.problems))


def surface_pair(item: ItemId, truth: TruthFiles, predictions: Predictions, settings: Settings) -> SurfacePair:
    """Read, cut and sample both surfaces of an item.

    Raises:
        SuiteError: a surface cannot be read, or is empty after the cuts.
    """
    predicted = cut_to_region(predictions.mesh(item), truth.region)
    if not len(predicted.faces):
        raise InputError("Expected predicted triangles inside the region of interest, found none.")
    true = compared_true_surface(truth, settings.protocol)
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


def region_of_picture(rgba: NDArray[np.uint8], region: Region, subset: Subset) -> NDArray[np.uint8]:
    """(512, 512, 4) RGBA → the compared part on white, (h, w, 3) uint8.

    Raises:
        InputError: the picture has another size, or the region holds no pixel.
    """
    if rgba.shape[:2] != (IMAGE_SIZE, IMAGE_SIZE):
        raise InputError(f"Expected a picture of {IMAGE_SIZE} × {IMAGE_SIZE}, found {rgba.shape[1]} × {rgba.shape[0]}.")
    box: Box = box_of_region(region, subset)
    return composite_on_white(cut(rgba, box))


@dataclass
class _Collector:
    """Scores and problems of one item while it is compared."""

    item: str
    scores: list[Score] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def attempt(self, view: str, step: Callable[[], object]) -> bool:
        """Run one step; an error of the data becomes a problem of that view."""
        try:
            step()
        except SuiteError as error:
            self.problems.append(Problem(self.item, view, str(error)))
            return False
        return True


_Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def _picture_pair(
    truth: TruthFiles, predictions: Predictions, item: ItemId, camera: str, collected: _Collector
) -> _Pair | None:
    """Predicted and true part on white, or None with the problem noted."""
    read: list[NDArray[np.uint8]] = []
    subset = subset_of_camera(camera)

    def read_both() -> None:
        if camera not in truth.pictures:
            raise InputError(f"Expected a true picture {camera}, found none.")
        for path, whose in ((predictions.picture(item, camera), "predicted"), (truth.pictures[camera], "true")):
            if not path.is_file():
                raise InputError(f"Expected a {whose} picture {camera}, found none.")
            read.append(region_of_picture(read_picture(path, "RGBA"), truth.region, subset))

    return (read[0], read[1]) if collected.attempt(camera, read_both) else None


def _score_pair(
    pair: _Pair, camera: str, protocol: EvaluationProtocol, networks: Networks, collected: _Collector
) -> None:
    """Every image metric of one pair of pictures."""
    predicted, true = pair
    a, b = unit_from_bytes(predicted), unit_from_bytes(true)

    def add(metric: str, value: float) -> None:
        collected.scores.append(Score(collected.item, metric, camera, value))

    collected.attempt(camera, lambda: add(PSNR.id, psnr(a, b, protocol.psnr_peak)))
    collected.attempt(camera, lambda: add(SSIM.id, ssim(a, b)))
    network, encoder = networks.lpips, networks.clip
    if network is not None:
        metric = lpips_metric(network.network)
        collected.attempt(camera, lambda: add(metric.id, lpips_score(a, b, protocol, network)))
    if encoder is not None:
        collected.attempt(camera, lambda: add(CLIP.id, _clip_score(predicted, true, encoder)))


def lpips_score(
    predicted: NDArray[np.float32], true: NDArray[np.float32], protocol: EvaluationProtocol, network: LpipsNetwork
) -> float:
    """LPIPS of two (H, W, 3) float32 pictures in [0, 1], in the protocol's input range."""
    import torch  # only where a network was loaded

    from _measure.metrics.lpips import lpips

    a, b = (torch.from_numpy(picture).permute(2, 0, 1) for picture in (predicted, true))
    return lpips(network, a, b, protocol.lpips_range)


def _clip_score(predicted: NDArray[np.uint8], true: NDArray[np.uint8], encoder: ClipEncoder) -> float:
    # One by one: an embedding must not depend on what else is in the batch.
    a, b = (encoder.encode(preprocess(picture)[None])[0] for picture in (predicted, true))
    return cosine_similarity(a, b)
