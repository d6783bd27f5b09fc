"""The engine for CPUs: planes, decoder and march in fused kernels of one thread; forward only.

Importing this module loads numba; kernels are compiled at their first call and kept on disk.
Source: spec/generator.md §5, §6.1, §10.2.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from _exchange.errors import InputError
from torch_utils.determinism import Draws
from training.clearing import limit
from training.engine.checks import check_tensors
from training.engine.cpu_blocks import sigma_in_blocks, sigma_on_axes
from training.engine.cpu_grid import Axes
from training.engine.cpu_pack import packed_characters, prepared
from training.engine.cpu_points import points_kernel, scratch_for
from training.engine.cpu_rays import Bundle, Rules, Seen, ray_scratch_for, rays_kernel
from training.engine.interface import Clearing, Composite, Decoded, Engine, Field, Rays, Sampling
from training.engine.plain import PlainEngine
from training.march import over_background, turned
from training.ray_draws import draw_rays


class CpuEngine(Engine):
    """See `Engine`. Every ray and every point is computed alone, so results do not depend on batches or threads.

    Noise on raw densities is left to the plain engine: with it, no sample could be skipped.

    All methods raise InputError for tensors that are not float32 on the CPU, or that require gradients.
    """

    name = "cpu"
    passes_over_empty = True

    def prepared(self, field: Field) -> Field:
        """See `Engine.prepared`."""
        _check(field)
        return prepared(field)

    def render(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Composite:
        """See `Engine.render`."""
        if sampling.density_noise:
            return PlainEngine().render(field, rays, sampling, clearing, draws)
        depths, sums = self._sums(field, rays, sampling, clearing, draws, features=len(field.decoder.b2) - 1)
        features, opacity, weighted_depth, xyz = (torch.from_numpy(np.stack(part)) for part in zip(*sums))
        opacity, weighted_depth = opacity[..., None], weighted_depth[..., None]
        is_empty = opacity == 0
        depth = torch.where(is_empty, torch.inf, weighted_depth / torch.where(is_empty, 1.0, opacity))
        # Fine samples lie between coarse ones, whose extremes are therefore those of all.
        low, high = depths.amin((1, 2), keepdim=True)[..., 0], depths.amax((1, 2), keepdim=True)[..., 0]
        if sampling.depth_clamp == "batch":
            low, high = low.min(), high.max()
        return Composite(
            features=2 * over_background(features, opacity, sampling.white_back) - 1,
            depth=depth.clamp(low, high),
            opacity=opacity,
            xyz=turned(over_background(xyz, opacity, sampling.white_back)),
        )

    def opacity(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Tensor:
        """See `Engine.opacity`; bitwise that of `render`."""
        if sampling.density_noise:
            return PlainEngine().opacity(field, rays, sampling, clearing, draws)
        _, sums = self._sums(field, rays, sampling, clearing, draws, features=0)
        return torch.from_numpy(np.stack([seen.opacity for seen in sums]))[..., None]

    def decode(self, field: Field, points: Tensor) -> Decoded:
        """See `Engine.decode`."""
        return _decode(field, points, features=len(field.decoder.b2) - 1)

    def sigma(self, field: Field, points: Tensor) -> Tensor:
        """See `Engine.sigma`; bitwise that of `decode`."""
        return _decode(field, points, features=0).sigma

    def sigma_on_grid(self, field: Field, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """See `Engine.sigma_on_grid`. Planes are resampled along the axes, not looked up per point."""
        _check(field, x, y, z)
        found = torch.empty(len(field.planes), len(x), len(y), len(z))
        for packed, sigma in zip(packed_characters(field), found):
            sigma_on_axes(packed, _axes(x, y, z), sigma.numpy())
        return found

    def sigma_near_level(self, field: Field, x: Tensor, y: Tensor, z: Tensor, level: float) -> Tensor:
        """See `Engine.sigma_near_level`: blocks whose surroundings lie on one side of the level are not decoded."""
        _check(field, x, y, z)
        found = torch.empty(len(field.planes), len(x), len(y), len(z))
        for packed, sigma in zip(packed_characters(field), found):
            sigma_in_blocks(packed, _axes(x, y, z), level, sigma.numpy())
        return found

    def _sums(
        self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws, *, features: int
    ) -> tuple[Tensor, list[Seen]]:
        """Coarse depths (B, M, S, 1), and the sums along the rays of each character."""
        _check(field, rays.origins, rays.directions)
        batch, count = rays.origins.shape[:2]
        coarse, fine = sampling.depth_resolution, sampling.depth_resolution_importance
        if fine and coarse < 3:
            raise InputError(f"Expected a depth_resolution of at least 3 for fine samples, found {coarse}.")
        drawn = draw_rays(rays, sampling, field.box_warp, draws)
        depths, u = drawn.depths, torch.empty(batch, count, 0) if drawn.u is None else drawn.u
        rules, sums = _rules(field, clearing), []
        for index, packed in enumerate(packed_characters(field)):
            parts = (rays.origins[index], rays.directions[index], depths[index, ..., 0], u[index])
            bundle = Bundle(*(part.detach().contiguous().numpy() for part in parts))
            seen = Seen(*(np.zeros(shape, np.float32) for shape in ((count, features), count, count, (count, 3))))
            rays_kernel(packed, rules, bundle, ray_scratch_for(packed, coarse, fine), seen)
            sums.append(seen)
        return depths, sums


def _axes(*axes: Tensor) -> Axes:
    return Axes(*(axis.detach().contiguous().numpy() for axis in axes))


def _decode(field: Field, points: Tensor, features: int) -> Decoded:
    _check(field, points)
    batch, count = points.shape[:2]
    sigma, decoded = torch.empty(batch, count), torch.empty(batch, count, features)
    for index, packed in enumerate(packed_characters(field)):
        found = np.zeros((count, packed.feature_bias.size if features else 0), np.float32)
        here = points[index].detach().contiguous().numpy()
        points_kernel(packed, scratch_for(packed), here, sigma[index].numpy(), found)
        decoded[index] = torch.from_numpy(found[:, :features])
    return Decoded(sigma[..., None], decoded)


def _check(field: Field, *others: Tensor) -> None:
    check_tensors(field, *others)
    if field.planes.device.type != "cpu":
        raise InputError(f"Expected tensors on the CPU for its fast engine, found {field.planes.device}.")


def _rules(field: Field, clearing: Clearing) -> Rules:
    """`Clearing` in numbers: limits of raw densities in place of limits of opacity."""
    opacity = clearing.binarize_clouds or clearing.cull_clouds
    thin = -np.inf if opacity <= 0 else np.inf if opacity >= 1 else limit(opacity)
    crop = field.box_warp / 2 - clearing.triplane_crop if clearing.triplane_crop else np.inf
    cells = None if clearing.occupancy is None else clearing.occupancy.cells
    return Rules(
        crop=np.float32(crop),
        thin=np.float32(thin),
        solidify=bool(clearing.binarize_clouds),
        occupied=np.zeros(0, np.uint8) if cells is None else cells.numpy().astype(np.uint8).ravel(),
        cells=1 if cells is None else len(cells),
    )
