"""Smooth vertex normals of drawn triangles.

Only the illustration pass and other users of geometry buffers see them; neither shading has lights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smooth_normals(positions: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """(V, 3) unit normals in the frame of the positions: angle-weighted means over all corners at the same position.

    Vertices at equal positions share their normal, so texture seams leave no mark; a vertex whose corners cancel
    out, or that no triangle of positive area names, gets zeros.
    """
    _, weld = np.unique(positions, axis=0, return_inverse=True)
    weld = weld.reshape(-1)
    corners = positions[faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = _unit(normals)
    total = np.zeros((len(positions), 3))
    for corner in range(3):
        forward = _unit(corners[:, (corner + 1) % 3] - corners[:, corner])
        backward = _unit(corners[:, (corner + 2) % 3] - corners[:, corner])
        angle = np.arccos(np.clip((forward * backward).sum(axis=1), -1, 1))
        for axis in range(3):
            total[:, axis] += np.bincount(weld[faces[:, corner]], normals[:, axis] * angle, len(positions))
    return _unit(total)[weld].astype(np.float32)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-30)
