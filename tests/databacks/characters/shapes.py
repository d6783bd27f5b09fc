"""The surfaces of a character without its textures, which take most of the time; and what tests ask of surfaces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from _databacks.characters import Traits
from _databacks.characters.accessories import accessory_solids
from _databacks.characters.clothes import body_solids
from _databacks.characters.hair.families import hair_solids
from _databacks.characters.hair.scalp import Scalp
from _databacks.characters.head import Skull, ear_solids, head_solid
from _databacks.characters.rng import Stream
from _databacks.characters.solids import Solid


def shapes(traits: Traits) -> dict[str, list[Solid]]:
    """The closed surfaces by what they are: ``head``, ``ears``, ``body``, ``hair``, ``accessory``."""
    skull = Skull(traits.face, traits.eyes, traits.mouth)
    scalp = Scalp(skull, traits.hair.fullness)
    return {
        "head": [head_solid(skull)],
        "ears": ear_solids(skull),
        "body": body_solids(traits.clothes),
        "hair": hair_solids(scalp, traits.hair, Stream(traits.seed, "strands")),
        "accessory": accessory_solids(scalp, traits.accessory),
    }


def bytes_of(solids: list[Solid]) -> bytes:
    """Everything that a list of surfaces says."""
    parts = [(solid.positions, solid.uv, solid.faces, *solid.weights.values()) for solid in solids]
    return b"".join(np.ascontiguousarray(array).tobytes() for part in parts for array in part)


def is_closed(solid: Solid) -> bool:
    """Every directed edge between two places runs once there and once back, seams welded on the grid of 10 µm."""
    _, place = np.unique(np.rint(solid.positions * 1e5).astype(np.int64), axis=0, return_inverse=True)
    faces = place.reshape(-1)[solid.faces]
    begin, end = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).T
    count = int(faces.max()) + 1
    return bool((np.sort(begin * count + end) == np.sort(end * count + begin)).all())


def places(solids: list[Solid]) -> NDArray[np.int64]:
    """Sorted distinct positions of several surfaces in steps of 10 µm."""
    return np.unique(np.rint(np.concatenate([solid.positions for solid in solids]) * 1e5).astype(np.int64), axis=0)


def front_most(solids: list[Solid], x: float, y: float) -> float:
    """The smallest z of surfaces on the line along z through (x, y), infinity where it meets none."""
    nearest = np.inf
    for solid in solids:
        corners = solid.positions[solid.faces]
        flat = corners[..., :2] - (x, y)
        cross = [flat[:, i, 0] * flat[:, j, 1] - flat[:, i, 1] * flat[:, j, 0] for i, j in ((1, 2), (2, 0), (0, 1))]
        shares = np.stack(cross, axis=1)
        area = shares.sum(axis=1)
        met = (np.abs(area) > 1e-15) & ((shares * np.sign(area)[:, None]) >= 0).all(axis=1)
        if met.any():
            depths = (shares[met] * corners[met, :, 2]).sum(axis=1) / area[met]
            nearest = min(nearest, float(depths.min()))
    return nearest
