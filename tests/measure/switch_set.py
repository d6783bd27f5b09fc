"""A small set made so that every switch of the protocol shows in its table: characters, pictures, reconstructions.

Two characters of closed cubes, measured under both protocols with LPIPS through random weights of a seed:

* the region of interest lies right of the middle, with a cube on either side of it and one in the middle, so that a
  mirrored region keeps another one (`truth_region`); the cube in the middle keeps f1 above 0 either way, and both
  characters differ in it (`f1_aggregate`);
* one cube stands above 0.25 m (`truth_box_bounds_y`);
* a cube hangs on either arm, which the drawn pose lowers out of the region (`truth_pose`);
* no picture holds white (`psnr_peak`), nor the ends of the range (`lpips_range`).

And the mesh and two pictures of a small random generator, for the switches that reconstruction decides.

``python3 -m tests.measure.switch_set`` writes the baseline anew.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from _exchange.camera import standard_camera
from _exchange.glb import write_mesh_glb
from _exchange.items import ItemId, Region, TruthFiles
from _exchange.mesh import Mesh
from _exchange.pictures import png_bytes, write_png
from _exchange.protocol import CORRECTED, PAPER, Protocol
from _exchange.run_folder import RunFolder
from _measure.baseline import BASELINES, write_baseline
from _measure.metrics.lpips import LpipsNetwork
from _measure.predictions import RunPredictions
from _measure.protocols import Settings
from _measure.scored_run import ScoredRun
from _measure.scoring import Networks, score_item
from _methods import registry
from _methods.interface import MethodSettings
from tests.databacks.tiny_characters import cube, write_tiny
from tests.databacks.vrm.handmade import LEFT_UPPER, MESH_NODE, RIGHT_UPPER, add_mesh, character
from tests.measure.test_lpips import random_weights
from tests.methods.panic3d_files import write_generator
from tests.methods.tiny_dataset import method_input, portrait_of_disc

SWITCHES_FILE = BASELINES / "switches.json"
CUBES = (ItemId("switches", "one"), ItemId("switches", "two"))
BLOB = ItemId("switches", "blob")
REGION = Region(2, 200, 508, 240)
"""World x from −0.077 to 0.252 m, y from −0.347 to 0.347 m."""
WHOLE = Region(0, 0, 512, 512)
STANDING = ((0.0, 0.0, 0.0), (0.1, 0.0, 0.0), (-0.1, 0.0, 0.0), (0.0, 0.3, 0.0))
"""Centres of the cubes on the head: in the middle, on either side, above the box."""
ARMS = {LEFT_UPPER: (0.2, -0.15, 0.0), RIGHT_UPPER: (-0.2, -0.15, 0.0)}
"""Centres of the cubes on the arms, as the file has them: `model` has x the other way around."""
OFF_METRES = {CUBES[0]: 0.002, CUBES[1]: 0.006}
"""How far the reconstructed cubes stand to the right of the true ones."""
TRUE_GREY, GREYS = 51, {CUBES[0]: 102, CUBES[1]: 90}
CAMERAS = ("ortho_front", "ortho_back")
SAMPLES = {"cubes": 2000, "random generator": 10_000}
BLOB_HALF_SIDE = 0.24
"""Of the cube that the generator's surface is compared with, metres: most of what the crop leaves of the box."""
RESOLUTION = 24
OTHER = {PAPER.name: CORRECTED, CORRECTED.name: PAPER}


def cube_at(place: Sequence[float], half_side: float = 0.015) -> np.ndarray:
    """(36, 3) corners in `model` of a cube whose centre is at `place` in `head_world`: x and z change sign."""
    x, y, _ = place
    return cube(half_side, above=0.1 + y, across=-x)


