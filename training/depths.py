"""Where a ray is sampled: jittered coarse depths, and fine ones drawn where the coarse weights lie.

Source: spec/generator.md §5.2, §5.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, max_pool1d

from _exchange.errors import InputError
from torch_utils.determinism import Draws
from training.engine.interface import Rays, Sampling

MISSED = (-1.0, -2.0)
"""Entry and exit of a ray that does not meet the box."""
_BY_SAMPLE = (2, 0, 1, 3)
"""Axes from slowest to fastest in which the published code filled the jitter of rays with limits of their own."""


@dataclass(frozen=True, eq=False)
class Span:
    """Depths between which rays are sampled, metres: tensors (B, M, 1), or numbers that hold for all rays."""

    near: Tensor | float
    far: Tensor | float


def box_limits(rays: Rays, box_warp: float) -> Span:
    """Depths (B, M, 1) at which rays enter and leave the cube of side `box_warp`; `MISSED` where they miss it.

    Negative values count too: of an origin inside the box, of a box behind the origin. A ray that runs exactly in the
    plane of a face gives NaN.
    """
    half = box_warp / 2
    to_low, to_high = (-half - rays.origins) / rays.directions, (half - rays.origins) / rays.directions
    near = torch.minimum(to_low, to_high).amax(-1, keepdim=True)
    far = torch.maximum(to_low, to_high).amin(-1, keepdim=True)
    missed = near > far
    return Span(torch.where(missed, MISSED[0], near), torch.where(missed, MISSED[1], far))


def check_limits(sampling: Sampling) -> None:
    """Nothing if depths can be found between these limits.

    Raises:
        InputError: only one limit is ``auto``, or ``auto`` is asked for with disparity spacing; the last depth is not
            behind the first, or disparity spacing begins at or behind the camera.
    """
    start, end, disparity = sampling.ray_start, sampling.ray_end, sampling.disparity_space_sampling
    if start == "auto" or end == "auto":
        if start != end or disparity:
            raise InputError(
                "Expected ray_start and ray_end both 'auto', without disparity_space_sampling, found "
                f"{start!r}, {end!r} and {disparity}."
            )
    elif not start < end:
        raise InputError(f"Expected ray_start below ray_end, found {start:g} and {end:g}.")
    elif disparity and start <= 0:
        raise InputError(f"Expected ray_start above 0 for disparity_space_sampling, found {start:g}.")


def span_of(rays: Rays, sampling: Sampling, box_warp: float) -> Span:
    """The depths to sample: the given ones, or with ``auto`` those of the box.

    With ``auto``, rays that miss the box take the smallest and the largest entry of those that meet it; where none
    meets it, all are sampled backwards from −1 to −2, as the published code does.

    Raises:
        InputError: the limits do not fit one another; see `check_limits`.
    """
    check_limits(sampling)
    if sampling.ray_start != "auto" and sampling.ray_end != "auto":
        return Span(sampling.ray_start, sampling.ray_end)
    span = box_limits(rays, box_warp)
    near, far = torch.as_tensor(span.near), torch.as_tensor(span.far)
    meets = far > near
    if not meets.any():
        return span
    entries = near[meets]
    return Span(torch.where(meets, near, entries.min()), torch.where(meets, far, entries.max()))


def draw_jitter(rays: Rays, sampling: Sampling, draws: Draws) -> Tensor:
    """(B, M, S, 1) numbers in [0, 1) called ``stratified_jitter``."""
    shape = (*rays.origins.shape[:2], sampling.depth_resolution, 1)
    order = _BY_SAMPLE if sampling.ray_start == "auto" else None
    return draws.uniform("stratified_jitter", shape, rays.origins.device, order)


def coarse_depths(span: Span, jitter: Tensor, disparity: bool) -> Tensor:
    """(B, M, S, 1) ascending depths, each pushed forward inside its step.

    Args:
        span: where to sample.
        jitter: (B, M, S, 1) in [0, 1).
        disparity: steps even in 1 / depth.
    """
    steps = jitter.shape[-2]
    if steps < 2:
        raise InputError(f"Expected a depth_resolution of at least 2, found {steps}.")
    if isinstance(span.near, Tensor) or isinstance(span.far, Tensor):
        near, far = torch.as_tensor(span.near)[..., None, :], torch.as_tensor(span.far)[..., None, :]
        whole = torch.arange(steps, device=jitter.device, dtype=jitter.dtype)[:, None] / (steps - 1)
        return near + whole * (far - near) + jitter * ((far - near) / (steps - 1))
    if disparity:
        shares = torch.linspace(0, 1, steps, device=jitter.device)[:, None] + jitter * (1 / (steps - 1))
        return 1 / ((1 - shares) / span.near + shares / span.far)
    starts = torch.linspace(span.near, span.far, steps, device=jitter.device)[:, None]
    return starts + jitter * ((span.far - span.near) / (steps - 1))


def importance_depths(depths: Tensor, weights: Tensor, u: Tensor) -> Tensor:
    """Fine depths (…, N, 1), unsorted, without gradient.

    Args:
        depths: (…, S, 1) coarse depths, S at least 3.
        weights: (…, S − 1, 1) of the coarse intervals.
        u: (…, N) in [0, 1).
    """
    steps = depths.shape[-2]
    if steps < 3:
        raise InputError(f"Expected a depth_resolution of at least 3 for fine samples, found {steps}.")
    with torch.no_grad():
        rows = weights.reshape(-1, 1, steps - 1)
        smoothed = avg_pool1d(max_pool1d(rows, 2, 1, padding=1), 2, 1)[:, 0] + 0.01
        along = depths.reshape(-1, steps)
        bins = (along[:, :-1] + along[:, 1:]) / 2
        found = inverse_cdf(bins, smoothed[:, 1:-1], u.reshape(len(along), -1))
        return found.reshape(*depths.shape[:-2], -1, 1)


def inverse_cdf(bins: Tensor, weights: Tensor, u: Tensor) -> Tensor:
    """Positions at which the cumulated weights reach `u`.

    Args:
        bins: (rows, K + 1 or more) edges; edges beyond the first K + 1 are never drawn from.
        weights: (rows, K) not negative.
        u: (rows, N) in [0, 1].

    Returns:
        (rows, N).
    """
    pdf = weights + 1e-5
    pdf = pdf / pdf.sum(-1, keepdim=True)
    cdf = torch.cat([torch.zeros_like(pdf[:, :1]), pdf.cumsum(-1)], -1) if pdf.shape[1] else pdf.new_zeros(len(u), 1)
    above = torch.searchsorted(cdf, u.contiguous(), right=True)
    lower, upper = (above - 1).clamp(min=0), above.clamp(max=weights.shape[1])
    cdf_low, cdf_high = cdf.gather(1, lower), cdf.gather(1, upper)
    bin_low, bin_high = bins.gather(1, lower), bins.gather(1, upper)
    rise = cdf_high - cdf_low
    rise = torch.where(rise < 1e-5, 1.0, rise)
    return bin_low + (u - cdf_low) / rise * (bin_high - bin_low)


def evenly_spread(rows: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """(rows, count) numbers from 0 to 1: the deterministic stand-in for drawn `u`."""
    return torch.linspace(0, 1, count, device=device).expand(rows, count)
