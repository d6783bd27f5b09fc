"""Which mip level, how many probes, which texel: footprints worked out from the formulas.

Source: spec/renderer.md §5, §5.1; GL_EXT_texture_filter_anisotropic, N = ⌈Pmax/Pmin⌉ ≤ 16, λ = log2(Pmax/N).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from _exchange.camera import Camera
from _exchange.mesh import Material, Texture
from _render import textures
from _render.choose import renderer
from _render.rasterise_plain import draw_plain
from _render.shading import plan
from tests.render.shapes import FRONT, FRONT_PERSPECTIVE, character, colored, part

SIDE, LEVELS, PIXELS = 64, 7, 16
CORNERS = [(0.35, 0.35, 0), (0.35, -0.35, 0), (-0.35, -0.35, 0), (-0.35, 0.35, 0)]
"""The square that fills the front picture: top left, bottom left, bottom right, top right."""


def corner_of_levels() -> NDArray[np.uint8]:
    """64² grey image whose level L has 30·(L + 1) in its top left texel: means of 2×2, 4×4, … from the corner."""
    grey = np.zeros((SIDE, SIDE))
    for level in reversed(range(1, LEVELS)):
        # a quarter of this block is the finer block, the other three have to bring the mean to 30·(level + 1)
        grey[: 2**level, : 2**level] = (4 * 30 * (level + 1) - 30 * level) / 3
    grey[0, 0] = 30
    return np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1).astype(np.uint8)


IMAGE = corner_of_levels()


def drawn_at_the_corner(across: tuple[float, float], down: tuple[float, float], texture_filter: str, **sampler) -> int:
    """Red of a picture whose uv move by these texels per pixel, all beyond the clamped top left corner."""
    step = np.array([across, down]) / SIDE
    places = np.array([(0, 0), (0, PIXELS), (PIXELS, PIXELS), (PIXELS, 0)]) @ step
    uv = places - places.max(axis=0) - 3 * np.abs(step).sum() * PIXELS - 1
    texture = Texture(IMAGE, "clamp", "clamp", **sampler)
    whole = part(CORNERS, Material(texture=texture, cull="none"), uv)
    picture = renderer("cpu").load(character(whole), "corrected", texture_filter).draw(FRONT, size=PIXELS)
    assert (picture == picture[8, 8]).all()
    return int(picture[8, 8, 0])


def test_the_image_has_one_value_per_level():
    assert [level[0, 0, 0] for level in textures.mip_chain(IMAGE)] == [30, 60, 90, 120, 150, 180, 210]


COMPONENTS = st.floats(-90, 90).map(lambda value: round(value, 2))


@settings(derandomize=True, max_examples=120, deadline=None)
@given(across=st.tuples(COMPONENTS, COMPONENTS), down=st.tuples(COMPONENTS, COMPONENTS))
def test_trilinear_takes_the_level_of_the_footprints_shorter_side_up_to_sixteen_probes(across, down):
    longer, shorter = sorted((math.hypot(*across), math.hypot(*down)), reverse=True)
    assume(shorter > 0.05)
    ratio = longer / shorter
    assume(abs(ratio - round(ratio)) > 1e-3)  # at whole ratios rounding decides on one probe more or fewer
    level = math.log2(longer / min(math.ceil(ratio), 16))
    expected = 30 * (1 + min(max(level, 0), LEVELS - 1))
    # levels are mixed in steps of 1/256: 30/512 = 0.06, then a byte is rounded
    assert abs(drawn_at_the_corner(across, down, "trilinear") - expected) <= 0.6


@settings(derandomize=True, max_examples=120, deadline=None)
@given(across=st.tuples(COMPONENTS, COMPONENTS), down=st.tuples(COMPONENTS, COMPONENTS))
def test_mesa_takes_the_level_below_the_footprints_shorter_side_and_mixes_none(across, down):
    shorter = min(math.hypot(*across), math.hypot(*down))
    assume(shorter > 0.05)
    level = math.log2(shorter)
    assume(abs(level - round(level)) > 1e-3)
    assert drawn_at_the_corner(across, down, "mesa") == 30 * (1 + min(max(math.floor(level), 0), LEVELS - 1))


@pytest.mark.parametrize("minify", ["linear", "nearest"])
@pytest.mark.parametrize("scale", [0.5, 3.0, 40.0])
def test_minification_without_mips_never_leaves_level_zero(minify, scale):
    assert drawn_at_the_corner((scale, 0), (0, scale), "trilinear", minify=minify) == 30


@pytest.mark.parametrize(("scale", "expected"), [(0.99, 30), (2.0, 60), (8.0, 120), (1000.0, 210)])
def test_whole_levels_are_taken_alone_and_the_last_one_is_kept(scale, expected):
    assert drawn_at_the_corner((scale, 0), (0, scale), "trilinear") == expected


# -- mip levels and wrapping against scipy ------------------------------------------------------------------------


@settings(derandomize=True, max_examples=25, deadline=None)
@given(height=st.integers(1, 37), width=st.integers(1, 37), seed=st.integers(0, 999))
def test_every_level_is_the_bilinear_sample_at_the_new_texels_centres(height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4)).astype(np.uint8)
    chain = textures.mip_chain(pixels)
    assert len(chain) == 1 + math.floor(math.log2(max(height, width)))
    for finer, coarser in itertools.pairwise(chain):
        sizes = [max(1, side // 2) for side in finer.shape[:2]]
        places = [(np.arange(new) + 0.5) * old / new - 0.5 for new, old in zip(sizes, finer.shape)]
        grid = np.meshgrid(*places, indexing="ij")
        for channel in range(4):
            exact = ndimage.map_coordinates(finer[..., channel].astype(float), grid, order=1, mode="nearest")
            assert coarser.shape[:2] == exact.shape
            assert np.abs(coarser[..., channel] - exact).max() <= 0.5 + 1e-9


SCIPY_MODES = {"repeat": "grid-wrap", "clamp": "nearest", "mirror": "reflect"}
PAD_MODES = {"repeat": "wrap", "clamp": "edge", "mirror": "symmetric"}


def _beyond(magnify: str, wrap_u: str, wrap_v: str) -> tuple[NDArray, NDArray, NDArray]:
    """A 5 × 7 image seen from uv −2 to 2 over 120 pixels; the picture, and the texel positions (row, col) of pixels."""
    image = np.random.default_rng(5).integers(0, 256, (5, 7, 4)).astype(np.uint8)
    image[..., 3] = 255
    texture = Texture(image, wrap_u, wrap_v, magnify)
    whole = part(CORNERS, Material(texture=texture, cull="none"), [(-2, -2), (-2, 2), (2, 2), (2, -2)])
    picture = renderer("cpu").load(character(whole)).draw(FRONT, size=120)
    uv = (np.arange(120) + 0.5) / 120 * 4 - 2
    return picture[..., :3].astype(float), image[..., :3].astype(float), uv


@pytest.mark.parametrize("wrap_u", SCIPY_MODES)
@pytest.mark.parametrize("wrap_v", SCIPY_MODES)
def test_linear_magnification_across_borders(wrap_u, wrap_v):
    """Axis after axis, since they may wrap differently. Positions are rounded to 1/256 texel: 255/512 per axis."""
    picture, image, uv = _beyond("linear", wrap_u, wrap_v)
    for axis, wrap in ((0, wrap_v), (1, wrap_u)):
        places = [np.arange(size, dtype=float) for size in image.shape]
        places[axis] = uv * image.shape[axis] - 0.5
        grid = np.meshgrid(*places, indexing="ij")
        image = ndimage.map_coordinates(image, grid, order=1, mode=SCIPY_MODES[wrap])
    assert np.abs(picture - image).max() <= 1.6


@pytest.mark.parametrize("wrap_u", PAD_MODES)
@pytest.mark.parametrize("wrap_v", PAD_MODES)
def test_nearest_magnification_across_borders(wrap_u, wrap_v):
    """The texel that holds the point: ⌊u·W⌋ of the image continued by numpy."""
    picture, image, uv = _beyond("nearest", wrap_u, wrap_v)
    height, width = image.shape[:2]
    image = np.pad(image, ((2 * height, height), (0, 0), (0, 0)), PAD_MODES[wrap_v])
    image = np.pad(image, ((0, 0), (2 * width, width), (0, 0)), PAD_MODES[wrap_u])
    rows, cols = (np.floor(uv * side).astype(int) + 2 * side for side in (height, width))
    assert (picture == image[rows][:, cols]).all()


# -- the alpha test -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texture_filter", ["trilinear", "mesa"])
@pytest.mark.parametrize("shading", ["paper", "corrected"])
@pytest.mark.parametrize("stretch", [0.5, 2.0, 8.0])
def test_alpha_that_equals_the_cutoff_stays_whatever_the_filter_rounds(texture_filter, shading, stretch):
    """Opaque texels times factor 0.5 are exactly 0.5 for any weights; only *below* 0.5 is dropped."""
    opaque = Texture(np.full((64, 64, 4), 255, np.uint8))
    tilted = [(0.3, 0.3, -0.2), (0.3, -0.3, 0.1), (-0.3, -0.3, 0.2), (-0.3, 0.3, -0.1)]
    half = Material(texture=opaque, color_factor=(1, 1, 1, 0.5), alpha_mode="MASK", alpha_cutoff=0.5, cull="none")
    uv = np.array([(0.1, 0.9), (0.8, 0.2), (0.3, 0.4), (0.9, 0.7)]) * stretch
    kept = renderer("cpu").load(character(part(tilted, half, uv)), shading, texture_filter)
    whole = renderer("cpu").load(character(part(tilted, colored(255, 255, 255, 255))), shading)
    truth = whole.draw(FRONT_PERSPECTIVE, size=48)[..., 3] > 0
    assert truth.sum() > 500
    assert ((kept.draw(FRONT_PERSPECTIVE, size=48)[..., 3] > 0) == truth).all()
    just_below = replace(half, color_factor=(1, 1, 1, 0.499))
    gone = renderer("cpu").load(character(part(tilted, just_below, uv)), shading, texture_filter)
    assert not gone.draw(FRONT_PERSPECTIVE, size=48).any()


def test_the_obvious_loop_keeps_alpha_that_equals_the_cutoff():
    opaque = Texture(np.full((8, 8, 4), 255, np.uint8))
    half = Material(texture=opaque, color_factor=(1, 1, 1, 0.5), cull="none")
    mesh = character(part(CORNERS, half, [(0, 0), (0, 3.3), (7.1, 3.3), (7.1, 0)]))
    for texture_filter in ("trilinear", "mesa"):
        assert (draw_plain(mesh, plan(mesh, "paper"), FRONT, 8, texture_filter).colour[..., 3] == 128).all()


# -- perspective --------------------------------------------------------------------------------------------------


@settings(derandomize=True, max_examples=25, deadline=None)
@given(
    elev=st.floats(-60, 60),
    azim=st.floats(-40, 40),
    tilt=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    dist=st.floats(0.9, 1.3),
)
def test_interpolation_on_a_tilted_quadrilateral_is_perspective_correct(elev, azim, tilt, dist):
    """Position, uv and depth of every pixel against its ray's intersection with the plane z = t_x·x + t_y·y."""
    size, camera = 48, Camera(elev, azim, dist=dist)
    sides = np.array([(0.2, 0.2), (0.2, -0.2), (-0.2, -0.2), (-0.2, 0.2)])
    corners = np.concatenate([sides, (sides @ tilt)[:, None]], axis=1)
    sheet = part(corners, colored(255, 0, 0, 255), [(0, 0), (0, 1), (1, 1), (1, 0)])
    buffers = renderer("cpu").load(character(sheet)).geometry_buffers(camera, size)
    origins, directions = (values * [-1, 1, -1] for values in camera.rays(size))
    normal = np.array([tilt[0], tilt[1], -1.0])
    facing = np.abs(directions @ normal) / np.linalg.norm(normal)
    assume(facing[size // 2, size // 2] > 0.3)
    points = origins - ((origins @ normal) / (directions @ normal))[..., None] * directions
    shown = buffers.part >= 0
    assert shown.sum() > 30
    # corners are snapped by up to 1/512 pixel per axis; a pixel is 2·tan 15°·(distance ≤ 1.7)/48 m, slanted
    tolerance = np.hypot(1, 1) / 512 * 0.536 * 1.7 / size / 0.1
    assert np.abs(buffers.position - points)[shown].max() < tolerance
    uv = np.stack([0.2 - points[..., 0], 0.2 - points[..., 1]], axis=-1) / 0.4
    assert np.abs(buffers.uv - uv)[shown].max() < tolerance / 0.4
    along = (points - origins) @ (camera.head_world_from_opencv()[:3, 2] * [-1, 1, -1])
    assert np.abs(buffers.depth - along)[shown].max() < tolerance
