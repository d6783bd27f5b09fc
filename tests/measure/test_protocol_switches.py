"""Every switch of the protocol alone: what it changes in closed form, and that it changes nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from _exchange.glb import write_mesh_glb
from _exchange.items import ItemId, Region, TruthFiles
from _exchange.mesh import Mesh
from _exchange.pictures import write_png
from _exchange.protocol import CORRECTED, Protocol
from _exchange.run_folder import RunFolder
from _exchange.scores import Score
from _measure.aggregate import aggregate, plan_rows
from _measure.metrics.description import lpips_metric
from _measure.metrics.lpips import LpipsNetwork, lpips
from _measure.predictions import RunPredictions
from _measure.protocols import Settings
from _measure.scoring import Networks, score_item
from _measure.true_surface import compared_true_surface
from tests.databacks.tiny_characters import cube
from tests.databacks.vrm.handmade import MESH_NODE, add_mesh, character
from tests.measure.test_lpips import random_weights

ITEM = ItemId("own", "cubes")
REGION = Region(2, 270, 340, 150)
"""World x from 0.019 to 0.224 m, y from −0.118 to 0.347 m: the right of the picture, up to above 0.25 m."""
RIGHT, TALL = (0.1, 0.0, 0.0), (0.1, 0.3, 0.0)
LEFT = (-0.1, 0.0, 0.0)
MOVED_FROM, MOVED_TO = (0.1, -0.05, 0.0), (0.15, -0.05, 0.0)
"""Where the second mesh lies in the file, and where its node puts it."""
GREY, TRUE_GREY = 102, 51
"""Bytes of the predicted and true pictures: 0.4 and 0.2."""
SURFACE_METRICS = {"cd", "p2s", "s2p", "f1@5", "f1@10", "f1@50", "f1@100", "f1@500"}


@dataclass(frozen=True)
class Case:
    truth: TruthFiles
    predictions: RunPredictions
    networks: Networks

    def scores(self, protocol: Protocol, run_seed: int = 0) -> dict[tuple[str, str], float]:
        settings = Settings(protocol, "alex", sample_count=400, run_seed=run_seed)
        scored = score_item(ITEM, self.truth, self.predictions, settings, self.networks)
        return {(score.metric, score.view): score.value for score in scored.scores}


def cube_at(place: tuple[float, float, float], half_side: float = 0.015) -> np.ndarray:
    """Corners of a cube in `model` whose centre is at `place` in `head_world`: x and z change sign."""
    x, y, _ = place
    return cube(half_side, above=0.1 + y, across=-x)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    root = tmp_path_factory.mktemp("switches")
    builder = character(positions=np.concatenate([cube_at(place) for place in (RIGHT, LEFT, TALL)]))
    add_mesh(builder, cube_at(MOVED_FROM))
    moved = [MOVED_FROM[0] - MOVED_TO[0], 0.0, 0.0]  # `model` has x the other way around
    builder.append("nodes", {"mesh": 1, "translation": moved})
    builder.gltf["scenes"][0]["nodes"].append(MESH_NODE + 1)
    (root / "cubes.vrm").write_bytes(builder.to_bytes())
    run = RunFolder(root / "run")
    predicted = (cube_at((0.11, 0, 0)) - cube_at((0, 0, 0)).mean(0)) * (-1, 1, -1)
    write_mesh_glb(run.item(ITEM).mesh, Mesh(predicted.astype(float), np.arange(36).reshape(-1, 3)))
    pictures = {}
    for camera in ("ortho_front", "ortho_back"):
        write_png(run.item(ITEM).render(camera), np.full((512, 512, 3), GREY, np.uint8))
        pictures[camera] = root / "truth" / f"{camera}.png"
        write_png(pictures[camera], np.full((512, 512, 3), TRUE_GREY, np.uint8))
    truth = TruthFiles("own/fandom_align/own/cubes/front", pictures, root / "cubes.vrm", REGION, "corrected", 60.0)
    return Case(truth, RunPredictions(run), Networks(lpips=LpipsNetwork("alex", random_weights("alex"))))


@pytest.fixture(scope="module")
def corrected(case: Case) -> dict[tuple[str, str], float]:
    return case.scores(CORRECTED)


def changed_metrics(before: dict, after: dict) -> set[str]:
    assert before.keys() == after.keys()
    return {metric for metric, view in before if before[metric, view] != after[metric, view]}


def centres(case: Case, protocol: Protocol) -> list[list[float]]:
    """Centres of the cubes of the compared true surface, `head_world`."""
    surface = compared_true_surface(case.truth, protocol)
    return surface.verts[surface.faces].reshape(-1, 36, 3).mean(1).round(5).tolist()


# -- which scores each switch touches ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "touched"),
    [
        ("lpips_range", "unit", {"lpips_alex"}),
        ("psnr_peak", "target", {"psnr"}),
        ("f1_aggregate", "last", set()),
        ("shading", "paper", set()),  # how the set was drawn decides, not how it is scored
        ("lattice", "sheared", set()),
        ("mesh_cull", "double_activation", set()),
        ("clip_precision", "device", set()),
    ],
)
def test_a_switch_of_pictures_touches_its_own_scores_only(
    case: Case, corrected: dict, field: str, value: str, touched: set[str]
) -> None:
    assert changed_metrics(corrected, case.scores(replace(CORRECTED, **{field: value}))) == touched


@pytest.mark.parametrize(
    ("field", "value"),
    [("truth_region", "mirrored"), ("truth_box_bounds_y", True), ("truth_pose", "bind"), ("sample_seed", "run")],
)
def test_a_switch_of_surfaces_touches_no_picture(case: Case, corrected: dict, field: str, value: object) -> None:
    changed = changed_metrics(corrected, case.scores(replace(CORRECTED, **{field: value})))
    assert {"cd", "s2p"} <= changed <= SURFACE_METRICS


# -- what each switch does --------------------------------------------------------------------------------------


def test_true_surface_of_the_corrected_protocol(case: Case) -> None:
    """Right of the picture, as drawn, however tall; the left cube lies outside the region."""
    assert centres(case, CORRECTED) == [list(RIGHT), list(TALL), list(MOVED_TO)]


def test_the_mirrored_region_keeps_the_other_side(case: Case) -> None:
    assert centres(case, replace(CORRECTED, truth_region="mirrored")) == [list(LEFT)]


def test_the_bounded_box_takes_what_is_tall(case: Case) -> None:
    assert centres(case, replace(CORRECTED, truth_box_bounds_y=True)) == [list(RIGHT), list(MOVED_TO)]


def test_the_bind_pose_leaves_out_nodes(case: Case) -> None:
    assert centres(case, replace(CORRECTED, truth_pose="bind")) == [list(RIGHT), list(TALL), list(MOVED_FROM)]


def test_the_peak_of_a_target_without_white_is_its_largest_value(case: Case, corrected: dict) -> None:
    """MSE = 0.2², R = 0.2 instead of 1: 0 dB instead of 13.98 dB."""
    dark = case.scores(replace(CORRECTED, psnr_peak="target"))
    for camera in ("ortho_front", "ortho_back"):
        assert corrected["psnr", camera] == pytest.approx(-20 * math.log10(0.2), abs=1e-5)
        assert dark["psnr", camera] == pytest.approx(0, abs=1e-5)


def test_lpips_is_fed_the_named_range(case: Case, corrected: dict) -> None:
    """Plain pictures of 0.4 and 0.2, cut to the region, as they are or as −0.2 and −0.6."""
    import torch

    size = (3, int(REGION.height), int(REGION.width))
    network = case.networks.lpips
    assert network is not None
    unit = lpips(network, torch.full(size, GREY / 255), torch.full(size, TRUE_GREY / 255), "unit")
    signed = lpips(network, torch.full(size, 2 * GREY / 255 - 1), torch.full(size, 2 * TRUE_GREY / 255 - 1), "unit")
    assert case.scores(replace(CORRECTED, lpips_range="unit"))["lpips_alex", "ortho_front"] == pytest.approx(unit)
    assert corrected["lpips_alex", "ortho_front"] == pytest.approx(signed, rel=1e-5)


def test_samples_seeded_by_the_run_spread_and_those_of_the_item_do_not(case: Case, corrected: dict) -> None:
    spread = replace(CORRECTED, sample_seed="run")
    drawn = {case.scores(spread, seed)["cd", "geom"] for seed in range(3)}
    assert len(drawn) == 3
    assert case.scores(CORRECTED, 5)["cd", "geom"] == corrected["cd", "geom"]
    # A third of 400 true samples lies 0.28 m away: a standard error of 0.0033 m.
    assert all(abs(value - corrected["cd", "geom"]) < 6 * 0.0033 for value in drawn)


def test_the_last_items_f1_changes_the_two_f1_rows_and_no_other() -> None:
    scores = [
        Score(item, metric, "geom", value + place / 10)
        for place, item in enumerate(("a/one", "a/two"))
        for metric, value in (("cd", 0.01), ("f1@5", 0.3), ("f1@10", 0.6))
    ]
    tables = []
    for how in ("mean", "last"):
        rows = aggregate(plan_rows(lpips_metric("squeeze"), how), scores, ["a/one", "a/two"], {})
        tables.append({(row.plan.subset, row.plan.label): (row.value, row.n) for row in rows if row.n})
    averaged, last = tables
    assert {key for key in averaged if averaged[key] != last[key]} == {("geom", "f1@5"), ("geom", "f1@10")}
    assert averaged["geom", "f1@5"] == (pytest.approx(35), 2)
    assert last["geom", "f1@5"] == (pytest.approx(40), 1)
