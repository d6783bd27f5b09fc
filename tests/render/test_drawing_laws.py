"""Laws of pictures: compositing in order, independence of order, reduction as Pillow's, twins on random scenes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from _exchange.camera import ORTHO, Camera
from _exchange.errors import InputError
from _exchange.mesh import HeadMesh, Material, Texture
from _render import position_map
from _render.choose import renderer
from _render.framebuffer import on_white, reduced, reduced_on_white
from _render.illustration import IllustrationStyle, illustration_layers
from _render.normals import smooth_normals
from _render.rasterise_plain import draw_plain
from _render.shading import plan
from _render.turntable import draw_turntable, turntable_cameras
from tests.render.shapes import FRONT, back_end, character, colored, egl_or_skip, part, square
from tests.render.test_back_ends_agree import random_character

BYTE = st.integers(0, 255)


# -- blending -----------------------------------------------------------------------------------------------------

GLASS = st.tuples(st.integers(2998, 3002), st.tuples(BYTE, BYTE, BYTE, st.integers(1, 255)), st.booleans())


@pytest.mark.parametrize("name", ["cpu", "egl"])
def test_blended_parts_are_composited_by_queue_then_file_order_whatever_their_depth(name):
    """Straight from the formula: c = a·c_src + (1 − a)·c_dst and A = a + (1 − a)·A_dst, never rounded in between."""
    drawer = back_end(name)

    @settings(derandomize=True, max_examples=25, deadline=None)
    @given(glasses=st.lists(GLASS, min_size=1, max_size=6), base=st.none() | st.tuples(BYTE, BYTE, BYTE, st.just(255)))
    def check(glasses, base):
        parts = [
            square(colored(*color, alpha_mode="BLEND", render_queue=queue), z=-0.2 if is_near else -0.1)
            for queue, color, is_near in glasses
        ]
        colour, alpha = np.zeros(3), 0.0
        if base is not None:
            parts.insert(len(parts) // 2, square(colored(*base)))
            colour, alpha = np.array(base[:3]) / 255, 1.0
        for _, color, _ in sorted(glasses, key=lambda glass: glass[0]):
            share = color[3] / 255
            colour = share * np.array(color[:3]) / 255 + (1 - share) * colour
            alpha = share + (1 - share) * alpha
        expected = np.array([*(colour / alpha), alpha]) * 255
        shown = drawer.load(character(*parts)).draw(FRONT, size=4)[2, 2]
        assert np.abs(shown - expected).max() <= 0.51  # sums of float32

    check()


@pytest.mark.parametrize("name", ["cpu", "egl"])
def test_solid_colours_are_clamped_before_glass_lies_on_them(name):
    """A factor of 2 stays one: half a glass of blue over it leaves half of red, not all of it."""
    bright = square(Material(color_factor=(2.0, 0.5, 0.0, 1.0), cull="none"))
    glass = square(colored(0, 0, 255, 128, alpha_mode="BLEND"), z=-0.1)
    shown = back_end(name).load(character(bright, glass)).draw(FRONT, size=4)[2, 2]
    assert np.abs(shown - np.array([127, 63.5, 128, 255])).max() <= 1


def test_position_maps_of_glass_that_writes_depth_stay_empty():
    glass = square(colored(0, 0, 255, 128, alpha_mode="BLEND", writes_depth_when_blended=True), z=-0.1)
    behind = square(colored(255, 0, 0, 255), half=0.1)
    both = renderer("cpu").load(character(glass, behind)).draw_both(FRONT, 64)
    assert both.colour[32, 20, 3] == 128
    assert not both.position[32, 20].any()
    assert both.position[32, 32, 3] == 255


# -- order --------------------------------------------------------------------------------------------------------


@settings(derandomize=True, max_examples=15, deadline=None)
@given(order=st.permutations(range(6)), shading=st.sampled_from(["paper", "corrected"]), seed=st.integers(0, 99))
def test_solid_parts_at_different_depths_may_come_in_any_order(order, shading, seed):
    generator = np.random.default_rng(seed)
    parts = []
    for index in range(6):
        corners = generator.uniform(-0.25, 0.25, (3, 2))
        depth = -0.3 + 0.1 * index
        color = (*generator.integers(0, 256, 3), 255 if index % 2 else 140)
        material = colored(*color, alpha_mode="MASK" if index % 2 else "OPAQUE")
        parts.append(part([(x, y, depth) for x, y in corners], material))
    one = renderer("cpu").load(character(*parts), shading).draw_both(Camera(10.0, 25.0), 48)
    other = (
        renderer("cpu").load(character(*[parts[index] for index in order]), shading).draw_both(Camera(10.0, 25.0), 48)
    )
    assert (one.colour == other.colour).all()
    assert (one.position == other.position).all()


@pytest.mark.parametrize("name", ["cpu", "egl"])
@pytest.mark.parametrize(("shading", "winner"), [("paper", 0), ("corrected", 3)])
def test_of_many_coplanar_surfaces_the_first_or_the_last_is_shown_in_every_pixel(name, shading, winner):
    """Same corners, so same depths, tilted towards the camera; alpha below the cutoff never takes part."""
    corners = [(0.2, 0.2, -0.1), (0.2, -0.2, 0.2), (-0.2, -0.2, 0.1), (-0.2, 0.2, -0.2)]
    colors = [(255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (255, 255, 0, 255)]
    faint = [part(corners, colored(9, 9, 9, 100, alpha_mode="MASK"))]
    parts = [*faint, *(part(corners, colored(*color)) for color in colors), *faint]
    picture = back_end(name).load(character(*parts), shading).draw(Camera(5.0, 10.0), size=64)
    covered = picture[..., 3] > 0
    assert covered.sum() > 300
    assert (picture[covered] == colors[winner]).all()


# -- twins --------------------------------------------------------------------------------------------------------


@settings(derandomize=True, max_examples=10, deadline=None)
@given(
    seed=st.integers(10, 9999),
    elev=st.floats(-90, 90),
    azim=st.floats(-1e5, 1e5),
    fov=st.sampled_from([30.0, 55.0, -1.0]),
    way=st.tuples(st.sampled_from(["paper", "corrected"]), st.sampled_from(["trilinear", "mesa"])),
)
def test_fast_rasteriser_equals_the_obvious_loop_on_any_scene_from_anywhere(seed, elev, azim, fov, way):
    """Tolerance as in `test_back_ends_agree`; at wide angles one cull or wrap rule wrong moves whole triangles."""
    head_mesh, (shading, texture_filter) = random_character(seed), way
    camera = Camera(elev, azim, dist=1.4, fov=fov, near=0.5, far=2.4)
    truth = draw_plain(head_mesh, plan(head_mesh, shading), camera, 14, texture_filter)
    drawn = renderer("cpu").load(head_mesh, shading, texture_filter).draw_both(camera, 14)
    for ours, theirs in ((drawn.colour, truth.colour), (drawn.position, truth.position)):
        difference = np.abs(ours.astype(int) - theirs.astype(int))
        assert difference.max() <= 1
        assert (difference > 0).any(axis=-1).mean() <= 0.03


def blocky_character(seed: int) -> HeadMesh:
    """A random character whose images are magnified blocks: drivers and the CPU then share every rule of samplers."""
    parts = []
    for number, one in enumerate(random_character(seed).parts):
        generator = np.random.default_rng([seed, number])
        pixels = generator.integers(0, 256, (3, 5, 4)).astype(np.uint8)
        pixels[..., 3] = generator.choice([40, 160, 255], (3, 5))
        had = one.material.texture
        texture = None if had is None else Texture(pixels, had.wrap_u, had.wrap_v, "nearest", "nearest")
        material = replace(one.material, texture=texture, alpha_cutoff=0.5)
        parts.append(replace(one, uv=(one.uv / np.abs(one.uv).max() * 3).astype(np.float32), material=material))
    return character(*parts)


@pytest.mark.parametrize("seed", range(20, 26))
def test_opengl_agrees_on_wrapping_masks_culling_and_queues(seed):
    """Measured: ≥ 99.98 % of pixels; borders of blocks and triangles may fall to the other side."""
    opengl = egl_or_skip()
    head_mesh = blocky_character(seed)
    camera = Camera(12.0, 77.0 + seed, dist=1.4, far=2.4)
    ours = renderer("cpu").load(head_mesh, "corrected", opengl.texture_filter).draw_both(camera, 192)
    theirs = opengl.load(head_mesh, "corrected", opengl.texture_filter).draw_both(camera, 192)
    assert ours.colour.any()
    assert (np.abs(ours.colour.astype(int) - theirs.colour) <= 6).all(axis=-1).mean() >= 0.998
    assert (np.abs(ours.position.astype(int) - theirs.position) <= 2).all(axis=-1).mean() >= 0.998


# -- reduction and encoding -----------------------------------------------------------------------------------------


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    seed=st.integers(0, 10**6),
    empty=st.sampled_from([0, 0.5, 0.95]),
)
def test_reduction_is_pillows_for_any_picture(height, width, seed, empty):
    """Down to a single pixel; transparent pixels keep arbitrary colours, which must not show."""
    height = min(height, 2 * width)  # of taller pictures Pillow weighs the rows first
    generator = np.random.default_rng(seed)
    picture = generator.integers(0, 256, (2 * height, 2 * width, 4)).astype(np.uint8)
    picture[generator.random((2 * height, 2 * width)) < empty, 3] = 0
    resized = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
    assert (reduced(picture) == resized).all()
    assert (reduced_on_white(picture) == on_white(resized)).all()


def test_a_single_pixel_is_the_premultiplied_mean_of_four():
    picture = np.array([[(255, 0, 0, 255), (0, 255, 0, 255)], [(9, 9, 9, 0), (9, 9, 9, 0)]], np.uint8)
    assert np.abs(reduced(picture)[0, 0] - np.array([127.5, 127.5, 0, 127.5])).max() <= 1


def test_reduction_takes_views_of_arrays():
    picture = np.random.default_rng(0).integers(0, 256, (12, 16, 4)).astype(np.uint8)
    assert (reduced(picture[::-1]) == reduced(picture[::-1].copy())).all()


@pytest.mark.parametrize(
    ("shape", "dtype"), [((5, 4, 4), np.uint8), ((4, 6, 3), np.uint8), ((4, 4), np.uint8), ((4, 4, 4), np.float32)]
)
def test_what_cannot_be_halved_is_refused_by_shape_and_type(shape, dtype):
    with pytest.raises(InputError, match=rf"\(2H, 2W, 4\), uint8, found {np.dtype(dtype)} of shape \({shape[0]}, "):
        reduced(np.zeros(shape, dtype))


@settings(derandomize=True, max_examples=15, deadline=None)
@given(x=st.floats(-0.34, 0.34), y=st.floats(-0.34, 0.34), z=st.floats(-0.34, 0.34))
def test_drawn_positions_are_encoded_to_the_nearest_byte(x, y, z):
    """A sheet of one depth, moved about: the drawn map is `position_map.encode` where rounding leaves no doubt."""
    sheet = square(colored(1, 2, 3, 255), half=0.7, z=z, centre=(x, y))
    picture = renderer("cpu").load(character(sheet)).draw(ORTHO["front"], "position", 8)
    centre = (np.arange(8) + 0.5) / 8 * 0.7 - 0.35
    points = np.stack(np.broadcast_arrays(-centre[None, :], -centre[:, None], z), axis=-1)
    exact = (points + 0.35) / 0.7 * 255
    sure = np.abs(exact - np.floor(exact) - 0.5) > 0.51 / 8  # corners are snapped to 1/256 of these large pixels
    shown = picture[..., 3] == 255
    assert shown.any()
    assert (np.abs(picture[..., :3] - position_map.encode(points).astype(int)) <= 1)[shown].all()
    assert (picture[..., 2] == position_map.encode(points)[..., 2])[shown & sure[..., 2]].all()


# -- normals, turntable, illustration -------------------------------------------------------------------------------


def test_normals_are_welded_across_both_zeros():
    """Mirrored files hold −0 where others hold 0: the same place all the same."""
    positions = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (-0.0, 0, 0), (0, 1, -0.0), (-0.0, 0, 1)], np.float32)
    normals = smooth_normals(positions, np.array([(0, 1, 2), (3, 4, 5)], np.int32))
    np.testing.assert_allclose(normals[0], normals[3], atol=1e-7)
    np.testing.assert_allclose(normals[0], np.array([1, 0, 1]) / np.sqrt(2), atol=1e-6)


def test_the_smallest_turntable_frame_is_the_mean_of_what_is_drawn():
    """One pixel from two by two: red all over stays red."""
    scene = renderer("cpu").load(character(square(colored(200, 30, 60, 255), half=0.34)))
    frame = draw_turntable(scene, turntable_cameras(1), 1)[0]
    assert np.abs(frame[0, 0].astype(int) - [200, 30, 60]).max() <= 1


@pytest.mark.parametrize(("shading", "seed"), [("paper", 3), ("corrected", 5)])
def test_an_illustration_covers_what_its_picture_covers_and_shade_only_darkens(shading, seed):
    """Any scene, holes and glass included, from a perspective camera."""
    scene, camera = renderer("cpu").load(random_character(seed), shading), Camera(15.0, 200.0, dist=1.4, far=2.4)
    drawing = illustration_layers(scene, camera, replace(IllustrationStyle(), line_strength=0.0))
    assert (drawing.alpha == reduced(scene.draw(camera, size=1024))[..., 3]).all()
    assert 0 < (drawing.alpha > 0).mean() < 1
    assert (drawing.picture.astype(int) <= drawing.flat.astype(int) + 1)[drawing.alpha == 255].all()
    empty = drawing.alpha == 0
    assert not drawing.lines[empty].any()
    assert (drawing.shade[empty] == 255).mean() > 0.9


def test_an_illustration_of_a_mirrored_character_is_the_mirrored_illustration():
    """With the light in the plane of symmetry; rows of pixels are symmetric, but for edges on pixel centres."""
    generator = np.random.default_rng(4)
    corners = generator.uniform(-0.2, 0.2, (6, 3, 3))
    styles = replace(IllustrationStyle(), light=(0.0, 0.75, 0.65))
    colors = generator.integers(60, 220, (6, 3))
    drawn = []
    for side in (1, -1):
        parts = [part(points * [side, 1, 1], colored(*color, 255)) for points, color in zip(corners, colors)]
        drawn.append(illustration_layers(renderer("cpu").load(character(*parts)), ORTHO["front"], styles).picture)
    close = np.abs(drawn[0].astype(int) - drawn[1][:, ::-1]).max(axis=-1) <= 8
    assert (drawn[0][..., 3] > 0).mean() > 0.05
    assert close[drawn[0][..., 3] > 0].mean() > 0.97
