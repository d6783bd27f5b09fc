"""The obvious rasteriser: every triangle, every pixel, every texel, one after the other. The truth, for small pictures.

The fast rasterisers are compared with it. It shares no code with them beyond the `Plan`.
Source: spec/renderer.md §4.1, §5, §5.1, §12.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _exchange.camera import Camera
from _exchange.frames import BOX_SIDE
from _exchange.mesh import HeadMesh
from _render.sample_plain import PlainTexture, sample
from _render.scene import Drawing
from _render.shading import Draw, Plan
from _render.textures import Filter

SUBPIXELS = 256
DEPTH_STEPS = 2**24 - 1
ROUNDING = 1e-9
"""Filtered alpha can be this much below its true value: what is equal to the cutoff stays."""


@dataclass(frozen=True, eq=False)
class _Vertex:
    """A corner: clip coordinates (4,), position in `head_model` (3,), texture coordinates (2,)."""

    clip: NDArray[np.float64]
    point: NDArray[np.float64]
    uv: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Fragment:
    """One triangle at one pixel centre: place, depth step, position, texture coordinates and their change per pixel."""

    row: int
    col: int
    depth: int
    point: NDArray[np.float64]
    uv: NDArray[np.float64]
    uv_along_x: NDArray[np.float64]
    uv_along_y: NDArray[np.float64]


def draw_plain(
    head_mesh: HeadMesh, plan: Plan, camera: Camera, size: int, texture_filter: Filter = "trilinear"
) -> Drawing:
    """Colour and position of one view, both (size, size, 4) uint8."""
    colour = np.zeros((size, size, 4))
    position = np.zeros((size, size, 4))
    depth = np.full((size, size), DEPTH_STEPS + 1)
    for draw in plan.draws:
        texture = None if draw.texture is None else PlainTexture.of(draw.texture)
        for triangle in _triangles(head_mesh, draw, camera):
            for fragment in _fragments(triangle, draw, size):
                at = fragment.row, fragment.col
                if fragment.depth > depth[at] or (fragment.depth == depth[at] and plan.ties == "first"):
                    continue
                outside = bool((np.abs(fragment.point) > BOX_SIDE / 2).any())
                source = _source(draw, texture, fragment, texture_filter)
                if source[3] < draw.cutoff - ROUNDING or (outside and plan.outside == "drop"):
                    continue
                source = np.clip(source, 0, 1)
                if draw.blends:
                    _blend(colour, at, source)
                    if draw.writes_depth and source[3] > 0:
                        depth[at] = fragment.depth
                    continue
                alpha = source[3] if draw.keeps_alpha else 1.0
                if outside:
                    alpha = 0.0
                depth[at] = fragment.depth
                colour[at] = *source[:3], alpha
                position[at] = *((fragment.point + BOX_SIDE / 2) / BOX_SIDE), alpha
    return Drawing(_bytes(colour), _bytes(position))


def _source(draw: Draw, texture: PlainTexture | None, fragment: _Fragment, texture_filter: Filter) -> NDArray:
    """The fragment's own colour and alpha."""
    if texture is None:
        return np.array(draw.color_factor)
    texel = sample(texture, fragment.uv, fragment.uv_along_x, fragment.uv_along_y, texture_filter)
    return np.array(draw.color_factor) * texel


def _blend(colour: NDArray[np.float64], at: tuple[int, int], source: NDArray[np.float64]) -> None:
    """Source over what is there; stored with straight alpha."""
    below = colour[at].copy()
    alpha = source[3] + (1 - source[3]) * below[3]
    if alpha > 0:
        mixed = source[3] * source[:3] + (1 - source[3]) * below[3] * below[:3]
        colour[at] = *(mixed / alpha), alpha


def _bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


# -- triangles --------------------------------------------------------------------------------------------------


def _triangles(head_mesh: HeadMesh, draw: Draw, camera: Camera) -> Iterator[Sequence[_Vertex]]:
    """The draw's triangles after clipping at the near plane."""
    part = head_mesh.parts[draw.part]
    clip_from_head = camera.clip_from_eye() @ camera.eye_from_head_model()
    for face in part.faces:
        corners = [
            _Vertex(
                clip_from_head @ np.append(part.positions[index].astype(np.float64), 1.0),
                part.positions[index].astype(np.float64),
                part.uv[index].astype(np.float64),
            )
            for index in face
        ]
        polygon = _clip_near(corners)
        for second in range(1, len(polygon) - 1):
            yield polygon[0], polygon[second], polygon[second + 1]


