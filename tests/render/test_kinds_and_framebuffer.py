"""Picture kinds, their views, and what becomes of a drawing before it is saved: spec/renderer.md §4, §6, §7."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from _exchange.camera import CAM60, ORTHO, Camera, random_views
from _exchange.errors import InputError
from _render import position_map
from _render.bench import MIX, STAGES, bench_render
from _render.choose import renderer
from _render.framebuffer import on_white, reduced, reduced_on_white, resolve
from _render.kinds import KINDS, draw_kind, draw_kinds, views_of_kind
from _render.scene import Drawing
from tests.render.shapes import character, colored, square


class RecordingScene:
    """A scene that draws flat colours and remembers what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Camera, int]] = []

    def draw(self, camera: Camera, what: str = "colour", size: int = 512) -> np.ndarray:
        self.calls.append((what, camera, size))
        return np.full((size, size, 4), 100 if what == "colour" else 200, np.uint8)

    def draw_both(self, camera: Camera, size: int = 512) -> Drawing:
        self.calls.append(("both", camera, size))
        return Drawing(np.full((size, size, 4), 100, np.uint8), np.full((size, size, 4), 200, np.uint8))


@pytest.mark.parametrize(
    ("kind", "size", "alpha"),
    [
        ("rgb", 1024, 255),
        ("rgb60", 1024, 255),
        ("ortho", 1024, 100),
        ("ortho_xyza", 1024, 200),
        ("xyza", 512, 200),
        ("xyza60", 512, 200),
    ],
)
def test_size_of_the_drawing_and_background_of_the_picture(kind, size, alpha):
    scene = RecordingScene()
    picture = draw_kind(scene, kind, CAM60[0])
    assert scene.calls == [(KINDS[kind].what, CAM60[0], size)]
    assert picture.shape == (512, 512, 4)
    assert (picture[..., 3] == alpha).all()


def test_views_of_the_fixed_kinds():
    assert list(views_of_kind("ortho")) == ["top", "back", "right", "front", "left"]
    assert views_of_kind("ortho") == views_of_kind("ortho_xyza") == ORTHO
    names = list(views_of_kind("rgb60"))
    assert (names[0], names[42], len(names)) == ("0000", "0042", 60)
    assert views_of_kind("xyza60")["0042"] == Camera(0.0, 0.0)


def test_views_of_the_random_kinds_are_seeded_by_the_id_and_shared():
    views = views_of_kind("rgb", "1234567")
    assert list(views.values()) == random_views("1234567")
    assert views == views_of_kind("xyza", "1234567")
    assert views != views_of_kind("rgb", "1234568")
    assert len(views) == 8


def test_random_kinds_need_an_id():
    with pytest.raises(InputError, match="id"):
        views_of_kind("rgb")


@pytest.mark.parametrize(
    "call", [lambda: views_of_kind("depth"), lambda: draw_kind(RecordingScene(), "depth", CAM60[0])]
)
def test_unknown_kinds_list_the_known_ones(call):
    with pytest.raises(InputError, match=r"ortho, ortho_xyza.*'depth'"):
        call()


def test_kinds_of_the_same_camera_and_size_are_drawn_together():
    scene = RecordingScene()
    wanted = {"ortho": None, "ortho_xyza": ["front"], "rgb60": ["0042"], "xyza60": ["0042"]}
    pictures = list(draw_kinds(scene, wanted))
    assert {(picture.kind, picture.view) for picture in pictures} == {
        *(("ortho", view) for view in ORTHO),
        ("ortho_xyza", "front"),
        ("rgb60", "0042"),
        ("xyza60", "0042"),
    }
    assert [call[0] for call in scene.calls].count("both") == 1
    assert len(scene.calls) == 7


def test_pictures_drawn_together_equal_pictures_drawn_alone():
    scene = renderer("cpu").load(character(square(colored(200, 30, 60, 180))), "paper")
    for picture in draw_kinds(scene, {"ortho": ["front"], "ortho_xyza": ["front"], "rgb60": ["0030"]}):
        assert (picture.pixels == draw_kind(scene, picture.kind, picture.camera)).all()


def test_unknown_view_is_named():
    with pytest.raises(InputError, match="'0060'"):
        list(draw_kinds(RecordingScene(), {"rgb60": ["0060"]}))


# -- framebuffer ------------------------------------------------------------------------------------------------


def test_reduction_weighs_four_by_four_pixels_by_one_three_three_one():
    """A single opaque white pixel among opaque black: 255·(3/8)² = 35.9 nearby, 255·(3/8)(1/8) = 12, 255/64 = 4."""
    picture = np.zeros((16, 16, 4), np.uint8)
    picture[..., 3] = 255
    picture[8, 8, :3] = 255
    block = reduced(picture)[3:6, 3:6, 0].astype(int)
    assert np.abs(block - [[4, 12, 0], [12, 36, 0], [0, 0, 0]]).max() <= 1


