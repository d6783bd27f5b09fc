"""The published configuration at full size, seeded random weights: the fast way against the published procedure.

Tolerances are those of parity/generator/README.md, and a mean of 1e-4 (performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from _exchange.camera import CAM60, SPIN12
from _exchange.protocol import CORRECTED, PAPER
from torch_utils.determinism import GeneratorDraws, single_threaded
from torch_utils.ops.resize import bilinear
from training.character import LATENT_SEED, Character, Drawing
from training.configurations import EVALUATION_CLEARING, EVALUATION_DEPTHS, EVALUATION_PASTE, RENDER_SIZE, published
from training.engine.choose import engine_named
from training.engine.interface import Clearing
from training.paste import paste_params_of
from training.random_model import empty_conditions, random_generator
from training.rays import labels_of, perspective_rays_of_labels
from training.surface import is_watertight
from training.triplane import TriPlaneGenerator
from training.volume import Export, volume_of_field

CAMERA = CAM60[SPIN12[1]]
ON_A_LIMIT = (16.0, 17.5)
"""Raw densities at which the double cull may fall on either side (README, Points on a limit)."""


@pytest.fixture(scope="module")
def generator() -> Iterator[TriPlaneGenerator]:
    with single_threaded():
        made = random_generator(published())
        made.rendering_kwargs.update(EVALUATION_DEPTHS)
        made.neural_rendering_resolution = RENDER_SIZE
        yield made


@pytest.fixture(scope="module")
def cond(generator: TriPlaneGenerator) -> dict[str, Any]:
    source = torch.Generator().manual_seed(1)
    features = torch.randn(empty_conditions(generator)["resnet_chonk"].shape, generator=source)
    return {"image_ortho_front": bilinear(torch.rand((1, 3, 16, 16), generator=source), 512), "resnet_chonk": features}


@pytest.fixture(scope="module")
def character(generator: TriPlaneGenerator, cond: dict[str, Any]) -> Character:
    drawing = Drawing(PAPER, Clearing(**EVALUATION_CLEARING), paste_params_of(dict(EVALUATION_PASTE)))
    return Character(generator, cond, engine_named("fast"), drawing)


def test_a_pasted_view(
    generator: TriPlaneGenerator, cond: dict[str, Any], character: Character, report: Callable[[str], None]
) -> None:
    angles = {"elevations": [CAMERA.elev], "azimuths": [CAMERA.azim], "fovs": [CAMERA.fov]}
    inputs = {"cond": cond, "seeds": [LATENT_SEED], **angles, **EVALUATION_CLEARING}
    with torch.inference_mode():
        plain = generator.f({**inputs, "paste_params": dict(EVALUATION_PASTE)}, draws=GeneratorDraws.seeded(3))
    view = character.view(CAMERA, GeneratorDraws.seeded(3))
    spread = max(1.0, float(plain["image_prepaste"].std()))
    before = (view.unpasted - plain["image_prepaste"][0]).abs()
    after = (view.image - plain["image"][0]).abs()
    flipped = (after > 1e-2).any(dim=0)
    report(f"before pasting {before.mean():.1e} on average; {int(flipped.sum())} pixels flipped")
    assert before.mean() < 1e-4
    assert (before < 2e-3 * spread).float().mean() > 0.995
    assert flipped.float().mean() <= 0.01
    assert (after[:, ~flipped] < 2e-3 * spread).float().mean() > 0.98
    assert float(plain["paste"]["mask"].mean()) > 0.01


def test_the_volume_of_paper(
    generator: TriPlaneGenerator, cond: dict[str, Any], character: Character, report: Callable[[str], None]
) -> None:
    with torch.inference_mode():
        ws = generator.mapping(torch.from_numpy(np.random.RandomState(LATENT_SEED).randn(1, 512)).float(), None)
        field = generator.field(generator.planes(ws, cond, generator.noise("const")))
    export = Export.of(dict(EVALUATION_CLEARING), 64, PAPER)
    plain = volume_of_field(engine_named("plain"), field, export)
    fast = volume_of_field(engine_named("fast"), character.field, export)
    on_a_limit = (plain.sigmas > ON_A_LIMIT[0]) & (plain.sigmas < ON_A_LIMIT[1])
    differing = plain.densities != fast.densities
    report(f"{int(on_a_limit.sum())} voxels on a limit, {int((differing & on_a_limit).sum())} flipped")
    emptied = plain.densities < 0
    assert ((fast.densities < 0) == emptied)[~on_a_limit].all()
    assert abs(plain.densities - fast.densities)[~on_a_limit].max() <= 1e-4
    assert 0.02 < 1 - emptied.mean() < 0.5
    assert on_a_limit.mean() < 0.01


@pytest.fixture(scope="module")
def corrected(generator: TriPlaneGenerator, cond: dict[str, Any]) -> Character:
    drawing = Drawing(CORRECTED, Clearing(**EVALUATION_CLEARING), paste_params_of(dict(EVALUATION_PASTE)))
    return Character(generator, cond, engine_named("fast"), drawing)


def test_passing_over_empty_cells_changes_no_picture(
    generator: TriPlaneGenerator, corrected: Character, report: Callable[[str], None]
) -> None:
    view = corrected.view(CAMERA, GeneratorDraws.seeded(3))
    rays = perspective_rays_of_labels(labels_of([CAMERA]), RENDER_SIZE)
    sampling, clearing = generator.sampling("view"), Clearing(**EVALUATION_CLEARING)
    everywhere = engine_named("fast").opacity(corrected.field, rays, sampling, clearing, GeneratorDraws.seeded(3))
    difference = (view.opacity.flatten() - everywhere.flatten()).abs()
    report(f"opacity differs by {difference.max():.1e} at most where empty cells are passed over")
    # Only something smaller than 2.7 mm and farther than 11 mm from everything else can be lost.
    assert (difference < 1e-3).float().mean() > 0.999
    assert difference.mean() < 1e-5


def test_looking_near_the_surface_only_loses_hardly_anything(
    generator: TriPlaneGenerator, cond: dict[str, Any], corrected: Character, report: Callable[[str], None]
) -> None:
    near = Character(generator, cond, engine_named("fast"), replace(corrected.drawing, search="near"))
    whole, found = (is_watertight(mesh) and len(mesh.faces) for mesh in (corrected.mesh(256), near.mesh(256)))
    report(f"{found} faces near the surface of a coarse lattice, {whole} everywhere")
    assert whole > 100_000
    # A rough random field: blobs of a few millimetres, of which some stand alone.
    assert 0.99 * whole < found <= whole
