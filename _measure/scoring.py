"""The parts of an item's scores: what decides each of them, as a key, and how each is made.

Flipping a switch, another network or a changed file scores only the parts anew that it decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from _exchange.digest import sha256_of_file, sha256_of_value
from _exchange.items import SCORED_CAMERAS, ItemId, TruthFiles
from _measure.item_scores import ItemScores, Problem, joined
from _measure.picture_scores import (
    ClipEncoder,
    ItemPictures,
    clip_scores,
    lpips_scores,
    pixel_scores,
    read_pictures,
)
from _measure.predictions import Predictions
from _measure.protocols import Settings
from _measure.surface_scores import score_surfaces

if TYPE_CHECKING:
    from _measure.metrics.lpips import LpipsNetwork

Part = Literal["pixels", "lpips", "clip", "surfaces"]
PARTS: tuple[Part, ...] = get_args(Part)
SCORING_VERSION = 3
"""Raised whenever the same inputs would give other scores; part of every key."""
_PACKAGES: Mapping[Part, tuple[str, ...]] = {
    "pixels": ("python", "numpy", "pillow"),
    "lpips": ("python", "numpy", "pillow", "torch"),
    "clip": ("python", "numpy", "pillow", "torch"),
    "surfaces": ("python", "numpy", "libigl"),
}
"""Whose versions decide a part."""


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks at hand; what is absent makes no scores."""

    lpips: LpipsNetwork | None = None
    clip: ClipEncoder | None = None


@dataclass(frozen=True)
class NetworkFacts:
    """What of the networks decides scores.

    Attributes:
        lpips, clip: SHA-256 by file name; empty where the network does not run.
        device: class of the device: ``cpu`` or ``cuda``.
        clip_precision: of CLIP's arithmetic on that device.
    """

    lpips: Mapping[str, str]
    clip: Mapping[str, str]
    device: str = "cpu"
    clip_precision: str = "float32"

    @property
    def parts(self) -> tuple[Part, ...]:
        """Those that can be scored."""
        absent = {name for name, files in (("lpips", self.lpips), ("clip", self.clip)) if not files}
        return tuple(part for part in PARTS if part not in absent)


@dataclass(frozen=True, eq=False)
class ItemScorer:
    """Scores one item under one setting, part by part.

    Attributes:
        item, truth, predictions, settings, networks: as in `score_item`.
        pictures_of: reads the pairs of pictures; a caller with several settings reads them once.
        truth_cache: folder of visible true surfaces; None keeps none.
    """

    item: ItemId
    truth: TruthFiles
    predictions: Predictions
    settings: Settings
    networks: Networks
    pictures_of: Callable[[Predictions], ItemPictures]
    truth_cache: Path | None = None

    def score(self, part: Part) -> ItemScores:
        """The scores of one part. What cannot be scored becomes a problem; no error of the data escapes."""
        protocol, networks = self.settings.protocol, self.networks
        if part == "surfaces":
            return score_surfaces(self.item, self.truth, self.predictions, self.settings, self.truth_cache)
        if part == "pixels":
            return pixel_scores(self.pictures_of(self.predictions), protocol.psnr_peak)
        if part == "lpips" and networks.lpips is not None:
            return lpips_scores(self.pictures_of(self.predictions), networks.lpips, protocol.lpips_range)
        if part == "clip" and networks.clip is not None:
            return clip_scores(self.pictures_of(self.predictions), networks.clip)
        return ItemScores(())


def score_item(
    item: ItemId, truth: TruthFiles, predictions: Predictions, settings: Settings, networks: Networks
) -> ItemScores:
    """All raw scores of one item: every part, joined."""
    failure = predictions.failure(item)
    if failure:
        return ItemScores((), (Problem(str(item), "", failure),))
    scorer = ItemScorer(item, truth, predictions, settings, networks, pictures_reader(item, truth))
    return joined(map(scorer.score, PARTS))


