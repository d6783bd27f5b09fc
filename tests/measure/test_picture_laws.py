"""Laws of the picture metrics: ranges, symmetries, the peak rule in its corners, and regions beyond reason."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _exchange.errors import InputError
from _exchange.items import Region
from _measure.crops import MAX_SIDE, Box, box_of_region, cut
from _measure.metrics.clip import cosine_similarity, resize_and_crop
from _measure.metrics.psnr import psnr
from _measure.metrics.ssim import ssim
from _measure.picture_scores import region_of_picture
from _measure.protocols import subset_of_camera

QUICK = settings(derandomize=True, max_examples=25, deadline=None)
pictures = st.integers(0, 10_000).map(lambda seed: np.random.default_rng(seed).random((7, 9, 3)))


# -- PSNR -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "spread"),
    [([0.25, 0.5], 0.5), ([1.0, 0.25], 1.0), ([-0.25, 0.5], 0.75), ([-0.5, -0.25], 0.5), ([2.0, 3.0], 3.0)],
)
def test_the_peak_joins_the_extremes_of_the_target_with_zero(target: list[float], spread: float) -> None:
    """Every value is off by 0.1: 10·log10(R²/0.01)."""
    wanted = np.array(target)
    assert psnr(wanted + 0.1, wanted, "target") == pytest.approx(20 * math.log10(spread / 0.1), abs=1e-9)


def test_the_peak_is_the_targets_not_the_predictions() -> None:
    dark, bright = np.full(4, 0.25), np.full(4, 1.0)
    assert psnr(bright, dark, "target") == pytest.approx(20 * math.log10(0.25 / 0.75))
    assert psnr(dark, bright, "target") == pytest.approx(20 * math.log10(1 / 0.75))


@QUICK
@given(one=pictures, two=pictures)
def test_psnr_with_range_one_is_symmetric_and_falls_by_six_decibels_as_the_error_doubles(one, two) -> None:
    assert psnr(one, two) == pytest.approx(psnr(two, one))
    assert psnr(one, one + (two - one) / 2) == pytest.approx(psnr(one, two) + 20 * math.log10(2))


@pytest.mark.parametrize("peak", ["one", "target"])
def test_empty_pictures_are_refused(peak) -> None:
    with pytest.raises(InputError, match=r"\(0, 5, 3\)"):
        psnr(np.zeros((0, 5, 3)), np.zeros((0, 5, 3)), peak)


# -- SSIM -------------------------------------------------------------------------------------------------------


@QUICK
@given(one=pictures, two=pictures)
def test_ssim_is_symmetric_at_most_one_and_blind_to_mirroring_and_order_of_channels(one, two) -> None:
    value = ssim(one, two)
    assert -1 <= value <= 1 + 1e-12
    assert ssim(two, one) == pytest.approx(value, abs=1e-12)
    assert ssim(one[::-1, ::-1, [2, 0, 1]], two[::-1, ::-1, [2, 0, 1]]) == pytest.approx(value, abs=1e-12)
    assert ssim(one, one) == pytest.approx(1, abs=1e-12)


def test_ssim_does_not_look_at_the_outermost_pixels_as_centres() -> None:
    """A changed corner pixel is in one window of (5 − 2)²; one in the middle is in all nine."""
    flat = np.full((5, 5, 1), 0.5)
    losses = []
    for place in ((0, 0), (2, 2)):
        changed = flat.copy()
        changed[place] = 1.0
        losses.append(1 - ssim(changed, flat))
    assert losses[1] == pytest.approx(9 * losses[0], rel=1e-9)


# -- regions ----------------------------------------------------------------------------------------------------


def test_regions_beyond_reason_are_refused_before_they_are_made() -> None:
    picture = np.zeros((512, 512, 4), np.uint8)
    assert cut(picture, Box(0, 0, 1, MAX_SIDE)).shape == (1, MAX_SIDE, 4)
    for region in (Region(0, 0, 1e9, 1e9), Region(0, 0, 5, MAX_SIDE + 1)):
        with pytest.raises(InputError, match=f"at most {MAX_SIDE} pixels a side"):
            region_of_picture(picture, region, "front")


def test_a_region_that_reaches_out_is_white_there() -> None:
    picture = np.full((512, 512, 4), (10, 20, 30, 255), np.uint8)
    part = region_of_picture(picture, Region(510, -2, 4, 4), "front")
    white, filled = [255, 255, 255], [10, 20, 30]
    assert part[0].tolist() == part[1].tolist() == [white, white, filled, filled]
    assert (part[2:] == 255).all()


def test_half_transparent_pixels_are_put_on_white() -> None:
    """⌊(100·51 + 255·204)/255 + ½⌋ = 224."""
    picture = np.full((512, 512, 4), (100, 0, 255, 51), np.uint8)
    assert region_of_picture(picture, Region(0, 0, 1, 1), "back").tolist() == [[[224, 204, 255]]]


@QUICK
@given(row=st.floats(-50, 550), col=st.floats(-50, 550), height=st.floats(1, 500), width=st.floats(1, 500))
def test_boxes_are_whole_and_never_larger_than_their_region(row, col, height, width) -> None:
    region = Region(row, col, height, width)
    front, back, strip = (box_of_region(region, subset) for subset in ("front", "back", "360"))
    assert (front.height, front.width) == (back.height, back.width) == (math.floor(height), math.floor(width))
    assert (front.row, front.col) == (math.floor(row), math.floor(col))
    # Mirrored places, less the fractions that flooring takes from three numbers.
    assert -3 < (back.col + back.width) - (512 - front.col) <= 0
    assert (strip.row, strip.col, strip.height, strip.width) == (front.row, 0, front.height, 512)


@pytest.mark.parametrize(
    ("camera", "subset"),
    [("ortho_front", "front"), ("ortho_back", "back"), ("rgb60_0042", "360"), ("rgb60_0036", "360")],
)
def test_each_scored_camera_has_its_rows(camera: str, subset: str) -> None:
    assert subset_of_camera(camera) == subset


# -- CLIP -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (5, 5), (5, 5, 4), (0, 5, 3)])
def test_what_is_no_rgb_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="RGB picture"):
        resize_and_crop(np.zeros(shape, np.uint8))


def test_the_offset_of_the_central_square_rounds_half_to_even() -> None:
    """224 × 227 and 224 × 225 need no resizing: offsets 1.5 and 0.5 become 2 and 0."""
    for width, offset in ((227, 2), (225, 0)):
        picture = np.broadcast_to(np.arange(width, dtype=np.uint8)[None, :, None], (224, width, 3))
        assert resize_and_crop(np.ascontiguousarray(picture))[0, 0, 0] == offset


@QUICK
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100))
def test_cosine_ignores_lengths_and_is_one_for_itself(seed: int, scale: float) -> None:
    a, b = np.random.default_rng(seed).standard_normal((2, 16))
    assert cosine_similarity(a, a) == pytest.approx(1)
    assert cosine_similarity(scale * a, b) == pytest.approx(cosine_similarity(a, b), abs=1e-12)
    assert cosine_similarity(-a, b) == pytest.approx(-cosine_similarity(a, b), abs=1e-12)
