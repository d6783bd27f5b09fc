"""Launching the kernels: grids, fixed warps, and the tensors that they fill. Rays and points are of one character.

Floating-point fusion is off, so that sample positions and the tests on them round as in plain torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from _exchange.errors import InputError
from training.clearing import EMPTY
from training.engine.cuda_field import POINTS_BLOCK, composite_kernel, points_kernel, ray_sigma_kernel
from training.engine.cuda_packed import PackedField, padded_size
from training.engine.cuda_rays import MARCH_BLOCK, fine_depths_kernel, march_kernel, merge_kernel
from training.engine.interface import Clearing, Decoded

NEGLIGIBLE_WEIGHT = 1e-8
"""Samples of no more weight are not decoded for colour: 200 of them change a feature by 2e-6 at most."""


@dataclass(frozen=True, eq=False)
class RayBundle:
    """(rays, 3) origins and directions, contiguous, `head_world` metres."""

    origins: Tensor
    directions: Tensor


@dataclass(frozen=True, eq=False)
class Samples:
    """(rays, n) depths, metres, and raw densities."""

    depths: Tensor
    sigma: Tensor


@dataclass(frozen=True, eq=False)
class RayWeights:
    """What a march leaves: (rays, n − 1) weights of the intervals; per ray their sum, and that of weight · depth."""

    weights: Tensor
    opacity: Tensor
    weighted_depth: Tensor


def is_interpreted() -> bool:
    """Whether the kernels run in Triton's interpreter, on tensors of the CPU (TRITON_INTERPRET=1 at import)."""
    return not isinstance(march_kernel, triton.JITFunction)


def decode_points(field: PackedField, points: Tensor, with_features: bool) -> Decoded:
    """Raw densities (M, 1) and features (M, F), or (M, 0) if not asked for, at (M, 3) points."""
    count, width = len(points), field.feature_count if with_features else 0
    sigma, features = points.new_empty(count, 1), points.new_empty(count, width)
    if count:
        points_kernel[(triton.cdiv(count, POINTS_BLOCK.value),)](
            field.planes,
            points,
            field.w0,
            field.b0,
            field.w_sigma,
            field.b_sigma,
            field.w_features,
            field.b_features,
            sigma,
            features if with_features else sigma,
            count,
            width,
            field.planes.shape[2],
            2 / field.box_warp,
            **_sizes(field),
            F=field.b_features.shape[0],
            PLAIN=field.plain_sigmoid,
            WITH_FEATURES=with_features,
            num_warps=8,
            enable_fp_fusion=False,
        )
    return Decoded(sigma, features)


def sample(field: PackedField, rays: RayBundle, depths: Tensor, clearing: Clearing, noise: Tensor | None) -> Samples:
    """The cleared raw densities at (rays, n) depths; `noise`, so shaped, is added before."""
    sigma = depths.new_empty(depths.shape)
    clears = "binarize" if clearing.binarize_clouds else "cull" if clearing.cull_clouds else "nothing"
    ray_sigma_kernel[(triton.cdiv(depths.numel(), POINTS_BLOCK.value),)](
        field.planes,
        rays.origins,
        rays.directions,
        depths,
        depths if noise is None else noise,
        field.w0,
        field.b0,
        field.w_sigma,
        field.b_sigma,
        sigma,
        depths.numel(),
        depths.shape[1],
        field.planes.shape[2],
        2 / field.box_warp,
        field.box_warp / 2 - clearing.triplane_crop,
        float(clearing.binarize_clouds or clearing.cull_clouds),
        **_sizes(field),
        NOISY=noise is not None,
        CROPS=bool(clearing.triplane_crop),
        CLEARS=clears,
        num_warps=4,
        enable_fp_fusion=False,
    )
    if clearing.occupancy is not None:
        points = rays.origins[:, None] + depths[..., None] * rays.directions[:, None]
        sigma = torch.where(clearing.occupancy.knows_empty(points, field.box_warp)[..., 0], EMPTY, sigma)
    return Samples(depths, sigma)


def march(samples: Samples) -> RayWeights:
    """Weights of samples in ascending depth."""
    rays, count = samples.depths.shape
    found = RayWeights(*(samples.depths.new_empty(shape) for shape in ((rays, count - 1), (rays,), (rays,))))
    march_kernel[(triton.cdiv(rays, MARCH_BLOCK.value),)](
        samples.depths,
        samples.sigma,
        found.weights,
        found.opacity,
        found.weighted_depth,
        rays,
        count,
        num_warps=1,
        enable_fp_fusion=False,
    )
    return found


def fine_depths(depths: Tensor, weights: Tensor, u: Tensor) -> Tensor:
    """(rays, N) depths, unsorted, drawn with `u` (rays, N) from `weights` (rays, S − 1) between `depths` (rays, S).

    Raises:
        InputError: S is less than 3.
    """
    rays, steps = depths.shape
    if steps < 3:
        raise InputError(f"Expected a depth_resolution of at least 3 for fine samples, found {steps}.")
    fine = u.new_empty(u.shape)
    fine_depths_kernel[(rays,)](
        depths, weights, u, fine, steps, u.shape[1], S=padded_size(steps), num_warps=2, enable_fp_fusion=False
    )
    return fine


def merge(coarse: Samples, fine: Samples) -> Samples:
    """Both in ascending depth."""
    rays, steps = coarse.depths.shape
    count = steps + fine.depths.shape[1]
    merged = Samples(coarse.depths.new_empty(rays, count), coarse.depths.new_empty(rays, count))
    merge_kernel[(rays,)](
        coarse.depths,
        coarse.sigma,
        fine.depths,
        fine.sigma,
        merged.depths,
        merged.sigma,
        steps,
        count - steps,
        N=padded_size(count),
        num_warps=4,
        enable_fp_fusion=False,
    )
    return merged


def composite(field: PackedField, rays: RayBundle, depths: Tensor, weights: Tensor) -> Tensor:
    """(rays, F) sum of weight · features over the samples at (rays, n) depths, `weights` (rays, n − 1) of intervals."""
    count, width = len(depths), field.feature_count
    found = depths.new_empty(count, width)
    composite_kernel[(count,)](
        field.planes,
        rays.origins,
        rays.directions,
        depths,
        weights,
        field.w0,
        field.b0,
        field.w_features,
        field.b_features,
        found,
        depths.shape[1],
        width,
        field.planes.shape[2],
        2 / field.box_warp,
        NEGLIGIBLE_WEIGHT,
        **_sizes(field),
        F=field.b_features.shape[0],
        PLAIN=field.plain_sigmoid,
        num_warps=4,
        enable_fp_fusion=False,
    )
    return found


def _sizes(field: PackedField) -> dict[str, int | bool]:
    hidden = field.b0.shape[0]
    return {"D": field.planes.shape[1], "C": field.planes.shape[4], "H": hidden, "USE_TRIPLANE": field.use_triplane}
