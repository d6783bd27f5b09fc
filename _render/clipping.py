"""Clipping of triangles at the near plane, before the division by w.

Vertices far off to the side are clipped as well, at a guard band much wider than the picture, so that pixel
coordinates fit into whole numbers. New vertices are points on edges: `ClippedTriangles.extend` interpolates anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GUARD_PIXELS = 2**20
"""Half width of the guard band in pixels; products of two such lengths in 1/256 pixel fit into 62 bits."""


@dataclass(frozen=True, eq=False)
class ClippedTriangles:
    """Triangles after clipping.

    Attributes:
        faces: (F', 3) int32 indices into the vertices followed by the new ones.
        source: (F',) int32 index of the triangle each came from, ascending.
        edges: new vertices, in order: (first vertex, second vertex, share of the second) arrays, plane by plane.
    """

    faces: NDArray[np.int32]
    source: NDArray[np.int32]
    edges: tuple[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]], ...]

    def extend(self, values: NDArray) -> NDArray:
        """(V, C) values of the vertices, followed by those of the new vertices."""
        for first, second, share in self.edges:
            new = values[first] + share[:, None] * (values[second] - values[first])
            values = np.concatenate([values, new.astype(values.dtype)])
        return values


def clip_triangles(clip: NDArray[np.float64], faces: NDArray[np.int32], size: int) -> ClippedTriangles:
    """Cut away what is nearer than the near plane (z < −w) or outside the guard band.

    Args:
        clip: (V, 4) finite clip coordinates.
        faces: (F, 3) int32.
        size: side of the picture, pixels.
    """
    clipped = ClippedTriangles(faces, np.arange(len(faces), dtype=np.int32), ())
    guard = 2.0 * GUARD_PIXELS / size
    planes = [(0, 0, 1, 1), (1, 0, 0, guard), (-1, 0, 0, guard), (0, 1, 0, guard), (0, -1, 0, guard)]
    for plane in planes:
        distance = clip[:, 0] * plane[0] + clip[:, 1] * plane[1] + clip[:, 2] * plane[2] + clip[:, 3] * plane[3]
        if (distance[clipped.faces] >= 0).all():
            continue
        before = len(clipped.edges)
        clipped = _cut(clipped, distance)
        clip = ClippedTriangles(clipped.faces, clipped.source, clipped.edges[before:]).extend(clip)
    order = np.argsort(clipped.source, kind="stable")
    return ClippedTriangles(np.ascontiguousarray(clipped.faces[order]), clipped.source[order], clipped.edges)


def _cut(triangles: ClippedTriangles, distance: NDArray[np.float64]) -> ClippedTriangles:
    """Keep the side where `distance` ≥ 0. Orientation is kept; a quadrilateral becomes two triangles."""
    faces, source = triangles.faces, triangles.source
    inside = distance[faces] >= 0
    count = inside.sum(axis=1)
    whole = count == 3
    one, two = np.flatnonzero(count == 1), np.flatnonzero(count == 2)
    # Turn each cut triangle so that its odd vertex comes first.
    apex_one = np.argmax(inside[one], axis=1)
    apex_two = np.argmin(inside[two], axis=1)
    a, b, c = (faces[one, (apex_one + k) % 3] for k in range(3))
    p, q, r = (faces[two, (apex_two + k) % 3] for k in range(3))
    first = np.concatenate([a, a, p, p])
    second = np.concatenate([b, c, q, r])
    share = distance[first] / (distance[first] - distance[second])
    start = len(distance)
    ab, ac = start + np.arange(len(one)), start + len(one) + np.arange(len(one))
    pq = start + 2 * len(one) + np.arange(len(two))
    pr = pq + len(two)
    new_faces = [faces[whole], np.stack([a, ab, ac], 1), np.stack([pq, q, r], 1), np.stack([pq, r, pr], 1)]
    new_source = [source[whole], source[one], source[two], source[two]]
    return ClippedTriangles(
        np.concatenate(new_faces).astype(np.int32),
        np.concatenate(new_source).astype(np.int32),
        (*triangles.edges, (first, second, share)),
    )
