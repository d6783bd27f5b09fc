"""SSIM per channel, PSNR with range 1 and LPIPS in both ranges on the views of another evaluation.

Source: spec/nova3d.md §4.2; README of `nova3d`, section measure: pictures are brought to 512 by nearest neighbour.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from _exchange.pictures import composite_on_white, unit_from_bytes
from _measure.metrics.psnr import psnr
from _measure.metrics.ssim import ssim
from tests.parity.fixtures import discover

SIZE = 512


def resized(picture: np.ndarray) -> np.ndarray:
    rgba = np.asarray(Image.fromarray(picture).convert("RGBA").resize((SIZE, SIZE), Image.Resampling.NEAREST))
    return unit_from_bytes(composite_on_white(rgba))


@pytest.mark.parametrize("path", discover("nova3d/measure*/measure*.json"))
def test_views(path: Path) -> None:
    expected = json.loads(path.read_text(encoding="utf-8"))["per_view"]
    arrays = np.load(path.with_suffix(".npz"))
    assert expected
    for view, values in expected.items():
        predicted, true = resized(arrays[f"pred/{view}"]), resized(arrays[f"gt/{view}"])
        assert ssim(predicted, true) == pytest.approx(values["ssim"], abs=1e-6)
        assert psnr(predicted, true) == pytest.approx(values["psnr"], abs=1e-4)
