"""The colour map of error pictures: its ends, its order, and its evenness judged by CIE Lab instead of OKLab."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2lab

from _measure.report.colour_map import FULL_SCALE, colour_table, error_picture, legend_picture, mean_difference


def lightness(colours: np.ndarray) -> np.ndarray:
    return rgb2lab(colours[None] / 255.0)[0, :, 0]


def test_no_error_is_white_and_the_end_of_the_scale_is_almost_black() -> None:
    colours = error_picture(np.array([[0.0, FULL_SCALE]]))[0]
    assert colours[0].tolist() == [255, 255, 255]
    assert lightness(colours[1:])[0] < 10


def test_differences_beyond_the_scale_have_the_last_colour() -> None:
    beyond, at_end = error_picture(np.array([[1.0, FULL_SCALE]]))[0]
    assert beyond.tolist() == at_end.tolist()


def test_more_error_is_always_darker_in_nearly_equal_steps() -> None:
    steps = -np.diff(lightness(colour_table()))
    assert (steps > 0).all()
    # Equal steps of OKLab's lightness are not quite equal in CIE Lab: measured 0.15 to 0.60 around a mean of 0.37.
    assert steps.max() < 2 * steps.mean()


def test_the_difference_is_the_mean_over_the_channels() -> None:
    first = np.zeros((1, 2, 3), np.uint8)
    second = np.array([[[255, 0, 0], [255, 255, 255]]], np.uint8)
    np.testing.assert_allclose(mean_difference(first, second), [[1 / 3, 1.0]], rtol=1e-15)
    np.testing.assert_array_equal(mean_difference(first, second), mean_difference(second, first))


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_the_legend_shows_the_colour_of_each_share_of_the_scale(share: float) -> None:
    legend = legend_picture(width=201, height=3)
    assert legend.shape == (3, 201, 3)
    colour = error_picture(np.array([[share * FULL_SCALE]]))[0, 0]
    np.testing.assert_array_equal(legend[:, round(share * 200)], np.broadcast_to(colour, (3, 3)))
