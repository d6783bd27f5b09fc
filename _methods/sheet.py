"""A portrait's silhouette as a flat triangulation with a smooth outline: what billboard and inflate are made of.

The alpha channel is averaged over the cells of a square lattice; the triangles between the cells' centres are cut at
alpha ½ (marching triangles, which have no ambiguous case), so the outline is made of closed, simple loops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from _exchange.errors import InputError
from _exchange.frames import BOX_SIDE, IMAGE_SIZE

ALPHA_LEVEL = 0.5
"""The outline runs where alpha, 0..1, passes this value."""
_SHARE_LIMITS = (0.02, 0.98)
"""Outline vertices keep this distance, in steps, from lattice nodes, so that no triangle degenerates."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """A flat triangulation of the silhouette.

    Attributes:
        pixels: (V, 2) float64 continuous (row, col) in the 512² portrait, pixel centres at half-integers.
        faces: (F, 3) int64, counter-clockwise in the picture with y up.
        rim: (E, 2) int64 directed edges of the outline, the inside on their left with y up; closed loops.
    """

    pixels: NDArray[np.float64]
    faces: NDArray[np.int64]
    rim: NDArray[np.int64]


def sheet_of_alpha(alpha: NDArray[np.uint8], resolution: int) -> Sheet:
    """Triangulate where a (512, 512) uint8 alpha channel is at least half; `resolution` cells along its side.

    Raises:
        InputError: nothing of the portrait is opaque at this resolution.
    """
    picture = Image.fromarray(alpha.astype(np.float32) / 255.0)
    inside = np.asarray(picture.resize((resolution, resolution), Image.Resampling.BOX), np.float64)
    # The ring of zeros closes silhouettes that touch the picture's border: at alpha 1 exactly on that border.
    values = np.pad(inside, 1)
    if not (values >= ALPHA_LEVEL).any():
        raise _nothing_opaque(alpha, resolution)
    side = resolution + 2
    nodes = np.arange(side * side).reshape(side, side)
    a, b, c, d = nodes[:-1, :-1].ravel(), nodes[1:, :-1].ravel(), nodes[1:, 1:].ravel(), nodes[:-1, 1:].ravel()
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    faces, crossed, first_crossing = _cut(triangles, values.ravel() >= ALPHA_LEVEL, side * side)

    flat = values.ravel()
    begin, end = crossed // (side * side), crossed % (side * side)
    share = np.clip((ALPHA_LEVEL - flat[begin]) / (flat[end] - flat[begin]), *_SHARE_LIMITS)
    places = np.stack([np.arange(side * side) // side, np.arange(side * side) % side], 1).astype(np.float64)
    outline = places[begin] + share[:, None] * (places[end] - places[begin])
    used, faces = np.unique(faces, return_inverse=True)
    pixels = (np.concatenate([places, outline])[used] - 0.5) * (IMAGE_SIZE / resolution)
    faces = faces.reshape(-1, 3).astype(np.int64)
    return Sheet(np.clip(pixels, 0, IMAGE_SIZE), faces, _rim(faces, used >= first_crossing))


def _nothing_opaque(alpha: NDArray[np.uint8], resolution: int) -> InputError:
    count = int((alpha > 255 * ALPHA_LEVEL).sum())
    if not count:
        return InputError("Expected a portrait with opaque pixels, found none.")
    side = IMAGE_SIZE / resolution
    return InputError(
        f"Expected opaque pixels that fill half a cell of {side:.1f} × {side:.1f} pixels, found {count} that do not.",
        next_step="Take a portrait that shows more, or a higher resolution.",
    )


def _cut(
    triangles: NDArray[np.int64], inside: NDArray[np.bool_], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The inner parts of triangles, keeping their orientation; the crossed edges (begin · count + end); their start."""
    corners = inside[triangles]
    number = corners.sum(1)
    pieces = [triangles[number == 3]]
    for lone, members in ((True, number == 1), (False, number == 2)):
        # Turn each triangle so that its odd corner comes first.
        turned = triangles[members]
        offset = (corners[members] == lone).argmax(1)[:, None]
        turned = np.take_along_axis(turned, (offset + np.arange(3)) % 3, axis=1)
        p, q, r = turned.T
        on_pq, on_pr = _edge_key(p, q, count), _edge_key(p, r, count)
        if lone:
            pieces.append(np.stack([p, on_pq, on_pr], 1))
        else:
            pieces += [np.stack([on_pq, q, r], 1), np.stack([on_pq, r, on_pr], 1)]
    faces = np.concatenate(pieces)
    is_key = faces >= count
    crossed, index = np.unique(faces[is_key] - count, return_inverse=True)
    faces[is_key] = count + index
    return faces, crossed, count


def _edge_key(p: NDArray[np.int64], q: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """One number per undirected edge, above all node numbers."""
    return count + np.minimum(p, q) * count + np.maximum(p, q)


def _rim(faces: NDArray[np.int64], on_outline: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Directed edges that only one triangle has."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = edges[on_outline[edges].all(1)]
    key = edges.min(1) * len(on_outline) + edges.max(1)
    _, index, count = np.unique(key, return_index=True, return_counts=True)
    return edges[np.sort(index[count == 1])]


# -- from the picture to the surface ----------------------------------------------------------------------------


def head_world_xy(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(…, 2) continuous (row, col) of the front view to (…, 2) x, y of `head_world`, metres."""
    centred = pixels / IMAGE_SIZE - 0.5
    return np.stack([centred[..., 1], -centred[..., 0]], axis=-1) * BOX_SIDE


def opaque_colors(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(512, 512, 3) uint8 colours of a (512, 512, 4) portrait, continued to everywhere.

    A pixel that is not opaque takes the colour of the nearest one that is, since colours mean nothing where alpha is
    small.
    """
    opaque = portrait[..., 3] > 255 * ALPHA_LEVEL
    rows, cols = ndimage.distance_transform_edt(~opaque, return_distances=False, return_indices=True)
    return portrait[rows, cols, :3]


def colors_at(colors: NDArray[np.uint8], pixels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(V, 4) uint8 opaque colours, bilinear in a (512, 512, 3) picture at (V, 2) continuous (row, col)."""
    places = np.clip(pixels - 0.5, 0, IMAGE_SIZE - 1)
    low = np.minimum(places.astype(np.int64), IMAGE_SIZE - 2)
    (t, u), (row, col) = (places - low).T[:, :, None], low.T
    values = colors.astype(np.float64)
    upper = values[row, col] * (1 - u) + values[row, col + 1] * u
    lower = values[row + 1, col] * (1 - u) + values[row + 1, col + 1] * u
    mixed = np.rint(upper * (1 - t) + lower * t).astype(np.uint8)
    return np.concatenate([mixed, np.full((len(mixed), 1), 255, np.uint8)], axis=1)
