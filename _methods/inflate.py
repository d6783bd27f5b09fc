"""Silhouette inflation: the portrait's outline swells to a head's proportions, its colours in front and behind.

The swelling is the square root of the solution u of Poisson's equation −∇²u = 4 on the silhouette with u = 0 on its
outline: a disc becomes a half ball, a strip a half elliptic cylinder. Where the picture's sides or lower border cut
the silhouette, u is free, so the body goes on. The depth is then limited by the profile of a character seen from the
side, whose chin, neck and chest are known to lie at the same heights in every aligned portrait.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
import scipy.sparse.linalg
import scipy.spatial
from numpy.typing import NDArray
from scipy import ndimage

from _exchange.frames import IMAGE_SIZE
from _exchange.items import MethodInput
from _exchange.mesh import Mesh
from _methods.drawn_surface import DrawnSurface, drawn_parts, part_in_picture
from _methods.interface import DEFAULT_RESOLUTION, Method, MethodSettings, Reconstruction
from _methods.sheet import ALPHA_LEVEL, Sheet, colors_at, head_world_xy, opaque_colors, sheet_of_alpha
from _render.choose import renderer

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
"""y in `head_world`, then how far the front and the back of a character reach there, metres: crown, eyes, mouth, chin,
neck, shoulders, chest. Rounded means of six freely licensed VRM characters, none of them of the sample set."""
_LOWEST_OF_HEAD = -0.03
"""Above this y everything belongs to the head or its hair, metres."""
_STANDARD_SWELLING = 0.13
"""Largest swelling of a silhouette above `_LOWEST_OF_HEAD` for which the profile is right, metres."""
_LARGEST_SIZE = 2.0
"""The profile is never enlarged more than this, which keeps the surface inside the cube."""
_SHARPNESS = 4.0
"""How abruptly the profile limits the swelling: exponent of the soft minimum."""
_RIM = 0.004
"""Least half thickness at the outline, metres: as thin as a lock of hair."""
_INSET = 4.0
"""Up to this distance from the outline, pixels, the depth is that further inside: so the drawn contour lines stay on
the front, instead of being smeared over the sides."""
_ON_BORDER = 0.25
"""Outline vertices nearer to the picture's border than this, pixels, are where the picture cuts the silhouette."""
_SIDE_BLUR = 3.0
"""Standard deviation, pixels, of the smoothing of the colours of the sides."""


class Inflate(Method):
    """The learning-free baseline that has volume."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__()
        settings.check_options()
        self._renderer = renderer(settings.back_end)

    def reconstruct(self, method_input: MethodInput) -> Reconstruction:
        """Inflate the silhouette.

        Raises:
            InputError: nothing of the portrait is opaque.
        """
        portrait = method_input.portrait
        colors = opaque_colors(portrait)
        side_colors = _blurred_within(colors, portrait[..., 3])

        @lru_cache(maxsize=2)
        def body_at(resolution: int) -> Body:
            return body_of_sheet(sheet_of_alpha(portrait[..., 3], resolution))

        def mesh_at(resolution: int) -> Mesh:
            body = body_at(resolution)
            worn = colors_at(colors, body.pixels)
            rim = np.unique(body.wall)
            worn[rim] = colors_at(side_colors, body.inner_pixels[rim])
            return Mesh(body.verts, np.concatenate([body.sheets, body.wall]), worn)

        body = body_at(DEFAULT_RESOLUTION)
        sheets = part_in_picture(body.verts, body.sheets, body.pixels, colors)
        wall = part_in_picture(body.verts, body.wall, body.inner_pixels, side_colors)
        return DrawnSurface(drawn_parts(sheets, wall), mesh_at, self._renderer)


@dataclass(frozen=True, eq=False)
class Body:
    """A closed surface over a silhouette: the swollen front, the swollen back, and a wall along the outline.

    Attributes:
        verts: (2V, 3) float64, `head_world`, metres, the front's first.
        sheets: (2F, 3) front and back, counter-clockwise from outside.
        wall: (2E, 3) between them.
        pixels: (2V, 2) continuous (row, col) of the portrait that each vertex stands for.
        inner_pixels: (2V, 2) the same, moved away from the outline: what the wall wears.
    """

    verts: NDArray[np.float64]
    sheets: NDArray[np.int64]
    wall: NDArray[np.int64]
    pixels: NDArray[np.float64]
    inner_pixels: NDArray[np.float64]


def body_of_sheet(sheet: Sheet) -> Body:
    """Inflate a silhouette."""
    xy, count = head_world_xy(sheet.pixels), len(sheet.pixels)
    inner = _inner_vertices(sheet)
    swollen = _continued(sheet, swelling(sheet), inner != np.arange(count))
    front, back = (reach + _RIM for reach in limited(swollen, xy[:, 1]))
    begin, end = sheet.rim.T
    wall = [np.column_stack([end, begin, begin + count]), np.column_stack([end, begin + count, end + count])]
    return Body(
        verts=np.concatenate([np.column_stack([xy, front]), np.column_stack([xy, -back])]),
        sheets=np.concatenate([sheet.faces, sheet.faces[:, ::-1] + count]),
        wall=np.concatenate(wall),
        pixels=np.concatenate([sheet.pixels, sheet.pixels]),
        inner_pixels=np.concatenate([sheet.pixels[inner], sheet.pixels[inner]]),
    )


def _inner_vertices(sheet: Sheet) -> NDArray[np.int64]:
    """(V,) for vertices nearer to the outline than `_INSET` the next one of their piece that is not; else itself."""
    rim = sheet.pixels[np.unique(sheet.rim)]
    distance, _ = scipy.spatial.cKDTree(rim[_to_cut(rim) >= _ON_BORDER]).query(sheet.pixels)
    # Pieces lie far apart along a third axis: a spot beside the body takes neither depth nor colours from the body.
    places = np.column_stack([sheet.pixels, 2 * IMAGE_SIZE * _pieces(sheet)])
    deep = np.flatnonzero(distance >= _INSET)
    inner = np.arange(len(sheet.pixels))
    shallow = np.flatnonzero(distance < _INSET)
    if len(deep) and len(shallow):
        away, nearest = scipy.spatial.cKDTree(places[deep]).query(places[shallow])
        near = away < 2 * _INSET
        inner[shallow[near]] = deep[nearest[near]]
    return inner


def _pieces(sheet: Sheet) -> NDArray[np.int32]:
    """(V,) number of the connected piece that each vertex belongs to."""
    count = len(sheet.pixels)
    begin, end = np.concatenate([sheet.faces[:, :2], sheet.faces[:, 1:]]).T
    edges = scipy.sparse.coo_matrix((np.ones(len(begin)), (begin, end)), shape=(count, count))
    return scipy.sparse.csgraph.connected_components(edges, directed=False)[1]


def _to_cut(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V,) distance from the picture's nearest border other than the upper one, pixels."""
    rows, cols = pixels.T
    return np.minimum(IMAGE_SIZE - rows, np.minimum(cols, IMAGE_SIZE - cols))


