"""Ink: where an illustrator draws lines, and in which colour.

Arrays are (H, W) [row, col], row 0 at the top, drawn `pixels_per_output` times larger than the finished picture.
Lines lie inside the silhouette, on the nearer of two surfaces: an illustration covers what the colour picture does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from _exchange.frames import BOX_SIDE
from _render.flat_colours import luma, saturated
from _render.illustration_style import IllustrationStyle
from _render.scene import GeometryBuffers

DEEP_JUMP = 0.035
"""From this jump of depth on a line is as wide as the silhouette's, metres."""
INK_TINT = np.array([0.34, 0.13, 0.20], np.float32)
"""What ink is mixed with, so that lines on white or grey are not grey."""
TINT_SHARE = 0.5
RICHNESS = 1.0
"""How much farther from grey than the colour it is made from black ink would be."""
SHORTEST_LINE = 9
"""Inner lines with fewer marks than this many pixels of the finished picture are left out."""
PART_CONTRAST = 0.12
"""Colour difference (sum of three channels, 0..1 each) from which the border between two parts is drawn."""


def ink_coverage(
    alpha: NDArray[np.uint8],
    flat: NDArray[np.float32],
    buffers: GeometryBuffers,
    style: IllustrationStyle,
    pixels_per_output: int,
) -> NDArray[np.float32]:
    """How much of each pixel is ink, 0..1.

    Args:
        alpha: (S, S) of the colour picture.
        flat: (S, S, 3) flat colours, 0..1.
        buffers: geometry of the same view and size.
        style: widths and thresholds.
        pixels_per_output: pixels along one pixel of the finished picture.
    """
    inside = alpha > 127
    deep, shallow = _depth_edges(buffers, inside & ~_at_cube_faces(buffers), style.depth_jump)
    outline = inside & ~ndimage.binary_erosion(inside, border_value=1) & ~_at_cube_faces(buffers)
    shallow = np.maximum(shallow, _part_edges(buffers.part, flat, inside))
    shallow = np.maximum(shallow, _creases(buffers, style.crease_angle))
    shallow = _without_specks(shallow, SHORTEST_LINE * pixels_per_output)
    fine = _texture_edges(flat, inside, style.texture_edge, pixels_per_output)
    lines = _stroke(np.maximum(outline, deep), style.silhouette_width * pixels_per_output)
    lines = np.maximum(lines, _stroke(shallow, style.crease_width * pixels_per_output))
    lines = np.maximum(lines, _stroke(fine, style.texture_width * pixels_per_output))
    return np.where(inside, lines, np.float32(0))


def ink_colours(painted: NDArray[np.float32], darkness: float) -> NDArray[np.float32]:
    """(…, 3) colours of ink on these colours (0..1): darker, richer and a little warmer."""
    darkness = min(1.0, darkness)
    light, share = np.float32(1 - darkness), np.float32(TINT_SHARE * darkness)
    dark = np.clip(saturated(painted, 1 + RICHNESS * darkness), 0, 1) * light
    tint = INK_TINT * np.float32(min(1.0, 2 * (1 - darkness)))
    return np.asarray(dark + (tint - dark) * share, np.float32)


def _stroke(edges: NDArray, width: float) -> NDArray[np.float32]:
    """Marked pixels (0..1) as strokes `width` pixels wide with soft borders; weak or lone marks come out thinner."""
    if width <= 0:
        return np.zeros(edges.shape, np.float32)
    sigma = width / 2
    blurred = ndimage.gaussian_filter(edges.astype(np.float32), sigma, truncate=3.0)
    peak = 1 / (sigma * np.sqrt(2 * np.pi))
    return np.clip((blurred / np.float32(peak) - np.float32(0.4)) / np.float32(0.35), 0, 1)


