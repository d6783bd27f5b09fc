"""Masks of crop, cull and pasting. Source: spec/generator.md §5.3, §7.3, §8."""

from __future__ import annotations

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
from training.march import turned
from training.paste import discrepancy_mask, edges_mask, eroded, sample_orthofront, sobel_norm, weights_mask
from training.paste import xyz_discrepancy as distances_from_rays
from training.rays import as_image, rays_from_images

CASES = operator_cases("masks")


@pytest.mark.parametrize(("settings", "path"), CASES)
def test_mask_operators(settings: dict[str, Any], path: Path) -> None:
    arrays = operator_arrays(settings, path)
    match settings["op"]:
        case "triplane_crop_mask":
            half, crop, points = settings["box_warp"] / 2, settings["thresh"], arrays["points"]
            on_limit = ((points[..., [0, 2]].abs() - (half - crop)).abs() <= 1.2e-7).any(-1, keepdim=True)
            found = outside_crop(points, settings["box_warp"], crop)
            assert_equal_off_limits(found, arrays["mask"], on_limit, "crop")
        case "density and cull":
            sigma, bound = arrays["sigma"], settings["thresh"]
            density = density_from_sigma(sigma)
            assert_operator(density, arrays["density"])
            near = (sigma - limit(bound)).abs() <= ON_A_LIMIT
            assert_equal_off_limits(density < bound, arrays["cull_single"], near, "cull")
            twice = (sigma - limit(limit(bound))).abs() <= ON_A_LIMIT if bound != 0.5 else (sigma - 16.75).abs() <= 0.75
            found = density_from_sigma(arrays["density"]) < bound
            assert_equal_off_limits(found, arrays["cull_double"], twice, "cull twice")
        case "sobel_norm":
            assert_operator(sobel_norm(arrays["x"]), arrays["y"])
        case "sample_orthofront":
            assert_operator(sample_orthofront(arrays["front"], arrays["xyz"], settings["box_warp"]), arrays["y"])
        case "xyz_discrepancy":
            points = turned(arrays["xyz"].flatten(2).mT)
            assert_operator(as_image(distances_from_rays(points, rays_from_images(arrays))), arrays["y"])
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
