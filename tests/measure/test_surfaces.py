"""Distances, samples and cuts of surfaces against trimesh, scipy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy import stats

from _exchange.errors import InputError
from _exchange.glb import write_mesh_glb
from _exchange.items import Region, TruthFiles
from _exchange.mesh import Mesh
from _exchange.protocol import CORRECTED, PAPER
from _measure.bary import barycentric, values_at
from _measure.metrics.chamfer import chamfer
from _measure.metrics.fscore import F1_THRESHOLDS_M, fscore
from _measure.sampling import sample_generator, sample_surface
from _measure.surface_distance import distance_to_surface, distance_to_surface_plain
from _measure.true_surface import (
    compared_true_surface,
    cut_to_box,
    cut_to_region,
    true_surface,
    winding_numbers,
    without_inner_surfaces,
)
from tests.measure.small_benchmark import HEAD, RADIUS, REGION, make_benchmark, sphere

EMPTY = Mesh(np.zeros((3, 3)), np.zeros((0, 3), np.int64))
SQUARE = Mesh(np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float), np.array([[0, 1, 2], [0, 2, 3]]))
WHOLE_PICTURE = Region(0, 0, 512, 512)


def cloud(seed: int, count: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, (count, 3))


# -- distances --------------------------------------------------------------------------------------------------


def test_distances_to_a_square_by_hand() -> None:
    points = np.array([[0.5, 0.5, 2], [2, 0.5, 0], [-3, -4, 0], [0.25, 0.75, 0]])
    np.testing.assert_allclose(distance_to_surface(points, SQUARE), [2, 1, 5, 0], atol=1e-12)


@pytest.mark.parametrize("distance", [distance_to_surface, distance_to_surface_plain])
def test_distances_are_trimeshs(distance) -> None:
    mesh = sphere(subdivisions=2)
    points, corners = cloud(1), mesh.verts[mesh.faces]
    each = np.repeat(points, len(corners), axis=0)
    nearest = trimesh.triangles.closest_point(np.tile(corners, (len(points), 1, 1)), each)
    expected = np.linalg.norm(each - nearest, axis=1).reshape(len(points), -1).min(1)
    np.testing.assert_allclose(distance(points, mesh), expected, atol=1e-9)


def test_fast_and_plain_agree_with_slivers_and_points_as_triangles() -> None:
    """Both are float64; 1e-9 m is far below a sample's spacing."""
    ball = sphere(subdivisions=2)
    degenerate = np.array([[0, 0, 0], [3, 3, 7]])
    mesh = Mesh(ball.verts, np.concatenate([ball.faces, degenerate]))
    fast, plain = distance_to_surface(cloud(2), mesh), distance_to_surface_plain(cloud(2), mesh)
    np.testing.assert_allclose(fast, plain, atol=1e-9)


@pytest.mark.parametrize("distance", [distance_to_surface, distance_to_surface_plain])
def test_an_empty_surface_is_refused(distance) -> None:
    with pytest.raises(InputError, match="surface with triangles"):
        distance(cloud(1), EMPTY)
    with pytest.raises(InputError, match=r"points \(N, 3\)"):
        distance(np.zeros((4, 2)), SQUARE)


# -- chamfer and F1 ---------------------------------------------------------------------------------------------


def test_chamfer_and_f1_of_parallel_squares_are_known() -> None:
    """Every point of a square lies 7 mm from the other: cd = 7 mm, F1 = 0 at 5 mm, 1 at 10 mm."""
    lifted = Mesh(SQUARE.verts + np.array([0, 0, 0.007]), SQUARE.faces)
    points = [sample_surface(m, 500, sample_generator("squares", "true")).points(m) for m in (SQUARE, lifted)]
    p2s, s2p = distance_to_surface(points[0], lifted), distance_to_surface(points[1], SQUARE)
    assert chamfer(p2s, s2p) == pytest.approx(0.007, abs=1e-12)
    assert [fscore(p2s, s2p, threshold) for threshold in F1_THRESHOLDS_M] == [0, 1, 1, 1, 1]


def test_f1_counts_the_threshold_itself_and_both_sides() -> None:
    """P = 1/4, R = 1: 2·(1/4)/(5/4) = 0.4."""
    assert fscore(np.array([0.01, 1, 1, 1]), np.array([0.0]), 0.01) == pytest.approx(0.4)


