"""Ink and light on geometry buffers made by hand: each rule of the illustration pass alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from _exchange.camera import ORTHO, Camera
from _render.cel_shading import lit_share, shadow_colours
from _render.flat_colours import flat_colours, luma, saturated
from _render.illustration_style import IllustrationStyle
from _render.ink_lines import ink_coverage
from _render.scene import FAR, GeometryBuffers

SIZE = 80
STEP = 0.7 / 512
"""Metres per pixel of the front `ortho` picture at 512²."""
GREY = np.full((SIZE, SIZE, 3), 0.6, np.float32)
STYLE = IllustrationStyle()


def buffers_of(depth: NDArray[np.floating], part: NDArray[np.integer] | None = None) -> GeometryBuffers:
    """What a front camera one metre away sees of a relief; infinite depth is background. Normals face the camera."""
    shown = np.isfinite(depth)
    across = (np.arange(SIZE) - SIZE / 2) * STEP
    points = np.stack(np.broadcast_arrays(-across[None], -across[:, None], np.where(shown, depth - 1, 0)), axis=-1)
    normal = np.where(shown[..., None], [0.0, 0.0, 1.0], 0.0)
    return GeometryBuffers(
        part=np.where(shown, 0 if part is None else part, -1).astype(np.int16),
        face=np.where(shown, 0, -1).astype(np.int32),
        depth=depth.astype(np.float32),
        position=np.where(shown[..., None], points, 0).astype(np.float32),
        normal=normal.astype(np.float32),
        uv=np.zeros((SIZE, SIZE, 2), np.float32),
    )


def relief(near: float, far: float) -> NDArray[np.float64]:
    """The left half near, the right half far."""
    depth = np.full((SIZE, SIZE), far)
    depth[:, : SIZE // 2] = near
    return depth


def ink(buffers: GeometryBuffers, flat: NDArray[np.float32] = GREY, style: IllustrationStyle = STYLE) -> NDArray:
    alpha = np.where(np.isfinite(buffers.depth), 255, 0).astype(np.uint8)
    return ink_coverage(alpha, flat, buffers, style, 1)


def inked_columns(lines: NDArray) -> list[int]:
    return np.flatnonzero(lines[SIZE // 2] > 0.5).tolist()


def test_depth_of_the_background_is_a_number_where_one_is_needed():
    buffers = buffers_of(relief(1.0, np.inf))
    assert (buffers.finite_depth[:, SIZE // 2 :] == FAR).all()
    assert (buffers.finite_depth[:, : SIZE // 2] == 1).all()
    assert buffers.finite_depth.dtype == np.float32


# -- ink ----------------------------------------------------------------------------------------------------------


def test_a_level_sheet_has_no_ink():
    assert not ink(buffers_of(np.full((SIZE, SIZE), 1.0))).any()


@pytest.mark.parametrize("turned", [False, True])
def test_the_line_of_a_jump_is_drawn_about_its_nearer_side(turned):
    lines = ink(buffers_of(relief(1.05, 1.0) if turned else relief(1.0, 1.05)))
    columns = inked_columns(lines)
    assert columns
    middle = SIZE // 2 if turned else SIZE // 2 - 1
    assert min(columns) <= middle <= max(columns)
    assert abs(np.mean(columns) - middle) <= 0.5


def test_the_outline_stays_inside_what_is_covered():
    columns = inked_columns(ink(buffers_of(relief(1.0, np.inf))))
    assert columns
    assert max(columns) == SIZE // 2 - 1


@pytest.mark.parametrize("slope", [0.0005, 0.003])
def test_a_slope_is_no_jump_however_large_the_difference_from_end_to_end(slope):
    depth = np.broadcast_to(0.9 + slope * np.arange(SIZE), (SIZE, SIZE))
    assert not ink(buffers_of(depth))[:, 4:-4].any()


def test_short_inner_marks_are_left_out():
    """A dent of 3 × 3 pixels with a shallow border has fewer marks than a line needs; a long one is drawn."""

    def dent(length: int) -> NDArray:
        depth = np.full((SIZE, SIZE), 1.0)
        depth[40 : 40 + length, 40:43] += 0.008
        return ink(buffers_of(depth), style=replace(STYLE, silhouette_width=0.0, texture_width=0.0))

    assert not dent(1).any()
    assert dent(30).any()


def test_parts_are_parted_on_their_darker_side():
    part = np.zeros((SIZE, SIZE), int)
    part[:, SIZE // 2 :] = 1
    flat = GREY.copy()
    flat[:, SIZE // 2 :] = 0.3
    style = replace(STYLE, texture_width=0.0)
    columns = inked_columns(ink(buffers_of(np.full((SIZE, SIZE), 1.0), part), flat, style))
    assert columns
    assert abs(np.mean(columns) - SIZE // 2) <= 0.5
    assert not ink(buffers_of(np.full((SIZE, SIZE), 1.0), part), GREY, style).any()


@pytest.mark.parametrize("name", ["silhouette_width", "crease_width", "texture_width"])
def test_wider_pens_leave_more_ink_and_a_width_of_nothing_none(name):
    depth, flat = relief(1.0, 1.008), GREY.copy()
    depth[60:] = np.inf
    flat[:20, :20] = 0.1
    alone = replace(STYLE, silhouette_width=0.0, crease_width=0.0, texture_width=0.0)
    amounts = [ink(buffers_of(depth), flat, replace(alone, **{name: width})).sum() for width in (0.0, 1.0, 2.0, 4.0)]
    assert amounts[0] == 0
    assert all(np.diff(amounts) > 0)


# -- light --------------------------------------------------------------------------------------------------------


def _plain_light(light: tuple[float, float, float]) -> IllustrationStyle:
    return replace(STYLE, light=light, normal_smoothing=0.0, cast_shadow_reach=0.0)


@pytest.mark.parametrize(
    ("cosine", "expected"), [(0.12, 0.5), (0.23, 1.0), (0.01, 0.0), (0.17, 0.84375), (0.07, 0.15625)]
)
def test_light_rises_smoothly_about_its_threshold(cosine, expected):
    """3t² − 2t³ over cosines 0.12 ± 0.10: at t = ¾ it is 27/32, at ¼ 5/32."""
    style = _plain_light((float(np.sqrt(1 - cosine**2)), 0.0, cosine))
    lit = lit_share(buffers_of(np.full((SIZE, SIZE), 1.0)), ORTHO["front"], style, 1)
    np.testing.assert_allclose(lit, expected, atol=1e-4)


def test_where_nothing_is_shown_it_is_light():
    lit = lit_share(buffers_of(relief(1.0, np.inf)), ORTHO["front"], _plain_light((0.0, 0.0, -1.0)), 1)
    assert (lit[:, SIZE // 2 :] == 1).all()
    assert (lit[:, : SIZE // 2] == 0).all()


@pytest.mark.parametrize("camera", [ORTHO["front"], Camera(0.0, 0.0)])
@pytest.mark.parametrize(("side", "dark"), [(-1.0, "right"), (1.0, "left")])
def test_a_step_shadows_the_ground_away_from_the_light(camera, side, dark):
    """A wall 30 mm before the ground, 10 pixels wide, light at 45°: on one side only.

    What stops the light is 8 mm + half the way thick, so the shadow starts 13 mm and ends 28 mm beside the wall; a
    pixel is 1.37 mm, or 1.05 mm in the perspective view.
    """
    wall = np.full((SIZE, SIZE), 1.03)
    wall[:, 35:45] = 1.0
    style = replace(STYLE, light=(side, 0.0, 1.0), normal_smoothing=0.0)
    lit = lit_share(buffers_of(wall), camera, style, 1)[SIZE // 2]
    shadowed, free = (slice(52, 60), slice(20, 28)) if dark == "right" else (slice(20, 28), slice(52, 60))
    assert lit[shadowed].max() < 0.1
    assert lit[free].min() > 0.9


# -- colours ------------------------------------------------------------------------------------------------------


def test_saturation_keeps_brightness_and_grey():
    colours = np.random.default_rng(0).random((50, 3), np.float32)
    for factor in (0.0, 0.5, 2.0):
        np.testing.assert_allclose(luma(saturated(colours, factor)), luma(colours), atol=1e-5)
    np.testing.assert_allclose(saturated(colours, 0.0), np.repeat(luma(colours)[:, None], 3, axis=1), atol=1e-6)
    np.testing.assert_allclose(saturated(np.full((1, 3), 0.4, np.float32), 3.0), 0.4, atol=1e-6)


def test_shadow_is_darker_in_every_channel_of_every_colour():
    colours = np.random.default_rng(1).random((200, 3), np.float32)
    assert (shadow_colours(colours) < colours).all()


def test_colours_do_not_leak_out_of_what_is_drawn():
    """A grey figure on undrawn pixels of another colour, which have alpha 0: the figure stays grey to its rim."""
    picture = np.zeros((SIZE, SIZE, 4), np.uint8)
    picture[..., :3] = 250, 10, 10
    picture[20:60, 20:60] = 100, 100, 100, 255
    flat = flat_colours(picture, replace(STYLE, saturation=1.0), 2)
    np.testing.assert_allclose(flat[20:60, 20:60], 100 / 255, atol=1e-6)


def test_no_flattening_and_no_saturation_return_the_picture():
    picture = np.random.default_rng(2).integers(0, 256, (SIZE, SIZE, 4)).astype(np.uint8)
    flat = flat_colours(picture, replace(STYLE, flattening=0.0, saturation=1.0), 2)
    np.testing.assert_allclose(flat, picture[..., :3] / 255, atol=1e-6)
