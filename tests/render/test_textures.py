"""Mip chains and texture filters: closed forms on the plain and the fast version."""

from __future__ import annotations

import functools
import itertools
import operator

import numpy as np
import pytest

from _exchange.camera import CAM60
from _exchange.mesh import Material, Texture
from _render import textures
from _render.rasterise_plain import draw_plain
from _render.sample_plain import next_level
from _render.shading import plan
from tests.render.shapes import FRONT, FRONT_PERSPECTIVE, back_end, character, part, square


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 4)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (1, 9), (6, 1), (1, 1), (13, 2)])
def test_mip_chain_ends_at_one_texel_and_halves_rounding_down(shape):
    chain = textures.mip_chain(_noise(*shape))
    assert chain[-1].shape == (1, 1, 4)
    for finer, coarser in itertools.pairwise(chain):
        assert coarser.shape[:2] == tuple(max(1, side // 2) for side in finer.shape[:2])


def test_mip_level_of_even_sizes_is_the_mean_of_two_by_two():
    pixels = _noise(16, 12)
    mean = pixels.reshape(8, 2, 6, 2, 4).astype(float).mean(axis=(1, 3))
    assert (textures.mip_chain(pixels)[1] == np.floor(mean + 0.5)).all()


def test_mip_level_of_three_texels_is_the_middle_one():
    """Source position (0 + ½)·3/1 − ½ = 1: the centre texel, not the mean."""
    row = np.array([[[10] * 4, [90] * 4, [250] * 4]], np.uint8)
    assert textures.mip_chain(row)[1].ravel().tolist() == [90] * 4


@pytest.mark.parametrize("shape", [(9, 7), (5, 12), (1, 6), (31, 3)])
def test_fast_mip_level_equals_the_obvious_loop(shape):
    pixels = _noise(*shape)
    assert np.abs(textures.mip_chain(pixels)[1].astype(int) - next_level(pixels)).max() <= 1  # halves, summed otherwise


def test_store_keeps_texels_levels_and_least_alpha():
    images = [_noise(4, 2), _noise(3, 3)]
    store = textures.pack(images)
    assert store.level_counts.tolist() == [3, 2]
    offset, width, height = store.levels[1, 0]
    assert (width, height) == (3, 3)
    red = store.texels[offset : offset + 9] & 0xFF
    assert (red.reshape(3, 3) == images[1][..., 0]).all()
    assert store.least_alpha.tolist() == [image[..., 3].min() for image in images]


# -- samplers, on the square that fills the picture ------------------------------------------------------------------


def _drawn(texture: Texture, uv, size: int = 16, backend: str = "cpu") -> np.ndarray:
    corners = [(0.35, 0.35, 0), (0.35, -0.35, 0), (-0.35, -0.35, 0), (-0.35, 0.35, 0)]
    whole = part(corners, Material(texture=texture, cull="none"), uv)
    return back_end(backend).load(character(whole), "corrected").draw(FRONT, size=size)


WHOLE = [(0, 0), (0, 1), (1, 1), (1, 0)]
RAMP = np.zeros((1, 4, 4), np.uint8)
RAMP[0, :, 0] = [0, 80, 160, 240]
RAMP[..., 3] = 255


@pytest.mark.parametrize("backend", ["cpu", "egl"])
def test_texel_rows_run_downwards_and_columns_to_the_right(backend):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 1] = 255
    picture = _drawn(Texture(pixels, magnify="nearest"), WHOLE, backend=backend)
    assert picture[4, 12, 0] == 255
    assert picture[4, 4, 0] == picture[12, 4, 0] == picture[12, 12, 0] == 0


@pytest.mark.parametrize("backend", ["cpu", "egl"])
def test_nearest_magnification_shows_blocks(backend):
    row = _drawn(Texture(RAMP, magnify="nearest"), WHOLE, backend=backend)[8, :, 0]
    assert row.tolist() == functools.reduce(operator.iadd, ([value] * 4 for value in (0, 80, 160, 240)), [])


def test_linear_magnification_interpolates_between_texel_centres():
    """Clamped at the ends; pixel p is at texel position (p + ½)/4 − ½."""
    row = _drawn(Texture(RAMP, wrap_u="clamp", wrap_v="clamp"), WHOLE)[8, :, 0]
    position = np.clip((np.arange(16) + 0.5) / 4 - 0.5, 0, 3)
    assert np.abs(row - 80 * position).max() <= 0.5


@pytest.mark.parametrize(
    ("wrap", "expected"),
    [
        ("repeat", [0, 80, 160, 240] * 3),
        ("clamp", [0] * 4 + [0, 80, 160, 240] + [240] * 4),
        ("mirror", [240, 160, 80, 0, 0, 80, 160, 240, 240, 160, 80, 0]),
    ],
)
@pytest.mark.parametrize("backend", ["cpu", "egl"])
def test_wrapping_beyond_the_image(wrap, expected, backend):
    """u from −1 to 2 over 48 pixels: four per texel."""
    texture = Texture(RAMP, wrap_u=wrap, magnify="nearest")
    row = _drawn(texture, [(-1, 0), (-1, 1), (2, 1), (2, 0)], size=48, backend=backend)[8, 2::4, 0]
    assert row.tolist() == expected


def test_minification_by_four_shows_the_second_level():
    """64² noise over 16 pixels: exactly level 2, isotropic, so one probe at texel centres."""
    pixels = _noise(64, 64)
    pixels[..., 3] = 255
    assert (_drawn(Texture(pixels), WHOLE) == textures.mip_chain(pixels)[2]).all()


def test_minification_between_levels_mixes_them():
    """A constant image but for its level 0 average: 64² over 16·√2 ≈ 22.6 is level 1.5; constants stay constant."""
    pixels = np.full((64, 64, 4), (9, 99, 199, 255), np.uint8)
    assert (_drawn(Texture(pixels), [(0, 0), (0, 0.7071), (0.7071, 0.7071), (0.7071, 0)]) == pixels[0, 0]).all()


def test_anisotropy_keeps_stripes_that_plain_trilinear_would_lose():
    """Columns alternate every texel; rows are squeezed 8:1. Along the columns nothing is averaged away."""
    pixels = np.zeros((128, 16, 4), np.uint8)
    pixels[:, ::2, :3] = 255
    pixels[..., 3] = 255
    row = _drawn(Texture(pixels), WHOLE)[8, :, 0]
    assert row.tolist() == [255, 0] * 8


def test_minification_without_mips_takes_level_zero():
    pixels = _noise(64, 64)
    pixels[..., 3] = 255
    nearest = _drawn(Texture(pixels, minify="nearest"), WHOLE)
    assert (nearest == pixels[2::4, 2::4]).all()
    linear = _drawn(Texture(pixels, minify="linear"), WHOLE)
    between = pixels.astype(float)
    mean = (between[1::4, 1::4] + between[2::4, 1::4] + between[1::4, 2::4] + between[2::4, 2::4]) / 4
    assert np.abs(linear - mean).max() <= 0.5


def test_perspective_correct_texture_coordinates():
    """A slanted square: uv from intersecting pixel rays with its plane, independent of rasterisation."""
    size = 64
    ramp = np.zeros((256, 256, 4), np.uint8)
    ramp[..., 0], ramp[..., 1], ramp[..., 3] = np.arange(256)[None], np.arange(256)[:, None], 255
    corners = np.array([(0.2, 0.2, 0.3), (0.2, -0.2, -0.3), (-0.2, -0.2, -0.3), (-0.2, 0.2, 0.3)])
    texture = Texture(ramp, wrap_u="clamp", wrap_v="clamp")
    slanted = part(corners, Material(texture=texture, cull="none"), WHOLE)
    picture = back_end("cpu").load(character(slanted), "corrected").draw(FRONT_PERSPECTIVE, size=size)
    origins, directions = FRONT_PERSPECTIVE.rays(size)  # head_world = diag(−1, 1, −1) · head_model
    origins, directions = origins * [-1, 1, -1], directions * [-1, 1, -1]
    normal = np.cross(corners[1] - corners[0], corners[3] - corners[0])
    distance = ((corners[0] - origins) @ normal) / (directions @ normal)
    points = origins + distance[..., None] * directions
    u, v = (0.2 - points[..., 0]) / 0.4, (0.2 - points[..., 1]) / 0.4
    inside = (np.abs(u - 0.5) < 0.48) & (np.abs(v - 0.5) < 0.48)
    assert inside.sum() > 500
    assert np.abs(picture[..., 0] - (u * 256 - 0.5))[inside].max() < 1.5  # 1/256 pixel of snapping, half a byte
    assert np.abs(picture[..., 1] - (v * 256 - 0.5))[inside].max() < 2.5  # 4 texels a pixel along v


def test_ellipse_of_a_magnified_texture_is_the_gaussian_of_the_specification():
    """Far magnified: a = b = 0, so A = C = F = 1, B = 0, and weights are exp(−2·distance²) within distance 1."""
    texture = Texture(RAMP, wrap_u="clamp", wrap_v="clamp")
    corners = [(0.35, 0.35, 0), (0.35, -0.35, 0), (-0.35, -0.35, 0), (-0.35, 0.35, 0)]
    whole = part(
        corners, Material(texture=texture, cull="none"), [(0.45, 0), (0.45, 1e-6), (0.450001, 1e-6), (0.450001, 0)]
    )
    drawn = back_end("cpu").load(character(whole), "corrected", "mesa").draw(FRONT, size=16)[8, 8, 0]
    centre = 0.45 * 4 - 0.5
    rows = np.array([-1, 0, 1])[:, None] - (0 - 0.5)  # v = 0 is half a texel above the only row, which repeats by clamp
    cols = np.arange(4)[None] - centre
    distance = rows**2 + cols**2
    weight = np.where(distance < 1, np.exp(-2 * distance), 0)
    assert abs(drawn - (weight * RAMP[0, :, 0]).sum() / weight.sum()) <= 1


def test_square_textures_at_a_grazing_angle_agree_with_the_obvious_loop():
    pixels = _noise(32, 32)
    pixels[..., 3] = 255
    tilted = part(
        [(0.3, -0.1, -0.3), (-0.3, -0.1, -0.3), (-0.3, -0.12, 0.3), (0.3, -0.12, 0.3)],
        Material(texture=Texture(pixels), cull="none"),
        [(0, 0), (3, 0), (3, 3), (0, 3)],
    )
    head_mesh = character(tilted, square(Material(texture=Texture(pixels), cull="none"), half=0.05, z=0.2))
    for texture_filter in ("trilinear", "mesa"):
        truth = draw_plain(head_mesh, plan(head_mesh, "corrected"), CAM60[42], 24, texture_filter).colour
        fast = back_end("cpu").load(head_mesh, "corrected", texture_filter).draw(CAM60[42], size=24)
        assert truth.any()
        assert np.abs(fast.astype(int) - truth).max() <= 1
