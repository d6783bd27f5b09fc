"""A run in AnimeRecon's layout whose names and texts are hostile and whose pictures are plain discs."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from _exchange import atomic
from _exchange.glb import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, GlbBuilder, write_mesh_glb
from _exchange.items import SCORED_CAMERAS, ItemId
from _exchange.mesh import Mesh
from _exchange.pictures import png_bytes
from _exchange.run_folder import RunFolder
from _exchange.run_record import ItemStatus, RunRecord
from _exchange.scores import Score, write_scores
from _measure.aggregate import aggregate, plan_rows
from _measure.item_scores import Problem
from _measure.metrics.description import lpips_metric
from _measure.table import Table, write_tables

HOSTILE = "<script>alert(1)</script>"
PLAIN = ItemId("genshin", "albedo")
ODD = ItemId("<b>&'\"#?%20 x", "<img src=x onerror=alert(1)>v1.03")
FAILED = ItemId("genshin", "lost")
ITEMS = (PLAIN, ODD, FAILED)
COLOUR = (200, 80, 60)
OTHER_COLOUR = (80, 200, 60)
RADIUS_PX = 100
REGION = [[96.0, 128.5], [288.0, 200.0]]
DISTANCE_METRES = 0.005
BONES = ("hips", "head", "neck", "leftUpperArm", "rightUpperArm")
CD_METRES = {PLAIN: 0.01, ODD: 0.03}


@dataclass(frozen=True)
class SmallRun:
    """Two finished items and a failed one. The first is drawn without any error, the second in another colour."""

    run: RunFolder
    data: Path


def copied(small: SmallRun, root: Path) -> SmallRun:
    """The same run, report included, and its dataset below another folder."""
    shutil.copytree(small.data.parent, root, dirs_exist_ok=True)
    copy = SmallRun(RunFolder(root / "runs" / small.run.path.name), root / "data")
    replace(RunRecord.read(copy.run.record), data_root=str(copy.data)).write(copy.run.record)
    return copy


def disc(colour: tuple[int, int, int]) -> np.ndarray:
    row, col = np.mgrid[:512, :512] - 255.5
    inside = row**2 + col**2 < RADIUS_PX**2
    return np.concatenate([np.broadcast_to(colour, (512, 512, 3)), inside[..., None] * 255], axis=2).astype(np.uint8)


def tile(colour: tuple[int, int, int], z: float = 0.0) -> Mesh:
    """A square that faces the front camera, of 20 × 20 cells, with the colour at every vertex."""
    row, col = (index.ravel() for index in np.mgrid[:21, :21])
    verts = np.stack([(col - 10) * 0.02, (row - 10) * 0.02, np.full(441, z)], axis=1)
    corner = (21 * np.arange(20)[:, None] + np.arange(20)).ravel()
    faces = np.concatenate([corner[:, None] + [0, 1, 22], corner[:, None] + [0, 22, 21]])
    return Mesh(verts, faces, np.tile(np.array([*colour, 255], np.uint8), (441, 1)))


def make_run(root: Path) -> SmallRun:
    data, run = root / "data", RunFolder(root / "runs" / "first & <best>")
    _write_dataset(data)
    record = RunRecord(
        method=HOSTILE,
        dataset="daredemoE",
        data_root=str(data),
        protocol="corrected",
        seed=0,
        items=tuple(map(str, ITEMS)),
        machine={"device": HOSTILE},
    )
    record.write(run.record)
    for item, colour in ((PLAIN, COLOUR), (ODD, OTHER_COLOUR)):
        picture = png_bytes(disc(colour))
        for camera in SCORED_CAMERAS:
            atomic.write_bytes(run.item(item).render(camera), picture)
        write_mesh_glb(run.item(item).mesh, tile(colour))
        ItemStatus("ok", seconds=1.5, peak_memory_mb=100.0).write(run.item(item).status)
    ItemStatus("failed", f"Expected a face, found {HOSTILE}.").write(run.item(FAILED).status)
    write_measured(run)
    return SmallRun(run, data)


def write_measured(run: RunFolder) -> None:
    """Scores that need no arithmetic, and the table that belongs to them."""
    scores = []
    for place, item in enumerate((PLAIN, ODD)):
        for camera in SCORED_CAMERAS:
            scores.append(Score(str(item), "lpips_squeeze", camera, 0.25 + 0.5 * place))
            scores.append(Score(str(item), "psnr", camera, float("inf") if item == PLAIN else 12.5))
        scores.append(Score(str(item), "cd", "geom", CD_METRES[item]))
    write_scores(run.scores, scores)
    rows = aggregate(
        plan_rows(lpips_metric("squeeze"), "mean"), scores, list(map(str, ITEMS)), {"clip": f"no {HOSTILE}"}
    )
    problems = (Problem(str(FAILED), "", f"failed: Expected a face, found {HOSTILE}."),)
    versions = {"python": "3.11.7", "numpy": HOSTILE}
    write_tables(run, Table("", "corrected", "squeeze", tuple(map(str, ITEMS)), rows, problems, 10, "", {}, versions))


def _write_dataset(data: Path) -> None:
    renders = data / "renders" / "daredemoE"
    atomic.write_text(data / "subsets" / "daredemoE_test.csv", "".join(f"{item}\n" for item in ITEMS))
    picture = png_bytes(disc(COLOUR))
    alignment = {}
    for item in ITEMS:
        name = f"fandom_align/{item.franch}/{item.idx}/front"
        atomic.write_bytes(renders / f"{name}.png", picture)
        alignment[f"daredemoE/{name}"] = {
            "source": f"genshin-impact/genshin/{HOSTILE}/0000",
            "transformation": np.eye(3).tolist(),
            "area_of_interest": REGION,
            "_alignment": {"source": {"keypoints": [], "_detection_used": 0}},
        }
        for camera in SCORED_CAMERAS:
            kind, _, view = camera.partition("_")
            atomic.write_bytes(renders / kind / item.franch / item.idx / f"{view}.png", picture)
        _write_character(data / "raw" / "dssc" / item.franch / f"{item.idx}.vrm")
    atomic.write_text(renders / "fandom_align_alignment.json", json.dumps(alignment))


def _write_character(path: Path) -> None:
    """The same square 5 mm in front of the reconstruction's, in `model`: turned, and 0.1 m above the head bone."""
    square = tile(COLOUR, DISTANCE_METRES)
    builder = GlbBuilder()
    bones = [builder.append("nodes", {"name": name}) for name in BONES]
    builder.append("scenes", {"nodes": [*bones, len(bones)]})
    verts = (square.verts * [-1, 1, -1] + [0, 0.1, 0]).astype(np.float32)
    attributes = {
        "POSITION": builder.accessor(verts, target=ARRAY_BUFFER),
        "JOINTS_0": builder.accessor(np.tile(np.array([1, 0, 0, 0], np.uint8), (441, 1)), target=ARRAY_BUFFER),
        "TEXCOORD_0": builder.accessor(np.zeros((441, 2), np.float32), target=ARRAY_BUFFER),
        "WEIGHTS_0": builder.accessor(np.tile(np.array([1, 0, 0, 0], np.float32), (441, 1)), target=ARRAY_BUFFER),
    }
    indices = builder.accessor(square.faces.astype(np.uint32).ravel(), target=ELEMENT_ARRAY_BUFFER)
    image = builder.image(png_bytes(np.full((1, 1, 4), 255, np.uint8)), "image/png")
    texture = {"index": builder.append("textures", {"source": image})}
    material = builder.append("materials", {"pbrMetallicRoughness": {"baseColorTexture": texture}})
    primitive = {"attributes": attributes, "indices": indices, "material": material}
    mesh = builder.append("meshes", {"primitives": [primitive]})
    bind = builder.accessor(np.tile(np.eye(4, dtype=np.float32), (len(bones), 1, 1)))
    skin = builder.append("skins", {"joints": bones, "inverseBindMatrices": bind})
    builder.append("nodes", {"mesh": mesh, "skin": skin})
    builder.gltf["extensionsUsed"] = ["VRM"]
    builder.gltf["extensions"] = {
        "VRM": {
            "specVersion": "0.0",
            "meta": {
                "title": HOSTILE,
                "author": "javascript:alert(1)",
                "licenseName": "CC0",
                "otherLicenseUrl": "https://creativecommons.org/publicdomain/zero/1.0/",
                "reference": 'https://example.org/"><script>alert(2)</script>',
            },
            "humanoid": {"humanBones": [{"bone": name, "node": node} for name, node in zip(BONES, bones)]},
        }
    }
    atomic.write_bytes(path, builder.to_bytes())
