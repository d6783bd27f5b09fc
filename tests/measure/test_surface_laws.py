"""Laws of surface measuring: closed forms, invariances, uniform samples, edge cases of F1, and the region as pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.transform import Rotation

from _exchange.items import Region
from _exchange.mesh import Mesh
from _measure.metrics.chamfer import chamfer
from _measure.metrics.fscore import F1_THRESHOLDS_M, fscore
from _measure.sampling import sample_generator, sample_surface
from _measure.surface_distance import distance_to_surface, distance_to_surface_plain
from _measure.true_surface import cut_to_box, cut_to_region, keep_vertices, without_inner_surfaces
from tests.databacks.tiny_characters import cube
from tests.measure.small_benchmark import sphere

QUICK = settings(derandomize=True, max_examples=25, deadline=None)
BOTH = pytest.mark.parametrize("distance", [distance_to_surface, distance_to_surface_plain])
HALF = 0.1
CENTRE = cube(HALF).astype(float).mean(0)
CUBE = Mesh(cube(HALF).astype(float) - CENTRE, np.arange(36).reshape(-1, 3))
POINTS = np.random.default_rng(3).uniform(-0.3, 0.3, (400, 3))
distances = st.lists(st.floats(0, 1), min_size=1, max_size=12).map(np.array)


# -- distances --------------------------------------------------------------------------------------------------


@BOTH
def test_distance_to_a_box_in_closed_form(distance) -> None:
    """Outside: the length of what sticks out; inside: the way to the nearest side. The box is float32: 1e-7 m."""
    beyond = np.abs(POINTS) - HALF
    outside, inside = np.linalg.norm(np.maximum(beyond, 0), axis=1), np.maximum(-beyond.max(1), 0)
    np.testing.assert_allclose(distance(POINTS, CUBE), outside + inside, atol=1e-7)


@BOTH
def test_distance_to_a_plane_is_the_height_above_it(distance) -> None:
    plane = Mesh(np.array([[-9, -9, 0.05], [9, -9, 0.05], [0, 20, 0.05]]), np.array([[0, 1, 2]]))
    np.testing.assert_allclose(distance(POINTS, plane), np.abs(POINTS[:, 2] - 0.05), atol=1e-12)


def test_distance_to_a_ball_is_the_difference_of_radii() -> None:
    """An icosphere lies inside its ball by at most the sagitta of its largest triangle: 0.3 % of the radius here."""
    ball = sphere(0.2, subdivisions=4)
    expected = np.abs(np.linalg.norm(POINTS, axis=1) - 0.2)
    assert np.abs(distance_to_surface(POINTS, ball) - expected).max() < 0.003 * 0.2


@QUICK
@given(turn=st.integers(0, 2**31), size=st.floats(0.1, 10))
def test_distances_move_with_the_world_and_grow_with_its_unit(turn: int, size: float) -> None:
    rotation, shift = Rotation.random(random_state=turn).as_matrix(), np.array([0.3, -1.0, 2.0])
    moved = Mesh(size * CUBE.verts @ rotation.T + shift, CUBE.faces)
    expected = size * distance_to_surface(POINTS[:40], CUBE)
    found = distance_to_surface(size * POINTS[:40] @ rotation.T + shift, moved)
    np.testing.assert_allclose(found, expected, atol=1e-9 * max(size, 1))


def test_distance_counts_no_vertex_without_a_triangle() -> None:
    stray = Mesh(np.concatenate([CUBE.verts, POINTS[:1]]), CUBE.faces)
    np.testing.assert_array_equal(distance_to_surface(POINTS[:1], stray), distance_to_surface(POINTS[:1], CUBE))


# -- chamfer and F1 ---------------------------------------------------------------------------------------------


@QUICK
@given(p2s=distances, s2p=distances)
def test_f1_lies_in_its_range_grows_with_the_threshold_and_takes_both_sides_alike(p2s, s2p) -> None:
    values = [fscore(p2s, s2p, threshold) for threshold in F1_THRESHOLDS_M]
    assert all(0 <= value <= 1 for value in values)
    assert values == sorted(values)
    assert values == [fscore(s2p, p2s, threshold) for threshold in F1_THRESHOLDS_M]
    assert fscore(p2s, s2p, 1.0) == 1


@QUICK
@given(p2s=distances, s2p=distances)
def test_chamfer_lies_between_the_two_means(p2s, s2p) -> None:
    low, high = sorted((p2s.mean(), s2p.mean()))
    assert low - 1e-12 <= chamfer(p2s, s2p) <= high + 1e-12


def test_f1_is_zero_where_one_side_meets_nothing() -> None:
    assert fscore(np.ones(3), np.zeros(3), 0.01) == 0  # P = 0, R = 1
    assert fscore(np.zeros(3), np.ones(3), 0.01) == 0
    assert fscore(np.ones(3), np.ones(3), 0.01) == 0


def test_f1_is_the_harmonic_mean_of_shares() -> None:
    """P = 3/4, R = 1/2: 2 / (4/3 + 2) = 0.6."""
    assert fscore(np.array([0, 0, 0, 1.0]), np.array([0, 1.0]), 0.1) == pytest.approx(0.6)


# -- samples ----------------------------------------------------------------------------------------------------


def test_every_triangle_is_met_in_proportion_to_its_area() -> None:
    """χ² over the 320 triangles of a ball drawn out to three times its length: areas of ratio up to 3."""
    ball = sphere(0.1, subdivisions=2)
    mesh = Mesh(ball.verts * (1, 1, 3), ball.faces)
    a, b, c = (mesh.verts[mesh.faces[:, corner]] for corner in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    samples = sample_surface(mesh, 40_000, sample_generator("stretched", "true"))
    counts = np.bincount(samples.faces, minlength=len(area))
    assert stats.chisquare(counts, 40_000 * area / area.sum()).pvalue > 1e-4


def test_points_of_a_ball_have_uniform_heights() -> None:
    """Archimedes: bands of equal height have equal area. The icosphere deviates by less than the test sees."""
    mesh = sphere(1.0, subdivisions=4)
    points = sample_surface(mesh, 5000, sample_generator("heights", "true")).points(mesh)
    for axis in range(3):
        assert stats.kstest(points[:, axis], "uniform", (-1, 2)).pvalue > 1e-4


class Always:
    """A generator whose every number is the same."""

    def __init__(self, value: float) -> None:
        self.value = value

    def random(self, count: int) -> np.ndarray:
        return np.full(count, self.value)


@pytest.mark.parametrize("value", [0.0, 0.5, 1 - 2**-53])
def test_triangles_without_area_are_never_chosen(value: float) -> None:
    faces = np.array([[0, 0, 1], [0, 1, 2], [3, 3, 3], [0, 2, 3]])
    samples = sample_surface(Mesh(CUBE.verts, faces), 4, Always(value))
    assert set(samples.faces) <= {1, 3}
    np.testing.assert_allclose(samples.bary.sum(1), 1)


def test_samples_move_with_their_mesh() -> None:
    up = np.array([0, 0, 2])
    lifted = Mesh(CUBE.verts + up, CUBE.faces)
    one, two = (sample_surface(mesh, 50, sample_generator("moved", "true")).points(mesh) for mesh in (CUBE, lifted))
    np.testing.assert_allclose(two, one + up, atol=1e-12)


# -- cuts -------------------------------------------------------------------------------------------------------


@QUICK
@given(
    row=st.floats(-60, 500),
    col=st.floats(-60, 500),
    height=st.floats(1, 600),
    width=st.floats(1, 600),
    seed=st.integers(0, 99),
)
def test_a_vertex_is_kept_where_its_pixel_of_the_front_view_lies_in_the_region(row, col, height, width, seed) -> None:
    """Orthographic front view: column (x + 0.35)/0.7·512, row (0.35 − y)/0.7·512."""
    verts = np.random.default_rng(seed).uniform(-0.35, 0.35, (60, 3))
    mesh = Mesh(verts, np.arange(60).reshape(-1, 3))
    at_row, at_col = (0.35 - verts[:, 1]) / 0.7 * 512, (verts[:, 0] + 0.35) / 0.7 * 512
    inside = (row < at_row) & (at_row < row + height) & (col < at_col) & (at_col < col + width)
    cut = cut_to_region(mesh, Region(row, col, height, width))
    np.testing.assert_array_equal(cut.verts, verts[inside])
    assert len(cut.faces) == inside.reshape(-1, 3).all(1).sum()


def test_a_region_of_the_whole_picture_and_more_keeps_everything() -> None:
    kept = cut_to_region(CUBE, Region(-100, -100, 800, 800))
    np.testing.assert_array_equal(kept.verts, CUBE.verts)
    np.testing.assert_array_equal(kept.faces, CUBE.faces)


def test_the_box_cuts_behind_as_well_as_aside() -> None:
    for shift, kept in (((0, 0, -0.2), 0), ((0, 0, 0.2), 0), ((-0.2, 0, 0), 0), ((0, -0.2, 0), 12), ((0, 0, 0.14), 12)):
        assert (len(cut_to_box(Mesh(CUBE.verts + shift, CUBE.faces), bounds_y=False).faces) == 12) == (kept == 12), (
            shift
        )


def test_colours_stay_with_their_vertices() -> None:
    colors = np.arange(144, dtype=np.uint8).reshape(36, 4)
    marked = np.zeros(36, bool)
    marked[[3, 4, 5, 30]] = True
    kept = keep_vertices(Mesh(CUBE.verts, CUBE.faces, colors), marked)
    np.testing.assert_array_equal(kept.colors, colors[marked])
    np.testing.assert_array_equal(kept.faces, [[0, 1, 2]])


def test_nothing_is_inside_an_open_surface_or_none() -> None:
    sheet = Mesh(CUBE.verts[:6], CUBE.faces[:2])
    assert len(without_inner_surfaces(sheet).faces) == 2
    assert len(without_inner_surfaces(Mesh(CUBE.verts, np.zeros((0, 3), np.int64))).verts) == 36
