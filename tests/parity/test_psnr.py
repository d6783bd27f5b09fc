"""PSNR with the published rule for the peak. Source: spec/measure.md §5.3."""

from __future__ import annotations

from pathlib import Path

import pytest

from _measure.metrics.psnr import psnr
from tests.parity.fixtures import arrays_of, measure_files, whatever_is_there


@pytest.mark.parametrize("path", measure_files("psnr*.npz"))
def test_values(path: Path) -> None:
    fixture = arrays_of(path)
    with whatever_is_there() as part:
        for index, expected in enumerate(fixture["values"]):
            with part():
                value = psnr(fixture[f"pred{index}"], fixture[f"target{index}"], peak="target")
                # The original works in float32; ours in float64.
                assert value == pytest.approx(expected, rel=0, abs=2e-4)