class SwitchSet:
    """Files below a folder, and their scores under any protocol.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._networks = Networks(lpips=LpipsNetwork("alex", random_weights("alex")))
        self._truths = {item: self._made_cubes(item) for item in CUBES}
        self._generator = write_generator(root / "generator.safetensors", trained_without=("line_filler",))
        truth = write_tiny(root / "blob.vrm", positions=cube(BLOB_HALF_SIDE))
        self._truths[BLOB] = TruthFiles(_bn(BLOB), self._true_pictures(BLOB), truth, WHOLE, "corrected", 60.0)

    def cubes(self, protocol: Protocol) -> ScoredRun:
        """The two characters, measured."""
        return self._scored("cubes", CUBES, RunFolder(self._root / "cubes"), protocol)

    def blob(self, protocol: Protocol) -> ScoredRun:
        """The random generator, reconstructed and measured under one protocol."""
        run = RunFolder(self._root / f"blob-{abs(hash(protocol))}")
        settings = MethodSettings(protocol=protocol, options={"checkpoint": str(self._generator)})
        method = registry.find("panic3d").load(settings)
        method.set_item(method_input(portrait_of_disc(150), str(BLOB)))
        for name in CAMERAS:
            path = run.item(BLOB).render(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png_bytes(method.render(standard_camera(name)).rgba()))
        write_mesh_glb(run.item(BLOB).mesh, method.mesh(RESOLUTION))
        return self._scored("random generator", (BLOB,), run, protocol)

    def _scored(self, method: str, items: Sequence[ItemId], run: RunFolder, protocol: Protocol) -> ScoredRun:
        settings = Settings(protocol, "alex", sample_count=SAMPLES[method])
        scores = [
            score
            for item in items
            for score in score_item(item, self._truths[item], RunPredictions(run), settings, self._networks).scores
        ]
        return ScoredRun(
            folder=run,
            title="",
            protocol=protocol.name,
            lpips_network="alex",
            sample_count=SAMPLES[method],
            sample_seed="run seed 0" if protocol.sample_seed == "run" else "seeded by item",
            method=method,
            dataset="switches",
            generated_with=protocol.name,
            pictures="pasted",
            device="cpu",
            items=tuple(map(str, items)),
            scores=tuple(scores),
            not_run={"clip": "no CLIP encoder is part of this set"},
        )

    def _made_cubes(self, item: ItemId) -> TruthFiles:
        builder = character(positions=np.concatenate([cube_at(place) for place in STANDING]))
        for index, (joint, place) in enumerate(ARMS.items()):
            add_mesh(builder, cube_at(place), joint=joint)
            builder.append("nodes", {"mesh": 1 + index, "skin": 0})
            builder.gltf["scenes"][0]["nodes"].append(MESH_NODE + 1 + index)
        path = self._root / f"{item.idx}.vrm"
        path.write_bytes(builder.to_bytes())
        run = RunFolder(self._root / "cubes")
        predicted = np.concatenate([cube_at(place) for place in (*STANDING[:2], *ARMS.values())]) - (0, 1.6, 0)
        verts = predicted * (-1, 1, -1) + (OFF_METRES[item], 0, 0)
        write_mesh_glb(run.item(item).mesh, Mesh(verts.astype(float), np.arange(len(verts)).reshape(-1, 3)))
        for camera in CAMERAS:
            write_png(run.item(item).render(camera), np.full((512, 512, 3), GREYS[item], np.uint8))
        return TruthFiles(_bn(item), self._true_pictures(item), path, REGION, "corrected", 60.0)

    def _true_pictures(self, item: ItemId) -> dict[str, Path]:
        pictures = {camera: self._root / "truth" / item.idx / f"{camera}.png" for camera in CAMERAS}
        for path in pictures.values():
            write_png(path, np.full((512, 512, 3), TRUE_GREY, np.uint8))
        return pictures


def _bn(item: ItemId) -> str:
    return f"own/fandom_align/{item}/front"


def renew() -> None:
    """Write the baseline of the set."""
    with tempfile.TemporaryDirectory() as folder:
        made = SwitchSet(Path(folder))
        runs = [run for protocol in (PAPER, CORRECTED) for run in (made.cubes(protocol), made.blob(protocol))]
        write_baseline(SWITCHES_FILE, "switches", runs)


if __name__ == "__main__":
    renew()
