"""The same character as VRM 0.x and as VRM 1.0 gives the same pictures: spec/renderer.md §12.6."""

from __future__ import annotations

import numpy as np
import pytest

from _databacks.vrm import read_head_mesh
from _exchange.camera import CAM60, ORTHO
from _render.choose import renderer
from tests import shared_data

VIEWS = {**ORTHO, "cam60_43": CAM60[43], "cam60_5": CAM60[5]}


@pytest.mark.parametrize("newer", shared_data.discover("vrm1/*_vrm1.vrm"))
def test_pictures_agree(newer):
    older = shared_data.require(f"vrm/{newer.name.removesuffix('_vrm1.vrm')}.vrm")
    scenes = [renderer("cpu").load(read_head_mesh(path, shading="corrected"), "corrected") for path in (older, newer)]
    for name, camera in VIEWS.items():
        a, b = (scene.draw(camera, size=512) for scene in scenes)
        one, other = a[..., 3] > 127, b[..., 3] > 127
        assert (one & other).sum() / (one | other).sum() >= 0.9999, name
        close = (np.abs(a.astype(int) - b) <= 2).all(axis=-1)
        # Godette's exporter changed the filter of one texture, which covers her back
        assert close[one | other].mean() >= (0.99 if newer.name.startswith("Godette") else 0.999), name
