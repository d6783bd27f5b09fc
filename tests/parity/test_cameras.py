"""Cameras, labels, mirrored labels and orthographic rays. Source: spec/measure.md §2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from _exchange.camera import CAM60, FRONT1, FRONT15, SPIN12, Camera, mirrored_label
from tests.parity.fixtures import arrays_of, measure_files, whatever_is_there

CAMERAS = measure_files("cameras*.npz")


@pytest.mark.parametrize("path", CAMERAS)
def test_fixed_views(path: Path) -> None:
    np.testing.assert_array_equal([[c.elev, c.azim] for c in CAM60], arrays_of(path)["cam60"])


@pytest.mark.parametrize("path", CAMERAS)
@pytest.mark.parametrize(("name", "ours"), [("spin12", SPIN12), ("front15", FRONT15), ("front1", FRONT1)])
def test_named_subsets_of_the_fixed_views(path: Path, name: str, ours: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(ours, arrays_of(path)[name])


@pytest.mark.parametrize("path", CAMERAS)
@pytest.mark.parametrize(
    ("name", "of_camera"),
    [
        ("extrinsic", lambda camera: camera.head_world_from_opencv()),
        ("intrinsic", lambda camera: camera.intrinsics()),
        ("label", lambda camera: camera.label()),
        ("label_mirrored", lambda camera: mirrored_label(camera.label())),
    ],
)
def test_matrices_and_labels(path: Path, name: str, of_camera: Callable[[Camera], np.ndarray]) -> None:
    fixture = arrays_of(path)
    for (elev, azim, dist, fov), expected in zip(fixture["params"], fixture[name]):
        # The orthographic flag makes focal lengths of −57, so the README allows a relative error there.
        relative = 1e-5 if fov == -1 and name != "extrinsic" else 0
        np.testing.assert_allclose(of_camera(Camera(elev, azim, dist, fov)), expected, rtol=relative, atol=2e-6)


@pytest.mark.parametrize("path", CAMERAS)
def test_orthographic_rays(path: Path) -> None:
    fixture = arrays_of(path)
    with whatever_is_there() as part:
        for row in fixture.numbers(r"ortho\d+_(origins|directions)"):
            elev, azim, dist, boxwarp, size = fixture["ortho_params"][row]
            origins, directions = Camera(elev, azim, dist, fov=-1.0, boxwarp=boxwarp).rays(int(size))
            for name, ours in (("origins", origins), ("directions", directions)):
                with part():
                    expected = fixture[f"ortho{row}_{name}"][0]
                    np.testing.assert_allclose(ours.transpose(2, 0, 1), expected, rtol=0, atol=2e-6)
