"""A textured surface of a field: its vertices laid out in a square picture, every texel coloured by the field itself.

Texture coordinates are those of glTF: (0, 0) is the corner of the first texel, v grows downwards; texel (row, col) has
its centre at ((col + ½)/W, (row + ½)/H).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from _exchange import atomic
from _exchange.errors import InputError, MissingComponent
from _exchange.glb import textured_mesh_glb
from _exchange.mesh import Mesh, Texture
from _render.normals import smooth_normals
from training.engine.interface import Engine, Field
from training.memory import memory_explained
from training.texel_faces import texel_faces
from training.volume import color_bytes, features_at

PADDING_TEXELS = 4
"""Between charts of the layout, so that two levels of a mip chain do not mix them."""
LONGEST_CHART_BORDER = 60.0
"""Mean edges around a chart: longer ones take xatlas ever more time (200: four times), shorter ones cut more edges."""
TEXTURE_SIZES = (16, 8192)
_UP = np.array([0, 1, 0], np.float32)
"""Normal of a vertex whose faces cancel out; files must not hold others than unit vectors."""


@dataclass(frozen=True, eq=False)
class Layout:
    """A surface cut open and spread over a picture.

    Attributes:
        source: (V,) int64, the vertex of the uncut surface that each vertex is a copy of.
        faces: (F, 3) int64 indices into `source`, in the order of the surface's faces.
        uv: (V, 2) float32 texture coordinates in [0, 1].
        width, height: of the picture, texels.
    """

    source: NDArray[np.int64]
    faces: NDArray[np.int64]
    uv: NDArray[np.float32]
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class TexturedMesh:
    """A surface with a picture on it.

    Attributes:
        mesh: `head_world`, metres, without vertex colours; vertices on a cut occur once per side.
        uv: (V, 2) float32 texture coordinates.
        normals: (V, 3) float32 unit normals, equal on both sides of a cut.
        texture: opaque sRGB; see `bake`.
    """

    mesh: Mesh
    uv: NDArray[np.float32]
    normals: NDArray[np.float32]
    texture: Texture

    def glb(self) -> bytes:
        """The whole GLB file."""
        return textured_mesh_glb(self.mesh, self.uv, self.normals, self.texture)

    def write_glb(self, path: Path) -> None:
        """Write `glb` atomically."""
        atomic.write_bytes(path, self.glb())


def textured(engine: Engine, field: Field, mesh: Mesh, texture_size: int = 1024) -> TexturedMesh:
    """Give a surface of a field a texture instead of vertex colours.

    Args:
        engine: evaluates the field at the centres of texels.
        field: of one character.
        mesh: its surface in `head_world`, metres (`training.volume.mesh_of_field`).
        texture_size: about the side of the picture, texels. Layouts take a quarter more, with 43,000 faces in 1024;
            much more where faces outnumber texels, as every chart needs some.

    Raises:
        InputError: no faces, or another size than 16 to 8192.
        MissingComponent: the package xatlas is absent.
        SuiteError: it does not fit into memory.
    """
    with memory_explained("the texture size"):
        layout = unwrap(mesh, texture_size)
        normals = smooth_normals(mesh.verts.astype(np.float32), mesh.faces.astype(np.int32))[layout.source]
        normals[~normals.any(1)] = _UP
        cut = Mesh(mesh.verts[layout.source], layout.faces)
        return TexturedMesh(cut, layout.uv, normals, Texture(bake(engine, field, cut, layout), "clamp", "clamp"))


def unwrap(mesh: Mesh, texture_size: int) -> Layout:
    """Cut a surface into charts and pack them into one picture, with xatlas; equal input, equal layout.

    About 3 CPU-seconds for 100,000 faces. A texture carries the detail of colours, so a coarse lattice loses little.

    Raises:
        InputError, MissingComponent: as `textured`.
    """
    smallest, largest = TEXTURE_SIZES
    if not smallest <= texture_size <= largest:
        raise InputError(f"Expected a texture size between {smallest} and {largest}, found {texture_size}.")
    if not len(mesh.faces):
        raise InputError("Expected a mesh with faces to lay out, found none.")
    try:
        import xatlas
    except ImportError as error:
        raise MissingComponent(
            "Expected the package xatlas for textures, found none.", next_step="Run python3 -m pip install xatlas."
        ) from error
    # Areas below 1e-7 count as none in xatlas: lengths are given in mean edges, not in metres.
    corners = mesh.verts[mesh.faces].astype(np.float64)
    mean_edge = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).mean()
    atlas = xatlas.Atlas()
    atlas.add_mesh((mesh.verts / mean_edge).astype(np.float32), mesh.faces.astype(np.uint32))
    charts, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    charts.max_boundary_length = LONGEST_CHART_BORDER
    packing.resolution, packing.padding, packing.bilinear = texture_size, PADDING_TEXELS, True
    atlas.generate(charts, packing)
    source, faces, uv = atlas[0]
    return Layout(source.astype(np.int64), faces.astype(np.int64), uv.astype(np.float32), atlas.width, atlas.height)


def bake(engine: Engine, field: Field, cut: Mesh, layout: Layout) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 opaque sRGB picture: the field's colour at the surface point of every texel's centre.

    A centre beside a face, which bilinear look-ups inside the face still reach, takes the nearest point of the face.
    All other texels repeat the nearest coloured one, so that smaller levels of a mip chain stay clean.

    Raises:
        InputError: no face comes near a texel.
    """
    found = texel_faces(layout.uv, layout.faces, layout.width, layout.height)
    coloured = found.face >= 0
    if not coloured.any():
        raise InputError(f"Expected faces near texels, found none in {layout.width} × {layout.height}.")
    corners = cut.verts[layout.faces[found.face[coloured]]]
    points = (found.weights[coloured][:, :, None] * corners).sum(1).astype(np.float32)
    picture = np.full((layout.height, layout.width, 4), 255, np.uint8)
    picture[coloured] = color_bytes(features_at(engine, field, points))
    row, col = distance_transform_edt(~coloured, return_distances=False, return_indices=True)
    return picture[row, col]
