"""The same bytes in fresh processes on a busy machine, and for any grouping of views (performance.md, determinism)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

from _exchange.camera import CAM60, ORTHO, SPIN12
from tests.training.small_generator import inputs, small_generator
from torch_utils.determinism import RecordedDraws
from training.engine.choose import engine_named
from training.engine.interface import Clearing, Field, Rays
from training.rays import labels_of, orthographic_rays, perspective_rays_of_labels

REPOSITORY = Path(__file__).resolve().parents[2]
_BURN = "while True: pass"
_CHARACTER = """
import hashlib, sys, torch
from _exchange.camera import CAM60
from _exchange.protocol import protocol_named
from tests.training.small_generator import inputs, small_generator
from torch_utils.determinism import single_threaded
from training.character import Character, Drawing
from training.engine.choose import engine_named
from training.engine.interface import Clearing
from training.paste import PasteParams
from training.view_draws import ViewDraws
digest = hashlib.sha256()
with single_threaded():
    for name in ("corrected", "paper"):
        protocol, generator = protocol_named(name), small_generator()
        drawing = Drawing(protocol, Clearing(0.05, 0.4), PasteParams(thresh_weight=0.5, thresh_dxyz=0.05))
        character = Character(generator, inputs()["cond"], engine_named("fast"), drawing)
        draws = ViewDraws(generator, protocol.view_draws, CAM60[42:44])
        for camera in CAM60[42:44]:
            view = character.view(camera, draws.of(camera, "x"))
            for part in (view.image, view.unpasted, view.opacity, view.weighted_position):
                digest.update(part.contiguous().numpy().tobytes())
        mesh = character.mesh(32)
        for part in (mesh.verts, mesh.faces, mesh.colors):
            digest.update(part.tobytes())
sys.stdout.write(digest.hexdigest())
"""


def test_fresh_processes_on_a_busy_machine_make_the_same_bytes() -> None:
    burners = [subprocess.Popen([sys.executable, "-c", _BURN]) for _ in range(os.cpu_count() or 1)]
    try:
        command = [sys.executable, "-c", _CHARACTER]
        found = {subprocess.check_output(command, cwd=REPOSITORY, text=True) for _ in range(2)}
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    assert len(found) == 1
    assert len(found.pop()) == 64


def test_views_of_one_field_are_the_same_alone_and_together() -> None:
    generator, engine = small_generator(), engine_named("fast")
    ws = generator.mapping(torch.zeros(1, generator.z_dim), None)
    with torch.inference_mode():
        field = generator.field(generator.planes(ws, inputs()["cond"], generator.noise("const")))
    rays = [orthographic_rays([ORTHO["front"]], 8, 0.7)]
    rays += [perspective_rays_of_labels(labels_of([CAM60[index]]), 8) for index in SPIN12[:2]]
    source, sampling = torch.Generator().manual_seed(0), generator.sampling("view")
    jitter = torch.rand((3, 64, sampling.depth_resolution, 1), generator=source).numpy()
    u = torch.rand((3, 64, sampling.depth_resolution_importance), generator=source).numpy()

    def rendered(views: list[int]) -> dict[str, torch.Tensor]:
        count = len(views)
        draws = RecordedDraws(
            {"pass0/stratified_jitter": jitter[views], "pass0/importance_u": u[views].reshape(64 * count, -1)}
        )
        together = Rays(
            *(torch.cat([getattr(rays[view], part) for view in views]) for part in ("origins", "directions"))
        )
        planes = field.planes.expand(count, -1, -1, -1, -1)
        many = Field(planes, field.decoder, field.box_warp, field.triplane_depth, field.use_triplane)
        return vars(engine.render(many, together, sampling, Clearing(0.05, 0.4), draws))

    all_at_once = rendered([0, 1, 2])
    for view in range(3):
        for name, value in rendered([view]).items():
            assert torch.equal(value[0], all_at_once[name][view]), name
