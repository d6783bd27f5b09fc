"""The illustration pass on closed-form scenes and, for registration, on real characters."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _databacks.vrm import read_head_mesh
from _exchange.camera import ORTHO, ORTHOGRAPHIC, Camera
from _exchange.errors import InputError
from _exchange.mesh import HeadMesh
from _render.cel_shading import shadow_colours
from _render.illustration import IllustrationLayers, IllustrationStyle, draw_illustration, illustration_layers
from _render.ink_lines import ink_colours
from _render.kinds import draw_kind
from _render.scene_cpu import CpuRenderer
from tests.render.plain_shapes import box, head_mesh, plane, sphere
from tests.shared_data import discover

FRONT = ORTHO["front"]
PIXEL = 0.7 / 512
STYLE = IllustrationStyle()
LINES_ONLY = replace(STYLE, shade_strength=0.0)
FORM_ONLY = replace(STYLE, normal_smoothing=0.0, cast_shadow_reach=0.0)
ROWS, COLS = np.mgrid[0:512, 0:512] + 0.5
SKIN = (0.95, 0.80, 0.72)


def layers(mesh: HeadMesh, style: IllustrationStyle = STYLE, camera: Camera = FRONT) -> IllustrationLayers:
    return illustration_layers(CpuRenderer().load(mesh), camera, style)


def radius_px() -> np.ndarray:
    return np.hypot(ROWS - 256, COLS - 256)


def ink_around(lines: np.ndarray, inner: float, outer: float) -> float:
    """Share of 180 directions in which ink lies between two radii around the centre, pixels."""
    ring = (radius_px() > inner) & (radius_px() < outer) & (lines > 127)
    angles = np.degrees(np.arctan2(ROWS - 256, COLS - 256))[ring]
    return len(np.unique(np.floor(angles / 2))) / 180


# -- lines ------------------------------------------------------------------------------------------------------


def test_a_sphere_before_a_plane_of_its_colour_gets_a_ring_of_ink_inside_its_silhouette() -> None:
    drawing = layers(head_mesh(plane(-0.2, 0.2), sphere(0.1)))
    edge = 0.1 / PIXEL
    assert ink_around(drawing.lines, edge - STYLE.silhouette_width - 1, edge + 0.5) == 1.0
    far_from_edge = np.abs(radius_px() - edge) > STYLE.silhouette_width + 1.5
    within_plane = np.maximum(abs(ROWS - 256), abs(COLS - 256)) < 0.2 / PIXEL - 5
    assert drawing.lines[far_from_edge & within_plane].max() == 0


def test_a_jump_below_the_threshold_gets_no_line() -> None:
    mesh = head_mesh(plane(-0.02, 0.15), plane(0.0, 0.1))
    edge = round(256 + 0.1 / PIXEL)
    across = np.s_[256, edge - 4 : edge + 2]
    assert layers(mesh, replace(STYLE, depth_jump=0.03)).lines[across].max() == 0
    assert layers(mesh, replace(STYLE, depth_jump=0.01)).lines[across].max() > 120


def test_a_steep_smooth_slope_is_no_jump() -> None:
    drawing = layers(head_mesh(box(0.15)), camera=Camera(0.0, 80.0, fov=ORTHOGRAPHIC))
    corner = 256 + (0.15 * np.cos(np.radians(80)) - 0.15 * np.sin(np.radians(80))) / PIXEL
    front_face = np.s_[256, round(corner) - 60 : round(corner) + 4]
    right_face = drawing.lines[256, round(corner) + 6 : 380]
    assert drawing.lines[front_face].max() > 200
    assert right_face.max() == 0


def test_deep_jumps_have_wider_lines_than_shallow_ones() -> None:
    def width(gap: float) -> float:
        lines = layers(head_mesh(plane(-gap, 0.15), plane(0.0, 0.1))).lines
        return lines[256, 300:350].astype(float).sum() / 255

    assert width(0.2) > 1.3 * width(0.012)


def test_the_vertical_edge_of_a_box_is_a_crease() -> None:
    camera = Camera(0.0, 45.0, fov=ORTHOGRAPHIC)
    middle = np.s_[200:300, 253:259]
    assert layers(head_mesh(box(0.1)), camera=camera).lines[middle].max(axis=1).min() > 120
    assert layers(head_mesh(box(0.1)), replace(STYLE, crease_angle=100.0), camera).lines[middle].max() == 0


def test_a_sphere_has_no_creases_and_a_plain_plane_no_texture_edges() -> None:
    assert layers(head_mesh(sphere(0.1))).lines[radius_px() < 0.1 / PIXEL - 5].max() == 0
    assert layers(head_mesh(plane(0.0, 0.15))).lines[150:362, 150:362].max() == 0


def two_halves(left: int, right: int) -> np.ndarray:
    pixels = np.full((64, 64, 4), 255, np.uint8)
    pixels[:, :32, :3], pixels[:, 32:, :3] = left, right
    return pixels


def test_a_strong_texture_edge_gets_a_line_on_its_dark_side() -> None:
    lines = layers(head_mesh(plane(0.0, 0.15, pixels=two_halves(230, 60)))).lines[256, 160:352]
    inked = np.flatnonzero(lines > 100) + 160.5
    assert len(inked)
    assert inked.min() > 256
    assert inked.max() < 260


def test_a_weak_texture_edge_gets_no_line() -> None:
    assert layers(head_mesh(plane(0.0, 0.15, pixels=two_halves(200, 170)))).lines[256, 160:352].max() == 0


def test_parts_of_one_depth_are_parted_by_a_line_only_where_colours_differ() -> None:
    def between(colour: tuple[float, float, float]) -> int:
        other = plane(0.0, 0.1, (0.1, 0.0), colour)
        style = replace(STYLE, texture_width=0.0)
        return int(layers(head_mesh(plane(0.0, 0.1, (-0.1, 0.0), SKIN), other), style).lines[200:300, 250:262].max())

    assert between((0.3, 0.5, 0.9)) > 120
    assert between(SKIN) == 0


def test_the_edge_that_the_working_cube_cuts_is_not_inked() -> None:
    assert layers(head_mesh(plane(0.0, 1.0))).lines.max() == 0


def test_ink_is_a_dark_shade_of_what_it_lies_on() -> None:
    colours = np.random.default_rng(0).random((100, 3), np.float32)
    ink = ink_colours(colours, STYLE.ink_darkness)
    bright = colours.mean(axis=1) > 0.4
    assert (ink.mean(axis=1) < 0.75 * colours.mean(axis=1))[bright].all()
    blue, red = ink_colours(np.array([[0.3, 0.5, 0.9], [0.9, 0.3, 0.3]], np.float32), STYLE.ink_darkness)
    assert blue.argmax() == 2
    assert red.argmax() == 0
    np.testing.assert_allclose(ink_colours(colours, 0.0), colours, atol=1e-6)
    assert ink_colours(colours, 1.0).max() == 0


# -- light ------------------------------------------------------------------------------------------------------


def expected_light(light: tuple[float, float, float], radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Where a sphere seen from the front is surely lit and surely dark (axes of `head_world`), 2 px clear of rims."""
    x, y = (COLS - 256) * PIXEL / radius, (256 - ROWS) * PIXEL / radius
    within = np.hypot(x, y) < 1 - 4 * PIXEL / radius
    z = np.sqrt(np.maximum(0, 1 - x * x - y * y))
    cosine = (x * light[0] + y * light[1] + z * light[2]) / np.linalg.norm(light)
    margin = FORM_ONLY.shade_softness + 2 * PIXEL / radius
    return within & (cosine > FORM_ONLY.shade_from + margin), within & (cosine < FORM_ONLY.shade_from - margin)


