"""Small surfaces for renderer tests, and the back ends that draw them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from _exchange.camera import ORTHOGRAPHIC, Camera
from _exchange.errors import MissingComponent
from _exchange.mesh import HeadMesh, Material, Part, Texture
from _render.choose import renderer
from _render.rasterise_egl import EglRenderer
from _render.scene import Renderer

FRONT = Camera(0.0, 0.0, fov=ORTHOGRAPHIC)
"""Looks along −z of `head_world` = +z of `head_model`; image right is −x of `head_model`."""
FRONT_PERSPECTIVE = Camera(0.0, 0.0)


def plain_texture(*color: int) -> Texture:
    """One texel."""
    return Texture(np.array([[color]], np.uint8))


def colored(*color: int, **options: object) -> Material:
    """A double-sided material of one colour (bytes RGBA)."""
    return Material(texture=plain_texture(*color), **{"cull": "none", **options})  # type: ignore[arg-type]


def part(corners: Sequence[Sequence[float]], material: Material, uv: Sequence[Sequence[float]] | None = None) -> Part:
    """Triangles with three or quadrilaterals with four corners (`head_model`, metres), as one part."""
    positions = np.array(corners, np.float32)
    faces = [[0, 1, 2]] if len(positions) == 3 else [[0, 1, 2], [0, 2, 3]]
    coordinates = np.zeros((len(positions), 2)) if uv is None else np.array(uv)
    count = len(positions)
    return Part(positions, coordinates.astype(np.float32), np.array(faces, np.int32), material, np.ones(count, bool))


def square(material: Material, half: float = 0.2, z: float = 0.0, centre: tuple[float, float] = (0.0, 0.0)) -> Part:
    """An upright square facing the front camera; uv (0, 0) is its top left corner in the front picture."""
    x, y = centre
    corners = [(x + half, y + half, z), (x + half, y - half, z), (x - half, y - half, z), (x - half, y + half, z)]
    return part(corners, material, [(0, 0), (0, 1), (1, 1), (1, 0)])


def character(*parts: Part) -> HeadMesh:
    """A character of these parts."""
    return HeadMesh(parts, np.zeros(3))


def screen_triangle(pixels: Sequence[tuple[float, float]], size: int, material: Material, z: float = 0.0) -> Part:
    """A triangle whose corners stand at (col, row) picture coordinates of the front camera."""
    corners = [(0.35 - col / size * 0.7, 0.35 - row / size * 0.7, z) for col, row in pixels]
    return part(corners, material)


def alpha(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a drawing has alpha above one half."""
    return picture[..., 3] > 127


def egl_or_skip() -> EglRenderer:
    """The EGL back end, or a skip with the reason."""
    try:
        found = renderer("egl")
    except MissingComponent as error:
        pytest.skip(str(error))
    assert isinstance(found, EglRenderer)
    return found


def back_end(name: str) -> Renderer:
    """The back end called cpu or egl, or a skip with the reason."""
    return egl_or_skip() if name == "egl" else renderer("cpu")
