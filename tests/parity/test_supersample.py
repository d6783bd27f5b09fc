"""The 2:1 reduction and the white background against recorded pictures: spec/renderer.md §6."""

from __future__ import annotations

import numpy as np
import pytest

from _render.framebuffer import on_white, reduced
from tests.parity.fixtures import arrays_of, measure_files


@pytest.mark.parametrize("path", measure_files("supersample*.npz"))
def test_reduction_is_within_the_tolerance_of_its_readme(path):
    recorded = arrays_of(path)
    ours, theirs = reduced(recorded["hi_rgba"]).astype(int), recorded["lo_rgba"].astype(int)
    assert np.abs(ours[..., 3] - theirs[..., 3]).max() <= 1
    solid = theirs[..., 3] > 100
    assert solid.any()
    assert np.abs(ours - theirs)[solid].max() <= 3


@pytest.mark.parametrize("path", measure_files("supersample*.npz"))
def test_reduction_by_the_same_library_is_exact(path):
    recorded = arrays_of(path)
    assert (reduced(recorded["hi_rgba"]) == recorded["lo_rgba"]).all()


@pytest.mark.parametrize("path", measure_files("supersample*.npz"))
def test_white_background_is_exact(path):
    recorded = arrays_of(path)
    ours = on_white(recorded["lo_rgba"])
    theirs = recorded["lo_rgba_on_white"]
    assert (ours[..., :3] == theirs[..., :3]).all()
    assert (ours[..., 3] == 255).all()


@pytest.mark.parametrize("path", measure_files("supersample*.npz"))
def test_taps_of_a_single_bright_column(path):
    """A white column in the dark spreads over two output columns by the recorded one-dimensional weights."""
    weights = arrays_of(path)["weights_1d"]
    picture = np.zeros((16, 16, 4), np.uint8)
    picture[..., 3] = 255
    for tap, weight in enumerate(weights):
        bright = picture.copy()
        bright[:, 7 + tap, :3] = 255  # output column 4 reads input columns 7..10
        assert abs(int(reduced(bright)[4, 4, 0]) - 255 * weight) <= 1
