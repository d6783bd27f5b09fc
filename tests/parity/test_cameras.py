"""Cameras, labels, mirrored labels and orthographic rays. Source: spec/measure.md §2."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from _exchange.camera import CAM60, FRONT1, FRONT15, SPIN12, Camera, mirrored_label
from tests.parity.fixtures import measure_files

CAMERAS = measure_files("cameras*.npz")


@pytest.mark.parametrize("path", CAMERAS)
def test_fixed_views_and_their_named_subsets(path: Path) -> None:
    fixture = np.load(path)
    np.testing.assert_array_equal([[c.elev, c.azim] for c in CAM60], fixture["cam60"])
    for name, ours in (("spin12", SPIN12), ("front15", FRONT15), ("front1", FRONT1)):
        np.testing.assert_array_equal(ours, fixture[name])


@pytest.mark.parametrize("path", CAMERAS)
def test_matrices_and_labels(path: Path) -> None:
    fixture = np.load(path)
    for row, (elev, azim, dist, fov) in enumerate(fixture["params"]):
        camera = Camera(elev, azim, dist, fov)
        np.testing.assert_allclose(camera.head_world_from_opencv(), fixture["extrinsic"][row], rtol=0, atol=2e-6)
        # The orthographic flag makes focal lengths of −57, so the README allows a relative error there.
        relative = 1e-5 if fov == -1 else 0
        np.testing.assert_allclose(camera.intrinsics(), fixture["intrinsic"][row], rtol=relative, atol=2e-6)
        np.testing.assert_allclose(camera.label(), fixture["label"][row], rtol=relative, atol=2e-6)
        mirrored = mirrored_label(camera.label())
        np.testing.assert_allclose(mirrored, fixture["label_mirrored"][row], rtol=relative, atol=2e-6)


@pytest.mark.parametrize("path", CAMERAS)
def test_orthographic_rays(path: Path) -> None:
    fixture = np.load(path)
    keys = [key for key in fixture.files if re.fullmatch(r"ortho\d+_origins", key)]
    assert keys
    for key in keys:
        row = int(re.findall(r"\d+", key)[0])
        elev, azim, dist, boxwarp, size = fixture["ortho_params"][row]
        origins, directions = Camera(elev, azim, dist, fov=-1.0, boxwarp=boxwarp).rays(int(size))
        np.testing.assert_allclose(origins.transpose(2, 0, 1), fixture[key][0], rtol=0, atol=2e-6)
        expected = fixture[key.replace("origins", "directions")][0]
        np.testing.assert_allclose(directions.transpose(2, 0, 1), expected, rtol=0, atol=2e-6)
