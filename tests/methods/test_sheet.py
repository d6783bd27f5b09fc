"""Silhouettes as flat triangulations: area, closed outline, orientation, colours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _exchange.camera import ORTHO
from _exchange.errors import InputError
from _methods.sheet import Sheet, colors_at, head_world_xy, opaque_colors, sheet_of_alpha
from tests.methods.tiny_dataset import portrait_of_disc


def _signed_areas(sheet: Sheet) -> np.ndarray:
    """Twice the area of each triangle in square pixels, positive when counter-clockwise with y up."""
    x, y = sheet.pixels[:, 1], -sheet.pixels[:, 0]
    (ax, bx, cx), (ay, by, cy) = x[sheet.faces].T, y[sheet.faces].T
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


def _edge_counts(faces: np.ndarray) -> dict[tuple[int, int], int]:
    """How many triangles have each directed edge."""
    counts: dict[tuple[int, int], int] = {}
    for a, b, c in faces.tolist():
        for edge in ((a, b), (b, c), (c, a)):
            counts[edge] = counts.get(edge, 0) + 1
    return counts


def _check_is_closed_manifold_with_rim(sheet: Sheet) -> None:
    counts = _edge_counts(sheet.faces)
    assert set(counts.values()) == {1}, "a directed edge belongs to one triangle"
    alone = {edge for edge in counts if edge[::-1] not in counts}
    assert alone == set(map(tuple, sheet.rim.tolist()))
    # Simple closed loops: every rim vertex is left once and reached once.
    starts, ends = sheet.rim.T
    assert sorted(starts.tolist()) == sorted(ends.tolist())
    assert len(set(starts.tolist())) == len(starts)


def test_the_area_of_a_disc_is_that_of_the_circle():
    sheet = sheet_of_alpha(portrait_of_disc(100)[..., 3], 256)
    # A polygon of some 300 corners, on a circle drawn in whole pixels: 0.2 %.
    assert _signed_areas(sheet).sum() / 2 == pytest.approx(np.pi * 100**2, rel=2e-3)


def test_the_outline_of_a_disc_is_round_to_half_a_pixel():
    sheet = sheet_of_alpha(portrait_of_disc(100)[..., 3], 256)
    radii = np.linalg.norm(sheet.pixels[np.unique(sheet.rim)] - 256, axis=1)
    # Whole pixels move the edge by up to 0.7, the average over cells of two pixels halves most of it: 0.8 seen.
    assert np.abs(radii - 100).max() < 1.0


def test_triangles_are_counter_clockwise_and_none_is_degenerate():
    areas = _signed_areas(sheet_of_alpha(portrait_of_disc(100)[..., 3], 128))
    assert areas.min() > 0


def test_the_outline_is_made_of_closed_loops():
    alpha = portrait_of_disc(100)[..., 3].copy()
    alpha[240:272, 240:272] = 0
    _check_is_closed_manifold_with_rim(sheet_of_alpha(alpha, 128))


def test_a_silhouette_that_fills_the_picture_ends_exactly_at_its_border():
    sheet = sheet_of_alpha(np.full((512, 512), 255, np.uint8), 64)
    _check_is_closed_manifold_with_rim(sheet)
    assert sheet.pixels.min() == 0
    assert sheet.pixels.max() == 512
    # All but the four corners, each cut off over half a cell of 8 pixels.
    assert _signed_areas(sheet).sum() / 2 == pytest.approx(512**2, abs=4 * 8**2)


def test_an_outline_of_half_alpha_runs_between_the_pixels():
    alpha = np.zeros((512, 512), np.uint8)
    alpha[:, :200], alpha[:, 200:] = 255, 0
    sheet = sheet_of_alpha(alpha, 512)
    inner = sheet.pixels[np.unique(sheet.rim)]
    edge = inner[(inner[:, 1] > 100) & (inner[:, 0] > 1) & (inner[:, 0] < 511), 1]
    assert edge == pytest.approx(200.0, abs=0.01)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.02, 0.98))
def test_any_alpha_gives_closed_loops_and_positive_triangles(seed, share):
    random = np.random.default_rng(seed)
    coarse = (random.random((32, 32)) < share) * random.integers(0, 256, (32, 32))
    alpha = np.kron(coarse, np.ones((16, 16))).astype(np.uint8)
    if alpha.max() < 128:
        alpha[:16, :16] = 255
    sheet = sheet_of_alpha(alpha, 32)
    _check_is_closed_manifold_with_rim(sheet)
    assert _signed_areas(sheet).min() > 0


def test_a_transparent_portrait_is_refused():
    with pytest.raises(InputError, match="opaque pixels, found none"):
        sheet_of_alpha(np.zeros((512, 512), np.uint8), 64)


def test_pixels_become_the_points_that_the_front_camera_projects_there():
    pixels = np.array([[0.0, 0.0], [512.0, 0.0], [100.0, 400.0], [256.0, 256.0]])
    xy = head_world_xy(pixels)
    head_model = np.column_stack([-xy[:, 0], xy[:, 1], np.full(4, 0.1)])
    # The camera's matrix is float32.
    assert ORTHO["front"].pixels_from_head_model(head_model) == pytest.approx(pixels, abs=1e-3)


# -- colours ----------------------------------------------------------------------------------------------------


def test_colours_go_on_outside_the_silhouette_as_at_its_edge():
    portrait = np.zeros((512, 512, 4), np.uint8)
    portrait[..., :3] = 7  # meaningless colours under transparent pixels
    portrait[200:300, 200:300] = 255, 0, 0, 255
    portrait[200:300, 300:400] = 0, 0, 255, 255
    colors = opaque_colors(portrait)
    assert colors[250, 10].tolist() == [255, 0, 0]
    assert colors[250, 500].tolist() == [0, 0, 255]
    assert (colors[200:300, 200:400] == portrait[200:300, 200:400, :3]).all()


def test_colours_between_pixel_centres_are_mixed():
    colors = np.zeros((512, 512, 3), np.uint8)
    colors[10, 20], colors[10, 21] = (100, 0, 0), (200, 40, 0)
    # Row 10's centre is 10.5; three quarters of the way from column 20's centre 20.5 to column 21's.
    assert colors_at(colors, np.array([[10.5, 21.25]])).tolist() == [[175, 30, 0, 255]]


def test_colours_at_the_border_are_those_of_the_outermost_pixels():
    colors = np.zeros((512, 512, 3), np.uint8)
    colors[511, 511], colors[0, 0] = (9, 8, 7), (1, 2, 3)
    assert colors_at(colors, np.array([[512.0, 512.0], [0.0, 0.0]])).tolist() == [[9, 8, 7, 255], [1, 2, 3, 255]]
