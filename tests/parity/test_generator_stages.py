"""Stages of whole cases, each from the stored result of the stage before. Source: parity/generator/README.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.parity.generator_cases import (
    ENGINES,
    Case,
    assert_close,
    assert_depth,
    assert_mostly,
    at_stride,
    case_parameters,
    engine,
    load_case,
    scale_of,
    strided,
)
from training.engine.interface import Composite
from training.paste import front_weight_mask, occlusion_mask, occlusion_rays
from training.rays import as_image
from training.request import front_rays
from training.triplane import shifted

CASES = case_parameters()
RENDERED = {"features": "mid/feature_image", "opacity": "out/image_weights", "xyz": "out/image_xyz"}


@pytest.mark.parametrize("path", CASES)
def test_state_dict_keys(path: Path) -> None:
    """Keys as stored: alphabetical order is not the order of a state dict."""
    case = load_case(path)
    with np.load(path.with_suffix(".weights.npz")) as file:
        stored = {name.removeprefix("G/") for name in file.files if name.startswith("G/")}
    assert set(case.generator.state_dict()) == stored
    assert case.generator.num_ws == case.settings.get("num_ws", case.generator.num_ws)


@pytest.mark.parametrize("path", CASES)
def test_styles(path: Path) -> None:
    case = load_case(path)
    options = {key: value for key, value in case.settings.get("f_args", {}).items() if key.startswith("truncation")}
    assert_close(case.generator.styles(case.request(), **options), case.tensor("mid/ws"), 2e-5)


def _planes(case: Case, render: int = 0) -> Tensor:
    """The planes of a render, from stored styles and noise: with `f_args` in the main one only."""
    request, draws = case.request(), case.draws()
    for _ in range(render):
        draws = draws.next_render()
    injection = request.injection if render == 0 else request.injection_of_masks
    stop_level = case.settings.get("f_args", {}).get("stop_level") if render == 0 else None
    noise = case.generator.noise("random", draws)
    ws = shifted(case.tensor("mid/ws"), injection)
    return case.generator.planes(ws, request.cond, noise, injection, stop_level)


@pytest.mark.parametrize("path", CASES)
def test_planes(path: Path) -> None:
    case = load_case(path)
    assert_close(_planes(case), case.tensor("mid/triplane"), 5e-5)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("path", CASES)
def test_the_render_of_the_stored_planes(path: Path, name: str, report: Callable[[str], None]) -> None:
    case = load_case(path)
    case.require_recorded()
    parts = case.field(), case.rays(), case.sampling(), case.clearing()
    composite = engine(name).render(*parts, case.recorded())
    theirs = case.tensor("out/image_depth"), case.tensor("out/image_weights")
    assert_depth((as_image(composite.depth), as_image(composite.opacity)), theirs, path.stem, report)
    for part, stored in RENDERED.items():
        reference = case.tensor(stored)
        s = scale_of(reference)
        assert_mostly(as_image(getattr(composite, part)), reference, 1e-3 * s, share=0.995, mean=1e-4 * s)
    again = engine(name).opacity(*parts, case.recorded())
    torch.testing.assert_close(again, composite.opacity, rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", CASES)
def test_the_picture_of_the_stored_features(path: Path) -> None:
    case = load_case(path)
    case.require_recorded()
    request = case.request()
    features = case.tensor("mid/feature_image").flatten(2).mT
    composite = Composite(features, features[..., :1], features[..., :1], features[..., :3])
    ws = shifted(case.tensor("mid/ws"), request.injection)
    pictures = case.generator.pictures(composite, ws, case.recorded(), request.normalize_images)
    raw = case.tensor("out/image_raw")
    assert_close(pictures["image_raw"], raw, 1e-5 * scale_of(raw))
    stored = list(strided(case.arrays, "image" if request.paste is None else "image_prepaste"))
    if not stored:
        pytest.skip(f"{path.stem} has no image as it was before pasting")
    for key, stride in stored:
        reference = case.tensor(key)
        s = scale_of(reference)
        assert_mostly(at_stride(pictures["image"], stride), reference, 2e-3 * s, share=0.995, mean=2e-4 * s)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("path", CASES)
def test_the_mask_renders_of_the_stored_surface(path: Path, name: str) -> None:
    case = load_case(path)
    case.require_recorded()
    request, sampling = case.request(), case.sampling()
    if request.paste is None:
        pytest.skip(f"{path.stem} pastes nothing")
    xyz, size = case.tensor("out/image_xyz"), case.generator.img_resolution
    draws = case.recorded().next_render()
    field = case.generator.field(_planes(case, render=1))
    seen = occlusion_rays(xyz, float(sampling.ray_start), request.paste.offset_occ)
    hidden = engine(name).opacity(field, seen, sampling, request.clearing, draws)
    found = {"mask_occ": occlusion_mask(as_image(hidden), size, request.paste.thresh_occ)}
    erosion = request.paste.front_weight_erosion
    if erosion:
        field = case.generator.field(_planes(case, render=2))
        rays = front_rays(request, xyz.shape[-1], case.generator.box_warp)
        front = engine(name).opacity(field, rays, sampling, request.clearing, draws.next_render())
        full = torch.nn.functional.interpolate(xyz, size=(size, size), mode="bilinear", align_corners=False)
        found["mask_frontweight"] = front_weight_mask(as_image(front), full, case.generator.box_warp, erosion)
    for mask, ours in found.items():
        assert_mostly(ours, case.tensor(f"out/{mask}"), 1e-2, share=0.99)
