"""Kernels along rays: weights of intervals, fine depths drawn from them, and the merge of coarse and fine samples.

Depths and densities are (rays, samples), row-major, float32. Every ray is computed alone and in a fixed order: its
numbers do not depend on what else is in the batch. Source: spec/generator.md §5.4–5.6.
"""

# ruff: noqa: PLR0917 - kernels take pointers and sizes one by one
from __future__ import annotations

import triton
import triton.language as tl

from training.engine.cuda_field import softplus

MARCH_BLOCK = tl.constexpr(32)
"""Rays that one program marches."""
PAIRS_BLOCK = tl.constexpr(32)
"""Samples compared with all others of their ray at a time."""


@triton.jit
def march_kernel(
    depths: tl.tensor,
    sigma: tl.tensor,
    weights: tl.tensor,
    opacity: tl.tensor,
    weighted_depth: tl.tensor,
    rays: tl.tensor,
    per_ray: tl.tensor,
) -> None:
    """`weights` (rays, per_ray − 1), their sum and the sum of weight · middle depth (rays,), summed in float64."""
    ray = tl.program_id(0).to(tl.int64) * MARCH_BLOCK + tl.arange(0, MARCH_BLOCK)
    valid = ray < rays
    first = ray * per_ray
    near = tl.load(depths + first, mask=valid, other=0.0)
    density_near = tl.load(sigma + first, mask=valid, other=0.0)
    passed = tl.full((MARCH_BLOCK,), 1.0, dtype=tl.float32)
    total = tl.zeros((MARCH_BLOCK,), dtype=tl.float64)
    total_depth = tl.zeros((MARCH_BLOCK,), dtype=tl.float64)
    for k in range(per_ray - 1):
        far = tl.load(depths + first + k + 1, mask=valid, other=0.0)
        density_far = tl.load(sigma + first + k + 1, mask=valid, other=0.0)
        density = softplus((density_near + density_far) / 2.0 - 1.0)
        alpha = 1.0 - tl.exp(-density * (far - near))
        weight = alpha * passed
        tl.store(weights + ray * (per_ray - 1) + k, weight, mask=valid)
        total += weight.to(tl.float64)
        total_depth += (weight * ((near + far) / 2.0)).to(tl.float64)
        passed = passed * (1.0 - alpha + 1e-10)
        near, density_near = far, density_far
    tl.store(opacity + ray, total.to(tl.float32), mask=valid)
    tl.store(weighted_depth + ray, total_depth.to(tl.float32), mask=valid)


@triton.jit
def fine_depths_kernel(
    depths: tl.tensor,
    weights: tl.tensor,
    u: tl.tensor,
    fine: tl.tensor,
    coarse_count: tl.tensor,
    fine_count: tl.tensor,
    S: tl.constexpr,
) -> None:
    """`fine` (rays, fine_count), unsorted: where the cumulated smoothed weights reach `u`; one program a ray.

    S is coarse_count rounded up to a power of two. Entry e of the cdf is the sum over the first e of the
    coarse_count − 3 inner weights; its last entry is number coarse_count − 3.
    """
    ray = tl.program_id(0).to(tl.int64)
    entry = tl.arange(0, S)
    is_inner = (entry >= 1) & (entry <= coarse_count - 3)
    interval = weights + ray * (coarse_count - 1) + entry
    low = tl.load(interval - 1, mask=is_inner, other=0.0)
    middle = tl.load(interval, mask=is_inner, other=0.0)
    high = tl.load(interval + 1, mask=is_inner, other=0.0)
    smoothed = (tl.maximum(low, middle) + tl.maximum(middle, high)) / 2.0 + 0.01
    pdf = tl.where(is_inner, smoothed + 1e-5, 0.0)
    total = tl.sum(pdf, axis=0)
    pdf = pdf / tl.where(total > 0.0, total, 1.0)
    cdf = tl.cumsum(pdf, axis=0)
    last = coarse_count - 3
    along = depths + ray * coarse_count
    for start in range(0, fine_count, PAIRS_BLOCK):
        drawn = start + tl.arange(0, PAIRS_BLOCK)
        valid = drawn < fine_count
        at = tl.load(u + ray * fine_count + drawn, mask=valid, other=0.0)
        is_below = (cdf[None, :] <= at[:, None]) & (entry <= last)[None, :]
        above = tl.sum(is_below.to(tl.int32), axis=1)
        lower, upper = tl.maximum(above - 1, 0), tl.minimum(above, last)
        cdf_low = tl.sum(tl.where(entry[None, :] == lower[:, None], cdf[None, :], 0.0), axis=1)
        cdf_high = tl.sum(tl.where(entry[None, :] == upper[:, None], cdf[None, :], 0.0), axis=1)
        bin_low = (tl.load(along + lower) + tl.load(along + lower + 1)) / 2.0
        bin_high = (tl.load(along + upper) + tl.load(along + upper + 1)) / 2.0
        rise = cdf_high - cdf_low
        rise = tl.where(rise < 1e-5, 1.0, rise)
        found = bin_low + (at - cdf_low) / rise * (bin_high - bin_low)
        tl.store(fine + ray * fine_count + drawn, found, mask=valid)


@triton.jit
def merge_kernel(
    coarse: tl.tensor,
    coarse_sigma: tl.tensor,
    fine: tl.tensor,
    fine_sigma: tl.tensor,
    depths: tl.tensor,
    sigma: tl.tensor,
    coarse_count: tl.tensor,
    fine_count: tl.tensor,
    N: tl.constexpr,
) -> None:
    """`depths` and `sigma` (rays, coarse_count + fine_count) in ascending depth, one program a ray.

    N is the number of samples rounded up to a power of two. A sample goes to the place given by the number of samples
    before it; equal depths keep their order, coarse first, and depths that are no numbers go last.
    """
    ray = tl.program_id(0).to(tl.int64)
    count = coarse_count + fine_count
    own = tl.arange(0, N)
    is_coarse, is_fine = own < coarse_count, (own >= coarse_count) & (own < count)
    from_coarse, from_fine = ray * coarse_count + own, ray * fine_count + own - coarse_count
    depth = tl.load(coarse + from_coarse, mask=is_coarse, other=0.0) + tl.load(
        fine + from_fine, mask=is_fine, other=0.0
    )
    density = tl.load(coarse_sigma + from_coarse, mask=is_coarse, other=0.0)
    density += tl.load(fine_sigma + from_fine, mask=is_fine, other=0.0)
    key = tl.where(depth == depth, depth, float("inf"))  # noqa: PLR0124 - not a number
    place = tl.zeros((N,), dtype=tl.int32)
    for start in range(0, count, PAIRS_BLOCK):
        other = start + tl.arange(0, PAIRS_BLOCK)
        other_coarse, other_fine = other < coarse_count, (other >= coarse_count) & (other < count)
        against = tl.load(coarse + ray * coarse_count + other, mask=other_coarse, other=0.0)
        against += tl.load(fine + ray * fine_count + other - coarse_count, mask=other_fine, other=0.0)
        against = tl.where(against == against, against, float("inf"))  # noqa: PLR0124 - not a number
        is_before = (against[None, :] < key[:, None]) | (
            (against[None, :] == key[:, None]) & (other[None, :] < own[:, None])
        )
        place += tl.sum((is_before & (other < count)[None, :]).to(tl.int32), axis=1)
    tl.store(depths + ray * count + place, depth, mask=own < count)
    tl.store(sigma + ray * count + place, density, mask=own < count)
