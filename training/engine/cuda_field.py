"""Kernels that read a radiance field: planes → mean of the three samples → decoder, without a stop in memory.

Planes arrive channels last, (3, depth, R, R, C), so that a texel is one run of bytes; C, H and F are padded with zeros
to powers of two of at least 16. Rays, samples and points of one character only: a launch never mixes two.
All arithmetic is float32, matrix products without TF32. Block sizes are fixed, so every run sums in the same order.
Source: spec/generator.md §5.1, §5.3, §5.4, §6.1.
"""

# ruff: noqa: PLR0917 - kernels take pointers and sizes one by one
from __future__ import annotations

import triton
import triton.language as tl

from training import clearing

EMPTY, SOLID = tl.constexpr(clearing.EMPTY), tl.constexpr(clearing.SOLID)
POINTS_BLOCK = tl.constexpr(64)
"""Points or samples that one program decodes."""
COMPOSITE_BLOCK = tl.constexpr(32)
"""Samples of a ray whose colours one program decodes at a time."""


@triton.jit
def softplus(x: tl.tensor) -> tl.tensor:
    """log(1 + exp(x)), accurate for small results: the rounding of 1 + y is undone."""
    y = tl.exp(-tl.abs(x))
    u = 1.0 + y
    return tl.maximum(x, 0.0) + tl.log(u) - ((u - 1.0) - y) / u


@triton.jit
def _sigmoid(x: tl.tensor) -> tl.tensor:
    """1 / (1 + exp(−x)) without overflow."""
    y = tl.exp(-tl.abs(x))
    return tl.where(x >= 0.0, 1.0, y) / (1.0 + y)


@triton.jit
def _neighbours(coordinate: tl.tensor, size: tl.tensor, stride: tl.tensor) -> tl.tensor:
    """The two texels beside a coordinate whose [-1, 1] spans `size` texels: index · stride of both, weights of both.

    Texels outside get weight 0 and the index of one inside, so that it can be read.
    """
    # Far coordinates are drawn near, so that they fit an integer.
    at = tl.minimum(tl.maximum(((coordinate + 1.0) * size - 1.0) / 2.0, -2.0), size + 1.0)
    floor = tl.floor(at)
    share = at - floor
    low = floor.to(tl.int32)
    low_weight = tl.where((low >= 0) & (low < size), 1.0 - share, 0.0)
    high_weight = tl.where((low >= -1) & (low < size - 1), share, 0.0)
    last = size - 1
    return (
        tl.minimum(tl.maximum(low, 0), last) * stride,
        tl.minimum(tl.maximum(low + 1, 0), last) * stride,
        low_weight,
        high_weight,
    )


@triton.jit
def _one_plane(
    plane: tl.tensor,
    column: tl.tensor,
    row: tl.tensor,
    depth_axis: tl.tensor,
    wanted: tl.tensor,
    resolution: tl.tensor,
    D: tl.constexpr,
    C: tl.constexpr,
) -> tl.tensor:
    """(samples, C) trilinear sample of one plane, bilinear with D = 1; texels outside count as zero."""
    x_low, x_high, x_low_weight, x_high_weight = _neighbours(column, resolution, C)
    y_low, y_high, y_low_weight, y_high_weight = _neighbours(row, resolution, resolution * C)
    z_low, z_high, z_low_weight, z_high_weight = _neighbours(depth_axis, D, resolution * resolution * C)
    texels = plane + tl.arange(0, C)[None, :]
    wanted = wanted[:, None]
    found = tl.zeros((column.shape[0], C), dtype=tl.float32)
    for line in tl.static_range(2 if D == 1 else 4):
        offset = y_high if line % 2 else y_low
        weight = y_high_weight if line % 2 else y_low_weight
        if D > 1:
            offset += z_high if line // 2 else z_low
            weight *= z_high_weight if line // 2 else z_low_weight
        low = tl.load(texels + (offset + x_low)[:, None], mask=wanted, other=0.0)
        high = tl.load(texels + (offset + x_high)[:, None], mask=wanted, other=0.0)
        found += (weight * x_low_weight)[:, None] * low + (weight * x_high_weight)[:, None] * high
    return found


