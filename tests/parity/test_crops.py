"""Regions of interest cut from a picture and put on white. Source: spec/measure.md §4.2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from _exchange.items import Region
from _exchange.pictures import composite_on_white, read_picture
from _measure.crops import box_of_region, cut
from tests.parity.fixtures import arrays_of, measure_files, needed, whatever_is_there

SUBSETS = {"front": "front", "back": "back", "horiz": "360"}


@pytest.mark.parametrize("path", measure_files("crops*.npz"))
def test_crops_are_exact(path: Path) -> None:
    fixture = arrays_of(path)
    picture = read_picture(needed(path.with_name(path.stem.replace("crops", "crop_input", 1) + ".png")), "RGBA")
    with whatever_is_there() as part:
        for key in fixture.matching(r"roi\d+_\w+"):
            with part():
                name, kind = key.split("_")
                region = Region.from_corners(fixture[name].tolist())
                ours = composite_on_white(cut(picture, box_of_region(region, SUBSETS[kind])))
                np.testing.assert_array_equal(ours, fixture[key], err_msg=key)
