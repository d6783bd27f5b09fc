"""Coarse and fine depths. Source: spec/generator.md §5.2, §5.5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.parity.generator_cases import (
    assert_close,
    assert_mostly,
    assert_operator,
    case_parameters,
    load_case,
    operator_arrays,
    operator_cases,
)
from training.depths import Span, box_limits, coarse_depths, evenly_spread, importance_depths, inverse_cdf, span_of
from training.engine.interface import Rays


def _check_seed(settings: dict[str, Any], numbers: torch.Tensor) -> None:
    """The stated seed gives the stored uniform numbers."""
    if "manual_seed" in settings:
        generator = torch.Generator().manual_seed(settings["manual_seed"])
        assert torch.equal(torch.rand(numbers.shape, generator=generator), numbers)


@pytest.mark.parametrize(("settings", "path"), operator_cases("stratified_sampling"))
def test_coarse_depths_and_box_limits(settings: dict[str, Any], path: Path) -> None:
    arrays = operator_arrays(settings, path)
    if "origins" in arrays:
        span = box_limits(Rays(arrays["origins"], arrays["directions"]), settings.get("side", 0.7))
        torch.testing.assert_close(span.near, arrays["near"], rtol=1e-5, atol=1e-5, equal_nan=True)
        torch.testing.assert_close(span.far, arrays["far"], rtol=1e-5, atol=1e-5, equal_nan=True)
        return
    span = Span(settings["near"], settings["far"])
    assert_operator(coarse_depths(span, arrays["jitter"], bool(settings.get("disparity"))), arrays["out"])
    _check_seed(settings, arrays["jitter"])


@pytest.mark.parametrize(("settings", "path"), operator_cases("importance_sampling"))
def test_fine_depths(settings: dict[str, Any], path: Path) -> None:
    arrays = operator_arrays(settings, path)
    if settings.get("det"):
        u = evenly_spread(len(arrays["bins"]), arrays["out"].shape[-1])
        assert_operator(inverse_cdf(arrays["bins"], arrays["weights"], u), arrays["out"])
        return
    _check_seed(settings, arrays["u"])
    u = arrays["u"].view(*arrays["depths"].shape[:2], -1)
    assert_operator(importance_depths(arrays["depths"], arrays["weights"], u), arrays["out"])


@pytest.mark.parametrize("path", case_parameters())
def test_coarse_depths_of_whole_cases(path: Path) -> None:
    case = load_case(path)
    sampling = case.sampling()
    span = span_of(case.rays(), sampling, case.generator.box_warp)
    found = coarse_depths(span, case.tensor("rng/pass0/stratified_jitter"), sampling.disparity_space_sampling)
    expected = case.tensor("mid/coarse_depths")
    # A disparity loses accuracy where depths are large.
    assert_close(found, expected, 1e-6 * max(1.0, float(expected.abs().max())))


@pytest.mark.parametrize("path", case_parameters())
def test_fine_depths_of_whole_cases(path: Path) -> None:
    case = load_case(path)
    expected, depths = case.tensor("mid/fine_depths_unsorted"), case.tensor("mid/coarse_depths")
    u = case.tensor("rng/pass0/importance_u").view(*expected.shape[:3])
    assert_mostly(importance_depths(depths, case.tensor("mid/coarse_weights"), u), expected, 1e-3, share=0.999)