def _blurred_within(colors: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours smoothed over the silhouette's pixels only; unchanged where there are none near."""
    weight = (alpha > 255 * ALPHA_LEVEL).astype(np.float32)
    total = ndimage.gaussian_filter(weight, _SIDE_BLUR)[..., None]
    near = total > 1e-3
    smooth = ndimage.gaussian_filter(colors * weight[..., None], (_SIDE_BLUR, _SIDE_BLUR, 0))
    return np.where(near, np.rint(smooth / np.where(near, total, 1)), colors).astype(np.uint8)


def swelling(sheet: Sheet) -> NDArray[np.float64]:
    """(V,) metres: √u with −∇²u = 4 on the sheet; 0 on the outline, free where the picture cuts it, but at the top.

    Every silhouette has some outline that is not on the other three borders, so the solution is unique.
    """
    stiffness, load = _finite_elements(sheet)
    free = np.ones(len(load), np.bool_)
    free[sheet.rim] = False
    free |= _to_cut(sheet.pixels) < _ON_BORDER
    solution = np.zeros(len(load))
    solution[free] = scipy.sparse.linalg.spsolve(stiffness[free][:, free].tocsc(), 4 * load[free])
    return np.sqrt(np.maximum(solution, 0))


def _continued(sheet: Sheet, values: NDArray[np.float64], hidden: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(V,) values with the hidden ones replaced by the smoothest continuation of the others (harmonic, free rim)."""
    if not hidden.any():
        return values
    stiffness, _ = _finite_elements(sheet)
    rows = stiffness[hidden]
    continued = values.copy()
    continued[hidden] = scipy.sparse.linalg.spsolve(rows[:, hidden].tocsc(), -(rows[:, ~hidden] @ values[~hidden]))
    return continued


def _finite_elements(sheet: Sheet) -> tuple[scipy.sparse.csr_matrix, NDArray[np.float64]]:
    """Linear elements: the (V, V) stiffness matrix of −∇², and the (V,) load of a constant 1, lengths in metres."""
    count = len(sheet.pixels)
    corners = head_world_xy(sheet.pixels)[sheet.faces]
    opposite = corners[:, [2, 0, 1]] - corners[:, [1, 2, 0]]
    double_area = opposite[:, 0, 0] * opposite[:, 1, 1] - opposite[:, 0, 1] * opposite[:, 1, 0]
    entries = np.einsum("fid,fjd->fij", opposite, opposite) / (2 * double_area[:, None, None])
    rows, cols = np.repeat(sheet.faces, 3, axis=1).ravel(), np.tile(sheet.faces, (1, 3)).ravel()
    stiffness = scipy.sparse.csr_matrix((entries.ravel(), (rows, cols)), shape=(count, count))
    load = np.bincount(sheet.faces.ravel(), np.repeat(double_area / 6, 3), count)
    return stiffness, load.astype(np.float64)


def limited(swelling_m: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far front and back reach, (V,) metres each: the swelling, softly limited by the profile at height y."""
    head = swelling_m[y > _LOWEST_OF_HEAD]
    size = min(0.5 + 0.5 * head.max() / _STANDARD_SWELLING, _LARGEST_SIZE) if len(head) else 1.0
    reach = []
    for column in (1, 2):
        limit = size * np.interp(-y, -_PROFILE[:, 0], _PROFILE[:, column])
        reach.append(swelling_m * limit / (swelling_m**_SHARPNESS + limit**_SHARPNESS) ** (1 / _SHARPNESS))
    return reach[0], reach[1]
