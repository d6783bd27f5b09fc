"""SSIM per channel, PSNR with range 1 and LPIPS in both ranges on the views of another evaluation.

Source: spec/nova3d.md §4.2; README of `nova3d`, section measure: pictures are brought to 512 by nearest neighbour.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from _exchange.pictures import composite_on_white, unit_from_bytes
from _measure.metrics.psnr import psnr
from _measure.metrics.ssim import ssim
from tests.parity.fixtures import arrays_of, discover, entries_of, whatever_is_there

SIZE = 512


def resized(picture: np.ndarray) -> np.ndarray:
    rgba = np.asarray(Image.fromarray(picture).convert("RGBA").resize((SIZE, SIZE), Image.Resampling.NEAREST))
    return unit_from_bytes(composite_on_white(rgba))


@pytest.mark.parametrize("path", discover("nova3d/measure*/measure*.json"))
@pytest.mark.parametrize(("name", "metric", "tolerance"), [("ssim", ssim, 1e-6), ("psnr", psnr, 1e-4)])
def test_views(path: Path, name: str, metric: Callable[[np.ndarray, np.ndarray], float], tolerance: float) -> None:
    expected, arrays = entries_of(path).inside("per_view"), arrays_of(path.with_suffix(".npz"))
    assert expected
    with whatever_is_there() as part:
        for view in expected:
            with part():
                ours = metric(resized(arrays[f"pred/{view}"]), resized(arrays[f"gt/{view}"]))
                assert ours == pytest.approx(expected.inside(view)[name], abs=tolerance)
