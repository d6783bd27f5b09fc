"""Closed-form scenes for the renderer's tests; coordinates are `head_world` (+z towards the front camera), metres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from _exchange.mesh import AlphaMode, HeadMesh, Material, Part, Texture

Colour = tuple[float, float, float]
QUAD_UV = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


def head_mesh(*parts: Part) -> HeadMesh:
    return HeadMesh(parts, np.zeros(3))


def part(
    verts: NDArray,
    faces: NDArray,
    colour: Colour = (0.8, 0.8, 0.8),
    *,
    uv: NDArray | None = None,
    pixels: NDArray[np.uint8] | None = None,
    alpha_mode: AlphaMode = "OPAQUE",
) -> Part:
    """A double-sided part of one colour, or of a texture sampled at its nearest texel."""
    positions = np.asarray(verts, np.float32) * np.array([-1, 1, -1], np.float32)
    texture = None if pixels is None else Texture(pixels, "clamp", "clamp", "nearest", "nearest")
    factor = (*colour, 1.0) if pixels is None else (1.0, 1.0, 1.0, 1.0)
    material = Material(color_factor=factor, texture=texture, alpha_mode=alpha_mode, cull="none")
    uv = np.zeros((len(positions), 2), np.float32) if uv is None else uv
    return Part(positions, uv, np.asarray(faces, np.int32), material, np.ones(len(positions), bool))


def plane(
    z: float,
    half: float,
    centre: Sequence[float] = (0.0, 0.0),
    colour: Colour = (0.8, 0.8, 0.8),
    *,
    pixels: NDArray[np.uint8] | None = None,
    alpha_mode: AlphaMode = "OPAQUE",
) -> Part:
    """A square that faces the front camera; row 0 of its texture is at the top, column 0 at the left of the picture."""
    x, y = centre
    corners = [(x - half, y + half), (x + half, y + half), (x + half, y - half), (x - half, y - half)]
    verts = np.array([(a, b, z) for a, b in corners])
    return part(verts, np.array([[0, 2, 1], [0, 3, 2]]), colour, uv=QUAD_UV, pixels=pixels, alpha_mode=alpha_mode)


def sphere(radius: float, colour: Colour = (0.8, 0.8, 0.8), rings: int = 60) -> Part:
    polar = np.linspace(0, np.pi, rings + 1)
    around = np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False)
    theta, phi = np.meshgrid(polar, around, indexing="ij")
    verts = radius * np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], -1)
    here = np.arange(rings)[:, None] * 2 * rings + np.arange(2 * rings)
    right = np.arange(rings)[:, None] * 2 * rings + (np.arange(2 * rings) + 1) % (2 * rings)
    faces = np.concatenate(
        [np.stack([here, here + 2 * rings, right + 2 * rings], -1), np.stack([here, right + 2 * rings, right], -1)]
    )
    return part(verts.reshape(-1, 3), faces.reshape(-1, 3), colour)


def box(half: float, colour: Colour = (0.8, 0.8, 0.8)) -> Part:
    verts = np.array([(x, y, z) for x in (-half, half) for y in (-half, half) for z in (-half, half)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return part(verts, np.array([face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]), colour)
