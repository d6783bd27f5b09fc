"""What every engine takes and returns: a field, rays, how to sample them, and what comes back.

M is the number of rays of each sample of the batch B, S and N the coarse and fine samples of a ray. Points are
`head_world`, metres, in the cube of side `box_warp`. Source: spec/generator.md §5, §6.1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from torch_utils.determinism import Draws
from training.engine.occupancy import Occupancy


@dataclass(frozen=True, eq=False)
class DecoderWeights:
    """The decoder with its gains applied: sample → hidden → density and features.

    Attributes:
        w0: (H, C) first layer; H is 64, C the width of a plane sample.
        b0: (H,).
        w2: (1 + F, H) second layer; row 0 is the raw density, F is 32.
        b2: (1 + F,).
        plain_sigmoid: features are sigmoids, or 1.002 · sigmoid − 0.001.
    """

    w0: Tensor
    b0: Tensor
    w2: Tensor
    b2: Tensor
    plain_sigmoid: bool


@dataclass(frozen=True, eq=False)
class Field:
    """A radiance field of B characters.

    Attributes:
        planes: (B, 3, C · depth, R, R) float32; inside a plane the channel is feature · depth + slice.
        decoder: what reads the mean of the three plane samples.
        box_warp: side of the cube, metres.
        triplane_depth: slices of a plane.
        use_triplane: planes (x, y), (x, z), (y, z), or EG3D's (x, y), (x, z), (z, x).
    """

    planes: Tensor
    decoder: DecoderWeights
    box_warp: float
    triplane_depth: int
    use_triplane: bool


@dataclass(frozen=True)
class Clearing:
    """Which raw densities are replaced before marching; 0 switches each off (spec §5.3).

    Attributes:
        triplane_crop: metres taken from each side of the cube in x and z.
        cull_clouds: samples of less opacity are emptied.
        binarize_clouds: likewise, and all others made solid; goes before `cull_clouds`.
        occupancy: samples in its empty cells are emptied as well; None empties none.
    """

    triplane_crop: float = 0.0
    cull_clouds: float = 0.0
    binarize_clouds: float = 0.0
    occupancy: Occupancy | None = None


@dataclass(frozen=True)
class Sampling:
    """How rays are sampled and composited (spec §5.2, §5.4, §5.5).

    Attributes:
        ray_start: depth of the first sample, metres, or ``auto``: where the ray enters the cube.
        ray_end: likewise the last.
        depth_resolution: S.
        depth_resolution_importance: N; 0 makes the coarse result final.
        disparity_space_sampling: spacing even in 1 / depth.
        white_back: adds 1 − W to every composited channel.
        density_noise: standard deviation of noise added to raw densities.
        depth_clamp: depths are limited to the sample depths of the whole batch, or of each of its samples.
    """

    ray_start: float | Literal["auto"]
    ray_end: float | Literal["auto"]
    depth_resolution: int
    depth_resolution_importance: int
    disparity_space_sampling: bool = False
    white_back: bool = False
    density_noise: float = 0.0
    depth_clamp: Literal["batch", "view"] = "batch"


@dataclass(frozen=True, eq=False)
class Rays:
    """(B, M, 3) origins, metres, and directions of unit length, `head_world`."""

    origins: Tensor
    directions: Tensor


@dataclass(frozen=True, eq=False)
class Composite:
    """What rays see.

    Attributes:
        features: (B, M, F), 2 c − 1 of the composited features; the first 3 are the raw picture.
        depth: (B, M, 1) metres along the ray.
        opacity: (B, M, 1), W, the sum of the weights.
        xyz: (B, M, 3) mean position, metres, display frame (x and z of `head_world` negated).
    """

    features: Tensor
    depth: Tensor
    opacity: Tensor
    xyz: Tensor


@dataclass(frozen=True, eq=False)
class Decoded:
    """The field at points, before crop and cull: sigma (B, M, 1) raw densities, features (B, M, F)."""

    sigma: Tensor
    features: Tensor


class Engine(ABC):
    """One way to evaluate fields. Engines agree to rounding; none keeps anything between calls."""

    name: str
    passes_over_empty: bool = False
    """Whether `Clearing.occupancy` saves this engine work."""

    def prepared(self, field: Field) -> Field:
        """The same field, with what this engine would otherwise lay out anew in every call; worth it for several."""
        return field

    @abstractmethod
    def render(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Composite:
        """March rays. Draws ``stratified_jitter`` (B, M, S, 1) and, with N > 0, ``importance_u`` (B · M, N)."""

    @abstractmethod
    def opacity(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Tensor:
        """(B, M, 1): `Composite.opacity` of the same call, without the colours."""

    @abstractmethod
    def decode(self, field: Field, points: Tensor) -> Decoded:
        """The field at (B, M, 3) points."""

    @abstractmethod
    def sigma(self, field: Field, points: Tensor) -> Tensor:
        """(B, M, 1) raw densities at (B, M, 3) points."""

    def sigma_on_grid(self, field: Field, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """(B, X, Y, Z) raw densities where (X,) x, (Y,) y and (Z,) z cross, `head_world`, metres.

        Engines may share work between the points of a grid; this one asks `sigma` for all of them.
        """
        points = torch.stack(torch.meshgrid(x, y, z, indexing="ij"), -1).reshape(1, -1, 3)
        sigma = self.sigma(field, points.expand(field.planes.shape[0], -1, -1))
        return sigma.reshape(field.planes.shape[0], len(x), len(y), len(z))

    def sigma_near_level(self, field: Field, x: Tensor, y: Tensor, z: Tensor, level: float) -> Tensor:  # noqa: ARG002
        """(B, X, Y, Z): `sigma_on_grid`, or anything on the same side of `level` where its surface is not near.

        Engines may first look at fewer points, and then where those differ in their side; a detail that shows at none
        of them is lost. This one asks for all.
        """
        return self.sigma_on_grid(field, x, y, z)
