"""Rays against the cameras of `_exchange.camera` and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from _exchange.camera import Camera
from _exchange.errors import InputError
from training.rays import (
    as_image,
    cameras_of,
    is_orthographic,
    labels_of,
    orthographic_rays,
    perspective_rays,
    rays_from_images,
    rays_of_labels,
)

LAWS = settings(derandomize=True, deadline=None, max_examples=20)
ANGLES = st.floats(-180, 180)


@LAWS
@given(st.floats(-80, 80), ANGLES, st.floats(0.5, 2), st.sampled_from([-1.0, 12.0, 30.0, 60.0]))
def test_rays_of_labels_are_those_of_the_camera(elev: float, azim: float, dist: float, fov: float) -> None:
    """`Camera.rays` works in double and is checked against the renderer's fixtures; labels round to 6e-8."""
    camera = Camera(elev, azim, dist, fov)
    origins, directions = camera.rays(5)
    rays = rays_of_labels(labels_of([camera]), 5, camera.boxwarp)
    np.testing.assert_allclose(rays.origins[0], origins.reshape(-1, 3), atol=1e-6)
    np.testing.assert_allclose(rays.directions[0], directions.reshape(-1, 3), atol=1e-6)


def test_a_batch_may_mix_kinds_of_cameras() -> None:
    cameras = cameras_of([0.0, 10.0], [0.0, 90.0], [1.0, 1.2], [-1.0, 30.0])
    labels = labels_of(cameras)
    assert is_orthographic(labels).tolist() == [True, False]
    both = rays_of_labels(labels, 4, 0.7)
    for index in range(2):
        alone = rays_of_labels(labels[index : index + 1], 4, 0.7)
        torch.testing.assert_close(both.origins[index], alone.origins[0])
        torch.testing.assert_close(both.directions[index], alone.directions[0])


def test_the_front_view_shows_up_above_and_the_left_side_on_the_right() -> None:
    """Azimuth 0 looks along −z; image right is +x; row 0 is up."""
    rays = orthographic_rays([Camera(0.0, 0.0, 1.0)], 2, 0.7)
    expected = [[-0.175, 0.175, 1], [0.175, 0.175, 1], [-0.175, -0.175, 1], [0.175, -0.175, 1]]
    np.testing.assert_allclose(rays.origins[0], expected, atol=1e-7)
    np.testing.assert_allclose(rays.directions[0], [[0, 0, -1]] * 4, atol=1e-7)


def test_skew_shifts_a_pixel_by_its_height() -> None:
    """K · (X, Y, 1) must give back (u, v): the definition of intrinsics."""
    intrinsics = torch.tensor([[[1.5, 0.2, 0.45], [0.0, 1.3, 0.55], [0.0, 0.0, 1.0]]])
    rays = perspective_rays(torch.eye(4)[None], intrinsics, 3)
    on_plane = rays.directions / rays.directions[..., 2:]
    pixels = (on_plane @ intrinsics[0].T)[0, :, :2]
    centres = (np.arange(3) + 0.5) / 3
    np.testing.assert_allclose(pixels, [(u, v) for v in centres for u in centres], atol=1e-6)


def test_images_of_rays_are_row_major_and_come_back() -> None:
    images = {"ray_origins": torch.randn(2, 3, 4, 4), "ray_directions": torch.randn(2, 3, 4, 4)}
    rays = rays_from_images(images)
    assert torch.equal(rays.origins[1, 4 * 2 + 3], images["ray_origins"][1, :, 2, 3])
    assert torch.equal(as_image(rays.directions), images["ray_directions"])


def test_refused_rays_and_angles() -> None:
    with pytest.raises(InputError, match="ray_directions, found the keys"):
        rays_from_images({"ray_origins": torch.zeros(1, 3, 4, 4)})
    with pytest.raises(InputError, match=r"\(B, 3, r, r\), found \(1, 16, 3\)"):
        rays_from_images({"ray_origins": torch.zeros(1, 16, 3), "ray_directions": torch.zeros(1, 16, 3)})
    with pytest.raises(InputError, match="found 2, 1, 1, 1"):
        cameras_of([0.0, 1.0], [0.0], [1.0], [30.0])
