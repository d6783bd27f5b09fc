"""Scores of an item's fourteen pictures: by pixels, by LPIPS, by CLIP. Source: spec/measure.md §4, §5.

Results repeat byte for byte: a batch of a network always holds the pictures of one item and of fixed cameras, each in
its place, and a blank picture stands where one is missing. So neither other items, nor workers, nor what else of this
item is missing decides the shape of an array that a number comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError, SuiteError
from _exchange.frames import IMAGE_SIZE
from _exchange.items import SCORED_CAMERAS, ItemId, Region, TruthFiles
from _exchange.pictures import composite_on_white, read_picture, unit_from_bytes
from _measure.crops import Subset, box_of_region, cut
from _measure.item_scores import Collector, ItemScores, Problem
from _measure.metrics.clip import CLIP, SIDE, cosine_similarity, preprocess
from _measure.metrics.description import lpips_metric
from _measure.metrics.psnr import PSNR, psnr
from _measure.metrics.ssim import SSIM, ssim
from _measure.predictions import Predictions
from _measure.protocols import subset_of_camera

if TYPE_CHECKING:
    from _measure.metrics.lpips import LpipsNetwork, Range

_BATCHES = tuple(tuple(cameras) for _, cameras in groupby(SCORED_CAMERAS, subset_of_camera))
"""Cameras whose pictures go through LPIPS together: those of a subset, whose boxes have one size."""
_DECODERS = 4
"""Threads that decode pictures: Pillow leaves the interpreter to the others meanwhile."""


class ClipEncoder(Protocol):
    """An image encoder of CLIP."""

    def encode(self, pictures: NDArray[np.float32]) -> NDArray[np.floating]:
        """(B, 3, 224, 224) preprocessed pictures → (B, D) embeddings."""


@dataclass(frozen=True, eq=False)
class PicturePair:
    """The compared part of a predicted and a true picture on white, each (h, w, 3) uint8."""

    predicted: NDArray[np.uint8]
    true: NDArray[np.uint8]

    @property
    def unit(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both as float32 in [0, 1]."""
        return unit_from_bytes(self.predicted), unit_from_bytes(self.true)


@dataclass(frozen=True, eq=False)
class ItemPictures:
    """All pairs of an item.

    Attributes:
        item: its name.
        pairs: by camera, in the order of `SCORED_CAMERAS`.
        problems: why a camera has no pair.
    """

    item: str
    pairs: Mapping[str, PicturePair]
    problems: tuple[Problem, ...] = field(default=())


def read_pictures(item: ItemId, truth: TruthFiles, predictions: Predictions) -> ItemPictures:
    """Read and cut the pictures of an item; what cannot be read becomes a problem of its camera."""

    def read(camera: str) -> PicturePair | Problem:
        try:
            return _read_pair(item, truth, predictions, camera)
        except SuiteError as error:
            return Problem(str(item), camera, str(error))

    with ThreadPoolExecutor(_DECODERS) as decoders:
        answers = dict(zip(SCORED_CAMERAS, decoders.map(read, SCORED_CAMERAS)))
    pairs = {camera: answer for camera, answer in answers.items() if isinstance(answer, PicturePair)}
    problems = tuple(answer for answer in answers.values() if isinstance(answer, Problem))
    return ItemPictures(str(item), pairs, problems)


def region_of_picture(rgba: NDArray[np.uint8], region: Region, subset: Subset) -> NDArray[np.uint8]:
    """(512, 512, 4) RGBA → the compared part on white, (h, w, 3) uint8.

    Raises:
        InputError: the picture has another size, or the region holds no pixel.
    """
    if rgba.shape[:2] != (IMAGE_SIZE, IMAGE_SIZE):
        raise InputError(f"Expected a picture of {IMAGE_SIZE} × {IMAGE_SIZE}, found {rgba.shape[1]} × {rgba.shape[0]}.")
    return composite_on_white(cut(rgba, box_of_region(region, subset)))


def pixel_scores(pictures: ItemPictures, psnr_peak: Literal["target", "one"]) -> ItemScores:
    """PSNR and SSIM of every pair."""
    collected = _collector(pictures)
    for camera, pair in pictures.pairs.items():
        predicted, true = pair.unit
        with collected.problems_of(camera):
            collected.add(PSNR.id, camera, psnr(predicted, true, psnr_peak))
        with collected.problems_of(camera):
            collected.add(SSIM.id, camera, ssim(predicted, true))
    return collected.answer()


def lpips_scores(pictures: ItemPictures, network: LpipsNetwork, value_range: Range) -> ItemScores:
    """LPIPS of every pair, in the protocol's input range, on the device of the network."""
    collected = _collector(pictures)
    metric = lpips_metric(network.network).id
    for cameras in _BATCHES:
        present = [camera for camera in cameras if camera in pictures.pairs]
        if not present:
            continue
        blank = np.ones_like(pictures.pairs[present[0]].unit[0])
        pairs = [pictures.pairs[camera].unit if camera in present else (blank, blank) for camera in cameras]
        try:
            values = _lpips_of_batch(pairs, network, value_range)
        except SuiteError as error:
            collected.problems += [Problem(pictures.item, camera, str(error)) for camera in present]
            continue
        for camera in present:
            collected.add(metric, camera, values[cameras.index(camera)])
    return collected.answer()


def clip_scores(pictures: ItemPictures, encoder: ClipEncoder) -> ItemScores:
    """CLIP similarity of every pair."""
    collected = _collector(pictures)
    prepared = np.zeros((2, len(SCORED_CAMERAS), 3, SIDE, SIDE), np.float32)
    ready = []
    for place, camera in enumerate(SCORED_CAMERAS):
        if camera in pictures.pairs:
            with collected.problems_of(camera):
                pair = pictures.pairs[camera]
                prepared[:, place] = preprocess(pair.predicted), preprocess(pair.true)
                ready.append((place, camera))
    if ready:
        predicted, true = (encoder.encode(side) for side in prepared)
        for place, camera in ready:
            with collected.problems_of(camera):
                collected.add(CLIP.id, camera, cosine_similarity(predicted[place], true[place]))
    return collected.answer()


def _read_pair(item: ItemId, truth: TruthFiles, predictions: Predictions, camera: str) -> PicturePair:
    if camera not in truth.pictures:
        raise InputError(f"Expected a true picture {camera}, found none.")
    subset = subset_of_camera(camera)

    def read(path: Path, whose: str) -> NDArray[np.uint8]:
        if not path.is_file():
            raise InputError(f"Expected {whose} picture {camera}, found none.")
        return region_of_picture(read_picture(path, "RGBA"), truth.region, subset)

    whose = "a predicted" if predictions.pictures == "pasted" else "an unpasted predicted"
    return PicturePair(read(predictions.picture(item, camera), whose), read(truth.pictures[camera], "a true"))


def _collector(pictures: ItemPictures) -> Collector:
    return Collector(pictures.item, problems=list(pictures.problems))


def _lpips_of_batch(
    pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]], network: LpipsNetwork, value_range: Range
) -> list[float]:
    import torch  # only where a network was loaded

    from _measure.metrics.lpips import lpips_pairs

    device = network.shift.device
    predicted, true = (torch.from_numpy(np.stack(side)).permute(0, 3, 1, 2).to(device) for side in zip(*pairs))
    return lpips_pairs(network, predicted, true, value_range)
