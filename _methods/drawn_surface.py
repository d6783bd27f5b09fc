"""Reconstructions that are surfaces: their pictures are drawn by the renderer, twice as large and reduced."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from _exchange.camera import Camera
from _exchange.frames import IMAGE_SIZE, head_model_from_head_world
from _exchange.mesh import HeadMesh, Material, Mesh, Part, Texture
from _methods.interface import Reconstruction, Rendering
from _render import position_map
from _render.framebuffer import reduced
from _render.scene import Renderer, Scene


class DrawnSurface(Reconstruction):
    """A surface with its colours.

    Args:
        drawn: what pictures show: a `head_world` mesh with vertex colours, or a character with a texture.
        mesh_at: resolution → the surface as `mesh` returns it.
        renderer: what draws.
    """

    def __init__(self, drawn: Mesh | HeadMesh, mesh_at: Callable[[int], Mesh], renderer: Renderer) -> None:
        self._drawn, self._mesh_at, self._renderer = drawn, mesh_at, renderer

    def mesh(self, resolution: int) -> Mesh:
        """The surface at this resolution."""
        return self._mesh_at(resolution)

    def render(self, camera: Camera) -> Rendering:
        """Colours as the reduced picture of spec/renderer.md §6; positions at the pixel centres, in steps of 2.7 mm."""
        colour = reduced(self._scene.draw(camera, "colour", 2 * IMAGE_SIZE))
        alpha = colour[..., 3]
        encoded = self._scene.draw(camera, "position", IMAGE_SIZE)
        position = position_map.decode_head_world(encoded).astype(np.float32)
        position[(encoded[..., 3] == 0) | (alpha == 0)] = np.nan
        return Rendering(colour[..., :3] * (alpha > 0)[..., None].astype(np.uint8), alpha, position)

    @cached_property
    def _scene(self) -> Scene:
        if isinstance(self._drawn, HeadMesh):
            return self._renderer.load(self._drawn)
        return self._renderer.load_colored_mesh(self._drawn)


def part_in_picture(
    verts_head_world: NDArray[np.float64], faces: NDArray[np.int64], pixels: NDArray, colors: NDArray[np.uint8]
) -> Part:
    """A surface that wears a picture, drawn sharply whatever the surface's resolution; seen from both sides.

    Args:
        verts_head_world: (V, 3) metres.
        faces: (F, 3).
        pixels: (V, 2) continuous (row, col) of each vertex in the picture.
        colors: (H, W, 3) uint8.
    """
    opaque = np.full((*colors.shape[:2], 1), 255, np.uint8)
    rgba = np.concatenate([colors, opaque], axis=-1)
    # Pictures are drawn twice as large, so that plain bilinear sampling serves from the side as well.
    texture = Texture(rgba, wrap_u="clamp", wrap_v="clamp", minify="linear")
    return Part(
        positions=head_model_from_head_world(verts_head_world).astype(np.float32),
        uv=(pixels[:, ::-1] / (colors.shape[1], colors.shape[0])).astype(np.float32),
        faces=faces.astype(np.int32),
        material=Material(texture=texture, cull="none"),
        on_head=np.ones(len(pixels), np.bool_),
    )


def drawn_parts(*parts: Part) -> HeadMesh:
    """Parts as something to draw; they are in the head frames already."""
    return HeadMesh(parts=parts, loc_origin=np.zeros(3))
