"""Camera labels and rays of the generator. Source: spec/generator.md §4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from _exchange.camera import CAM60, FRONT1, FRONT15, SPIN12
from tests.parity.generator_cases import assert_close, case_parameters, load_case, operator_arrays, operator_cases
from training.rays import as_image, cameras_of, labels_of, orthographic_rays, perspective_rays, rays_of_labels

TOLERANCE = 1e-6


def _size(settings: dict[str, Any], arrays: dict[str, torch.Tensor]) -> int:
    return settings.get("resolution", round(arrays["perspective_origins"].shape[1] ** 0.5))


@pytest.mark.parametrize(("settings", "path"), operator_cases("cameras_rays", having="camera_label"))
def test_labels_and_rays_of_single_cameras(settings: dict[str, Any], path: Path) -> None:
    arrays = operator_arrays(settings, path)
    numbers = ([settings[name]] for name in ("elev", "azim", "dist", "fov"))
    cameras = cameras_of(*numbers)
    label = labels_of(cameras)
    # The orthographic flag makes focal lengths of −57, of which float32 keeps 4e-6.
    torch.testing.assert_close(label[0], arrays["camera_label"], rtol=1e-7, atol=TOLERANCE)
    size, box_warp = _size(settings, arrays), settings.get("box_warp", 0.7)
    perspective = perspective_rays(label[:, :16].reshape(-1, 4, 4), label[:, 16:].reshape(-1, 3, 3), size)
    assert_close(perspective.origins, arrays["perspective_origins"], TOLERANCE)
    assert_close(perspective.directions, arrays["perspective_directions"], TOLERANCE)
    parallel = orthographic_rays(cameras, size, box_warp)
    assert_close(as_image(parallel.origins), arrays["ortho_origins"], TOLERANCE)
    assert_close(as_image(parallel.directions), arrays["ortho_directions"], TOLERANCE)
    if settings["fov"] < 0:
        from_label = rays_of_labels(label, size, box_warp)
        assert_close(as_image(from_label.origins), arrays["ortho_origins"], TOLERANCE)
        assert_close(as_image(from_label.directions), arrays["ortho_directions"], TOLERANCE)


@pytest.mark.parametrize(("settings", "path"), operator_cases("cameras_rays", having="intrinsics"))
def test_rays_of_general_intrinsics(settings: dict[str, Any], path: Path) -> None:
    arrays = operator_arrays(settings, path)
    rays = perspective_rays(arrays["cam2world"], arrays["intrinsics"], _size(settings, arrays))
    assert_close(rays.origins, arrays["perspective_origins"], TOLERANCE)
    assert_close(rays.directions, arrays["perspective_directions"], TOLERANCE)


@pytest.mark.parametrize(("settings", "path"), operator_cases("cameras_rays", having="cam60"))
def test_standard_views(settings: dict[str, Any], path: Path) -> None:
    arrays = operator_arrays(settings, path)
    assert [[camera.elev, camera.azim] for camera in CAM60] == arrays["cam60"].tolist()
    for name, ours in (("front1", FRONT1), ("front15", FRONT15), ("spin12", SPIN12)):
        assert list(ours) == arrays[name].tolist()


@pytest.mark.parametrize("path", case_parameters())
def test_labels_and_rays_of_whole_cases(path: Path) -> None:
    case = load_case(path)
    request = case.request()
    rays, expected = request.known_rays(), case.rays()
    assert_close(rays.origins, expected.origins, TOLERANCE)
    assert_close(rays.directions, expected.directions, TOLERANCE)
    if request.labels is not None:
        torch.testing.assert_close(request.labels, case.tensor("mid/camera_params"), rtol=1e-7, atol=TOLERANCE)