@triton.jit
def _hidden(
    planes: tl.tensor,
    x: tl.tensor,
    y: tl.tensor,
    z: tl.tensor,
    wanted: tl.tensor,
    resolution: tl.tensor,
    scale: tl.tensor,
    w0: tl.tensor,
    b0: tl.tensor,
    D: tl.constexpr,
    C: tl.constexpr,
    H: tl.constexpr,
    USE_TRIPLANE: tl.constexpr,
) -> tl.tensor:
    """(samples, H) hidden layer at `head_world` metres; what is not wanted is not loaded and counts as zero."""
    x, y, z = x * scale, y * scale, z * scale
    stride = D * resolution * resolution * C
    total = _one_plane(planes, x, y, z, wanted, resolution, D, C)
    total += _one_plane(planes + stride, x, z, y, wanted, resolution, D, C)
    if USE_TRIPLANE:
        total += _one_plane(planes + 2 * stride, y, z, x, wanted, resolution, D, C)
    else:
        total += _one_plane(planes + 2 * stride, z, x, y, wanted, resolution, D, C)
    channel, unit = tl.arange(0, C), tl.arange(0, H)
    weights = tl.load(w0 + channel[:, None] * H + unit[None, :])
    before = tl.dot(total / 3.0, weights, input_precision="ieee") + tl.load(b0 + unit)[None, :]
    return softplus(before)


@triton.jit
def _sigma(hidden: tl.tensor, w_sigma: tl.tensor, b_sigma: tl.tensor, H: tl.constexpr) -> tl.tensor:
    """(samples,) raw densities."""
    return tl.sum(hidden * tl.load(w_sigma + tl.arange(0, H))[None, :], axis=1) + tl.load(b_sigma)


@triton.jit
def _features(
    hidden: tl.tensor,
    w_features: tl.tensor,
    b_features: tl.tensor,
    H: tl.constexpr,
    F: tl.constexpr,
    PLAIN: tl.constexpr,
) -> tl.tensor:
    """(samples, F) features in [0, 1], or in [−0.001, 1.001]."""
    unit, feature = tl.arange(0, H), tl.arange(0, F)
    weights = tl.load(w_features + unit[:, None] * F + feature[None, :])
    raw = tl.dot(hidden, weights, input_precision="ieee") + tl.load(b_features + feature)[None, :]
    found = _sigmoid(raw)
    if not PLAIN:
        found = found * 1.002 - 0.001
    return found


@triton.jit
def points_kernel(
    planes: tl.tensor,
    points: tl.tensor,
    w0: tl.tensor,
    b0: tl.tensor,
    w_sigma: tl.tensor,
    b_sigma: tl.tensor,
    w_features: tl.tensor,
    b_features: tl.tensor,
    sigma: tl.tensor,
    features: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    resolution: tl.tensor,
    scale: tl.tensor,
    D: tl.constexpr,
    C: tl.constexpr,
    H: tl.constexpr,
    F: tl.constexpr,
    USE_TRIPLANE: tl.constexpr,
    PLAIN: tl.constexpr,
    WITH_FEATURES: tl.constexpr,
) -> None:
    """`sigma` (count,) and, if asked for, `features` (count, width) at `points` (count, 3), metres."""
    index = tl.program_id(0).to(tl.int64) * POINTS_BLOCK + tl.arange(0, POINTS_BLOCK)
    valid = index < count
    x = tl.load(points + index * 3, mask=valid, other=0.0)
    y = tl.load(points + index * 3 + 1, mask=valid, other=0.0)
    z = tl.load(points + index * 3 + 2, mask=valid, other=0.0)
    hidden = _hidden(planes, x, y, z, valid, resolution, scale, w0, b0, D, C, H, USE_TRIPLANE)
    tl.store(sigma + index, _sigma(hidden, w_sigma, b_sigma, H), mask=valid)
    if WITH_FEATURES:
        feature = tl.arange(0, F)
        found = _features(hidden, w_features, b_features, H, F, PLAIN)
        tl.store(
            features + index[:, None] * width + feature[None, :],
            found,
            mask=valid[:, None] & (feature < width)[None, :],
        )


