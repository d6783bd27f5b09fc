"""The rules of both shadings, one behaviour each, on both back ends: spec/renderer.md §5, §12.2, §12.3."""

from __future__ import annotations

import numpy as np
import pytest

from _exchange.errors import InputError
from _exchange.mesh import Material, Texture
from _render.shading import plan
from tests.render.shapes import FRONT, back_end, character, colored, part, square

RED, GREEN = (255, 0, 0, 255), (0, 255, 0, 255)


@pytest.fixture(params=["cpu", "egl"])
def drawer(request):
    return back_end(request.param)


def _centre(drawer, shading, *parts, what="colour"):
    return drawer.load(character(*parts), shading).draw(FRONT, what, 16)[8, 8].tolist()


# -- paper ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "stays"), [(127, False), (128, True)])
def test_paper_drops_alpha_below_one_half_and_keeps_the_rest(drawer, alpha, stays):
    shown = _centre(drawer, "paper", square(colored(255, 0, 0, alpha), z=-0.1), square(colored(*GREEN)))
    assert shown == ([255, 0, 0, alpha] if stays else list(GREEN))


def test_paper_factor_alpha_takes_part_in_the_test(drawer):
    faint = square(colored(255, 0, 0, 200, color_factor=(1, 1, 1, 0.6)), z=-0.1)
    assert _centre(drawer, "paper", faint, square(colored(*GREEN))) == list(GREEN)


def test_paper_multiplies_stored_values_without_colour_space(drawer):
    half = square(colored(200, 100, 50, 255, color_factor=(0.5, 0.25, 1.0, 1.0)))
    assert _centre(drawer, "paper", half) == [100, 25, 50, 255]


def test_paper_clamps_factors_above_one(drawer):
    assert _centre(drawer, "paper", square(colored(200, 100, 50, 255, color_factor=(2, 2, 2, 1)))) == [
        255,
        200,
        100,
        255,
    ]


def test_paper_draws_both_faces_and_ignores_alpha_mode(drawer):
    for cull in ("back", "front"):
        material = colored(*RED, cull=cull, alpha_mode="BLEND")
        assert _centre(drawer, "paper", square(material)) == list(RED)


def test_paper_leaves_out_parts_without_texture(drawer):
    assert _centre(drawer, "paper", square(Material(cull="none"), z=-0.1), square(colored(*GREEN))) == list(GREEN)


def test_paper_geometry_outside_the_cube_cuts_a_hole(drawer):
    """In front of the head: alpha 0, but its depth hides what is behind."""
    outside = square(colored(*RED), half=0.1, z=-0.4)
    picture = drawer.load(character(square(colored(*GREEN)), outside), "paper").draw(FRONT, "colour", 64)
    assert picture[32, 32].tolist() == [255, 0, 0, 0]
    assert picture[32, 44].tolist() == list(GREEN)


def test_paper_ignores_samplers(drawer):
    """Two texels, red | green, nearest and clamp in the file: drawn linear and repeated."""
    stripes = Texture(np.array([[RED, GREEN]], np.uint8), "clamp", "clamp", "nearest", "nearest")
    beyond = part(
        [(0.2, 0.2, 0), (0.2, -0.2, 0), (-0.2, -0.2, 0), (-0.2, 0.2, 0)],
        Material(texture=stripes),
        [(1.5, 0.5)] * 4,
    )
    red, green, _, _ = _centre(drawer, "paper", beyond)
    assert abs(red - 127.5) <= 1
    assert abs(green - 127.5) <= 1


def test_paper_position_map_carries_the_colours_alpha(drawer):
    position = _centre(drawer, "paper", square(colored(255, 0, 0, 200), z=0.07), what="position")
    assert position[3] == 200
    assert abs(position[2] - (0.07 + 0.35) / 0.7 * 255) <= 0.6


# -- corrected --------------------------------------------------------------------------------------------------


def test_corrected_opaque_writes_alpha_one(drawer):
    assert _centre(drawer, "corrected", square(colored(255, 0, 0, 20))) == [255, 0, 0, 255]


@pytest.mark.parametrize(("cutoff", "stays"), [(0.39, True), (0.4, False)])
def test_corrected_mask_drops_below_its_cutoff_and_writes_alpha_one(drawer, cutoff, stays):
    """Alpha 101/255 = 0.396."""
    masked = square(colored(255, 0, 0, 101, alpha_mode="MASK", alpha_cutoff=cutoff), z=-0.1)
    assert _centre(drawer, "corrected", masked, square(colored(*GREEN))) == (list(RED) if stays else list(GREEN))


