"""Masks of crop, cull and pasting. Source: spec/generator.md §5.3, §7.3, §8."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.parity.generator_cases import (
    ON_A_LIMIT,
    assert_equal_off_limits,
    assert_mostly,
    assert_operator,
    case_parameters,
    load_case,
    operator_arrays,
    operator_cases,
)
from torch_utils.ops.resize import bilinear
from training.clearing import density_from_sigma, limit, outside_crop
from training.engine.interface import Rays
from training.march import turned
from training.paste import discrepancy_mask, edges_mask, eroded, sample_orthofront, sobel_norm, weights_mask
from training.paste import xyz_discrepancy as distances_from_rays

CASES = operator_cases("masks")


@pytest.mark.parametrize(("settings", "path"), CASES)
def test_mask_operators(settings: dict[str, Any], path: Path, report: Callable[[str], None]) -> None:
    arrays = operator_arrays(settings, path)
    match settings["op"]:
        case "triplane_crop_mask":
            half, crop, points = settings.get("box_warp", 0.7) / 2, settings["thresh"], arrays["points"]
            on_limit = ((points[..., [0, 2]].abs() - (half - crop)).abs() <= 1.2e-7).any(-1, keepdim=True)
            found = outside_crop(points, settings.get("box_warp", 0.7), crop)
            assert_equal_off_limits(found, arrays["mask"], on_limit, "crop", report)
        case "density and cull":
            density, bound = density_from_sigma(arrays["sigma"]), settings["thresh"]
            assert_operator(density, arrays["density"])
            near = (arrays["sigma"] - limit(bound)).abs() <= ON_A_LIMIT
            assert_equal_off_limits(density < bound, arrays["cull_single"], near, "cull", report)
        case "sobel_norm":
            assert_operator(sobel_norm(arrays["x"]), arrays["y"])
        case "sample_orthofront":
            assert_operator(
                sample_orthofront(arrays["front"], arrays["xyz"], settings.get("box_warp", 0.7)), arrays["y"]
            )
        case "xyz_discrepancy":
            points, *rays = (arrays[name].flatten(2).mT for name in ("xyz", "ray_origins", "ray_directions"))
            found = distances_from_rays(turned(points), Rays(*rays))
            assert_operator(found.mT.reshape(arrays["y"].shape), arrays["y"])
        case "erosion":
            assert_operator(eroded(arrays["x"], settings["size"]), arrays["y"])
        case other:
            pytest.skip(f"no operator {other} is known")


@pytest.mark.parametrize("path", case_parameters())
def test_masks_of_the_stored_surface(path: Path) -> None:
    case = load_case(path)
    params = case.request().paste
    if params is None:
        pytest.skip(f"{path.stem} pastes nothing")
    xyz, opacity = case.tensor("out/image_xyz"), case.tensor("out/image_weights")
    size = case.generator.img_resolution
    masks = {
        "mask_weights": weights_mask(opacity, size, params.thresh_weight),
        "mask_edges": edges_mask(bilinear(xyz, size), params.thresh_edges),
        "mask_dxyz": discrepancy_mask(xyz, case.rays(), size, params.thresh_dxyz),
    }
    for name, found in masks.items():
        share = float((found != case.tensor(f"out/{name}")).double().mean())
        assert share <= 0.01, f"{name}: {share:.3%} of the pixels differ"
    if not params.front_weight_erosion:
        assert torch.equal(case.tensor("out/mask_frontweight"), torch.ones_like(masks["mask_weights"]))


@pytest.mark.parametrize("path", case_parameters())
def test_the_front_image_looked_up_at_the_stored_surface(path: Path) -> None:
    case = load_case(path)
    request, expected = case.request(), case.tensor("out/paste_stride4")
    front = case.conditions()["image_ortho_front"]
    front = 2 * front - 1 if request.normalize_images else front
    found = sample_orthofront(front, bilinear(case.tensor("out/image_xyz"), front.shape[-1]), case.generator.box_warp)
    assert_mostly(found[:, :, ::4, 1::4], expected, 1e-2, share=0.99, mean=2e-3)