@triton.jit
def ray_sigma_kernel(
    planes: tl.tensor,
    origins: tl.tensor,
    directions: tl.tensor,
    depths: tl.tensor,
    noise: tl.tensor,
    w0: tl.tensor,
    b0: tl.tensor,
    w_sigma: tl.tensor,
    b_sigma: tl.tensor,
    sigma: tl.tensor,
    count: tl.tensor,
    per_ray: tl.tensor,
    resolution: tl.tensor,
    scale: tl.tensor,
    reach: tl.tensor,
    thin: tl.tensor,
    D: tl.constexpr,
    C: tl.constexpr,
    H: tl.constexpr,
    USE_TRIPLANE: tl.constexpr,
    NOISY: tl.constexpr,
    CROPS: tl.constexpr,
    CLEARS: tl.constexpr,
) -> None:
    """`sigma` (rays, per_ray) at `depths` (rays, per_ray) along rays (rays, 3); count = rays · per_ray.

    With NOISY, `noise` (rays, per_ray) is added. With CROPS, samples with |x| or |z| beyond `reach` metres are empty
    and read nothing; a block of such samples only does no arithmetic either. CLEARS ``cull`` empties samples of less
    opacity than `thin`, ``binarize`` makes all others solid besides, ``nothing`` leaves them.
    """
    index = tl.program_id(0).to(tl.int64) * POINTS_BLOCK + tl.arange(0, POINTS_BLOCK)
    valid = index < count
    ray = index // per_ray
    t = tl.load(depths + index, mask=valid, other=0.0)
    x = tl.load(origins + ray * 3, mask=valid, other=0.0) + t * tl.load(directions + ray * 3, mask=valid, other=0.0)
    y = tl.load(origins + ray * 3 + 1, mask=valid, other=0.0)
    y += t * tl.load(directions + ray * 3 + 1, mask=valid, other=0.0)
    z = tl.load(origins + ray * 3 + 2, mask=valid, other=0.0)
    z += t * tl.load(directions + ray * 3 + 2, mask=valid, other=0.0)
    wanted = valid
    if CROPS:
        wanted = valid & (tl.abs(x) <= reach) & (tl.abs(z) <= reach)
    found = tl.full((POINTS_BLOCK,), EMPTY, dtype=tl.float32)
    if tl.max(wanted.to(tl.int32), axis=0) > 0:
        hidden = _hidden(planes, x, y, z, wanted, resolution, scale, w0, b0, D, C, H, USE_TRIPLANE)
        raw = _sigma(hidden, w_sigma, b_sigma, H)
        if NOISY:
            raw += tl.load(noise + index, mask=valid, other=0.0)
        found = tl.where(wanted, raw, EMPTY)
    if CLEARS != "nothing":
        is_thin = 1.0 - tl.exp(-softplus(found - 1.0)) < thin
        found = tl.where(is_thin, EMPTY, SOLID if CLEARS == "binarize" else found)
    tl.store(sigma + index, found, mask=valid)


@triton.jit
def composite_kernel(
    planes: tl.tensor,
    origins: tl.tensor,
    directions: tl.tensor,
    depths: tl.tensor,
    weights: tl.tensor,
    w0: tl.tensor,
    b0: tl.tensor,
    w_features: tl.tensor,
    b_features: tl.tensor,
    composite: tl.tensor,
    per_ray: tl.tensor,
    width: tl.tensor,
    resolution: tl.tensor,
    scale: tl.tensor,
    negligible: tl.tensor,
    D: tl.constexpr,
    C: tl.constexpr,
    H: tl.constexpr,
    F: tl.constexpr,
    USE_TRIPLANE: tl.constexpr,
    PLAIN: tl.constexpr,
) -> None:
    """`composite` (rays, width): sum over samples of weight · features, one program a ray.

    A sample's weight is half the sum of its two intervals' `weights` (rays, per_ray − 1). Samples of `negligible`
    weight or less are not decoded: each changes the sum by no more than that.
    """
    ray = tl.program_id(0).to(tl.int64)
    origin_x, origin_y, origin_z = (
        tl.load(origins + ray * 3),
        tl.load(origins + ray * 3 + 1),
        tl.load(origins + ray * 3 + 2),
    )
    towards_x, towards_y = tl.load(directions + ray * 3), tl.load(directions + ray * 3 + 1)
    towards_z = tl.load(directions + ray * 3 + 2)
    intervals = weights + ray * (per_ray - 1)
    feature = tl.arange(0, F)
    total = tl.zeros((F,), dtype=tl.float32)
    for start in range(0, per_ray, COMPOSITE_BLOCK):
        sample = start + tl.arange(0, COMPOSITE_BLOCK)
        before = tl.load(intervals + sample - 1, mask=(sample >= 1) & (sample < per_ray), other=0.0)
        after = tl.load(intervals + sample, mask=sample < per_ray - 1, other=0.0)
        share = (before + after) / 2.0
        wanted = share > negligible
        if tl.max(share, axis=0) > negligible:
            t = tl.load(depths + ray * per_ray + sample, mask=wanted, other=0.0)
            x, y, z = origin_x + t * towards_x, origin_y + t * towards_y, origin_z + t * towards_z
            hidden = _hidden(planes, x, y, z, wanted, resolution, scale, w0, b0, D, C, H, USE_TRIPLANE)
            found = _features(hidden, w_features, b_features, H, F, PLAIN)
            total += tl.sum(tl.where(wanted, share, 0.0)[:, None] * found, axis=0)
    tl.store(composite + ray * width + feature, total, mask=feature < width)