@pytest.mark.parametrize("light", [(1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.3, -1.0, 0.4)])
def test_a_sphere_is_lit_where_its_normals_face_the_light(light: tuple[float, float, float]) -> None:
    shade = layers(head_mesh(sphere(0.15)), replace(FORM_ONLY, light=light)).shade
    lit, dark = expected_light(light, 0.15)
    assert lit.sum() > 5000
    assert dark.sum() > 5000
    assert shade[lit].min() == 255
    assert shade[dark].max() == 0


def test_the_light_turns_with_the_camera() -> None:
    style = replace(FORM_ONLY, light=(1.0, 0.0, 0.0))
    for camera in (Camera(0.0, 90.0), Camera(30.0, -150.0)):
        shade = layers(head_mesh(sphere(0.15)), style, camera).shade
        assert shade[256, 320] == 255
        assert shade[256, 192] == 0


def test_the_transition_is_soft() -> None:
    def steps(softness: float) -> int:
        style = replace(FORM_ONLY, light=(1.0, 0.0, 0.0), shade_softness=softness)
        row = layers(head_mesh(sphere(0.15)), style).shade[256, 160:350]
        return int(((row > 0) & (row < 255)).sum())

    assert steps(0.3) > steps(0.1) > steps(0.0)
    assert steps(0.0) <= 3