def test_corrected_draws_untextured_parts_in_their_factor(drawer):
    assert _centre(drawer, "corrected", square(Material(color_factor=(1, 0.5, 0, 1)))) == [255, 128, 0, 255]


@pytest.mark.parametrize(("cull", "shown"), [("none", True), ("back", True), ("front", False)])
def test_corrected_front_faces_are_counter_clockwise(drawer, cull, shown):
    """`square` is counter-clockwise seen from the front camera."""
    assert (_centre(drawer, "corrected", square(colored(*RED, cull=cull)))[3] == 255) is shown


def test_corrected_geometry_outside_the_cube_vanishes(drawer):
    outside = square(colored(*RED), z=-0.4)
    assert _centre(drawer, "corrected", square(colored(*GREEN)), outside) == list(GREEN)


def test_corrected_cuts_triangles_at_the_cubes_side(drawer):
    """A floor strip reaches from inside to outside through z = −0.35."""
    across = part([(0.1, 0.0, -0.45), (-0.1, 0.0, -0.45), (-0.1, 0.2, -0.15), (0.1, 0.2, -0.15)], colored(*RED))
    picture = drawer.load(character(across), "corrected").draw(FRONT, size=70)
    rows = np.nonzero(picture[:, 35, 3])[0]
    # z = −0.35 at y = 0.0667: row (0.35 − 0.0667)·100 = 28.3; the top y = 0.2 at row 15.
    assert (rows.min(), rows.max()) == (15, 27)


def test_corrected_blends_over_what_is_behind(drawer):
    glass = square(colored(255, 0, 0, 102, alpha_mode="BLEND"), z=-0.1)
    assert _centre(drawer, "corrected", glass, square(colored(*GREEN))) == [102, 153, 0, 255]


def test_corrected_blend_alone_keeps_straight_colour_and_its_alpha(drawer):
    assert _centre(drawer, "corrected", square(colored(255, 128, 0, 102, alpha_mode="BLEND"))) == [255, 128, 0, 102]


def test_corrected_blend_behind_something_solid_is_hidden(drawer):
    glass = square(colored(255, 0, 0, 102, alpha_mode="BLEND"), z=0.1)
    assert _centre(drawer, "corrected", glass, square(colored(*GREEN))) == list(GREEN)


def test_corrected_blends_in_order_of_the_render_queue(drawer):
    """Both half transparent, in one plane: the higher queue is drawn last, so more of it is seen."""
    first = square(colored(255, 0, 0, 128, alpha_mode="BLEND", render_queue=3001))
    second = square(colored(0, 255, 0, 128, alpha_mode="BLEND", render_queue=3000))
    red, green, _, _ = _centre(drawer, "corrected", first, second)
    assert red > green
    red, green, _, _ = _centre(drawer, "corrected", second, first)
    assert red > green


def test_corrected_blend_writes_no_depth_unless_it_asks_for_it(drawer):
    """A nearer glass drawn first lets a farther one drawn later through, except with depth writing."""
    for writes, expected in ((False, True), (True, False)):
        near = square(colored(255, 0, 0, 128, alpha_mode="BLEND", writes_depth_when_blended=writes), z=-0.1)
        far = square(colored(0, 255, 0, 128, alpha_mode="BLEND"), z=0.1)
        assert (_centre(drawer, "corrected", near, far)[1] > 0) is expected


def test_corrected_invisible_blend_writes_no_depth(drawer):
    near = square(colored(255, 0, 0, 0, alpha_mode="BLEND", writes_depth_when_blended=True), z=-0.1)
    far = square(colored(0, 255, 0, 128, alpha_mode="BLEND"), z=0.1)
    assert _centre(drawer, "corrected", near, far) == [0, 255, 0, 128]


def test_corrected_position_comes_from_solid_parts_only(drawer):
    glass = square(colored(255, 0, 0, 128, alpha_mode="BLEND"), z=-0.1)
    assert _centre(drawer, "corrected", glass, what="position") == [0, 0, 0, 0]
    position = _centre(drawer, "corrected", glass, square(colored(*GREEN), z=0.07), what="position")
    assert position[3] == 255
    assert abs(position[2] - (0.07 + 0.35) / 0.7 * 255) <= 0.6


def test_unknown_shading_is_refused():
    with pytest.raises(InputError, match="paper or corrected"):
        plan(character(), "toon")


def test_plan_puts_opaque_before_mask_before_blend_and_keeps_file_order():
    modes = ["BLEND", "MASK", "OPAQUE", "BLEND", "MASK", "OPAQUE"]
    drawn = plan(character(*[square(colored(*RED, alpha_mode=mode)) for mode in modes]), "corrected")
    assert [draw.part for draw in drawn.draws] == [2, 5, 1, 4, 0, 3]
