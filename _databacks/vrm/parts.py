"""From posed vertices and triangles to a `Part`: only used vertices are kept, and the whole is kept within limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _databacks.vrm.accessors import Accessors
from _databacks.vrm.limits import MAX_DRAWS, MAX_TRIANGLES, MAX_VERTICES
from _databacks.vrm.meshes import Primitive, check_coordinates
from _exchange.errors import FormatError
from _exchange.mesh import Material, Part


@dataclass
class Budget:
    """Counts what a character has cost so far; spending beyond a limit is an error that names the place."""

    vertices: int = 0
    lookups: int = 0
    triangles: int = 0
    draws: int = 0

    def pose(self, primitive: Primitive, accessors: Accessors) -> None:
        """Announce that the vertices of a primitive are going to be posed."""
        self.vertices += max((accessors[index].count for index in primitive.attributes.values()), default=0)
        if self.vertices > MAX_VERTICES:
            raise FormatError(primitive.place, f"at most {MAX_VERTICES} vertices", "more in all primitives so far")

    def look_up(self, place: str, count: int) -> None:
        """Announce that `count` texture coordinates are going to be read."""
        self.lookups += count
        if self.lookups > MAX_VERTICES:
            raise FormatError(place, f"at most {MAX_VERTICES} texture coordinates", "more in all primitives so far")

    def draw(self, primitive: Primitive, accessors: Accessors) -> None:
        """Announce that the triangles of a primitive are going to be drawn."""
        self.draws += 1
        if self.draws > MAX_DRAWS:
            raise FormatError(primitive.place, f"at most {MAX_DRAWS} drawn primitives", "more")
        source = primitive.indices if primitive.indices is not None else primitive.attributes.get("POSITION")
        self.triangles += 0 if source is None else accessors[source].count
        if self.triangles > 3 * MAX_TRIANGLES:
            raise FormatError(primitive.place, f"at most {MAX_TRIANGLES} triangles", "more in all primitives so far")


@dataclass(frozen=True, eq=False)
class Posed:
    """The vertices of a primitive after posing.

    Attributes:
        positions: (V, 3) float64.
        on_head: (V,) bool, or one value for all.
        drawable: (V,) bool: triangles at other vertices vanish; None where all are drawable.
    """

    positions: NDArray[np.float64]
    on_head: NDArray[np.bool_] | bool
    drawable: NDArray[np.bool_] | None = None


def make_part(
    place: str,
    *,
    posed: Posed,
    faces: NDArray[np.int32],
    uv: NDArray[np.float32] | None,
    matrix: NDArray[np.float64],
    material: Material,
) -> Part:
    """A part in `head_model`, with the vertices that its triangles use, in file order.

    Args:
        place: path of the primitive.
        faces: (F, 3) indices into the posed vertices.
        uv: (V, 2), or None for zeros.
        matrix: (4, 4) from the space of the posed vertices to `head_model`.

    Raises:
        FormatError: a coordinate is not finite or too large.
    """
    if posed.drawable is not None:
        faces = faces[posed.drawable[faces].all(axis=1)]
    used, local = np.unique(faces, return_inverse=True)
    with np.errstate(over="ignore", invalid="ignore"):
        positions = posed.positions[used] @ matrix[:3, :3].T + matrix[:3, 3]
    check_coordinates(f"{place}.attributes.POSITION", positions)
    coordinates = np.zeros((len(used), 2), np.float32) if uv is None else uv[used]
    return Part(
        positions.astype(np.float32),
        np.ascontiguousarray(coordinates, np.float32),
        local.reshape(-1, 3).astype(np.int32),
        material,
        np.full(len(used), posed.on_head) if isinstance(posed.on_head, bool) else posed.on_head[used],
    )
