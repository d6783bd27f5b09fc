"""Regions of interest cut from a picture and put on white. Source: spec/measure.md §4.2."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from _exchange.items import Region
from _exchange.pictures import composite_on_white, read_picture
from _measure.crops import box_of_region, cut
from tests.parity.fixtures import measure_files

SUBSETS = {"front": "front", "back": "back", "horiz": "360"}


@pytest.mark.parametrize("path", measure_files("crops*.npz"))
def test_crops_are_exact(path: Path) -> None:
    picture_path = path.with_name(path.stem.replace("crops", "crop_input", 1) + ".png")
    if not picture_path.exists():
        pytest.skip(f"{path.name} needs {picture_path.name}, which is absent")
    fixture, picture = np.load(path), read_picture(picture_path, "RGBA")
    keys = [key for key in fixture.files if re.fullmatch(r"roi\d+_\w+", key)]
    assert keys
    for key in keys:
        name, kind = key.split("_")
        region = Region.from_corners(fixture[name].tolist())
        ours = composite_on_white(cut(picture, box_of_region(region, SUBSETS[kind])))
        np.testing.assert_array_equal(ours, fixture[key], err_msg=key)