@pytest.mark.parametrize("metric", [chamfer, lambda a, b: fscore(a, b, 0.1)])
def test_no_samples_are_an_error_not_zero(metric) -> None:
    with pytest.raises(InputError, match="empty"):
        metric(np.zeros(0), np.ones(3))


# -- samples ----------------------------------------------------------------------------------------------------


def test_samples_are_uniform_by_area() -> None:
    """Triangles of area 1 : 3, and uniform within: χ² over four equal quarters of each; p > 1e-4 by the seed."""
    verts = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 5], [2, 0, 5], [0, 3, 5]], float)
    mesh = Mesh(verts, np.array([[0, 1, 2], [3, 4, 5]]))
    samples = sample_surface(mesh, 20_000, sample_generator("areas", "true"))
    counts = np.bincount(samples.faces)
    assert stats.chisquare(counts, [5000, 15_000]).pvalue > 1e-4
    quarter = np.where((samples.bary > 0.5).any(1), samples.bary.argmax(1), 3)  # the medial triangle is a quarter too
    for face in (0, 1):
        assert stats.chisquare(np.bincount(quarter[samples.faces == face])).pvalue > 1e-4


def test_barycentrics_follow_the_published_formula() -> None:
    """(1 − √T, (1 − S)√T, S√T): the first weight of uniform T has mean 1/3 and √T the density 2x."""
    bary = sample_surface(SQUARE, 20_000, sample_generator("formula", "true")).bary
    np.testing.assert_allclose(bary.sum(1), 1)
    assert (bary >= 0).all()
    assert stats.kstest((1 - bary[:, 0]) ** 2, "uniform").pvalue > 1e-4


def test_points_lie_on_their_triangles() -> None:
    mesh = sphere(subdivisions=1)
    samples = sample_surface(mesh, 100, sample_generator("on", "true"))
    points = samples.points(mesh)
    assert distance_to_surface(points, mesh).max() < 1e-12
    np.testing.assert_allclose(values_at(mesh.faces, mesh.verts, samples.faces, samples.bary), points)


def test_generator_is_pinned_and_depends_on_name_surface_and_seed() -> None:
    """NumPy's PCG64 for [Adler-32("a") = 0x00620062, surface, 0 or seed + 1]: results must not change silently."""
    expected = np.random.Generator(np.random.PCG64([0x00620062, 1, 8])).random(3)
    np.testing.assert_array_equal(sample_generator("a", "true", 7).random(3), expected)
    drawn = [
        sample_generator(name, surface, seed).random()
        for name in ("a", "b")
        for surface in ("predicted", "true")
        for seed in (None, 0, 1)
    ]
    assert len(set(drawn)) == len(drawn)


def test_a_surface_without_area_is_refused() -> None:
    with pytest.raises(InputError, match="surface with area"):
        sample_surface(EMPTY, 5, sample_generator("a", "true"))
    with pytest.raises(InputError, match="surface with area"):
        sample_surface(Mesh(SQUARE.verts, np.array([[0, 0, 0]])), 5, sample_generator("a", "true"))


def test_barycentric_weights_are_trimeshs() -> None:
    mesh = sphere(subdivisions=1)
    corners = mesh.verts[mesh.faces]
    points = cloud(5, len(corners))
    expected = trimesh.triangles.points_to_barycentric(corners, points)
    np.testing.assert_allclose(barycentric(points, corners), expected, atol=1e-9)


# -- cuts -------------------------------------------------------------------------------------------------------


def joined(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0, *(len(mesh.verts) for mesh in meshes)])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts)]
    return Mesh(np.concatenate([mesh.verts for mesh in meshes]), np.concatenate(faces))


def test_what_lies_inside_a_closed_surface_is_removed() -> None:
    """A ball's own vertices have winding about ½, those of a ball within it about 1½."""
    outer, inner = sphere(0.2, subdivisions=3), sphere(0.1, subdivisions=2)
    both = joined(outer, inner)
    winding = winding_numbers(both)
    np.testing.assert_allclose(winding[: len(outer.verts)], 0.5, atol=0.1)
    np.testing.assert_allclose(winding[len(outer.verts) :], 1.5, atol=0.1)
    visible = without_inner_surfaces(both)
    np.testing.assert_array_equal(visible.verts, outer.verts)
    np.testing.assert_array_equal(visible.faces, outer.faces)


