"""Marching. Source: spec/generator.md §5.3, §5.4, §5.6."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.parity.generator_cases import (
    ON_A_LIMIT,
    Case,
    assert_equal_off_limits,
    assert_mostly,
    assert_operator,
    case_parameters,
    load_case,
    operator_arrays,
    operator_cases,
)
from training.clearing import clear, limit
from training.engine.plain import samples_at
from training.march import interval_weights, march, over_background


@pytest.mark.parametrize(("settings", "path"), operator_cases("ray_marcher"))
def test_the_midpoint_rule(settings: dict[str, Any], path: Path) -> None:
    arrays = operator_arrays(settings, path)
    depths = arrays["depths"]
    assert_operator(interval_weights(arrays["densities"], depths), arrays["weights"])
    marched = march(arrays["colors"], arrays["densities"], depths)
    channels = over_background(marched.channels, marched.opacity, bool(settings.get("white_back")))
    assert_operator(2 * channels - 1, arrays["rgb"])
    assert_operator(marched.depth.clamp(depths.min(), depths.max()), arrays["depth"])


@pytest.mark.parametrize("path", case_parameters())
def test_weights_of_the_coarse_march(path: Path) -> None:
    case = load_case(path)
    if case.sampling().density_noise:
        pytest.skip("raw densities carry noise that is not stored")
    samples = samples_at(case.field(), case.rays(), case.tensor("mid/coarse_depths"), case.clearing())
    found = interval_weights(samples.sigma, samples.depths)
    assert_mostly(found, case.tensor("mid/coarse_weights"), 1e-3, share=0.995)


def _cleared(case: Case, which: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Stored raw densities (B, q, n, 1) after clearing, and which of them lie on a limit."""
    raw, points = case.tensor(f"mid/{which}_sigma_raw_every16"), case.tensor(f"mid/{which}_points_every16")
    raw, points = (values.reshape(*points.shape[:3], -1) for values in (raw, points))
    clearing, half = case.clearing(), case.generator.box_warp / 2
    near = torch.zeros_like(raw, dtype=torch.bool)
    if clearing.triplane_crop:
        near |= ((points[..., [0, 2]].abs() - (half - clearing.triplane_crop)).abs() <= 1.2e-7).any(-1, keepdim=True)
    for opacity in (clearing.cull_clouds, clearing.binarize_clouds):
        if 0 < opacity < 1:
            near |= (raw - limit(opacity)).abs() <= ON_A_LIMIT
    return clear(raw, points, case.generator.box_warp, clearing), near


@pytest.mark.parametrize("path", case_parameters())
def test_crop_cull_and_merge(path: Path, report: Callable[[str], None]) -> None:
    case = load_case(path)
    expected, depths = case.tensor("mid/all_density_in_every16"), case.tensor("mid/all_depths_every16")
    if case.sampling().density_noise:
        pytest.skip("raw densities carry noise that is not stored")
    passes = {"coarse": "coarse_depths", "fine": "fine_depths_unsorted"}
    passes = {which: name for which, name in passes.items() if f"mid/{name}" in case.arrays}
    parts, near = zip(*(_cleared(case, which) for which in passes))
    every16 = [case.tensor(f"mid/{name}")[:, ::16] for name in passes.values()]
    merged, order = torch.cat(every16, 2).sort(stable=True, dim=2)
    torch.testing.assert_close(merged, depths, rtol=0, atol=1e-6)
    found, on_limit = (torch.cat(values, 2).gather(2, order) for values in (parts, near))
    assert_equal_off_limits(found, expected, on_limit, path.stem, report)


@pytest.mark.parametrize("path", case_parameters())
def test_weights_of_the_final_march(path: Path) -> None:
    case = load_case(path)
    densities, depths = case.tensor("mid/all_density_in_every16"), case.tensor("mid/all_depths_every16")
    assert_mostly(interval_weights(densities, depths), case.tensor("mid/all_weights_every16"), 1e-3, share=0.995)
