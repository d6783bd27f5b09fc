"""What every back end offers: a `Renderer` that loads characters, and a `Scene` that can be drawn many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from _exchange.camera import Camera
from _exchange.mesh import HeadMesh, Mesh
from _exchange.protocol import Way
from _render.textures import Filter

What = Literal["colour", "position"]
FAR = 10.0
"""Depth of the background where it has to be a number, metres: beyond every surface."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """Both pictures of one view, each (S, S, 4) uint8, straight alpha, row 0 at the top.

    Attributes:
        colour: stored (sRGB) colour.
        position: `head_model` coordinates as spec/renderer.md §7 encodes them (`position_map.decode`).
    """

    colour: NDArray[np.uint8]
    position: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class GeometryBuffers:
    """What pass 1 shows at every pixel of one view; values are 0 (NaN-free) where nothing is shown.

    Attributes:
        part: (S, S) int16 index of the part in its `HeadMesh`, −1 where nothing is shown.
        face: (S, S) int32 index of the triangle in that part, −1 where nothing is shown.
        depth: (S, S) float32 distance along the viewing direction from the camera, metres; infinite where nothing is.
        position: (S, S, 3) float32, `head_model`, metres.
        normal: (S, S, 3) float32 unit smooth normals (angle-weighted, welded by position), `head_world`, turned round
            on triangles that are seen from behind.
        uv: (S, S, 2) float32 texture coordinates.
    """

    part: NDArray[np.int16]
    face: NDArray[np.int32]
    depth: NDArray[np.float32]
    position: NDArray[np.float32]
    normal: NDArray[np.float32]
    uv: NDArray[np.float32]

    @property
    def finite_depth(self) -> NDArray[np.float32]:
        """(S, S) float32 `depth` with `FAR` where nothing is shown."""
        return np.where(np.isfinite(self.depth), self.depth, np.float32(FAR)).astype(np.float32)


class Scene(Protocol):
    """One character, loaded; cheap to draw from many cameras."""

    def prepare(self) -> None:
        """Build now what the first drawing would build: mip chains and tables."""

    def draw(self, camera: Camera, what: What = "colour", size: int = 512) -> NDArray[np.uint8]:
        """The (size, size, 4) uint8 picture of one view, not reduced and not composited."""

    def draw_both(self, camera: Camera, size: int = 512) -> Drawing:
        """Colour and position of one view in one go."""

    def geometry_buffers(self, camera: Camera, size: int = 512) -> GeometryBuffers:
        """Which part and triangle each pixel shows, how far, and with which normal (always drawn on the CPU)."""


class Renderer(Protocol):
    """A back end."""

    @property
    def name(self) -> str:
        """``cpu`` or ``egl``."""

    @property
    def reason(self) -> str:
        """One sentence: why this back end, on which device."""

    def load(self, head_mesh: HeadMesh, shading: Way = "corrected", texture_filter: Filter = "trilinear") -> Scene:
        """Make a character ready to be drawn."""

    def load_colored_mesh(self, mesh_head_world: Mesh) -> Scene:
        """Make a bare surface ready: unlit vertex colours (white where it has none), both faces.

        Vertices with alpha below ½ cut holes; what is outside the working cube is not drawn.
        """
