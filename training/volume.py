"""From a field to densities on a lattice, and to a coloured surface; `paper` and `corrected` by the protocol's fields.

`Protocol.lattice` chooses the query points, how vertex indices become metres, and where colours are read: at the
lattice point of each vertex's truncated indices (``sheared``), or at the vertex itself (``true``).
`Protocol.mesh_cull` chooses the surface:

* ``double_activation``: level ½ of densities that were culled by activating them once more.
* ``density_half``: density is a function of σ that only grows, so its level ½ is the level 1 of σ. The surface is
  interpolated in σ: where a field is steep, densities jump from 0 to 1 within a step and place every vertex halfway
  between two lattice points, while σ still says where between them the surface is. On the true lattice the solid ends
  in a flat cap at the walls of the crop and at the faces of the box, so that the surface is closed.

Volumes have axis x reversed, as the original's. Source: spec/generator.md §8, §5.3, §10; spec/measure.md §3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from _exchange.errors import InputError
from _exchange.frames import head_world_from_original_mesh
from _exchange.mesh import Mesh
from _exchange.protocol import Protocol
from torch_utils.determinism import GeneratorDraws
from training.capped_grid import CroppedLattice, capped, sigma_of_block
from training.clearing import EMPTY, limit
from training.engine.interface import Engine, Field
from training.engine.plain import PlainEngine
from training.lattice import (
    CHECK_WEIGHTS,
    LEVEL,
    Lattice,
    MeshCull,
    check_resolution,
    cleared_density,
    crop_mask,
    finite_sigma,
    points_of_indices,
    reversed_cube,
)
from training.layers import NoiseMode
from training.memory import memory_explained
from training.parts import GeneratorParts
from training.request import read_request
from training.surface import IndexedSurface, marching_cubes, positions_of_indices

Search = Literal["everywhere", "near"]
MAX_BATCH = 1 << 20
"""Points handed to an engine at once; results do not depend on it."""
_LOWER = "the resolution or max_batch"


@dataclass(frozen=True)
class Export:
    """How a field is exported; of crop and cull None is off, and 0 is not (spec/generator.md Q23).

    Attributes:
        resolution: N, lattice points along a side of the box.
        lattice: see above.
        mesh_cull: see above.
        triplane_crop: metres taken from each side of the box in x and z.
        cull_clouds: least density that stays: after one more activation with ``double_activation``; with
            ``density_half`` it raises the level of the surface where it is above ½.
        max_batch: points handed to an engine at once.

    Raises:
        InputError: the resolution or the batch is out of range, or an option is no finite number.
    """

    resolution: int
    lattice: Lattice
    mesh_cull: MeshCull
    triplane_crop: float | None = None
    cull_clouds: float | None = None
    max_batch: int = MAX_BATCH
    search: Search = "everywhere"

    def __post_init__(self) -> None:
        check_resolution(self.resolution)
        if self.max_batch < 1:
            raise InputError(f"Expected max_batch of at least 1 point, found {self.max_batch}.")
        for name in ("triplane_crop", "cull_clouds"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, (int, float)) and math.isfinite(value)):
                raise InputError(f"Expected {name} to be a finite number, found {value!r:.80}.")

    @classmethod
    def of(cls, inputs: Mapping[str, Any], resolution: int, protocol: Protocol, max_batch: int = MAX_BATCH) -> Export:
        """The export of the inputs of `TriPlaneGenerator.f`; their ``binarize_clouds`` plays no part."""
        crop, cull = inputs.get("triplane_crop"), inputs.get("cull_clouds")
        return cls(resolution, protocol.lattice, protocol.mesh_cull, crop, cull, max_batch)

    @property
    def is_closed(self) -> bool:
        """Whether the surface is that of a solid which ends at the crop and at the faces of the box."""
        return self.lattice == "true" and self.mesh_cull == "density_half"

    @property
    def near(self) -> float | None:
        """The level near which a closed surface is looked for; None: everywhere."""
        return surface_level(self.cull_clouds) if self.search == "near" else None

    def block(self, field: Field) -> CroppedLattice:
        """The lattice points that the crop leaves."""
        return CroppedLattice.of(self.resolution, field.box_warp, self.triplane_crop)


@dataclass(frozen=True, eq=False)
class Volume:
    """A field on a lattice, axis x reversed.

    Attributes:
        sigmas: (N, N, N) float32 raw densities; `EMPTY` at cropped points, which are not decoded.
        densities: (N, N, N) float32 after crop and cull, which leave `EMPTY`.
        rgbs: (C, N, N, N) float32, the first C features, at cropped points too; C is 0 unless asked for.
        lattice: where the points are.
        box_warp: side of the box, metres.
    """

    sigmas: NDArray[np.float32]
    densities: NDArray[np.float32]
    rgbs: NDArray[np.float32]
    lattice: Lattice
    box_warp: float

    def coordinates(self) -> NDArray[np.float32]:
        """(3, N, N, N) float32 query points in `head_world`, metres, axis x reversed as everything here."""
        size = self.sigmas.shape[0]
        points = points_of_indices(torch.arange(size**3), size, self.lattice, self.box_warp)
        return np.stack([reversed_cube(axis) for axis in points.numpy().T])


def extract_volume(
    G: GeneratorParts,
    inputs: Mapping[str, Any],
    resolution: int,
    protocol: Protocol,
    *,
    engine: Engine | None = None,
    noise_mode: NoiseMode = "const",
    channels: int = 0,
    max_batch: int = MAX_BATCH,
) -> Volume:
    """The volume of one character.

    Args:
        G: the generator.
        inputs: those of `TriPlaneGenerator.f`; angles, labels, rays and injections in it are not read.
        resolution: N, lattice points along a side of the box, 2 to 1024.
        protocol: its fields `lattice` and `mesh_cull` are read.
        engine: evaluates the field; None: the plain one.
        noise_mode: of the backbone.
        channels: how many features to keep for every point.
        max_batch: points handed to the engine at once; results do not depend on it.

    Raises:
        InputError: the inputs do not fit, are of several characters, or give values that are not finite.
        SuiteError: it does not fit into memory.
    """
    export = Export.of(inputs, resolution, protocol, max_batch)
    return volume_of_field(engine or PlainEngine(), field_of(G, inputs, noise_mode), export, channels)


def extract_mesh(
    G: GeneratorParts,
    inputs: Mapping[str, Any],
    resolution: int,
    protocol: Protocol,
    *,
    engine: Engine | None = None,
    noise_mode: NoiseMode = "const",
    max_batch: int = MAX_BATCH,
) -> Mesh:
    """The surface of one character: `mesh_of_field`, with the arguments and errors of `extract_volume`."""
    export = Export.of(inputs, resolution, protocol, max_batch)
    return mesh_of_field(engine or PlainEngine(), field_of(G, inputs, noise_mode), export)


def field_of(G: GeneratorParts, inputs: Mapping[str, Any], noise_mode: NoiseMode = "const") -> Field:
    """The field of one character: styles as for the view from elevation 0, azimuth 0; planes without injections.

    Random backbone noise is that of seed 0, as in every chunk of the published export.

    Raises:
        InputError: the inputs do not fit, or are of several characters.
    """
    of_views = ("camera_params", "force_rays", "latent_injection", "neural_rendering_resolution")
    front = {key: value for key, value in inputs.items() if key not in of_views}
    with torch.no_grad(), memory_explained("the resolution of the backbone"):
        request = read_request({**front, "elevations": [0.0], "azimuths": [0.0]}, G.expected())
        noise = G.noise(noise_mode, GeneratorDraws.seeded(0))
        return G.field(G.planes(G.styles(request), request.cond, noise))


# -- from a field -----------------------------------------------------------------------------------------------


def volume_of_field(engine: Engine, field: Field, export: Export, channels: int = 0) -> Volume:
    """Densities, and colours where asked for, on a lattice of N³ points.

    Raises:
        InputError: the field holds several characters, or a value is not finite.
        SuiteError: it does not fit into memory.
    """
    _check_single(field)
    size, count = export.resolution, export.resolution**3
    cull = export.cull_clouds if export.mesh_cull == "double_activation" else None
    with memory_explained(_LOWER):
        sigmas = np.full(count, EMPTY, np.float32)
        densities = np.full(count, EMPTY, np.float32)
        rgbs = np.zeros((channels, count), np.float32)
        for start in range(0, count, export.max_batch):
            part = slice(start, min(start + export.max_batch, count))
            points = _points(field, export, torch.arange(part.start, part.stop, device=field.planes.device))
            kept = _kept(points, export.triplane_crop, field.box_warp)
            if kept.any():
                decoded = _sigma(engine, field, points[torch.from_numpy(kept).to(points.device)])
                sigmas[part][kept] = decoded
                densities[part][kept] = cleared_density(decoded, cull)
            if channels:
                rgbs[:, part] = features_at(engine, field, points.cpu().numpy(), channels).T
        sigmas, densities = reversed_cube(sigmas), reversed_cube(densities)
        return Volume(
            sigmas, densities, rgbs.reshape(channels, size, size, size)[:, ::-1], export.lattice, field.box_warp
        )


def mesh_of_field(engine: Engine, field: Field, export: Export) -> Mesh:
    """The coloured surface of a field in `head_world`, metres, float32; faces counter-clockwise seen from outside.

    On the true lattice with ``density_half`` it is closed, and ends at the crop and at the faces of the box.

    Raises:
        InputError: as `volume_of_field`; or there is no surface.
        SuiteError: it does not fit into memory.
    """
    _check_single(field)
    with memory_explained(_LOWER):
        if export.is_closed:
            return closed_mesh(engine, field, export, sigma_of_block(engine, field, export.block(field), export.near))
        volume = volume_of_field(engine, field, export)
        if export.mesh_cull == "double_activation":
            surface = marching_cubes(volume.densities, LEVEL)
        else:
            surface = marching_cubes(volume.sigmas, surface_level(export.cull_clouds))
        positions = positions_of_indices(surface.indices, export.resolution, export.lattice, field.box_warp)
        verts = head_world_from_original_mesh(positions)
        if export.lattice == "sheared":
            rgb = _rgb_of_truncated(engine, field, export, surface)
        else:
            rgb = features_at(engine, field, verts, max_batch=export.max_batch)
        return Mesh(verts, surface.faces, color_bytes(rgb))


def closed_mesh(engine: Engine, field: Field, export: Export, sigma: NDArray[np.float32]) -> Mesh:
    """`mesh_of_field` of a closed surface, from the `sigma_of_block` of `export.block(field)`."""
    level, block = surface_level(export.cull_clouds), export.block(field)
    surface = marching_cubes(capped(sigma, block, level), level)
    verts = block.positions(surface.indices)
    colors = color_bytes(features_at(engine, field, verts, max_batch=export.max_batch))
    # Marching cubes list faces as for an x-reversed volume.
    return Mesh(verts, np.ascontiguousarray(surface.faces[:, ::-1]), colors)


def surface_level(cull_clouds: float | None = None) -> float:
    """σ of the surface of ``density_half``: 1, where the density is ½, or what a cull above ½ asks for.

    Raises:
        InputError: the cull is 1 or more, which no density reaches.
    """
    density = max(LEVEL, cull_clouds or 0.0)
    if density >= 1:
        raise InputError(f"Expected cull_clouds below 1, found {density:g}: no surface.")
    return limit(density)


def features_at(
    engine: Engine, field: Field, points: NDArray[np.float32], channels: int = 3, max_batch: int = MAX_BATCH
) -> NDArray[np.float32]:
    """(M, channels) first features at (M, 3) `head_world` points, metres; the first three are sRGB, about 0 to 1.

    Raises:
        InputError: a feature is not finite.
    """
    found = np.zeros((len(points), channels), np.float32)
    for start in range(0, len(points), max_batch):
        some = torch.from_numpy(points[start : start + max_batch]).to(field.planes.device)
        with torch.no_grad():
            features = engine.decode(field, some[None]).features[0, :, :channels]
        found[start : start + max_batch] = features.cpu().numpy()
    if not np.isfinite(found).all():
        raise InputError("Expected finite colours, found NaN or infinity.", next_step=CHECK_WEIGHTS)
    return found


def color_bytes(rgb: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(M, 3) sRGB values to (M, 4) bytes, rounded, with full alpha."""
    opaque = np.full((len(rgb), 4), 255, np.uint8)
    opaque[:, :3] = np.rint(np.clip(rgb, 0, 1) * 255)
    return opaque