def test_a_caster_throws_its_shadow_away_from_the_light() -> None:
    mesh = head_mesh(plane(0.0, 0.12), plane(0.05, 0.02))
    style = replace(STYLE, light=(-1.0, 1.0, 1.0))
    shade = layers(mesh, style).shade
    moved = 0.05 / PIXEL
    down, up = round(256 + moved), round(256 - moved)
    assert shade[down, down] == 0
    assert min(shade[up, up], shade[up, down], shade[down, up]) == 255
    border = round(256 + 0.07 / PIXEL)
    # light is followed in steps of 3.6 mm × 0.58 across the picture, from 2 mm behind the caster: within 3 + 3 px
    for at in ((border - 6, down), (down, border - 6)):
        assert shade[at] < 30
    for at in ((border + 4, down), (down, border + 4)):
        assert shade[at] == 255
    assert layers(mesh, replace(style, cast_shadow_reach=0.0)).shade.min() == 255


def test_a_plain_surface_shades_nothing_of_itself() -> None:
    for mesh in (head_mesh(plane(0.0, 0.15)), head_mesh(sphere(0.15))):
        style = replace(STYLE, light=(-0.3, 0.3, 1.0), shade_from=0.0, shade_softness=0.0)
        assert layers(mesh, style).shade[radius_px() < 60].min() == 255


def test_shadows_are_darker_and_keep_skin_warm_and_grey_cool() -> None:
    skin, grey = shadow_colours(np.array([SKIN, (0.8, 0.8, 0.8)], np.float32))
    assert (skin < SKIN).all()
    assert (grey < 0.8).all()
    assert skin[0] / skin[2] > SKIN[0] / SKIN[2]
    assert grey[2] > grey[0]


# -- colours, registration, layers ------------------------------------------------------------------------------------


def test_flat_colours_lose_fine_texture_and_keep_edges() -> None:
    pixels = np.full((256, 256, 4), 255, np.uint8)
    pixels[:, :128, :3], pixels[:, 128:, :3] = 200, 90
    pixels[..., :3] += np.random.default_rng(1).integers(-12, 13, (256, 256, 1)).astype(np.int8).astype(np.uint8)
    flat = layers(head_mesh(plane(0.0, 0.3, pixels=pixels))).flat[..., 0].astype(float)
    raw = draw_kind(CpuRenderer().load(head_mesh(plane(0.0, 0.3, pixels=pixels))), "ortho", FRONT)[..., 0].astype(float)
    left, right = np.s_[100:400, 60:240], np.s_[100:400, 270:450]
    assert flat[left].std() < 0.5 * raw[left].std()
    assert flat[left].mean() - flat[right].mean() == pytest.approx(110, abs=3)
    assert flat[100:400, 250].mean() - flat[100:400, 261].mean() > 95


def test_what_only_blends_is_drawn() -> None:
    lash = plane(0.01, 0.02, (0.05, 0.05), pixels=two_halves(20, 20), alpha_mode="BLEND")
    for mesh in (head_mesh(plane(0.0, 0.2, colour=SKIN), lash), head_mesh(lash)):
        row = col = round(0.05 / PIXEL)
        pixel = layers(mesh, replace(STYLE, saturation=1.0)).picture[256 - row, 256 + col]
        assert pixel[:3].max() < 40
        assert pixel[3] == 255


def test_layers_compose_the_picture() -> None:
    mesh = head_mesh(plane(-0.1, 0.15, colour=SKIN), sphere(0.1, (0.3, 0.5, 0.9)))
    drawing = layers(mesh)
    plain = (drawing.lines == 0) & (drawing.alpha == 255)
    lit, dark = plain & (drawing.shade == 255), plain & (drawing.shade == 0)
    assert np.abs(drawing.picture[lit].astype(int) - drawing.flat[lit]).max() <= 1
    assert (drawing.picture[dark][:, :3].astype(int) < drawing.flat[dark][:, :3]).all()
    assert (drawing.alpha == drawing.picture[..., 3]).all()
    assert (drawing.alpha == drawing.flat[..., 3]).all()
    np.testing.assert_array_equal(drawing.picture, draw_illustration(CpuRenderer().load(mesh), FRONT))


