"""Laws of alignment, warp and region that hold for all inputs, and the warp against another library."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import transform

from _databacks.alignment import alignment_matrix, keypoints_through, vertical_jitter
from _databacks.region import region_of_head
from _databacks.warp import warp, with_alpha
from _exchange.errors import InputError

SEEDS = st.integers(0, 2**32 - 1)
quickly = settings(derandomize=True, max_examples=25, deadline=None)


def face(seed):
    return np.random.default_rng(seed).normal([300, 200, 0.5], [40, 30, 0.1], (28, 3))


def placed(scale, row, col):
    return np.array([[scale, 0, row], [0, scale, col], [0, 0, 1.0]])


# -- the matrix


@quickly
@given(seed=SEEDS, scale=st.floats(0.05, 20), row=st.floats(-4000, 4000), col=st.floats(-4000, 4000))
def test_where_and_how_large_a_face_was_makes_no_difference(seed, scale, row, col):
    before = placed(scale, row, col)
    moved = keypoints_through(before, face(seed))
    np.testing.assert_allclose(alignment_matrix(moved) @ before, alignment_matrix(face(seed)), rtol=1e-6, atol=1e-5)


@quickly
@given(seed=SEEDS, jitter=st.floats(-4, 4))
def test_the_jitter_moves_rows_alone(seed, jitter):
    difference = alignment_matrix(face(seed), jitter) - alignment_matrix(face(seed))
    expected = np.zeros((3, 3))
    expected[0, 2] = 8.072593688964844 * jitter
    np.testing.assert_allclose(difference, expected, atol=1e-9)


def test_the_jitter_of_a_name_is_what_a_dataset_was_made_with():
    # the bytes of the name add up to a = 1 + 97 = 98 and b = 98: Adler-32 = 98·2¹⁶ + 98
    assert vertical_jitter("a") == np.random.RandomState(98 * 65536 + 98).standard_normal(3)[0]


def test_an_aligned_face_is_left_as_it_is():
    aligned = keypoints_through(alignment_matrix(face(0)), face(0))
    np.testing.assert_allclose(alignment_matrix(aligned), np.eye(3), atol=1e-9)


# -- the warp


def illustration(seed=0, height=40, width=30):
    rgba = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    rgba[..., 3] |= 128
    return rgba


@pytest.mark.parametrize(
    "matrix",
    [placed(1.7, 3.3, -4.2), placed(0.6, 10.5, 12.25), np.array([[0.9, 0.3, 2], [-0.2, 1.1, 9], [0, 0, 1.0]])],
)
def test_the_warp_is_that_of_scikit_image(matrix):
    """Both sample bilinearly; they treat the half pixel around the border differently, so only the inside counts."""
    rgba = illustration()
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1.0]])
    to_source = transform.AffineTransform(matrix=np.linalg.inv(swap @ matrix @ swap))
    expected = transform.warp(rgba[..., 3] / 255, to_source, output_shape=(64, 64), order=1, cval=0)
    inside = transform.warp(np.ones((40, 30)), to_source, output_shape=(64, 64), order=1, cval=0) == 1
    assert inside.sum() > 300
    np.testing.assert_allclose(warp(rgba, matrix, 64)[..., 3][inside], expected[inside], atol=1e-5)


def test_only_the_top_two_rows_of_a_matrix_count():
    odd = placed(1.5, 2, 3)
    odd[2] = 7, 8, 0
    np.testing.assert_array_equal(warp(illustration(), odd, 64), warp(illustration(), placed(1.5, 2, 3), 64))


@quickly
@given(seed=SEEDS, scale=st.floats(0.02, 50), row=st.floats(-100, 100), col=st.floats(-100, 100))
def test_values_stay_within_those_of_picture_and_fill(seed, scale, row, col):
    rgba = illustration(seed % 100, 12, 9)
    warped = warp(rgba, placed(scale, row, col), 24)
    assert warped.dtype == np.float32
    assert warped.min() >= 0
    assert warped.max() <= 1 + 1e-6
    assert warped[..., 3].max() <= rgba[..., 3].max() / 255 + 1e-6


def test_a_picture_without_transparency_keeps_its_colours_and_one_that_is_clear_is_white():
    rgba = illustration()
    rgba[..., 3] = 255
    np.testing.assert_allclose(warp(rgba, np.eye(3), 64)[:40, :30, :3], rgba[..., :3] / 255, atol=1e-6)
    rgba[..., 3] = 0
    assert (warp(rgba, np.eye(3), 64) == [1, 1, 1, 0]).all()


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3), (4, 4, 5)])
def test_pictures_that_are_no_rgba_bytes_are_refused(shape):
    with pytest.raises(InputError, match="RGBA"):
        warp(np.zeros(shape, np.uint8), np.eye(3))
    with pytest.raises(InputError, match="float32"):
        warp(np.zeros((4, 4, 4), np.float32), np.eye(3))


def test_a_mask_changes_alpha_alone():
    rgba, mask = illustration(), np.arange(1200, dtype=np.uint16).astype(np.uint8).reshape(40, 30)
    masked = with_alpha(rgba, mask)
    np.testing.assert_array_equal(masked[..., :3], rgba[..., :3])
    np.testing.assert_array_equal(masked[..., 3], mask)


# -- the region


@quickly
@given(
    points=st.lists(st.tuples(st.integers(0, 511), st.integers(0, 511), st.integers(100, 255)), min_size=1, max_size=8),
    neck=st.floats(-0.35, 0.34),
)
def test_the_region_is_what_a_plain_search_finds(points, neck):
    front = np.zeros((512, 512, 4), np.uint8)
    for row, col, alpha in points:
        front[row, col, 3] = alpha
    seen = [
        (row, col)
        for row, col in {(row, col) for row, col, _ in points}
        if front[row, col, 3] > 127 and 0.35 - (row + 0.5) * 0.7 / 512 >= neck
    ]
    if not seen:
        with pytest.raises(InputError, match="above its neck"):
            region_of_head(front, neck)
        return
    rows, cols = zip(*seen, strict=True)
    region = region_of_head(front, neck)
    assert (region.row, region.col) == (max(min(rows) - 8, 0), max(min(cols) - 8, 0))
    assert (region.row + region.height, region.col + region.width) == (min(max(rows) + 9, 512), min(max(cols) + 9, 512))
