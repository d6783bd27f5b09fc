"""Acceptance of drawn pictures against recorded ones: spec/renderer.md §10, the same for every back end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion, generate_binary_structure

from _exchange.camera import ORTHOGRAPHIC, Camera
from _render.kinds import KINDS
from tests.parity.fixtures import Recorded, entries_of, measure_files, needed

POSE_DEGREES = {"rutileE": 60.0, "daredemoE": 15.0}
"""Turn of the upper arms in the two published sets (spec/renderer.md §3.1)."""


@dataclass(frozen=True)
class RecordedPicture:
    """One picture of the original renderer and how it was made; what its entry lacks skips the test that asks."""

    path: Path
    listing: Recorded
    entry: Recorded

    @property
    def kind(self) -> str:
        return self.path.parent.name

    @property
    def model(self) -> Path:
        return needed(self.path.parents[3] / self.listing["model"])

    @property
    def camera(self) -> Camera:
        known = {key: float(self.entry[key]) for key in ("elev", "azim", "dist", "near", "far", "boxwarp")}
        fov = ORTHOGRAPHIC if self.entry["projection"] == "orthographic" else float(self.entry["fov"])
        return Camera(fov=fov, **known)

    @property
    def arm_turn(self) -> float:
        return POSE_DEGREES[self.entry["pose"]]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(512, 512, 4) uint8."""
        return np.asarray(Image.open(needed(self.path)))


@dataclass(frozen=True)
class Agreement:
    """How well two pictures of one kind agree; fractions of 0..1."""

    silhouette_iou: float
    colour: float
    alpha: float
    is_position: bool

    @property
    def passes(self) -> bool:
        """The thresholds of spec/renderer.md §10."""
        return (
            self.silhouette_iou >= 0.995 and self.colour >= (0.99 if self.is_position else 0.98) and self.alpha >= 0.98
        )


def recorded_folders() -> list:
    """Pytest parameters: every folder of recorded pictures (each holds a renders.json)."""
    return measure_files("renders*/renders.json")


def recorded_pictures(listing: Path) -> list[RecordedPicture]:
    """The pictures that a renders.json names."""
    content = entries_of(listing)
    renders = content.inside("renders")
    return [RecordedPicture(listing.parent / name, content, renders.inside(name)) for name in renders]


def agreement(kind: str, ours: NDArray[np.uint8], recorded: NDArray[np.uint8]) -> Agreement:
    """Compare silhouettes, then values inside both silhouettes eroded twice."""
    entry = KINDS[kind]
    mine, theirs = _silhouette(kind, ours), _silhouette(kind, recorded)
    cross = generate_binary_structure(2, 1)
    inside = binary_erosion(mine, cross, iterations=2) & binary_erosion(theirs, cross, iterations=2)
    difference = np.abs(ours.astype(int) - recorded.astype(int))[inside]
    is_position = entry.what == "position"
    colour = (difference[:, :3].max(axis=1) <= (2 if is_position else 6)).mean()
    alpha = 1.0 if entry.on_white else (difference[:, 3] <= 6).mean()
    return Agreement(float((mine & theirs).sum() / (mine | theirs).sum()), float(colour), float(alpha), is_position)


def _silhouette(kind: str, picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (picture[..., :3] < 255).any(axis=-1) if KINDS[kind].on_white else picture[..., 3] > 127
