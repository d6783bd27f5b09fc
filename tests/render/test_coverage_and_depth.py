"""Which pixels a triangle covers, and which triangle wins: closed forms, on both back ends."""

from __future__ import annotations

import numpy as np
import pytest

from _exchange.camera import ORTHOGRAPHIC, Camera
from tests.render.shapes import (
    FRONT,
    FRONT_PERSPECTIVE,
    alpha,
    back_end,
    character,
    colored,
    part,
    screen_triangle,
    square,
)

RED, GREEN, BLUE = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)


@pytest.fixture(params=["cpu", "egl"])
def drawer(request):
    return back_end(request.param)


def test_square_covers_exactly_the_pixels_whose_centres_it_holds(drawer):
    """Half side 0.175 m is a quarter of the 0.7 m picture: rows and columns 16..47 of 64."""
    picture = drawer.load(character(square(colored(*RED), half=0.175)), "corrected").draw(FRONT, size=64)
    expected = np.zeros((64, 64), bool)
    expected[16:48, 16:48] = True
    assert (alpha(picture) == expected).all()
    assert (picture[expected] == RED).all()
    assert (picture[~expected] == 0).all()


def test_image_right_is_the_characters_left_and_up_is_up(drawer):
    """In `head_model` the character's left is −x."""
    left_top = square(colored(*GREEN), half=0.05, centre=(-0.2, 0.2))
    picture = drawer.load(character(left_top), "corrected").draw(FRONT, size=64)
    rows, cols = np.nonzero(alpha(picture))
    assert rows.max() < 32
    assert cols.min() >= 32


def test_side_views_show_the_sides(drawer):
    """`left` stands at azimuth 90, on the character's left: −x of `head_model` is near and hides +x."""
    near = part([(-0.3, -0.1, -0.1), (-0.3, 0.1, -0.1), (-0.3, 0.1, 0.1), (-0.3, -0.1, 0.1)], colored(*GREEN))
    far = part([(0.3, -0.1, -0.1), (0.3, 0.1, -0.1), (0.3, 0.1, 0.1), (0.3, -0.1, 0.1)], colored(*RED))
    scene = drawer.load(character(near, far), "corrected")
    assert scene.draw(Camera(0.0, 90.0, fov=ORTHOGRAPHIC), size=32)[16, 16].tolist() == list(GREEN)
    assert scene.draw(Camera(0.0, -90.0, fov=ORTHOGRAPHIC), size=32)[16, 16].tolist() == list(RED)


@pytest.mark.parametrize("seed", range(6))
def test_triangles_that_share_edges_cover_every_pixel_once(seed):
    """A square cut into triangles with corners on pixel centres, corners and in between: no gap, no overlap."""
    drawer = back_end("cpu")
    size, generator = 32, np.random.default_rng(seed)
    middle = generator.choice([8.5, 12.0, 16.5, 20.0, 23.5, 15.3], 2)
    corners = [(4.5, 4.5), (27.5, 4.5), (27.5, 27.5), (4.5, 27.5)]
    count = np.zeros((size, size), int)
    for index in range(4):
        triangle = [corners[index], corners[(index + 1) % 4], tuple(middle)]
        if generator.random() < 0.5:
            triangle.reverse()
        scene = drawer.load(character(screen_triangle(triangle, size, colored(*RED))), "corrected")
        count += alpha(scene.draw(FRONT, size=size))
    assert count.max() == 1
    assert (count[5:27, 5:27] == 1).all()
    assert count.sum() == 23 * 23  # the square holds 24 centres per axis; top and left ones are its own


def test_top_and_left_edges_own_the_centres_on_them():
    """Our reading of rows from the top; OpenGL's pictures are turned over, so its bottom edges may own them."""
    triangle = screen_triangle([(4.5, 4.5), (20.5, 4.5), (4.5, 20.5)], 32, colored(*RED))
    covered = alpha(back_end("cpu").load(character(triangle), "corrected").draw(FRONT, size=32))
    assert covered[4, 4:20].all()
    assert not covered[4, 20]
    assert covered[4:20, 4].all()
    assert not covered[12, 12]  # on the slanted edge, which is neither top nor left


def test_nearer_surface_wins_whatever_the_order(drawer):
    near, far = square(colored(*RED), half=0.1, z=-0.1), square(colored(*GREEN), half=0.2, z=0.1)
    for parts in ((near, far), (far, near)):
        picture = drawer.load(character(*parts), "paper").draw(FRONT_PERSPECTIVE, size=32)
        assert picture[16, 16].tolist() == list(RED)


