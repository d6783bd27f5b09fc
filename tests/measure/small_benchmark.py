"""A benchmark whose answers are known in closed form: spheres as characters, discs as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from _exchange.glb import write_mesh_glb
from _exchange.items import SCORED_CAMERAS, ItemId, Region, TruthFiles
from _exchange.mesh import Mesh
from _exchange.pictures import png_bytes
from _exchange.run_folder import RunFolder
from _measure.predictions import RunPredictions

HEAD = (0.02, 1.3, -0.01)
"""Head joint of every character, `model`; the origin of the head frames is 0.1 m above it."""
LOC_ORIGIN = np.add(HEAD, (0, 0.1, 0))
REGION = Region(row=208.0, col=192.0, height=96.0, width=128.0)
"""Around the middle of the picture; small, so that tests are quick."""
RADIUS = 0.04
DISC_PX = 20


def sphere(radius: float = RADIUS, centre: tuple[float, float, float] = (0, 0, 0), subdivisions: int = 3) -> Mesh:
    import trimesh  # only where a benchmark is made, not in processes that measure one

    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return Mesh(np.asarray(ball.vertices) + centre, np.asarray(ball.faces))


def disc(radius_px: float, color: tuple[int, int, int] = (200, 80, 60)) -> np.ndarray:
    row, col = np.mgrid[:512, :512] - 255.5
    inside = row**2 + col**2 < radius_px**2
    return np.concatenate([np.broadcast_to(color, (512, 512, 3)), inside[..., None] * 255], axis=2).astype(np.uint8)


@dataclass(frozen=True)
class SmallBenchmark:
    """`count` items: true spheres of RADIUS around the head origin; predicted ones larger by 1, 2, … mm."""

    items: list[ItemId]
    truths: dict[ItemId, TruthFiles]
    run: RunFolder

    def truth_of(self, item: ItemId) -> TruthFiles:
        return self.truths[item]

    @property
    def predictions(self) -> RunPredictions:
        return RunPredictions(self.run)


def make_benchmark(root: Path, count: int = 3, *, views: tuple[str, ...] = SCORED_CAMERAS) -> SmallBenchmark:
    run = RunFolder(root / "run")
    items, truths = [], {}
    true_picture = png_bytes(disc(DISC_PX))
    for index in range(count):
        item = ItemId("balls", f"ball_{index}")
        character = root / "raw" / f"{item.idx}.glb"
        true = sphere()
        write_mesh_glb(character, Mesh(true.verts * (-1, 1, -1) + LOC_ORIGIN, true.faces))
        write_mesh_glb(run.item(item).mesh, sphere(RADIUS + 0.001 * (index + 1)))
        pictures = {camera: root / "truth" / item.idx / f"{camera}.png" for camera in views}
        predicted_picture = png_bytes(disc(DISC_PX + index))
        for camera, path in pictures.items():
            for target, content in ((path, true_picture), (run.item(item).render(camera), predicted_picture)):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        bn = f"own/fandom_align/balls/{item.idx}/front"
        truths[item] = TruthFiles(bn, pictures, character, REGION, "corrected", 60.0, head_position=HEAD)
        items.append(item)
    return SmallBenchmark(items, truths, run)
