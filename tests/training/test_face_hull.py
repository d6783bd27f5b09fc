"""Protected parts of a face: spec/linefill.md §3 on hand-made landmarks, and its hulls in whole-number geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _exchange.errors import InputError
from training.face_hull import FURTHEST, face_hull

PARTS = {
    "chin": slice(0, 5),
    "right_lash": slice(5, 8),
    "left_lash": slice(8, 11),
    "right_eye": slice(11, 17),
    "left_eye": slice(17, 23),
    "nose": slice(23, 24),
    "mouth": slice(24, 28),
}
AWAY = -1000.0


def face(**parts):
    """(28, 2) landmarks: all parts that are not given lie in the corner pixel (0, 0); lashes off the canvas."""
    points = np.zeros((28, 2))
    points[PARTS["right_lash"]] = points[PARTS["left_lash"]] = AWAY
    for name, value in parts.items():
        points[PARTS[name]] = value
    return points


def drawn(keypoints, height=20, width=30, dilation=1):
    """The mask without the corner pixel where unused parts lie."""
    mask = face_hull(keypoints, height, width, dilation)
    mask[0, 0] = False
    return mask


def box(first_row, last_row, first_col, last_col, shape=(20, 30)):
    mask = np.zeros(shape, bool)
    mask[first_row : last_row + 1, first_col : last_col + 1] = True
    return mask


def hull_in_whole_numbers(pixels, shape):
    """Pixels whose centre lies in or on the hull of the pixels' diamonds; doubled coordinates: nothing rounds."""
    tips = {(2 * r + a, 2 * c + b) for r, c in pixels for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))}

    def chain(points):
        kept = []
        for p in points:
            while len(kept) > 1 and turn(kept[-2], kept[-1], p) <= 0:
                kept.pop()
            kept.append(p)
        return kept[:-1]

    def turn(a, b, p):
        return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])

    corners = chain(sorted(tips)) + chain(sorted(tips, reverse=True))
    inside = np.ones(shape, bool)
    for a, b in zip(corners, [*corners[1:], corners[0]]):
        inside &= turn(a, b, np.indices(shape) * 2) >= 0
    return inside


# -- parts ------------------------------------------------------------------------------------------------------


def test_mouth_is_a_filled_square():
    mouth = [(5, 6), (5, 12), (9, 12), (9, 6)]
    np.testing.assert_array_equal(drawn(face(mouth=mouth)), box(5, 9, 6, 12))


@pytest.mark.parametrize("eye", ["right_eye", "left_eye"])
def test_eyes_are_filled(eye):
    corners = [(5, 6), (5, 12), (9, 12), (9, 6), (7, 6), (7, 12)]
    np.testing.assert_array_equal(drawn(face(**{eye: corners})), box(5, 9, 6, 12))


def test_order_of_the_points_of_a_part_does_not_matter():
    rng = np.random.default_rng(0)
    corners = rng.uniform(1, 19, (6, 2))
    masks = [drawn(face(left_eye=rng.permutation(corners))) for _ in range(4)]
    for mask in masks[1:]:
        np.testing.assert_array_equal(mask, masks[0])


def test_nose_is_one_pixel_that_grows_to_a_square():
    np.testing.assert_array_equal(np.argwhere(drawn(face(nose=(7.9, 8.9)))), [[7, 8]])
    np.testing.assert_array_equal(drawn(face(nose=(7.9, 8.9)), dilation=5)[3:], box(5, 9, 6, 10)[3:])


def test_part_of_one_pixel_is_that_pixel():
    np.testing.assert_array_equal(np.argwhere(drawn(face(mouth=(7, 8)))), [[7, 8]])


def test_part_on_a_line_is_that_line():
    np.testing.assert_array_equal(drawn(face(mouth=[(7, 3), (7, 9), (7, 5), (7, 4)])), box(7, 7, 3, 9))
    diagonal = drawn(face(mouth=[(3, 3), (9, 9), (5, 5), (4, 4)]))
    np.testing.assert_array_equal(np.argwhere(diagonal), [[i, i] for i in range(3, 10)])


def test_lashes_are_open_lines():
    """Three corners of a square give two sides, not three, and nothing inside."""
    mask = drawn(face(right_lash=[(5, 6), (5, 12), (11, 12)]))
    np.testing.assert_array_equal(mask, box(5, 5, 6, 12) | box(5, 11, 12, 12))


