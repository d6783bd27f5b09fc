"""Triangles: `Mesh`, a bare surface in one frame, and `HeadMesh`, a character ready to be drawn.

The reader (`_databacks.vrm`) makes `HeadMesh`es, the renderer draws them, methods return `Mesh`es.
Arrays are never written into after construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError

Wrap = Literal["repeat", "clamp", "mirror"]
AlphaMode = Literal["OPAQUE", "MASK", "BLEND"]
Cull = Literal["none", "front", "back"]


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle surface in one frame (named by whoever holds it; `mesh.glb` files are `head_world`).

    Attributes:
        verts: (V, 3) float, metres.
        faces: (F, 3) integer indices into `verts`, counter-clockwise seen from outside.
        colors: (V, 4) uint8 sRGB + alpha per vertex, or None for a surface without colour.

    Raises:
        InputError: a shape or type is wrong, an index is out of range or a coordinate is not finite.
    """

    verts: NDArray[np.floating]
    faces: NDArray[np.integer]
    colors: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if self.verts.ndim != 2 or self.verts.shape[1] != 3:
            raise InputError(f"Expected mesh vertices of shape (V, 3), found {self.verts.shape}.")
        if self.faces.ndim != 2 or self.faces.shape[1] != 3:
            raise InputError(f"Expected mesh faces of shape (F, 3), found {self.faces.shape}.")
        if self.faces.dtype.kind not in "iu":
            raise InputError(f"Expected mesh faces of whole numbers, found {self.faces.dtype}.")
        if len(self.faces) and (self.faces.min() < 0 or self.faces.max() >= len(self.verts)):
            raise InputError(
                f"Expected face indices in 0..{len(self.verts) - 1}, found {self.faces.min()}..{self.faces.max()}."
            )
        if not np.isfinite(self.verts).all():
            raise InputError("Expected finite vertex coordinates, found NaN or infinity.")
        if self.colors is None:
            return
        if self.colors.shape != (len(self.verts), 4):
            raise InputError(f"Expected vertex colours of shape ({len(self.verts)}, 4), found {self.colors.shape}.")
        if self.colors.dtype != np.uint8:
            raise InputError(f"Expected vertex colours of type uint8, found {self.colors.dtype}.")


@dataclass(frozen=True, eq=False)
class Texture:
    """An image with its sampler. `pixels` is (H, W, 4) uint8 as stored, row 0 at v = 0 (v grows downwards)."""

    pixels: NDArray[np.uint8]
    wrap_u: Wrap = "repeat"
    wrap_v: Wrap = "repeat"
    magnify: Literal["linear", "nearest"] = "linear"
    minify: Literal["trilinear", "linear", "nearest"] = "trilinear"


@dataclass(frozen=True, eq=False)
class Material:
    """How a part looks: base colour only; the factor multiplies stored texture values (spec/renderer.md §5, §12.2)."""

    name: str = ""
    color_factor: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    texture: Texture | None = None
    alpha_mode: AlphaMode = "OPAQUE"
    alpha_cutoff: float = 0.5
    cull: Cull = "back"
    render_queue: int = 2000
    writes_depth_when_blended: bool = False


@dataclass(frozen=True, eq=False)
class Part:
    """One drawn primitive: posed, in `head_model`, metres, in draw order within its `HeadMesh`.

    Attributes:
        positions: (V, 3) float32.
        uv: (V, 2) float32 texture coordinates; zeros where the material has no texture.
        faces: (F, 3) int32, front = counter-clockwise in a picture with y up.
        material: how it looks.
        on_head: (V,) bool: the strongest joint (or the node) is the head or hangs below it.
    """

    positions: NDArray[np.float32]
    uv: NDArray[np.float32]
    faces: NDArray[np.int32]
    material: Material
    on_head: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class HeadMesh:
    """A character as it is drawn.

    Attributes:
        parts: the primitives in draw order (node order of the scene).
        loc_origin: (3,) float64, origin of the head frames in `model`.
        neck_height: y of the neck joint in `head_model` (head joint − 0.1 m where the file has no neck), metres.
        scale: factor that `fit` applied to every position (1 when off).
        arm_angles_deg: rest angle φ and applied rotation per side: ``{"left": {"rest": …, "turn": …}, …}``.
        vrm_version: ``"0.x"``, ``"1.0"`` or ``""`` for a plain glTF character.
        attribution: author, title and licence fields of the file's meta block, as strings.
        notes: what the reader skipped or mended, one sentence each.
    """

    parts: tuple[Part, ...]
    loc_origin: NDArray[np.float64]
    neck_height: float = -0.2
    scale: float = 1.0
    arm_angles_deg: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    vrm_version: str = ""
    attribution: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def triangle_count(self) -> int:
        """Number of triangles over all parts."""
        return sum(len(part.faces) for part in self.parts)

    def surface(self) -> Mesh:
        """All drawn triangles as one bare surface in `head_model`, parts in draw order, vertices not welded."""
        starts = np.cumsum([0] + [len(part.positions) for part in self.parts])
        verts = np.concatenate([part.positions for part in self.parts] or [np.zeros((0, 3), np.float32)])
        faces = [part.faces.astype(np.int64) + start for part, start in zip(self.parts, starts)]
        return Mesh(verts, np.concatenate(faces or [np.zeros((0, 3), np.int64)]))
