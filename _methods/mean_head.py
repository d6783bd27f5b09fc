"""Mean head: the average of 100 procedural heads outside the sample set, whatever the portrait shows.

What a method has to beat before it can be said to look at its input. See `average_heads` for how the average is made.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from _exchange.camera import ORTHO
from _exchange.digest import sha256_of_file
from _exchange.errors import MissingComponent
from _exchange.frames import BOX_SIDE, head_model_from_head_world
from _exchange.items import MethodInput
from _exchange.mesh import Mesh
from _methods.average_heads import ASSET, AverageHead, read_average
from _methods.drawn_surface import DrawnSurface
from _methods.interface import DEFAULT_RESOLUTION, Method, MethodSettings, Reconstruction
from _render.choose import renderer

_SHARE = 0.5
"""The surface runs where this share of the heads fills a cell."""
_SMOOTHING = 1.0
"""Standard deviation, cells of the average, of the smoothing before the surface is taken."""


class MeanHead(Method):
    """The baseline that does not look."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__()
        settings.check_options()
        if not ASSET.is_file():
            raise MissingComponent(
                f"The average head {ASSET.name} is absent.", next_step="Run python3 -m _methods.average_heads."
            )
        average = read_average(ASSET)
        mesh_at = lru_cache(maxsize=2)(lambda resolution: mean_surface(average, resolution))
        self._surface = DrawnSurface(mesh_at(DEFAULT_RESOLUTION), mesh_at, renderer(settings.back_end))

    def digests(self) -> dict[str, str]:
        """The average's."""
        return {ASSET.name: sha256_of_file(ASSET)}

    def reconstruct(self, method_input: MethodInput) -> Reconstruction:  # noqa: ARG002
        """The same surface for every item."""
        return self._surface


def mean_surface(average: AverageHead, resolution: int) -> Mesh:
    """The closed surface around the cells that at least half of the heads fill, `head_world`, with mean colours."""
    cells = len(average.filled)
    share = average.filled.astype(np.float32) / np.float32(len(average.seeds))
    share = ndimage.gaussian_filter(share, _SMOOTHING, mode="nearest")
    places = (np.arange(resolution) + 0.5) * (cells / resolution) - 0.5
    for axis in range(3):
        share = _resampled(share, places, axis)
    # The ring of zeros closes the surface where the cube cuts the body.
    verts, faces, normals, _ = measure.marching_cubes(np.pad(share, 1), _SHARE)
    verts_head_world = np.clip((verts - 0.5) * (BOX_SIDE / resolution) - BOX_SIDE / 2, -BOX_SIDE / 2, BOX_SIDE / 2)
    colors = _colors(average, verts_head_world, normals)
    # With descending values outwards, scikit-image winds triangles clockwise seen from outside.
    return Mesh(verts_head_world, faces[:, ::-1].astype(np.int64), colors)


def _resampled(values: NDArray[np.float32], places: NDArray, axis: int) -> NDArray[np.float32]:
    """Linear interpolation along one axis; beyond the ends the last value."""
    last = values.shape[axis] - 1
    clipped = np.clip(places, 0, last)
    low = np.minimum(clipped.astype(np.int64), last - 1)
    shape = [1, 1, 1]
    shape[axis] = -1
    weight = (clipped - low).astype(np.float32).reshape(shape)
    return values.take(low, axis) * (1 - weight) + values.take(low + 1, axis) * weight


def _colors(average: AverageHead, verts: NDArray, normals: NDArray) -> NDArray[np.uint8]:
    """(V, 4) mean colours: each view weighs by how squarely it looks at the surface and how many heads it shows."""
    total = np.full((len(verts), 1), 1e-6)
    color = np.full((len(verts), 3), 128e-6)
    for view, picture in average.pictures.items():
        camera = ORTHO[view]
        towards_camera = -camera.head_world_from_opencv()[:3, 2]
        facing = np.clip(normals @ towards_camera, 0, 1) ** 2
        pixels = camera.pixels_from_head_model(head_model_from_head_world(verts), len(picture)) - 0.5
        channels = [
            ndimage.map_coordinates(premultiplied, pixels.T, order=1, mode="nearest")
            for premultiplied in np.moveaxis(_premultiplied(picture), 2, 0)
        ]
        color += facing[:, None] * np.stack(channels[:3], axis=1)
        total += facing[:, None] * channels[3][:, None]
    return np.concatenate([np.rint(color / total), np.full((len(verts), 1), 255)], axis=1).astype(np.uint8)


def _premultiplied(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    alpha = picture[..., 3:] / 255.0
    return np.concatenate([picture[..., :3] * alpha, alpha], axis=-1)