def test_lashes_of_both_eyes_are_not_joined():
    mask = drawn(face(right_lash=[(5, 2), (5, 3), (5, 4)], left_lash=[(5, 10), (5, 11), (5, 12)]))
    np.testing.assert_array_equal(mask, box(5, 5, 2, 4) | box(5, 5, 10, 12))


def test_chin_protects_nothing():
    assert not drawn(face(chin=[(5, 5), (5, 15), (15, 15), (15, 5), (9, 9)])).any()


def test_rows_come_first():
    assert np.argwhere(drawn(face(nose=(3, 17)))).tolist() == [[3, 17]]


def test_scores_are_ignored():
    points = face(mouth=[(5, 6), (5, 12), (9, 12), (9, 6)])
    scored = np.column_stack([points, np.full(28, 0.1)])
    np.testing.assert_array_equal(face_hull(scored, 20, 30), face_hull(points, 20, 30))


def test_default_growth_is_five():
    points = face(nose=(8, 9))
    np.testing.assert_array_equal(face_hull(points, 20, 30), face_hull(points, 20, 30, 5))


# -- coordinates ------------------------------------------------------------------------------------------------


def test_hulls_truncate_and_lashes_floor():
    """−0.5 is row 0 for an eye and row −1, off the canvas, for a lash."""
    assert drawn(face(nose=(-0.5, 9.5)))[0, 9]
    assert not drawn(face(right_lash=[(-0.5, 5), (-0.5, 9), (-0.5, 12)])).any()
    assert drawn(face(right_lash=[(0.5, 5), (0.5, 9), (0.5, 12)]))[0, 5:13].all()


def test_parts_outside_the_canvas_come_to_its_edge():
    assert np.argwhere(drawn(face(nose=(-50, 99)))).tolist() == [[0, 29]]
    mouth = [(5, 25), (5, 99), (9, 99), (9, 25)]
    np.testing.assert_array_equal(drawn(face(mouth=mouth)), box(5, 9, 25, 29))


def test_lashes_stop_at_the_edge():
    mask = drawn(face(left_lash=[(5, 25), (5, 99), (5, 120)]))
    np.testing.assert_array_equal(mask, box(5, 5, 25, 29))


def test_furthest_landmarks_are_drawn():
    mask = drawn(face(left_lash=[(5, -FURTHEST), (5, 0), (5, FURTHEST)]))
    np.testing.assert_array_equal(mask, box(5, 5, 0, 29))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, derandomize=True, deadline=None)
def test_hull_of_any_pixels(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 25, 2))
    pixels = rng.integers(0, shape, (6, 2))
    expected = hull_in_whole_numbers(map(tuple, pixels.tolist()), shape)
    expected[0, 0] = True
    mask = face_hull(face(left_eye=pixels), *map(int, shape), dilation=1)
    np.testing.assert_array_equal(mask, expected)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, derandomize=True, deadline=None)
def test_any_landmarks_give_a_mask_of_the_canvas(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(map(int, rng.integers(1, 40, 2)))
    points = rng.normal(0, 10.0 ** rng.integers(0, 5), (28, 2))
    mask = face_hull(points, *shape)
    assert mask.shape == shape
    assert mask.any()  # the nose at least


# -- nothing known, and refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [2, 3])
def test_without_landmarks_nothing_is_protected(columns):
    assert not face_hull(np.zeros((0, columns)), 20, 30).any()


@pytest.mark.parametrize("shape", [(27, 2), (28, 4), (28,), (1, 28, 3), (0,)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match=r"Expected landmarks of shape \(28, 2\) or \(28, 3\)"):
        face_hull(np.zeros(shape), 20, 30)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0 * FURTHEST])
def test_landmarks_out_of_reach_are_refused(value):
    with pytest.raises(InputError, match=f"Expected finite landmarks within {FURTHEST} pixels"):
        face_hull(face(nose=(value, 3)), 20, 30)


def test_scores_need_not_be_finite():
    scored = np.column_stack([face(), np.full(28, np.nan)])
    assert face_hull(scored, 20, 30).any()


def test_canvas_without_pixels_is_refused():
    with pytest.raises(InputError, match="Expected a canvas of at least one pixel, found 0 × 30"):
        face_hull(face(), 0, 30)
