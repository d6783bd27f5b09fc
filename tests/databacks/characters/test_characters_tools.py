"""Curves, canvas, solids, skull and scalp against closed forms and other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from _databacks.characters import draw_traits
from _databacks.characters.canvas import Canvas, ellipse_field, soft_inside, stroke_outline
from _databacks.characters.curves import bump, profile, smoothstep, spline
from _databacks.characters.hair.atlas import hair_pixels
from _databacks.characters.hair.locks import Guide, combed_guide, lock
from _databacks.characters.hair.scalp import CENTRE, Scalp
from _databacks.characters.head import Skull
from _databacks.characters.palette import BLACK, HairColors, luminance, mix, rgb, shade
from _databacks.characters.rng import Stream
from _databacks.characters.solids import ellipsoid, grid_solid, normals, rigid, signed_volume, weighted, with_poles

TURN = np.linspace(0, 2 * np.pi, 361)


# -- curves -------------------------------------------------------------------------------------------------------


def test_a_spline_is_the_cubic_hermite_spline_with_central_differences() -> None:
    points = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, -1.0), (4.0, 0.5), (4.5, 3.0)])
    mirrored = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    tangents = (mirrored[2:] - mirrored[:-2]) / 2
    expected = scipy.interpolate.CubicHermiteSpline(np.arange(5), points, tangents)(np.linspace(0, 4, 33))
    np.testing.assert_allclose(spline(points, 33), expected, atol=1e-12)


def test_a_profile_is_the_cubic_hermite_spline_that_is_level_at_hills() -> None:
    places, values = np.array([0.0, 1.0, 1.5, 3.0]), np.array([0.0, 2.0, 1.0, 0.4])
    slopes = np.diff(values) / np.diff(places)
    tangents = [slopes[0], 0.0, (slopes[1] + slopes[2]) / 2, slopes[2]]
    at = np.linspace(0, 3, 61)
    expected = scipy.interpolate.CubicHermiteSpline(places, values, tangents)(at)
    np.testing.assert_allclose(profile(at, list(zip(places, values))), expected, atol=1e-12)


def test_smoothstep_and_bump_have_the_areas_of_their_polynomials() -> None:
    t = (np.arange(10_000) + 0.5) / 10_000
    assert smoothstep(t).mean() == pytest.approx(1 / 2, abs=1e-6)
    assert smoothstep(t, 0.5, 0.75).mean() == pytest.approx(0.25 + 0.125, abs=1e-4)
    assert bump(t).mean() == pytest.approx(8 / 15, abs=1e-6)  # ∫ (1 − t²)² dt


# -- canvas -------------------------------------------------------------------------------------------------------


def _canvas(width: int = 96, height: int = 64) -> Canvas:
    """2 texels per unit, y upwards, the origin in the middle."""
    return Canvas(np.zeros((height, width, 3)), (2.0, -2.0), (width / 2, height / 2))


def _painted_area(canvas: Canvas) -> float:
    """In square units: four texels each."""
    return float(canvas.pixels[..., 1].sum()) / 4


@pytest.mark.parametrize("radius", [5.0, 9.0, 13.5])
def test_a_polygon_of_many_corners_has_the_area_of_its_circle(radius: float) -> None:
    canvas = _canvas()
    canvas.polygon(radius * np.stack([np.cos(TURN), np.sin(TURN)], axis=1), (1, 1, 1))
    # Pillow paints samples on the line too: about an eighth of a texel more all around.
    assert _painted_area(canvas) == pytest.approx(np.pi * (radius + 0.125 / 2) ** 2, rel=0.02)


def test_a_stroke_along_a_circle_has_the_area_of_the_ring() -> None:
    canvas = _canvas()
    arc = np.linspace(0.0, np.pi, 181)
    canvas.stroke(10 * np.stack([np.cos(arc), np.sin(arc)], axis=1), 2.0, (1, 1, 1))
    assert _painted_area(canvas) == pytest.approx(np.pi * 10 * 2.0, rel=0.08)
    rows = np.flatnonzero(canvas.pixels[..., 0].any(axis=1))
    assert rows.max() < 33, "the upper half: y grows upwards"


def test_a_stroke_is_as_wide_as_asked_at_every_point() -> None:
    points = spline([(0, 0), (3, 4), (8, 2), (9, -5)], 50)
    widths = np.linspace(0.2, 1.5, 50)
    left, right = np.split(stroke_outline(points, widths), 2)
    np.testing.assert_allclose(np.linalg.norm(left - right[::-1], axis=1), widths)
    np.testing.assert_allclose((left + right[::-1]) / 2, points)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(low=st.tuples(*[st.floats(-60, 60)] * 2), high=st.tuples(*[st.floats(-60, 60)] * 2))
def test_windows_are_cut_at_the_canvas_and_hold_the_units_of_their_texels(low, high) -> None:
    canvas = _canvas()
    window = canvas.window(low, high)
    assert (window.x.shape, window.y.shape) == ((1, window.width), (window.height, 1))
    assert window.width == 0 or 0 <= window.left <= window.left + window.width <= 96
    assert window.height == 0 or 0 <= window.top <= window.top + window.height <= 64
    before = canvas.pixels.sum()
    window.blend(np.ones((window.height, window.width)), (1, 1, 1))
    assert canvas.pixels.sum() - before == 3 * window.width * window.height
    if window.width and window.height:
        x, y = canvas.texels(np.array([[window.x[0, 0], window.y[0, 0]]]))[0]
        assert (x, y) == pytest.approx((window.left + 0.5, window.top + 0.5))


def test_a_soft_ellipse_is_half_there_on_its_outline_at_every_angle() -> None:
    outline = np.stack([3 + 2 * np.cos(TURN), -1 + 0.5 * np.sin(TURN)])
    field = ellipse_field(outline[0], outline[1], (3.0, -1.0), (2.0, 0.5))
    np.testing.assert_allclose(soft_inside(field, 0.2), 0.5, atol=1e-9)


# -- solids -------------------------------------------------------------------------------------------------------


def _tube(radius: float, length: float, sides: int):
    turn = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.stack([radius * np.cos(turn), np.zeros_like(turn), radius * np.sin(turn)], axis=-1)
    ring[-1] = ring[0]
    points = with_poles(np.stack([ring, ring + np.array([0.0, length, 0.0])]))
    return grid_solid(points, np.zeros((*points.shape[:2], 2)), "skin")


@pytest.mark.parametrize("sides", [3, 8, 40])
def test_a_tube_has_the_volume_of_its_prism(sides: int) -> None:
    tube = _tube(0.05, 0.3, sides)
    base = 0.5 * sides * 0.05**2 * np.sin(2 * np.pi / sides)
    # Positions are rounded to 10 µm.
    assert signed_volume(tube.positions, tube.faces) == pytest.approx(base * 0.3, rel=2e-3)


def test_the_enclosed_volume_is_what_trimesh_says() -> None:
    solid = ellipsoid(np.array([0.1, -0.2, 0.3]), np.array([0.03, 0.05, 0.02]), "skin", (0.5, 0.5))
    mesh = trimesh.Trimesh(solid.positions, solid.faces, process=True)
    assert mesh.is_watertight
    assert signed_volume(solid.positions, solid.faces) == pytest.approx(mesh.volume, rel=1e-9)


def test_normals_of_a_tube_point_away_from_its_axis_also_at_the_seam() -> None:
    sides = 40
    tube = _tube(0.05, 3.0, sides)
    found = normals(tube.positions, tube.faces)
    rings = np.arange(sides + 1) + sides + 1
    outward = tube.positions[rings] / [0.05, 1, 0.05] * [1, 0, 1]
    sideways = found[rings] * [1, 0, 1]
    sideways /= np.linalg.norm(sideways, axis=1, keepdims=True)
    # Caps pull up or down only; the quads' diagonals turn normals by less than a facet of 9°.
    assert np.degrees(np.arccos(np.clip((sideways * outward).sum(axis=1), -1, 1))).max() < 4.5
    np.testing.assert_array_equal(found[rings[0]], found[rings[-1]])


def test_collapsed_triangles_are_dropped_and_positions_lie_on_the_grid() -> None:
    corners = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1e-6, 0, 0)], float) / 3
    faces = np.array([(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3), (0, 4, 1)])
    solid = rigid(corners, np.zeros((5, 2)), faces, "skin")
    assert solid.faces.tolist() == faces[:4].tolist()
    np.testing.assert_allclose(solid.positions * 1e5, np.rint(solid.positions * 1e5), atol=1e-9)


def test_weights_are_kept_as_they_are_given() -> None:
    shares = {"neck": np.array([0.0, 0.25, 1.0, 0.5]), "head": np.array([1.0, 0.75, 0.0, 0.5])}
    corners = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], float)
    solid = weighted(corners, np.zeros((4, 2)), np.array([(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]), "skin", shares)
    assert solid.weights == shares


# -- skull and scalp ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scalp() -> Scalp:
    traits = draw_traits(77)
    return Scalp(Skull(traits.face, traits.eyes, traits.mouth), traits.hair.fullness)


def test_the_skull_stands_at_the_height_that_was_asked_for(scalp: Scalp) -> None:
    heights = np.linspace(scalp.skull.face.chin_y, 0.112, 41)
    for turn in (-2.5, 0.0, 1.2):
        np.testing.assert_allclose(scalp.skull.points(turn, scalp.skull.descent_at(heights))[:, 1], heights, atol=1e-9)


def test_the_skull_faces_minus_z_with_its_left_at_minus_x(scalp: Scalp) -> None:
    front, left, back = scalp.skull.points([0.0, np.pi / 2, np.pi], np.pi / 2)
    assert front[2] < 0 < back[2]
    assert left[0] == pytest.approx(-scalp.skull.face.half_width)


def test_the_shell_is_an_ellipsoid_and_its_normals_are_gradients(scalp: Scalp) -> None:
    turn, descent = np.meshgrid(np.linspace(-3, 3, 13), np.linspace(0.2, 2.8, 9))
    points, outward = scalp.shell(turn, descent)
    side, up, front, back = scalp.radii
    local = points - CENTRE
    axes = np.stack(
        [np.full_like(turn, side), np.full_like(turn, up), np.where(local[..., 2] < 0, front, back)], axis=-1
    )
    np.testing.assert_allclose(((local / axes) ** 2).sum(axis=-1), 1, atol=1e-12)
    gradient = local / axes**2
    np.testing.assert_allclose(outward, gradient / np.linalg.norm(gradient, axis=-1, keepdims=True), atol=1e-12)
    raised, _ = scalp.shell(turn, descent, 0.01)
    np.testing.assert_allclose(raised - points, 0.01 * outward, atol=1e-12)


@pytest.mark.parametrize("y", [0.10, 0.05, 0.004, -0.05, -0.3])
def test_hair_that_runs_to_a_height_ends_there(scalp: Scalp, y: float) -> None:
    points, _ = scalp.drape(np.array([2.0]), np.array([scalp.run_to(y)]), 0.0, ((0.0, 1.0), (0.5, 1.0)))
    assert points[0, 1] == pytest.approx(y, abs=1e-9)


def test_combed_hair_begins_and_ends_at_its_places(scalp: Scalp) -> None:
    guide = combed_guide(scalp, (0.5, 0.9), (2.0, 0.6), 0.0)
    np.testing.assert_allclose(guide.points[[0, -1]], scalp.cap_points([0.5, 2.0], [0.9, 0.6]), atol=1e-9)


def test_a_straight_lock_is_as_wide_and_thick_as_asked() -> None:
    line = np.stack([np.zeros(9), np.linspace(0.1, -0.1, 9), np.zeros(9)], axis=1)
    guide = Guide(line, np.broadcast_to([0.0, 0.0, -1.0], line.shape), np.linspace(0.0, 0.2, 9))
    solid = lock(guide, 0.01, 0.004, 2, bend=1e6, depth=0.002)
    np.testing.assert_allclose(np.ptp(solid.positions, axis=0), [0.02, 0.2, 0.006], atol=2e-5)
    assert solid.positions[:, 2].min() == pytest.approx(-0.004, abs=1e-5), "the outside looks along the normals"
    # A parabola over a chord: two thirds of the box. The ends are cut by one row each.
    volume = signed_volume(solid.positions, solid.faces)
    assert volume == pytest.approx(2 / 3 * 0.02 * 0.2 * 0.006, rel=0.15)


# -- streams and colours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["eyes", "palette", "strands"])
def test_streams_of_one_seed_do_not_correlate(other: str) -> None:
    draws = np.array([(Stream(seed, "hair").uniform(), Stream(seed, other).uniform()) for seed in range(1500)])
    assert abs(np.corrcoef(draws.T)[0, 1]) < 4 / np.sqrt(1500)


def test_the_last_option_is_taken_when_rounding_leaves_a_rest() -> None:
    class Highest(Stream):
        def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
            del low
            return high

    assert Highest(0, "test").choose("abc", (0.1, 0.2, 0.3)) == "c"


def test_a_hair_texture_has_the_colours_it_is_given() -> None:
    base = rgb("5f83c9")
    colors = HairColors(base, shade(base), mix(base, rgb("ffffff"), 0.5), base)
    pixels = hair_pixels(5, colors).astype(float) / 255
    cap_below_the_ring, inside = pixels[230:250, 6 * 128 : 7 * 128], pixels[:, 7 * 128 :]
    assert np.abs(cap_below_the_ring.mean(axis=(0, 1)) - base).max() < 0.2
    assert luminance(tuple(inside.mean(axis=(0, 1)))) < luminance(base)
    assert (hair_pixels(6, colors) != hair_pixels(5, colors)).any(), "streaks are the seed's"
    assert luminance(BLACK) == 0