def _depth_edges(
    buffers: GeometryBuffers, inside: NDArray[np.bool_], jump: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Marks 0..1 of deep and of shallow jumps of depth, on their nearer side."""
    depth = buffers.finite_depth
    step = np.zeros(depth.shape, np.float32)
    for axis in (0, 1):
        for sign in (1, -1):
            ahead = _neighbour(depth, axis, sign)
            behind = _neighbour(depth, axis, -sign)
            beyond = _neighbour(depth, axis, 2 * sign)
            rise = ahead - depth
            bend = np.minimum(np.abs(rise - (depth - behind)), np.abs(rise - (beyond - ahead)))
            step = np.maximum(step, np.where(rise > 0, np.minimum(bend, rise), np.float32(0)))
    step[~inside | (buffers.part < 0)] = 0
    jump = max(jump, 1e-6)
    deep = np.clip((step - np.float32(jump)) / np.float32(max(DEEP_JUMP - jump, jump)), 0, 1)
    return deep, np.clip((step - np.float32(jump)) / np.float32(0.5 * jump), 0, 1)


def _part_edges(part: NDArray[np.int16], flat: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Marks on the darker side of borders between parts of different colour."""
    marks = np.zeros(part.shape, np.float32)
    for axis in (0, 1):
        for sign in (1, -1):
            border = (part != _neighbour(part, axis, sign)) & inside & _neighbour(inside, axis, sign)
            here = np.nonzero(border)
            there = list(here)
            there[axis] = np.clip(here[axis] + 2 * sign, 0, part.shape[axis] - 1)
            ours, theirs = flat[here], flat[tuple(there)]
            differs = np.abs(ours - theirs).sum(axis=-1) > np.float32(PART_CONTRAST)
            marks[here] = np.maximum(marks[here], differs & (luma(ours) <= luma(theirs)))
    return marks


def _without_specks(marks: NDArray[np.float32], least: int) -> NDArray[np.float32]:
    """Marks without groups (8 neighbours) of fewer than `least` pixels."""
    groups, _ = ndimage.label(marks > MARKED, structure=np.ones((3, 3)))
    counts = np.bincount(groups.ravel())
    counts[0] = 0
    return np.where(counts[groups] >= least, marks, np.float32(0))


MARKED = 0.25
"""From this value on a mark counts towards the length of its line."""


def _at_cube_faces(buffers: GeometryBuffers) -> NDArray[np.bool_]:
    """Where the surface is about to be cut by the working cube: no illustrator draws that edge."""
    return np.asarray((np.abs(buffers.position) > BOX_SIDE / 2 - CUT_MARGIN).any(axis=-1), bool)


CUT_MARGIN = 0.003
"""Lines stay this far from the faces of the working cube, metres."""


def _creases(buffers: GeometryBuffers, angle: float) -> NDArray[np.float32]:
    """Marks where two facets without a jump between them meet at a large angle; slivers between facets are passed."""
    facet = _facet_normals(np.ascontiguousarray(np.moveaxis(buffers.position, -1, 0)))
    marks = np.zeros(buffers.part.shape, np.float32)
    shown = buffers.part >= 0
    bent, straight = np.float32(np.cos(np.radians(angle))), np.float32(np.cos(np.radians(FLAT_ANGLE)))
    known = (facet * facet).sum(axis=0) > 0
    for axis in (0, 1):
        turn = (_neighbour(facet, axis + 1, -1) * _neighbour(facet, axis + 1, 1)).sum(axis=0)
        along = (facet * _neighbour(facet, axis + 1, 1)).sum(axis=0)
        flat = (_neighbour(along, axis, -2) > straight) & (_neighbour(along, axis, 1) > straight)
        close = shown & known & _neighbour(known, axis, -1) & _neighbour(known, axis, 1)
        marks[close & flat & (turn < bent)] = 1
    return marks


def _facet_normals(position: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, H, W) unit normals of the plane through each pixel's point and those right of and below it; 0 at jumps."""
    x1, y1, z1 = _neighbour(position, 2, 1) - position
    x2, y2, z2 = _neighbour(position, 1, 1) - position
    facet = np.stack([y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2])
    square = (facet * facet).sum(axis=0)
    longest = np.maximum(x1 * x1 + y1 * y1 + z1 * z1, x2 * x2 + y2 * y2 + z2 * z2)
    is_facet = (longest < np.float32(CREASE_SPAN**2)) & (square > 0)
    return facet * np.divide(1, np.sqrt(square), out=np.zeros_like(square), where=is_facet)


FLAT_ANGLE = 25.0
"""Normals of neighbouring pixels of one facet differ by less than this, degrees."""
CREASE_SPAN = 0.004
"""Pixels of one surface are not farther apart than this, metres: beyond it there is a jump of depth."""


def _texture_edges(
    flat: NDArray[np.float32], inside: NDArray[np.bool_], contrast: float, pixels_per_output: int
) -> NDArray[np.float32]:
    """Marks on the dark side of strong edges and on dark lines of the flat colours."""
    brightness = np.where(inside, luma(flat), np.float32(0))
    weight = inside.astype(np.float32)
    narrow, wide = (
        ndimage.gaussian_filter(brightness, sigma * pixels_per_output, truncate=2.5)
        / np.maximum(ndimage.gaussian_filter(weight, sigma * pixels_per_output, truncate=2.5), np.float32(1e-3))
        for sigma in (0.5, 2.0)
    )
    return np.clip((wide - narrow - np.float32(contrast)) / np.float32(0.06), 0, 1) * weight


def _neighbour(values: NDArray, axis: int, by: int) -> NDArray:
    """The value `by` pixels further along an axis; at the border the last one is repeated."""
    index = np.clip(np.arange(values.shape[axis]) + by, 0, values.shape[axis] - 1)
    return np.take(values, index, axis=axis)
