"""Silhouette inflation: the portrait's outline swells to a head's proportions, its colours in front and behind.

The swelling is the square root of the solution u of Poisson's equation −∇²u = 4 on the silhouette with u = 0 on its
outline: a disc becomes a half ball, a strip a half elliptic cylinder. Where the picture's border cuts the silhouette,
u is free, so the body goes on. The depth is then limited by the profile of a character seen from the side, whose chin,
neck and chest are known to lie at the same heights in every aligned portrait.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from _exchange.frames import IMAGE_SIZE
from _exchange.items import MethodInput
from _exchange.mesh import Mesh
from _methods.drawn_surface import DrawnSurface, portrait_as_texture
from _methods.interface import DEFAULT_RESOLUTION, Method, MethodSettings, Reconstruction
from _methods.sheet import Sheet, colors_at, head_world_xy, opaque_colors, sheet_of_alpha

# y in `head_world`, then how far the front and the back of a character reach there, metres. Typical of anime
# characters whose head joint is at (0, −0.1, 0): crown, eyes, mouth, chin, neck, shoulders, chest.
_PROFILE = np.array(
    [
        (0.35, 0.10, 0.10),
        (0.15, 0.10, 0.11),
        (0.06, 0.115, 0.125),
        (0.0, 0.115, 0.13),
        (-0.07, 0.095, 0.115),
        (-0.11, 0.085, 0.07),
        (-0.155, 0.035, 0.045),
        (-0.20, 0.06, 0.05),
        (-0.245, 0.09, 0.055),
        (-0.33, 0.135, 0.055),
    ]
)
_LOWEST_OF_HEAD = -0.03
"""Above this y everything belongs to the head or its hair, metres."""
_STANDARD_SWELLING = 0.13
"""Largest swelling of a silhouette above `_LOWEST_OF_HEAD` for which the profile is right, metres."""
_SHARPNESS = 4.0
"""How abruptly the profile limits the swelling: exponent of the soft minimum."""
_RIM = 0.004
"""Half thickness at the outline, metres: as thin as a lock of hair."""


class Inflate(Method):
    """The learning-free baseline that has volume."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__()
        settings.check_options()
        self._back_end = settings.back_end

    def reconstruct(self, method_input: MethodInput) -> Reconstruction:
        """Inflate the silhouette.

        Raises:
            InputError: nothing of the portrait is opaque.
        """
        alpha, colors = method_input.portrait[..., 3], opaque_colors(method_input.portrait)

        @lru_cache(maxsize=2)
        def body_at(resolution: int) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
            return body_of_sheet(sheet_of_alpha(alpha, resolution))

        def mesh_at(resolution: int) -> Mesh:
            verts, faces, pixels = body_at(resolution)
            return Mesh(verts, faces, colors_at(colors, pixels))

        verts, faces, pixels = body_at(DEFAULT_RESOLUTION)
        return DrawnSurface(portrait_as_texture(verts, faces, pixels, colors), mesh_at, self._back_end)


def body_of_sheet(sheet: Sheet) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """A closed surface from a silhouette: the swollen front, the swollen back, and a wall along the outline.

    Returns:
        (2V, 3) vertices, `head_world`, metres, the front's first; (F, 3) faces, counter-clockwise from outside;
        (2V, 2) the pixel of the portrait that each vertex wears.
    """
    xy = head_world_xy(sheet.pixels)
    front, back = limited(swelling(sheet), xy[:, 1])
    count = len(xy)
    verts = np.concatenate([np.column_stack([xy, front + _RIM]), np.column_stack([xy, -back - _RIM])])
    begin, end = sheet.rim.T
    wall = np.concatenate(
        [np.column_stack([end, begin, begin + count]), np.column_stack([end, begin + count, end + count])]
    )
    faces = np.concatenate([sheet.faces, sheet.faces[:, ::-1] + count, wall])
    return verts, faces, np.concatenate([sheet.pixels, sheet.pixels])


def swelling(sheet: Sheet) -> NDArray[np.float64]:
    """(V,) metres: √u with −∇²u = 4 by linear finite elements on the sheet; 0 on the outline, free on the border."""
    xy = head_world_xy(sheet.pixels)
    count = len(xy)
    corners = xy[sheet.faces]
    opposite = corners[:, [2, 0, 1]] - corners[:, [1, 2, 0]]  # edge i runs between the other two corners
    double_area = opposite[:, 0, 0] * opposite[:, 1, 1] - opposite[:, 0, 1] * opposite[:, 1, 0]
    stiffness = np.einsum("fid,fjd->fij", opposite, opposite) / (2 * double_area[:, None, None])
    rows, cols = np.repeat(sheet.faces, 3, axis=1).ravel(), np.tile(sheet.faces, (1, 3)).ravel()
    matrix = scipy.sparse.csr_matrix((stiffness.ravel(), (rows, cols)), shape=(count, count))
    load = np.bincount(sheet.faces.ravel(), np.repeat(4 * double_area / 6, 3), count)
    free = np.ones(count, np.bool_)
    free[sheet.rim] = False
    to_border = np.minimum(sheet.pixels, IMAGE_SIZE - sheet.pixels).min(1)
    free |= to_border < 0.25
    solution = np.zeros(count)
    solution[free] = scipy.sparse.linalg.spsolve(matrix[free][:, free].tocsc(), load[free])
    return np.sqrt(np.maximum(solution, 0))


def limited(swelling_m: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far front and back reach, (V,) metres each: the swelling, softly limited by the profile at height y."""
    head = swelling_m[y > _LOWEST_OF_HEAD]
    size = 0.5 + 0.5 * head.max() / _STANDARD_SWELLING if len(head) else 1.0
    reach = []
    for column in (1, 2):
        limit = size * np.interp(-y, -_PROFILE[:, 0], _PROFILE[:, column])
        reach.append(swelling_m * limit / (swelling_m**_SHARPNESS + limit**_SHARPNESS) ** (1 / _SHARPNESS))
    return reach[0], reach[1]