def _clip_near(polygon: Sequence[_Vertex]) -> list[_Vertex]:
    kept = []
    for here, there in zip(polygon, [*polygon[1:], polygon[0]]):
        distance_here, distance_there = here.clip[2] + here.clip[3], there.clip[2] + there.clip[3]
        if distance_here >= 0:
            kept.append(here)
        if (distance_here >= 0) != (distance_there >= 0):
            share = distance_here / (distance_here - distance_there)
            kept.append(
                _Vertex(
                    here.clip + share * (there.clip - here.clip),
                    here.point + share * (there.point - here.point),
                    here.uv + share * (there.uv - here.uv),
                )
            )
    return kept


# -- pixels -----------------------------------------------------------------------------------------------------


def _fragments(triangle: Sequence[_Vertex], draw: Draw, size: int) -> Iterator[_Fragment]:
    """The pixels whose centre the triangle covers, rows from the top, columns from the left."""
    screen = [_screen(vertex, size) for vertex in triangle]
    area = _edge(screen[0], screen[1], screen[2])
    is_front = area < 0  # counter-clockwise with y up
    if area == 0 or (draw.cull == "back" and not is_front) or (draw.cull == "front" and is_front):
        return
    if is_front:
        triangle = triangle[0], triangle[2], triangle[1]
        screen = [screen[0], screen[2], screen[1]]
    window_z = [(vertex.clip[2] / vertex.clip[3] + 1) / 2 for vertex in triangle]
    for row in range(size):
        for col in range(size):
            edges = _edges_if_covered(screen, col * SUBPIXELS + SUBPIXELS // 2, row * SUBPIXELS + SUBPIXELS // 2)
            if edges is None:
                continue
            flat = np.array(edges) / abs(area)
            z = math.floor(
                (window_z[0] + flat[1] * (window_z[1] - window_z[0]) + flat[2] * (window_z[2] - window_z[0]))
                * DEPTH_STEPS
                + 0.5
            )
            if not 0 <= z <= DEPTH_STEPS:
                continue
            uv, along_x, along_y = _texture_coordinates(triangle, screen, edges)
            point = _weights(triangle, edges) @ np.array([vertex.point for vertex in triangle])
            yield _Fragment(row, col, z, point, uv, along_x, along_y)


def _screen(vertex: _Vertex, size: int) -> tuple[int, int]:
    """Whole numbers of 1/256 pixel: x to the right, y down."""
    x, y = vertex.clip[0] / vertex.clip[3], vertex.clip[1] / vertex.clip[3]
    scale = size * SUBPIXELS / 2
    return math.floor((x + 1) * scale + 0.5), math.floor((1 - y) * scale + 0.5)


def _edge(a: tuple[int, int], b: tuple[int, int], p: tuple[int, int]) -> int:
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


def _edges_if_covered(screen: Sequence[tuple[int, int]], x: int, y: int) -> tuple[int, int, int] | None:
    """The edge functions opposite to each corner, or None where the point belongs to another triangle."""
    values = []
    for corner in range(3):
        a, b = screen[(corner + 1) % 3], screen[(corner + 2) % 3]
        value = _edge(a, b, (x, y))
        is_top = b[1] == a[1] and b[0] > a[0]
        is_left = b[1] < a[1]
        if value < 0 or (value == 0 and not (is_top or is_left)):
            return None
        values.append(value)
    return values[0], values[1], values[2]


def _weights(triangle: Sequence[_Vertex], edges: Sequence[float]) -> NDArray[np.float64]:
    """Perspective-correct weights of the three corners."""
    weights = np.array([edge / vertex.clip[3] for edge, vertex in zip(edges, triangle)])
    return weights / weights.sum()


def _texture_coordinates(
    triangle: Sequence[_Vertex], screen: Sequence[tuple[int, int]], edges: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """uv at the pixel centre, and its change per pixel along x and y (quotient rule on sums of edge functions)."""
    inverse_w = np.array([1 / vertex.clip[3] for vertex in triangle])
    uv = np.array([vertex.uv for vertex in triangle])
    total = (np.array(edges) * inverse_w).sum()
    value = (np.array(edges) * inverse_w) @ uv / total
    slopes_x, slopes_y = [], []
    for corner in range(3):
        a, b = screen[(corner + 1) % 3], screen[(corner + 2) % 3]
        slopes_x.append(-(b[1] - a[1]) * SUBPIXELS)
        slopes_y.append((b[0] - a[0]) * SUBPIXELS)
    along_x = (np.array(slopes_x) * inverse_w) @ (uv - value) / total
    along_y = (np.array(slopes_y) * inverse_w) @ (uv - value) / total
    return value, along_x, along_y
