"""Turntables: which views, in which order, and the animation files as Pillow reads them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from _exchange.camera import CAM60, SPIN12
from _exchange.errors import InputError
from _exchange.mesh import Mesh
from _render.kinds import draw_kind
from _render.scene import Scene
from _render.scene_cpu import CpuRenderer
from _render.turntable import draw_turntable, turntable_bytes, turntable_cameras
from tests.render.plain_shapes import box, head_mesh, part

RED, BLUE, GREEN = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)


def coloured_head() -> Scene:
    """A grey cube with a red plate before its face (+z) and a blue one at its left (+x)."""
    face = np.array([(-0.1, -0.1, 0.11), (0.1, -0.1, 0.11), (0.1, 0.1, 0.11), (-0.1, 0.1, 0.11)])
    left = face[:, [2, 1, 0]]
    quad = np.array([[0, 1, 2], [0, 2, 3]])
    return CpuRenderer().load(head_mesh(box(0.1), part(face, quad, RED), part(left, quad, BLUE)))


def seen_in_the_middle(frame: np.ndarray) -> list[int]:
    return frame[frame.shape[0] // 2, frame.shape[1] // 2].tolist()


def test_twelve_cameras_are_the_evaluations_turn() -> None:
    for camera, index in zip(turntable_cameras(12), SPIN12, strict=True):
        np.testing.assert_allclose(camera.label(), CAM60[index].label(), atol=1e-6)


def test_the_first_frame_is_the_front_as_the_dataset_draws_it() -> None:
    frame = draw_turntable(coloured_head(), turntable_cameras(1), 512)[0]
    np.testing.assert_array_equal(frame, draw_kind(coloured_head(), "rgb60", CAM60[42])[..., :3])


def test_the_turn_shows_the_left_at_a_quarter() -> None:
    frames = draw_turntable(coloured_head(), turntable_cameras(4), 64)
    grey = [204, 204, 204]
    assert [seen_in_the_middle(frame) for frame in frames] == [[255, 0, 0], [0, 0, 255], grey, grey]


def test_size_count_elevation_and_the_white_background() -> None:
    frames = draw_turntable(coloured_head(), turntable_cameras(3, elev=60.0), 48)
    assert len(frames) == 3
    assert all(frame.shape == (48, 48, 3) and frame.dtype == np.uint8 for frame in frames)
    assert frames[0][0, 0].tolist() == [255, 255, 255]
    assert turntable_cameras(3, 60.0)[1].elev == 60.0
    assert seen_in_the_middle(frames[0]) == [204, 204, 204]


def test_a_coloured_mesh_turns_as_well() -> None:
    verts = np.array([(-0.1, -0.1, 0.1), (0.1, -0.1, 0.1), (0.1, 0.1, 0.1), (-0.1, 0.1, 0.1)], np.float32)
    colors = np.full((4, 4), 255, np.uint8)
    colors[:, :3] = 0, 255, 0
    scene = CpuRenderer().load_colored_mesh(Mesh(verts, np.array([[0, 1, 2], [0, 2, 3]]), colors))
    assert seen_in_the_middle(draw_turntable(scene, turntable_cameras(2), 32)[0]) == [0, 255, 0]


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    return draw_turntable(coloured_head(), turntable_cameras(8), 64)


def test_the_file_holds_the_frames_in_order_and_repeats_for_ever(frames: list[np.ndarray]) -> None:
    with Image.open(io.BytesIO(turntable_bytes(frames, seconds=4.0))) as animation:
        assert getattr(animation, "n_frames", 1) == 8
        assert animation.info["loop"] == 0
        total = 0
        for index, frame in enumerate(frames):
            animation.seek(index)
            animation.load()
            total += animation.info["duration"]
            shown = np.asarray(animation.convert("RGB")).astype(int)
            # lossy WebP; other frames of this turn differ by more than 20 on average
            assert np.abs(shown - frame).mean() < 4
            assert shown[0, 0].min() >= 253
    assert total == 4000


def test_the_bytes_repeat(frames: list[np.ndarray]) -> None:
    again = draw_turntable(coloured_head(), turntable_cameras(8), 64)
    assert turntable_bytes(again) == turntable_bytes(frames)


def test_frames_are_equally_long_to_the_millisecond() -> None:
    frames = [np.full((6, 6, 3), (index, 255 - index, index // 2), np.uint8) for index in range(0, 70, 10)]
    with Image.open(io.BytesIO(turntable_bytes(frames, seconds=1.0))) as animation:
        durations = set()
        for index in range(animation.n_frames):
            animation.seek(index)
            animation.load()
            durations.add(animation.info["duration"])
    assert durations == {143}


def test_wrong_requests_are_refused(frames: list[np.ndarray]) -> None:
    with pytest.raises(InputError, match="at least one frame in a turntable, found 0"):
        turntable_cameras(0)
    with pytest.raises(InputError, match="found none"):
        turntable_bytes([])
    with pytest.raises(InputError, match=r"found uint8 of shape \(3, 3, 3\) as frame 1"):
        turntable_bytes([frames[0], np.zeros((3, 3, 3), np.uint8)])
    with pytest.raises(InputError, match="a turn of 0"):
        turntable_bytes(frames, seconds=0.0)
    with pytest.raises(InputError, match="a turn of nan seconds in 8 frames"):
        turntable_bytes(frames, seconds=float("nan"))
    with pytest.raises(InputError, match="found the size 0"):
        draw_turntable(coloured_head(), turntable_cameras(2), 0)
