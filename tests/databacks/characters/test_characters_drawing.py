"""The tools of the generator against closed forms: random streams, curves, canvas, solids."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from _databacks.characters.canvas import Canvas, ellipse_field, soft_inside, stroke_outline
from _databacks.characters.curves import bump, profile, smoothstep, spline, unit
from _databacks.characters.hair.atlas import TILES, tile_u, v_of_run
from _databacks.characters.palette import BLACK, WHITE, luminance, mix, rgb, shade
from _databacks.characters.rng import Stream
from _databacks.characters.solids import ellipsoid, grid_faces, normals, rigid, signed_volume, with_poles


def test_a_stream_is_pcg64_seeded_with_the_seed_and_the_crc_of_its_name() -> None:
    entropy = np.random.SeedSequence([7, 0xCBF43926])
    expected = np.random.Generator(np.random.PCG64(entropy)).random(3)
    stream = Stream(7, "123456789")  # the CRC-32 check value of "123456789" is CBF43926
    np.testing.assert_array_equal([stream.uniform(), stream.uniform(), stream.uniform()], expected)


def test_streams_of_other_names_and_seeds_are_others() -> None:
    draws = {Stream(seed, name).uniform() for seed in (0, 1) for name in ("hair", "eyes", "palette")}
    assert len(draws) == 6


def test_choose_keeps_to_the_weights() -> None:
    stream = Stream(0, "test")
    drawn = [stream.choose("abc", (1, 0, 3)) for _ in range(4000)]
    assert "b" not in drawn
    assert drawn.count("c") / 4000 == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / 4000))


def test_uniform_and_jitter_stay_in_their_ranges() -> None:
    stream = Stream(3, "test")
    values = stream.uniforms(1000, -2.0, 5.0)
    assert values.min() >= -2
    assert values.max() < 5
    assert all(abs(stream.jitter(0.1)) <= 0.1 for _ in range(100))


def test_colours_mix_linearly_and_shadows_are_darker() -> None:
    assert rgb("ff8000") == (1.0, 128 / 255, 0.0)
    assert mix(BLACK, WHITE, 0.25) == (0.25, 0.25, 0.25)
    assert shade(WHITE, (0.5, 0.4, 0.6), 1.0) == (0.5, 0.4, 0.6)
    assert luminance(shade(rgb("d1495b"))) < luminance(rgb("d1495b"))


def test_smoothstep_and_bump_at_known_places() -> None:
    np.testing.assert_allclose(smoothstep([-1, 0, 0.5, 1, 2]), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(bump([-2, -1, 0, 0.5, 1]), [0, 0, 1, 0.5625, 0])


def test_spline_passes_through_its_points_and_keeps_lines_straight() -> None:
    points = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, -1.0)])
    np.testing.assert_allclose(spline(points, 5)[[0, 2, 4]], points)
    line = spline([(0, 0), (1, 1), (2, 2)], 9)
    np.testing.assert_allclose(line[:, 0], line[:, 1])


def test_profile_interpolates_without_overshoot() -> None:
    knots = ((0.0, 0.0), (1.0, 1.0), (2.0, 1.0), (3.0, 0.0))
    np.testing.assert_allclose(profile([-1, 0, 1, 2, 3, 9], knots), [0, 0, 1, 1, 0, 0])
    assert profile(np.linspace(0, 3, 301), knots).max() <= 1 + 1e-12


def test_unit_vectors() -> None:
    np.testing.assert_allclose(unit(np.array([[3.0, 4.0, 0.0], [0.0, 0.0, -2.0]])), [[0.6, 0.8, 0], [0, 0, -1]])


def _blank(size: int = 32) -> Canvas:
    return Canvas(np.zeros((size, size, 3)), (1.0, -1.0), (0.0, float(size)))


def test_polygon_covers_its_area_with_y_upwards() -> None:
    canvas = _blank()
    canvas.polygon([(4, 20), (12, 20), (12, 30), (4, 30)], WHITE)
    assert canvas.pixels[..., 0].sum() == pytest.approx(80, rel=0.06)  # a border sample more or less on each side
    assert canvas.pixels[5, 8, 0] == 1
    assert canvas.pixels[25, 8, 0] == 0


def test_a_diagonal_edge_is_smooth() -> None:
    canvas = _blank()
    canvas.polygon([(0, 0), (32, 32), (0, 32)], WHITE)
    values = canvas.pixels[..., 0]
    assert values.mean() == pytest.approx(0.5, abs=0.02)
    assert ((values > 0) & (values < 1)).sum() >= 16


def test_opacity_blends() -> None:
    canvas = _blank()
    canvas.polygon([(-9, -9), (99, -9), (99, 99), (-9, 99)], (1.0, 0.0, 0.0), 0.25)
    np.testing.assert_allclose(canvas.pixels[10, 10], [0.25, 0, 0])
    assert canvas.bytes()[10, 10].tolist() == [64, 0, 0]


def test_shapes_off_the_canvas_paint_nothing() -> None:
    canvas = _blank()
    canvas.polygon([(100, 100), (120, 100), (110, 130)], WHITE)
    assert canvas.pixels.sum() == 0


def test_stroke_outline_of_a_level_line_is_a_rectangle() -> None:
    outline = stroke_outline([(0, 0), (1, 0), (2, 0)], 0.5)
    assert sorted({y for _, y in outline.tolist()}) == [-0.25, 0.25]


def test_soft_ellipse() -> None:
    field = ellipse_field(np.array([[0.0, 2.0, 4.0]]), np.array([[0.0]]), (0.0, 0.0), (2.0, 1.0))
    np.testing.assert_allclose(field, [[0, 1, 4]])
    np.testing.assert_allclose(soft_inside(field, 0.1), [[1, 0.5, 0]])


def test_ellipsoid_has_its_volume_and_outward_faces() -> None:
    solid = ellipsoid(np.array([1.0, 2.0, 3.0]), np.array([0.3, 0.2, 0.1]), "skin", (0.5, 0.5))
    exact = 4 / 3 * np.pi * 0.3 * 0.2 * 0.1
    assert signed_volume(solid.positions, solid.faces) == pytest.approx(exact, rel=0.1)  # inscribed 12 × 8 facets
    outward = solid.positions - [1.0, 2.0, 3.0]
    assert (normals(solid.positions, solid.faces) * outward).sum(axis=1).min() > 0


def test_inside_out_surfaces_are_turned() -> None:
    square = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 0)], float)[None]
    box = with_poles(np.concatenate([square, square + np.array([0, 0, 1])]))
    faces = grid_faces(*box.shape[:2])
    uv = np.zeros((box.shape[0] * box.shape[1], 2))
    for order in (faces, faces[:, ::-1]):
        solid = rigid(box.reshape(-1, 3), uv, order, "skin")
        assert signed_volume(solid.positions, solid.faces) == pytest.approx(1.0)


def test_hair_tiles_do_not_touch_each_other() -> None:
    edges = [tile_u(tile, [-1.0, 1.0]) for tile in range(TILES)]
    assert all(left[1] < right[0] for left, right in pairwise(edges))
    assert edges[0][0] > 0
    assert edges[-1][1] < 1


def test_the_ring_of_light_stands_at_one_distance_from_the_crown_for_all_lengths() -> None:
    short, long = v_of_run(0.1, 0.2), v_of_run(0.1, 0.6)
    assert float(short) == pytest.approx(float(long))
    runs = np.linspace(0, 0.6, 50)
    assert (np.diff(v_of_run(runs, 0.6)) >= 0).all()
