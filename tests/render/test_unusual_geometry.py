"""Coordinates that are huge, infinite or no numbers, and surfaces just inside and outside the clipping planes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _exchange.camera import CAM60, ORTHO, ORTHOGRAPHIC, Camera
from _exchange.errors import InputError
from _exchange.mesh import Material, Part, Texture
from _render.choose import renderer
from tests.render.shapes import (
    FRONT,
    FRONT_PERSPECTIVE,
    back_end,
    character,
    colored,
    egl_or_skip,
    part,
    plain_texture,
    square,
)

RED, GREEN = (255, 0, 0, 255), (0, 255, 0, 255)


@pytest.fixture(params=["cpu", "egl"])
def drawer(request):
    return back_end(request.param)


# -- coordinates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("corner", range(3))
def test_a_triangle_with_one_bad_corner_vanishes_alone(drawer, bad, corner):
    """The second triangle of the same part is drawn; nothing else is, under either projection."""
    positions = np.array([(0.1, 0.3, 0), (-0.1, 0.3, 0), (0, 0.1, 0), (0.3, 0, 0), (-0.3, 0, 0), (0, -0.3, 0)])
    alone = Part(
        positions.astype(np.float32),
        np.zeros((6, 2), np.float32),
        np.array([(3, 4, 5)], np.int32),
        colored(*RED),
        np.ones(6, bool),
    )
    spoilt = positions.astype(np.float32)
    spoilt[corner, corner] = bad
    both = replace(alone, positions=spoilt, faces=np.array([(0, 1, 2), (3, 4, 5)], np.int32))
    for camera in (FRONT, FRONT_PERSPECTIVE):
        truth = drawer.load(character(alone), "paper").draw(camera, size=32)
        assert truth.any()
        assert (drawer.load(character(both), "paper").draw(camera, size=32) == truth).all()


def test_triangles_keep_their_numbers_when_one_before_them_vanishes():
    sheet = square(colored(*RED), half=0.2)
    positions = np.concatenate([np.full((1, 3), np.nan, np.float32), sheet.positions])
    faces = np.concatenate([[(0, 1, 2)], sheet.faces + 1]).astype(np.int32)
    mixed = replace(sheet, positions=positions, faces=faces, uv=np.zeros((5, 2), np.float32), on_head=np.ones(5, bool))
    buffers = renderer("cpu").load(character(mixed)).geometry_buffers(FRONT, 32)
    assert set(np.unique(buffers.face)) == {-1, 1, 2}


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.data())
def test_any_finite_coordinates_are_drawn_within_the_colours_of_the_image(data):
    """Positions and texture coordinates of every size: no crash, and a colour that no filter could make up."""
    exponents = st.integers(-6, 38)
    generator = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    size_of = 10.0 ** np.array(data.draw(st.lists(exponents, min_size=12, max_size=12)))
    uv_size = 10.0 ** np.array(data.draw(st.lists(exponents, min_size=12, max_size=12)))
    positions = generator.uniform(-3, 3, (12, 3)) * size_of[:, None]
    uv = generator.uniform(-3, 3, (12, 2)) * uv_size[:, None]
    texture = Texture(
        np.array([[(100, 150, 40, 255), (120, 170, 60, 255)]] * 3, np.uint8),
        wrap_u=data.draw(st.sampled_from(["repeat", "clamp", "mirror"])),
        wrap_v=data.draw(st.sampled_from(["repeat", "clamp", "mirror"])),
        magnify=data.draw(st.sampled_from(["linear", "nearest"])),
        minify=data.draw(st.sampled_from(["trilinear", "linear", "nearest"])),
    )
    one = Part(
        positions.astype(np.float32),
        uv.astype(np.float32),
        np.arange(12, dtype=np.int32).reshape(-1, 3),
        Material(texture=texture, cull="none", alpha_mode="MASK", alpha_cutoff=0.5),
        np.ones(12, bool),
    )
    for texture_filter in ("trilinear", "mesa"):
        scene = renderer("cpu").load(character(one), "paper", texture_filter)
        for camera in (CAM60[42], ORTHO["left"]):
            drawn = scene.draw_both(camera, 16)
            colour = drawn.colour[drawn.colour.any(axis=-1)]
            assert ((colour[:, :3] >= (99, 149, 39)) & (colour[:, :3] <= (121, 171, 61))).all()


# -- near and far -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fov", [30.0, ORTHOGRAPHIC])
@pytest.mark.parametrize(
    ("distance", "shown"), [(0.499, False), (0.501, True), (1.0, True), (1.499, True), (1.501, False)]
)
def test_only_what_is_between_the_near_and_far_planes_is_drawn(drawer, fov, distance, shown):
    """The camera stands at z = −1 of `head_model`; `paper` writes colour outside the cube too."""
    sheet = square(colored(*RED), half=0.1, z=distance - 1)
    picture = drawer.load(character(sheet), "paper").draw(Camera(0.0, 0.0, fov=fov), size=16)
    assert (picture[8, 8, 0] == 255) is np.bool_(shown)


def test_near_and_far_move_with_the_camera():
    sheet = square(colored(*RED), half=0.3)
    scene = renderer("cpu").load(character(sheet))
    assert not scene.draw(Camera(0.0, 0.0, dist=3.0), size=32).any()
    picture = scene.draw(Camera(0.0, 0.0, dist=3.0, near=2.5, far=3.5), size=32)
    # half side 0.3 m at 3 m: 3.732·0.3/3/2·32 = 5.97 pixels on either side of the middle
    assert np.flatnonzero(picture[16, :, 3]).tolist() == list(range(10, 22))


@pytest.mark.parametrize("shading", ["paper", "corrected"])
def test_the_cube_ends_where_the_view_ray_leaves_it(drawer, shading):
    """A tilted plane larger than the cube: every pixel against the intersection of its ray with the plane."""
    size, camera = 96, Camera(20.0, 35.0)
    corners = np.array([(0.6, 0.5, -0.3), (0.6, -0.5, 0.0), (-0.6, -0.5, 0.3), (-0.6, 0.5, 0.0)])
    picture = drawer.load(character(part(corners, colored(*RED))), shading).draw(camera, size=size)
    origins, directions = (values * [-1, 1, -1] for values in camera.rays(size))
    normal = np.cross(corners[1] - corners[0], corners[3] - corners[0])
    distance = ((corners[0] - origins) @ normal) / (directions @ normal)
    farthest = np.abs(origins + distance[..., None] * directions).max(axis=-1)
    inside, outside = farthest < 0.3498, (farthest > 0.3502) & (farthest < 0.45)
    assert inside.sum() > 1000
    assert outside.sum() > 500
    assert (picture[inside] == RED).all()
    assert (picture[outside] == ((255, 0, 0, 0) if shading == "paper" else (0, 0, 0, 0))).all()


def test_opengl_refuses_an_image_that_the_device_cannot_hold():
    """Drivers leave such an image black without a word."""
    opengl = egl_or_skip()
    wide = Texture(np.full((1, opengl.largest_side + 1, 4), 255, np.uint8))
    with pytest.raises(InputError, match=rf"at most {opengl.largest_side} texels.*back end cpu"):
        opengl.load(character(square(Material(texture=wide))))


def test_one_image_may_serve_several_samplers(drawer):
    """Two parts share pixels but wrap differently beyond the border."""
    pixels = np.array([[RED, GREEN]], np.uint8)
    parts = [
        part(
            [(x, 0.1, 0), (x, -0.1, 0), (x - 0.2, -0.1, 0), (x - 0.2, 0.1, 0)],
            Material(texture=Texture(pixels, wrap_u=wrap, magnify="nearest"), cull="none"),
            [(1.25, 0.5)] * 4,
        )
        for x, wrap in ((0.25, "repeat"), (-0.05, "clamp"))
    ]
    picture = drawer.load(character(*parts)).draw(FRONT, size=28)
    assert picture[14, 8].tolist() == list(RED)
    assert picture[14, 20].tolist() == list(GREEN)


def test_a_plain_texture_shows_its_colour_at_any_minification(drawer):
    sheet = square(Material(texture=plain_texture(3, 50, 201, 255), cull="none"), half=0.3)
    for scale in (1e-6, 1.0, 1e4):
        scaled = replace(sheet, uv=sheet.uv * np.float32(scale))
        assert drawer.load(character(scaled)).draw(FRONT, size=16)[8, 8].tolist() == [3, 50, 201, 255]