def pictures_reader(item: ItemId, truth: TruthFiles) -> Callable[[Predictions], ItemPictures]:
    """`read_pictures` of one item, which reads the same predictions once."""
    read: list[tuple[Predictions, ItemPictures]] = []

    def pictures_of(predictions: Predictions) -> ItemPictures:
        for known, pictures in read:
            if known == predictions:
                return pictures
        read.append((predictions, read_pictures(item, truth, predictions)))
        return read[-1][1]

    return pictures_of


@dataclass(frozen=True, eq=False)
class PartKeys:
    """Digests of everything that decides each part: files by content, never by place.

    Attributes:
        predictions, settings: what is scored, and how.
        facts: of the networks.
        versions: of Python and the libraries.
        digest_of: SHA-256 of a file; a caller with several settings keeps the digests.
    """

    predictions: Predictions
    settings: Settings
    facts: NetworkFacts
    versions: Mapping[str, str]
    digest_of: Callable[[Path], str] = sha256_of_file

    def of(self, item: ItemId, truth: TruthFiles) -> dict[Part, str]:
        """The key of every part that can be scored."""
        pictures = {
            "region": asdict(truth.region),
            "true": {camera: self._digest(path) for camera, path in truth.pictures.items()},
            "predicted": {camera: self._predicted(item, camera) for camera in SCORED_CAMERAS},
        }
        decisive: dict[Part, dict[str, Any]] = {
            "pixels": pictures | {"psnr_peak": self.settings.protocol.psnr_peak},
            "lpips": pictures | self._of_lpips(),
            "clip": pictures | self._of_clip(),
            "surfaces": self._of_surfaces(item, truth),
        }
        return {part: self._key(part, decisive[part]) for part in self.facts.parts}

    def of_truth(self, truth: TruthFiles) -> str:
        """Digest of an item's truth: what its scores are held against, whatever was predicted."""
        pictures = {camera: self._digest(path) for camera, path in truth.pictures.items()}
        return sha256_of_value({**asdict(truth), "pictures": pictures, "character": self._digest(truth.character)})

    def of_predictions(self, item: ItemId) -> str:
        """Digest of what was predicted for an item, the same for every way of scoring it."""
        files = self.predictions.scorable_files(item)
        return sha256_of_value([["/".join(path.parts[-4:]), self.digest_of(path)] for path in files])

    def _of_lpips(self) -> dict[str, Any]:
        return {
            "lpips_range": self.settings.protocol.lpips_range,
            "network": self.settings.lpips_network,
            "weights": dict(self.facts.lpips),
            "device": self.facts.device,
        }

    def _of_clip(self) -> dict[str, Any]:
        return {
            "weights": dict(self.facts.clip),
            "precision": self.facts.clip_precision,
            "device": self.facts.device,
        }

    def _of_surfaces(self, item: ItemId, truth: TruthFiles) -> dict[str, Any]:
        protocol = self.settings.protocol
        aside = ("pictures", "character")
        return {
            "truth": {name: value for name, value in asdict(truth).items() if name not in aside},
            "character": self._digest(truth.character),
            "predicted": [[path.name, self._digest(path)] for path in self.predictions.mesh_files(item)],
            "truth_region": protocol.truth_region,
            "truth_box_bounds_y": protocol.truth_box_bounds_y,
            "truth_pose": protocol.truth_pose,
            "sample_count": self.settings.sample_count,
            "run_seed": self.settings.run_seed if protocol.sample_seed == "run" else None,
        }

    def _key(self, part: Part, decisive: Mapping[str, Any]) -> str:
        packages = {name: self.versions[name] for name in _PACKAGES[part] if name in self.versions}
        return sha256_of_value({"version": SCORING_VERSION, "part": part, "packages": packages, **decisive})

    def _predicted(self, item: ItemId, camera: str) -> str:
        """Digest of a picture; of an absent one its kind, which the problem names."""
        path = self.predictions.picture(item, camera)
        return self.digest_of(path) if path.is_file() else f"absent, {self.predictions.pictures}"

    def _digest(self, path: Path) -> str:
        return self.digest_of(path) if path.is_file() else "absent"