@pytest.mark.parametrize("shape", [(4, 4), (6, 8), (64, 48), (30, 22)])
@pytest.mark.parametrize("content", ["noise", "opaque", "patch", "colour without alpha"])
def test_reduction_equals_pillow_byte_for_byte(shape, content):
    picture = np.random.default_rng(shape[0]).integers(0, 256, (*shape, 4)).astype(np.uint8)
    if content == "opaque":
        picture[..., 3] = 255
    elif content != "noise":
        patch = np.zeros(shape, bool)
        patch[shape[0] // 3 : shape[0] // 2, shape[1] // 4 : shape[1] // 2] = True
        picture[~patch, 3] = 0
        if content == "patch":
            picture[~patch] = 0
    resized = Image.fromarray(picture).resize((shape[1] // 2, shape[0] // 2), Image.Resampling.BILINEAR)
    assert (reduced(picture) == np.asarray(resized)).all()
    assert (reduced_on_white(picture) == on_white(np.asarray(resized))).all()


def test_reduction_is_premultiplied():
    """Transparent red beside opaque blue must not bleed into it."""
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:, :4] = 255, 0, 0, 0
    picture[:, 4:] = 0, 0, 255, 255
    edge = reduced(picture)[2]
    assert (edge[edge[:, 3] > 0][:, 0] == 0).all()
    assert (edge[edge[:, 3] > 0][:, 2] >= 254).all()


def test_white_background_keeps_four_channels_and_full_alpha():
    picture = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 0, 0, 128]]], np.uint8)
    assert on_white(picture).tolist() == [[[255, 255, 255, 255], [10, 20, 30, 255], [127, 127, 127, 255]]]


def test_blended_floats_become_straight_bytes_and_untouched_pixels_stay():
    accumulator = np.zeros((1, 2, 4), np.float32)
    accumulator[0, 0] = 0.1, 0.2, 0.25, 0.5
    picture = np.full((1, 2, 4), 7, np.uint8)
    resolve(accumulator, picture)
    assert picture.tolist() == [[[51, 102, 128, 128], [7, 7, 7, 7]]]


# -- position maps ----------------------------------------------------------------------------------------------


def test_positions_are_encoded_as_the_specification_says():
    points = np.array([[-0.35, 0.0, 0.35], [-0.7, 0.1, 0.7]])
    assert position_map.encode(points).tolist() == [[0, 128, 255], [0, 164, 255]]


def test_decoding_undoes_encoding_within_half_a_step():
    points = np.random.default_rng(0).uniform(-0.35, 0.35, (100, 3))
    assert np.abs(position_map.decode(position_map.encode(points)) - points).max() <= 0.7 / 255 / 2 + 1e-9


def test_decoding_to_head_world_turns_by_half_a_circle():
    picture = np.array([[255, 255, 255, 255]], np.uint8)
    np.testing.assert_allclose(position_map.decode_head_world(picture), [[-0.35, 0.35, -0.35]], atol=1e-12)


def test_position_map_of_a_known_plane_holds_the_planes_points():
    """Front `ortho` view of the plane z = 0.1: x and y follow from the pixel, to half a step."""
    scene = renderer("cpu").load(character(square(colored(1, 2, 3, 255), half=0.2, z=0.1)), "corrected")
    picture = scene.draw(ORTHO["front"], "position", 128)
    rows, cols = np.nonzero(picture[..., 3])
    assert len(rows) > 5000
    x, y = 0.35 - (cols + 0.5) / 128 * 0.7, 0.35 - (rows + 0.5) / 128 * 0.7
    expected = np.stack([x, y, np.full(len(x), 0.1)], axis=1)
    assert np.abs(position_map.decode(picture[rows, cols]) - expected).max() <= 0.7 / 255 / 2 + 1e-4


def test_bench_measures_every_stage_of_the_mix():
    head_mesh = character(square(colored(1, 2, 3, 255)))
    found = bench_render(renderer("cpu"), head_mesh, "paper", {"rgb60": 3, "ortho_xyza": 2}, repeats=1)
    assert (found.back_end, found.shading, found.triangles, found.pictures) == ("cpu", "paper", 2, 5)
    assert set(found.cpu_seconds) == set(found.wall_seconds) == set(STAGES)
    assert found.wall_seconds["draw"] > 0
    assert found.total_cpu_seconds == pytest.approx(sum(found.cpu_seconds.values()))
    assert sum(MIX.values()) == 80
