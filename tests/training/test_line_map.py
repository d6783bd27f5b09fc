"""The line map: spec/linefill.md §2 in closed forms and against other libraries; growth of masks (§1.3)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch.nn import functional

from _exchange.errors import InputError
from training.line_map import (
    LINE_FILLING,
    LineParameters,
    difference_of_gaussians,
    dilated,
    gaussian_taps,
    line_map,
    signed_difference,
)

MIDDLES = ((0.5, 2), (0.8, 3))
"""Standard deviations of line filling, and their half windows."""


def grey_picture(values):
    return np.repeat(np.asarray(values, np.float32)[..., None], 3, axis=-1)


# -- Gaussians --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sigma", "factor", "window"),
    [(0.5, 4, 5), (0.8, 4, 7), (1.0, 4, 9), (1.6, 4, 13), (0.2, 3, 3), (0.4, 3, 3), (0.1, 4, 3)],
)
def test_windows(sigma, factor, window):
    """max(2 · int(σ · f) + 1, 3); line filling uses 5 and 7."""
    assert gaussian_taps(sigma, factor).shape == (window,)


def test_taps_worked_by_hand():
    edge, inner = math.exp(-(2**2) / 0.5), math.exp(-1 / 0.5)
    total = 1 + 2 * inner + 2 * edge
    expected = [edge / total, inner / total, 1 / total, inner / total, edge / total]
    np.testing.assert_allclose(gaussian_taps(0.5, 4), expected, rtol=1e-12)


@pytest.mark.parametrize("parameters", [LINE_FILLING, LineParameters(), LineParameters(1.5, 0.7, 2.0, 0.03, 3)])
def test_agrees_with_scipy(parameters):
    picture = np.random.default_rng(0).random((23, 31, 3))
    grey = picture @ [0.299, 0.587, 0.114]

    def blurred(sigma):
        return ndimage.gaussian_filter(
            grey, sigma, mode="nearest", radius=max(int(sigma * parameters.window_factor), 1)
        )

    difference = blurred(parameters.sigma * parameters.ratio) - blurred(parameters.sigma)
    expected = 0.5 + parameters.strength * difference - parameters.offset
    np.testing.assert_allclose(signed_difference(picture, parameters), expected, rtol=0, atol=1e-6)


# -- what is a line ---------------------------------------------------------------------------------------------


@given(grey=st.floats(0, 1, width=32), height=st.integers(1, 12), width=st.integers(1, 12))
@settings(max_examples=25, derandomize=True, deadline=None)
def test_even_picture_gives_a_half_less_epsilon_and_no_lines(grey, height, width):
    picture = np.full((height, width, 3), grey, np.float32)
    np.testing.assert_allclose(difference_of_gaussians(picture), 0.49, rtol=0, atol=1e-7)
    assert not line_map(picture).any()


def test_step_edge_in_closed_form():
    """Beside an edge from 0 to 1 a blur is the sum of the taps that reach across it; two pixels are dark enough."""

    def beyond(sigma, half, distance):
        taps = [math.exp(-x * x / (2 * sigma**2)) for x in range(-half, half + 1)]
        return sum(taps[half + distance :]) / sum(taps)

    picture = grey_picture(np.tile(np.arange(20) >= 10, (20, 1)))
    expected = [0.49 + beyond(0.8, 3, distance) - beyond(0.5, 2, distance) for distance in (4, 3, 2, 1)]
    np.testing.assert_allclose(signed_difference(picture)[10, 6:10], expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(np.array(expected) > 0.5, [False, False, True, True])
    np.testing.assert_array_equal(np.flatnonzero(line_map(picture)[10]), [8, 9])


@pytest.mark.parametrize(("excess", "is_line"), [(-1e-5, False), (1e-5, True)])
def test_lines_are_darker_than_the_wider_average_by_more_than_a_hundredth(excess, is_line):
    """One dark pixel of depth d on white: the difference of the averages there is d times that of the middle taps."""
    narrow, wide = (sum(math.exp(-x * x / (2 * sigma**2)) for x in range(-half, half + 1)) for sigma, half in MIDDLES)
    depth = (0.01 + excess) / (narrow**-2 - wide**-2)
    picture = np.ones((15, 15, 3), np.float32)
    picture[7, 7] -= depth
    assert signed_difference(picture)[7, 7] == pytest.approx(0.5 + excess, abs=2e-7)
    assert line_map(picture)[7, 7] == is_line


def test_thick_stroke_is_marked_along_its_inner_sides():
    row = np.ones(40)
    row[10:30] = 0
    marked = line_map(grey_picture(np.tile(row, (5, 1))))[2]
    np.testing.assert_array_equal(np.flatnonzero(marked), [10, 11, 28, 29])


def test_bright_lines_are_no_lines():
    picture = np.zeros((9, 9))
    picture[4] = 1
    assert not line_map(grey_picture(picture))[4].any()


def test_limits():
    picture = grey_picture(np.indices((9, 9)).sum(axis=0) % 2)
    strong = LineParameters(strength=100, sigma=0.5)
    assert signed_difference(picture, strong).min() < 0
    assert signed_difference(picture, strong).max() > 1
    limited = difference_of_gaussians(picture, strong)
    np.testing.assert_array_equal(limited, signed_difference(picture, strong).clip(0, 1))


def test_colours_count_by_their_brightness():
    """Blue weighs 0.114: on the same step it is marked less strongly than green, which weighs 0.587."""
    step = np.tile(np.arange(20) >= 10, (5, 1)).astype(np.float32)
    lines = {}
    for name, channel in (("red", 0), ("green", 1), ("blue", 2)):
        picture = np.zeros((5, 20, 3), np.float32)
        picture[..., channel] = step
        lines[name] = signed_difference(picture)[2, 9] - 0.49
    assert lines["blue"] / lines["green"] == pytest.approx(0.114 / 0.587, rel=1e-4)
    assert lines["red"] / lines["green"] == pytest.approx(0.299 / 0.587, rel=1e-4)


def test_turning_the_picture_turns_its_lines():
    picture = np.random.default_rng(1).random((17, 12, 3)).astype(np.float32)
    np.testing.assert_array_equal(line_map(picture[::-1]), line_map(picture)[::-1])
    np.testing.assert_array_equal(line_map(picture.transpose(1, 0, 2)), line_map(picture).T)


# -- growth -----------------------------------------------------------------------------------------------------


def test_window_of_two_grows_down_and_right():
    mask = np.zeros((4, 4), bool)
    mask[1, 1] = True
    np.testing.assert_array_equal(np.argwhere(dilated(mask, 2)), [[1, 1], [1, 2], [2, 1], [2, 2]])


def test_nothing_grows_back_in_from_outside():
    mask = np.zeros((3, 3), bool)
    mask[2, 2] = True
    np.testing.assert_array_equal(np.argwhere(dilated(mask, 2)), [[2, 2]])


masks = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((9, 7)) < 0.1)


@given(mask=masks, window=st.sampled_from([1, 3, 5, 7]))
@settings(max_examples=20, derandomize=True, deadline=None)
def test_odd_windows_agree_with_torch(mask, window):
    pooled = functional.max_pool2d(torch.from_numpy(mask)[None].float(), window, 1, window // 2)[0].bool()
    np.testing.assert_array_equal(dilated(mask, window), pooled)


@given(mask=masks, window=st.sampled_from([2, 4, 6]))
@settings(max_examples=20, derandomize=True, deadline=None)
def test_even_windows_agree_with_torch(mask, window):
    before, after = window // 2, window // 2 - 1
    padded = functional.pad(torch.from_numpy(mask)[None].float(), [before, after, before, after])
    np.testing.assert_array_equal(dilated(mask, window), functional.max_pool2d(padded, window, 1)[0].bool())


def test_each_mask_of_a_stack_grows_by_itself_and_the_given_one_stays():
    stack = np.random.default_rng(2).random((2, 3, 8, 8)) < 0.1
    before = stack.copy()
    grown = dilated(stack, 3)
    np.testing.assert_array_equal(stack, before)
    np.testing.assert_array_equal(grown[1, 2], dilated(stack[1, 2], 3))


# -- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3), (1, 4, 4, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match=r"Expected an RGB picture of shape \(H, W, 3\), found shape"):
        line_map(np.zeros(shape))


@pytest.mark.parametrize("window", [0, -1, 1.5, 2.0, math.nan, math.inf])
def test_windows_that_are_no_number_of_pixels_are_refused(window):
    with pytest.raises(InputError, match="Expected a dilation window of 1 pixel or more"):
        dilated(np.zeros((3, 3), bool), window)


@pytest.mark.parametrize("change", [{"sigma": 0}, {"ratio": -1}, {"window_factor": 0}, {"strength": math.nan}])
def test_unusable_parameters_are_refused(change):
    with pytest.raises(InputError, match="Expected finite line parameters"):
        LineParameters(**change)