def test_crossing_surfaces_split_at_their_intersection(drawer):
    """Two planes that cross along the vertical axis: each wins on its own side."""
    one = part([(-0.2, -0.2, -0.2), (-0.2, 0.2, -0.2), (0.2, 0.2, 0.2), (0.2, -0.2, 0.2)], colored(*RED))
    two = part([(-0.2, -0.2, 0.2), (-0.2, 0.2, 0.2), (0.2, 0.2, -0.2), (0.2, -0.2, -0.2)], colored(*GREEN))
    picture = drawer.load(character(one, two), "corrected").draw(FRONT, size=64)
    assert (picture[32, 16:31] == GREEN).all()  # image left is +x, where the second plane is nearer (−z)
    assert (picture[32, 33:48] == RED).all()


@pytest.mark.parametrize(("shading", "winner"), [("paper", RED), ("corrected", GREEN)])
def test_exact_depth_ties(drawer, shading, winner):
    """`paper`: depth test less, the first stays; `corrected`: less or equal, the last stays."""
    scene = drawer.load(character(square(colored(*RED)), square(colored(*GREEN))), shading)
    assert scene.draw(FRONT, size=16)[8, 8].tolist() == list(winner)


def test_near_plane_cuts_and_what_is_behind_the_camera_stays_away(drawer):
    """A strip along the viewing axis from z = −2 (behind the camera at −1) to +0.2: only |z| ≤ 0.35 is in the cube."""
    strip = part([(0.1, -0.05, -2.0), (-0.1, -0.05, -2.0), (-0.1, -0.05, 0.2), (0.1, -0.05, 0.2)], colored(*RED))
    picture = drawer.load(character(strip), "paper").draw(FRONT_PERSPECTIVE, size=64)
    shown = picture[..., 0] == 255
    rows = np.nonzero(shown.any(axis=1))[0]
    # y = −0.05 at the near plane (0.5 m away): row (1 + 3.732·0.05/0.5)/2·64 = 43.9; at the far end (1.2 m): 36.98.
    assert rows.min() == 37
    assert rows.max() == 43
    solid = alpha(picture).any(axis=1).nonzero()[0]
    assert solid.max() == 40  # the cube ends at z = −0.35, 0.65 m away, at 41.2: the last centre before it is 40.5


def test_beyond_the_far_plane_nothing_is_drawn(drawer):
    floor = part([(0.3, -0.3, 0.0), (-0.3, -0.3, 0.0), (-0.3, -0.3, 5.0), (0.3, -0.3, 5.0)], colored(*RED))
    picture = drawer.load(character(floor), "paper").draw(FRONT_PERSPECTIVE, size=256)
    rows = np.nonzero((picture[..., 0] == 255).any(axis=1))[0]
    assert rows.min() == round((1 + 3.7320508 * 0.3 / 1.5) / 2 * 256)  # the floor at 1.5 m


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e9])
def test_huge_triangles_fill_the_picture(scale):
    """Coordinates far beyond whole-number range are clipped first, not wrapped around."""
    huge = part([(-scale, -scale, 0.0), (scale, -scale, 0.0), (0.0, 2 * scale, 0.0)], colored(*RED))
    cpu = back_end("cpu").load(character(huge), "paper")
    for camera in (FRONT, FRONT_PERSPECTIVE):
        assert (cpu.draw(camera, size=16)[..., 0] == 255).all()


def test_degenerate_and_empty_characters_give_empty_pictures(drawer):
    line = part([(0.0, 0.0, 0.0), (0.1, 0.1, 0.0), (0.2, 0.2, 0.0)], colored(*RED))
    for parts in ((), (line,)):
        both = drawer.load(character(*parts), "corrected").draw_both(FRONT, 16)
        assert not both.colour.any()
        assert not both.position.any()


def test_triangles_with_coordinates_that_are_no_numbers_vanish():
    bad = part([(np.nan, 0.0, 0.0), (0.1, 0.1, 0.0), (0.2, -0.2, np.inf)], colored(*RED))
    picture = back_end("cpu").load(character(bad, square(colored(*GREEN))), "paper").draw(FRONT, size=16)
    assert picture[8, 8].tolist() == list(GREEN)
