"""Billboard: the portrait on the plane z = 0 of `head_world`, which from behind shows its mirror image."""

from __future__ import annotations

import numpy as np

from _exchange.items import MethodInput
from _exchange.mesh import Mesh
from _methods.drawn_surface import DrawnSurface, drawn_parts, part_in_picture
from _methods.interface import DEFAULT_RESOLUTION, Method, MethodSettings, Reconstruction
from _methods.sheet import colors_at, head_world_xy, opaque_colors, sheet_of_alpha
from _render.choose import renderer


class Billboard(Method):
    """The flat baseline: right in front and behind, nothing from the side."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__()
        settings.check_options()
        self._renderer = renderer(settings.back_end)

    def reconstruct(self, method_input: MethodInput) -> Reconstruction:
        """Cut the silhouette out of the plane.

        Raises:
            InputError: nothing of the portrait is opaque.
        """
        alpha, colors = method_input.portrait[..., 3], opaque_colors(method_input.portrait)

        def mesh_at(resolution: int) -> Mesh:
            sheet = sheet_of_alpha(alpha, resolution)
            verts = np.pad(head_world_xy(sheet.pixels), ((0, 0), (0, 1)))
            return Mesh(verts, sheet.faces, colors_at(colors, sheet.pixels))

        fine = sheet_of_alpha(alpha, DEFAULT_RESOLUTION)
        verts = np.pad(head_world_xy(fine.pixels), ((0, 0), (0, 1)))
        drawn = drawn_parts(part_in_picture(verts, fine.faces, fine.pixels, colors))
        return DrawnSurface(drawn, mesh_at, self._renderer)