@pytest.mark.parametrize("path", discover("vrm/*.vrm")[::2])
def test_real_characters_are_drawn_where_the_ortho_render_has_them(path: Path) -> None:
    scene = CpuRenderer().load(read_head_mesh(path, shading="corrected"))
    ortho, drawing = draw_kind(scene, "ortho", FRONT), illustration_layers(scene, FRONT)
    np.testing.assert_array_equal(drawing.alpha, ortho[..., 3])
    inside = ortho[..., 3] == 255
    assert 0.01 < (drawing.lines[inside] > 127).mean() < 0.35
    plain = inside & (drawing.lines == 0) & (drawing.shade == 255)
    difference = np.abs(drawing.picture[plain][:, :3].astype(int) - ortho[plain][:, :3])
    assert np.median(difference) <= 8


def test_nothing_drawn_is_transparent() -> None:
    drawing = layers(head_mesh())
    assert drawing.picture.shape == (512, 512, 4)
    assert drawing.alpha.max() == 0
    assert drawing.lines.max() == 0


def test_two_runs_give_the_same_bytes() -> None:
    mesh = head_mesh(plane(-0.1, 0.15, colour=SKIN), sphere(0.05), box(0.04))
    first, second = layers(mesh, camera=Camera(10.0, 35.0)), layers(mesh, camera=Camera(10.0, 35.0))
    for entry in fields(first):
        assert getattr(first, entry.name).tobytes() == getattr(second, entry.name).tobytes()


def test_a_speck_far_away_changes_nothing_here() -> None:
    small = plane(0.0, 0.05, colour=SKIN), sphere(0.03)
    alone = layers(head_mesh(*small)).picture
    with_speck = layers(head_mesh(*small, plane(0.0, 0.005, (0.3, -0.3)))).picture
    np.testing.assert_array_equal(alone[:420, :420], with_speck[:420, :420])


# -- style ------------------------------------------------------------------------------------------------------


def everything() -> HeadMesh:
    noisy = two_halves(230, 110)
    noisy[::2, :, :3] -= 12
    return head_mesh(
        plane(-0.05, 0.1, pixels=noisy), box(0.03, (0.9, 0.6, 0.3)), plane(0.05, 0.015, (-0.05, 0.07), (0.2, 0.3, 0.7))
    )


CHANGES: dict[str, Any] = {
    "silhouette_width": 3.0,
    "crease_width": 2.0,
    "texture_width": 2.0,
    "line_strength": 0.3,
    "ink_darkness": 0.9,
    "depth_jump": 0.5,
    "crease_angle": 100.0,
    "texture_edge": 0.9,
    "light": (1.0, 0.2, 0.2),
    "shade_strength": 0.2,
    "shade_from": 0.6,
    "shade_softness": 0.5,
    "normal_smoothing": 0.0,
    "cast_shadow_reach": 0.0,
    "flattening": 0.0,
    "flattening_contrast": 0.01,
    "saturation": 0.5,
}


@pytest.fixture(scope="module")
def drawn_by_default() -> np.ndarray:
    return layers(everything(), camera=Camera(15.0, 40.0)).picture


@pytest.mark.parametrize("name", [entry.name for entry in fields(IllustrationStyle)])
def test_every_choice_of_the_style_shows(name: str, drawn_by_default: np.ndarray) -> None:
    changed = layers(everything(), replace(STYLE, **{name: CHANGES[name]}), Camera(15.0, 40.0)).picture
    assert (np.abs(changed.astype(int) - drawn_by_default).max(axis=-1) > 4).sum() > 20
    np.testing.assert_array_equal(changed[..., 3], drawn_by_default[..., 3])


def test_no_strength_leaves_flat_colours() -> None:
    drawing = layers(everything(), replace(STYLE, line_strength=0.0, shade_strength=0.0))
    np.testing.assert_array_equal(drawing.picture, drawing.flat)


def test_the_length_of_the_light_does_not_matter() -> None:
    right, up, towards = STYLE.light
    twice = (2 * right, 2 * up, 2 * towards)
    np.testing.assert_array_equal(layers(everything()).shade, layers(everything(), replace(STYLE, light=twice)).shade)


@pytest.mark.parametrize(
    ("name", "value"), [("crease_width", -1.0), ("depth_jump", float("nan")), ("light", (0.0, 0.0, 0.0))]
)
def test_a_senseless_style_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InputError, match="light" if name == "light" else name):
        replace(STYLE, **{name: value})