# -- steps ------------------------------------------------------------------------------------------------------


def _check_single(field: Field) -> None:
    if len(field.planes) != 1:
        raise InputError(f"Expected the field of one character, found {len(field.planes)}.")


def _points(field: Field, export: Export, index: Tensor) -> Tensor:
    return points_of_indices(index, export.resolution, export.lattice, field.box_warp)


def _kept(points: Tensor, triplane_crop: float | None, box_warp: float) -> NDArray[np.bool_]:
    if triplane_crop is None:
        return np.ones(len(points), bool)
    return ~crop_mask(points.cpu().numpy(), triplane_crop, box_warp)


def _sigma(engine: Engine, field: Field, points: Tensor) -> NDArray[np.float32]:
    with torch.no_grad():
        sigma = engine.sigma(field, points[None])[0, :, 0]
    return finite_sigma(sigma.cpu().numpy())


def _rgb_of_truncated(engine: Engine, field: Field, export: Export, surface: IndexedSurface) -> NDArray[np.float32]:
    """(V, 3) colours of the lattice points at the truncated indices of vertices in an x-reversed volume."""
    size = export.resolution
    i, j, k = surface.indices.astype(np.int64).T
    voxels, of_vertex = np.unique(((size - 1 - i) * size + j) * size + k, return_inverse=True)
    points = _points(field, export, torch.from_numpy(voxels)).numpy()
    return features_at(engine, field, points, max_batch=export.max_batch)[of_vertex]
