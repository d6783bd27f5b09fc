"""World-to-eye matrices, projections and pixel positions of the renderer. Source: spec/renderer.md §3–4."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from _exchange.camera import ORTHOGRAPHIC, Camera
from tests.parity.fixtures import arrays_of, measure_files

RASTER_CAMERAS = measure_files("raster_cameras*.npz")
KINDS = pytest.mark.parametrize(("kind", "fov"), [("perspective", 30.0), ("ortho", ORTHOGRAPHIC)])


@pytest.mark.parametrize("path", RASTER_CAMERAS)
def test_eye_matrices(path: Path) -> None:
    fixture = arrays_of(path)
    for (elev, azim), origin, expected in zip(fixture["elev_azim"], fixture["loc_origin"], fixture["view"]):
        np.testing.assert_allclose(Camera(elev, azim).eye_from_model(origin), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", RASTER_CAMERAS)
@KINDS
def test_projections(path: Path, kind: str, fov: float) -> None:
    clip_from_eye = Camera(0, 0, fov=fov).clip_from_eye()
    np.testing.assert_allclose(clip_from_eye, arrays_of(path)[f"proj_{kind}"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", RASTER_CAMERAS)
@KINDS
def test_pixels(path: Path, kind: str, fov: float) -> None:
    fixture = arrays_of(path)
    points = fixture["points_head_centred"]
    for (elev, azim), expected in zip(fixture["elev_azim"], fixture[f"pixels_{kind}"]):
        pixels = Camera(elev, azim, fov=fov).pixels_from_head_model(points)
        np.testing.assert_allclose(pixels, expected, rtol=0, atol=1e-3)