def test_box_cuts_triangles_and_keeps_vertices() -> None:
    high = Mesh(SQUARE.verts * 0.1 + (0, 0.24, 0), SQUARE.faces)  # y from 0.24 to 0.34
    assert len(cut_to_box(high, bounds_y=True).faces) == 0
    assert len(cut_to_box(high, bounds_y=True).verts) == 4
    assert len(cut_to_box(high, bounds_y=False).faces) == 2
    aside = Mesh(SQUARE.verts * 0.1 + (0.2, 0, 0), SQUARE.faces)  # x to 0.3
    assert len(cut_to_box(aside, bounds_y=False).faces) == 0
    edge = Mesh(SQUARE.verts * 0.25, SQUARE.faces)  # exactly 0.25 counts as inside
    assert len(cut_to_box(edge, bounds_y=True).faces) == 2


def test_region_is_cut_in_world_axes_with_strict_borders() -> None:
    """Columns 256..512 are x from 0 to 0.35, rows 0..256 y from 0.35 down to 0."""
    corner = Region(0, 256, 256, 256)
    for centre, kept in (
        ((0.1, 0.1, 0), True),
        ((-0.1, 0.1, 0), False),
        ((0.1, -0.1, 0), False),
        ((0.1, 0.1, 9), True),
    ):
        ball = sphere(0.01, centre, subdivisions=1)
        assert len(cut_to_region(ball, corner).faces) == (len(ball.faces) if kept else 0)
    on_border = Mesh(np.array([[0, 0.1, 0], [0.1, 0.1, 0], [0.1, 0.2, 0]]), np.array([[0, 1, 2]]))
    cut = cut_to_region(on_border, corner)
    assert (len(cut.verts), len(cut.faces)) == (2, 0)


def test_cutting_renumbers_faces() -> None:
    left, right = sphere(0.02, (-0.1, 0, 0), 1), sphere(0.02, (0.1, 0, 0), 1)
    kept = cut_to_region(joined(left, right), Region(0, 256, 512, 256))
    np.testing.assert_array_equal(kept.verts, right.verts)
    np.testing.assert_array_equal(kept.faces, right.faces)


@pytest.mark.parametrize(("mirrored", "x_of_kept"), [(True, -0.1), (False, 0.1)])
def test_paper_mirrors_the_region_on_the_truth(mirrored: bool, x_of_kept: float) -> None:
    """Two balls left and right; the region shows the right half of the picture, world x > 0."""
    model = joined(sphere(0.02, (-0.1, 0, 0), 1), sphere(0.02, (0.1, 0, 0), 1))
    right_half = Region(0, 256, 512, 256)
    kept = true_surface(model, np.zeros(3), right_half, mirrored_region=mirrored, box_bounds_y=True)
    assert kept.verts[:, 0].mean() == pytest.approx(x_of_kept, abs=1e-6)


def test_compared_surface_of_a_character_file_is_in_head_world(tmp_path) -> None:
    truth = next(iter(make_benchmark(tmp_path, 1).truths.values()))
    surface = compared_true_surface(truth, CORRECTED)
    np.testing.assert_allclose(np.linalg.norm(surface.verts, axis=1), RADIUS, atol=1e-6)


def test_bind_pose_needs_a_vrm_file(tmp_path) -> None:
    truth = next(iter(make_benchmark(tmp_path, 1).truths.values()))
    with pytest.raises(InputError, match="VRM"):
        compared_true_surface(truth, PAPER)


def test_true_surface_of_an_off_centre_shape_turns_to_world(tmp_path) -> None:
    model = sphere(0.02, (HEAD[0] - 0.05, HEAD[1] + 0.1 + 0.02, HEAD[2] + 0.03), 2)
    path = tmp_path / "ball.glb"
    write_mesh_glb(path, model)
    truth = TruthFiles("own/fandom_align/x/ball/front", {}, path, REGION, "corrected", 60.0, head_position=HEAD)
    surface = compared_true_surface(truth, CORRECTED)
    np.testing.assert_allclose(surface.verts.mean(0), [0.05, 0.02, -0.03], atol=1e-6)
