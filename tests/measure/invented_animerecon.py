"""68 invented characters in the layout of AnimeRecon with predictions in the original's layout; small and quick."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from _exchange import atomic
from _exchange.items import SCORED_CAMERAS
from _exchange.mesh import Mesh
from tests.databacks.vrm.handmade import HEAD_AT, character
from tests.measure.published_runs import ITEMS
from tests.measure.small_benchmark import RADIUS, disc, sphere

AREA = [[244.0, 236.0], [24.0, 40.0]]
"""Row, column, height and width; so low that pictures are scored at once."""


@dataclass(frozen=True)
class Invented:
    """Where the dataset and the predictions are."""

    data: Path
    predictions: Path


def make_invented(root: Path, items: Sequence[str] = ITEMS) -> Invented:
    """All items have the same truth and the same prediction: a sphere that is 1 mm too large."""
    data, predictions = root / "data", root / "temp" / "eval" / "invented" / "daredemoE"
    shared = root / "shared"
    for name, radius_px in (("true.png", 18), ("predicted.png", 20)):
        _write_disc(shared / name, radius_px)
    _write_character(shared / "character.vrm", sphere(subdivisions=1))
    _write_prediction(shared / "front.npz", sphere(RADIUS + 0.001, subdivisions=1))
    renders = data / "renders" / "daredemoE"
    alignment = {}
    for item in items:
        name = f"fandom_align/{item}/front"
        alignment[f"daredemoE/{name}"] = {
            "source": f"site/{item}/0000",
            "transformation": np.eye(3).tolist(),
            "area_of_interest": AREA,
            "_alignment": {"source": {"keypoints": [], "_detection_used": 0}},
        }
        _link(shared / "character.vrm", data / "raw" / "dssc" / f"{item}.vrm")
        _link(shared / "front.npz", predictions / "marching_cubes" / item / "front.npz")
        for camera in SCORED_CAMERAS:
            kind, _, view = camera.partition("_")
            _link(shared / "true.png", renders / kind / item / f"{view}.png")
            _link(shared / "predicted.png", predictions / kind / item / f"{view}.png")
    atomic.write_text(renders / "fandom_align_alignment.json", json.dumps(alignment))
    lines = "".join(f"{item}\n" for item in items)
    atomic.write_text(data / "subsets" / "daredemoE_test.csv", lines)
    return Invented(data, predictions)


def _write_character(path: Path, ball: Mesh) -> None:
    """A VRM 0.x file of one skinned mesh around the origin of the head frames; it faces −z as such files do."""
    corners = ball.verts[ball.faces].reshape(-1, 3) * (-1, 1, -1) + HEAD_AT + (0, 0.1, 0)
    atomic.write_bytes(path, character(positions=corners).to_bytes())


def _write_disc(path: Path, radius_px: float) -> None:
    """A disc on nothing with two colours in its palette: read four times as quickly as four channels."""
    picture = Image.fromarray((disc(radius_px)[..., 3] > 0).astype(np.uint8))
    picture.putpalette([255, 255, 255, 200, 80, 60])
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, transparency=bytes([0, 255]))


def _write_prediction(path: Path, ball: Mesh) -> None:
    """The original's mesh files are mirrored in x."""
    np.savez(path, verts=ball.verts * (-1, 1, 1), faces=ball.faces)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)
