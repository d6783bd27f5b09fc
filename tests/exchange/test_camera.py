"""Cameras worked by hand, and laws that every camera keeps."""

from __future__ import annotations

import numpy as np
import pytest

from _exchange.camera import (
    CAM60,
    ORTHO,
    ORTHOGRAPHIC,
    SPIN12,
    Camera,
    camera_from_params,
    mirrored_label,
    random_views,
    standard_camera,
)
from _exchange.errors import InputError
from _exchange.frames import head_model_from_head_world

# A camera on the character's left, level, one metre away. The character faces +z of head_world and its left is +x, so
# the camera stands at (1, 0, 0), looks along −x, and sees the face (+z) on the left of the picture: right is −z.
LEFT = Camera(elev=0.0, azim=90.0)
EVERY_VIEW = [*ORTHO.values(), *CAM60, Camera(12.5, -77000.25, 1.3, 21.0)]


def test_the_left_camera_worked_by_hand() -> None:
    expected = np.array([[0, 0, -1, 1], [0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]], float)
    np.testing.assert_allclose(LEFT.head_world_from_opencv(), expected, atol=1e-7)


def test_the_front_camera_sees_the_characters_left_on_the_right_of_the_picture() -> None:
    left_ear_head_world = np.array([0.1, 0.0, 0.0])
    row, col = ORTHO["front"].pixels_from_head_model(head_model_from_head_world(left_ear_head_world))
    # 0.1 m of 0.7 m are 1/7 of 512 pixels to the right of the centre
    assert (row, col) == pytest.approx((256.0, 256.0 + 512 / 7), abs=1e-3)


def test_up_is_up_and_row_zero_is_the_top() -> None:
    row, _ = ORTHO["front"].pixels_from_head_model(np.array([0.0, 0.35, 0.0]))
    assert row == pytest.approx(0.0, abs=1e-3)


def test_perspective_size_worked_by_hand() -> None:
    # at distance 1 a field of view of 30° shows 2·tan 15° = 0.5359 m: a point 0.2 m up stands 0.2/0.5359 of 512 above
    row, _ = Camera(0.0, 0.0).pixels_from_head_model(np.array([0.0, 0.2, 0.0]))
    assert row == pytest.approx(256 - 512 * 0.2 / 0.5358984, abs=1e-2)


@pytest.mark.parametrize("camera", EVERY_VIEW, ids=str)
def test_the_rotation_of_a_camera_is_a_rotation(camera: Camera) -> None:
    rotation = camera.head_world_from_opencv()[:3, :3].astype(float)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(rotation) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("camera", EVERY_VIEW, ids=str)
def test_rays_pass_through_the_pixels_they_are_named_by(camera: Camera) -> None:
    size = 8
    origins, directions = camera.rays(size)
    points = origins + 0.9 * directions
    pixels = camera.pixels_from_head_model(head_model_from_head_world(points), size)
    centres = np.arange(size) + 0.5
    # float32 matrices: 1e-3 pixels of 512 are 2e-5 of 8
    np.testing.assert_allclose(pixels[..., 0], np.broadcast_to(centres[:, None], (size, size)), atol=2e-4)
    np.testing.assert_allclose(pixels[..., 1], np.broadcast_to(centres[None, :], (size, size)), atol=2e-4)


@pytest.mark.parametrize("camera", EVERY_VIEW, ids=str)
def test_label_axes_and_eye_axes_are_the_same_camera(camera: Camera) -> None:
    eye_from_world = camera.eye_from_head_model().astype(float) @ np.diag([-1.0, 1.0, -1.0, 1.0])
    opencv_from_eye = np.diag([1.0, -1.0, -1.0, 1.0])
    product = opencv_from_eye @ eye_from_world @ camera.head_world_from_opencv()
    np.testing.assert_allclose(product, np.eye(4), atol=2e-6)


def test_front_and_back_planes_map_to_the_ends_of_the_depth_range() -> None:
    for fov in (30.0, ORTHOGRAPHIC):
        camera = Camera(0.0, 0.0, fov=fov)
        for depth, expected in ((camera.near, -1.0), (camera.far, 1.0)):
            clip = camera.clip_from_eye() @ np.array([0.0, 0.0, -depth, 1.0])
            assert clip[2] / clip[3] == pytest.approx(expected)


def test_mirroring_a_label_is_the_label_of_the_mirrored_azimuth() -> None:
    label = Camera(13.0, 40.0).label()
    np.testing.assert_allclose(mirrored_label(label), Camera(13.0, -40.0).label(), atol=1e-6)
    np.testing.assert_array_equal(mirrored_label(mirrored_label(label)), label)


def test_the_spin_starts_in_front_and_goes_to_the_left_in_steps_of_30_degrees() -> None:
    azimuths = [CAM60[index].azim % 360 for index in SPIN12]
    assert azimuths == [30.0 * step for step in range(12)]
    assert {CAM60[index].elev for index in SPIN12} == {0.0}


def test_random_views_have_the_published_spread() -> None:
    views = [view for number in range(200) for view in random_views(str(number))]
    elevations = np.array([view.elev for view in views])
    # 1,600 normals of standard deviation 20: the estimate's own deviation is 20/√3200 = 0.35
    assert np.std(elevations) == pytest.approx(20.0, abs=1.4)
    assert random_views("7") == random_views("7")
    assert random_views("7") != random_views("8")


def test_standard_cameras_by_name() -> None:
    assert standard_camera("rgb60_0042") == CAM60[42]
    assert standard_camera("ortho_back").azim == 180.0
    for wrong in ("rgb60_0060", "rgb60_42", "ortho_behind", "front", "rgb60_-001"):
        with pytest.raises(InputError, match="ortho_front or rgb60_0042"):
            standard_camera(wrong)


def test_render_params_go_both_ways() -> None:
    camera = Camera(3.5, -40.0)
    assert camera_from_params({**camera.render_params, "scale": 0.9}) == camera
    with pytest.raises(InputError, match="elev and azim"):
        camera_from_params({"elev": 0.0})
