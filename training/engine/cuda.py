"""The engine for CUDA: planes, decoder and march in fused Triton kernels; forward only.

Importing this module loads Triton. Source: spec/generator.md §5, §6.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from _exchange.errors import InputError
from torch_utils.determinism import Draws
from torch_utils.device import device_named
from training.engine.checks import check_tensors
from training.engine.cuda_launch import (
    RayBundle,
    RayWeights,
    Samples,
    composite,
    decode_points,
    fine_depths,
    is_interpreted,
    march,
    merge,
    sample,
)
from training.engine.cuda_packed import PackedField, packed_characters
from training.engine.interface import Clearing, Composite, Decoded, Engine, Field, Rays, Sampling
from training.march import over_background, turned
from training.ray_draws import draw_rays


@dataclass(frozen=True, eq=False)
class _Part:
    """Some rays of a character with its field, their sorted samples and weights."""

    field: PackedField
    rays: RayBundle
    samples: Samples
    marched: RayWeights


class CudaEngine(Engine):
    """See `Engine`. Memory stays bounded: rays are taken in parts, on which results do not depend.

    Every ray is computed alone and in a fixed order, so results do not depend on the batch either. Tensors are float32
    on one CUDA device, or on the CPU where Triton interprets its kernels.

    Args:
        samples_at_once: coarse and fine samples held together, about 40 bytes each.

    Raises:
        MissingComponent: there is no CUDA device.
    """

    name = "cuda"

    def __init__(self, samples_at_once: int = 1 << 24) -> None:
        self.samples_at_once = samples_at_once
        if not is_interpreted():
            device_named("cuda")

    def render(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Composite:
        """See `Engine.render`.

        Raises:
            InputError: tensors are elsewhere, not float32, require gradients, or do not fit each other.
        """
        _check(field, rays.origins, rays.directions)
        batch, count = rays.origins.shape[:2]
        parts: list[Composite] = []
        limits: list[Tensor] = []
        with torch.cuda.device_of(field.planes):
            for part in self._parts(field, rays, sampling, clearing, draws):
                parts.append(_composite(part, sampling.white_back))
                limits.append(torch.stack(part.samples.depths.aminmax()))
        features, depth, opacity, xyz = (
            torch.cat([getattr(part, name) for part in parts]).view(batch, count, -1)
            for name in ("features", "depth", "opacity", "xyz")
        )
        by_item = torch.stack(limits).view(batch, -1, 2)
        low, high = by_item[..., 0].amin(1).view(-1, 1, 1), by_item[..., 1].amax(1).view(-1, 1, 1)
        if sampling.depth_clamp == "batch":
            low, high = low.min(), high.max()
        return Composite(features, depth.clamp(low, high), opacity, xyz)

    def opacity(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Tensor:
        """See `Engine.opacity`; bitwise that of `render`, and raises the same."""
        _check(field, rays.origins, rays.directions)
        with torch.cuda.device_of(field.planes):
            parts = self._parts(field, rays, sampling, clearing, draws)
            return torch.cat([part.marched.opacity for part in parts]).view(*rays.origins.shape[:2], 1)

    def decode(self, field: Field, points: Tensor) -> Decoded:
        """See `Engine.decode`; raises as `render`."""
        return self._decode(field, points, with_features=True)

    def sigma(self, field: Field, points: Tensor) -> Tensor:
        """See `Engine.sigma`; raises as `render`."""
        return self._decode(field, points, with_features=False).sigma

    def _decode(self, field: Field, points: Tensor, with_features: bool) -> Decoded:
        _check(field, points)
        with torch.cuda.device_of(field.planes):
            characters = zip(packed_characters(field), points)
            found = [decode_points(each, some.contiguous(), with_features) for each, some in characters]
        return Decoded(torch.stack([each.sigma for each in found]), torch.stack([each.features for each in found]))

    def _parts(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Iterator[_Part]:
        """The rays of the first character in parts, then those of the second, and so on."""
        drawn, count = draw_rays(rays, sampling, field.box_warp, draws), rays.origins.shape[1]
        at_once = max(1, self.samples_at_once // (sampling.depth_resolution + sampling.depth_resolution_importance))
        for item, packed in enumerate(packed_characters(field)):
            for start in range(0, count, at_once):
                here = (item, slice(start, start + at_once))
                some = RayBundle(rays.origins[here].contiguous(), rays.directions[here].contiguous())
                depths = drawn.depths[here][..., 0].contiguous()
                samples = sample(packed, some, depths, clearing, _rows(drawn.coarse_noise, here))
                marched = march(samples)
                if drawn.u is not None:
                    more = fine_depths(samples.depths, marched.weights, drawn.u[here].contiguous())
                    samples = merge(samples, sample(packed, some, more, clearing, _rows(drawn.fine_noise, here)))
                    marched = march(samples)
                yield _Part(packed, some, samples, marched)


def _check(field: Field, *others: Tensor) -> None:
    check_tensors(field, *others)
    expected = "cpu" if is_interpreted() else "cuda"
    if field.planes.device.type != expected:
        raise InputError(f"Expected tensors on {expected} for the fast engine on CUDA, found {field.planes.device}.")


def _rows(noise: Tensor | None, here: tuple[int, slice]) -> Tensor | None:
    return None if noise is None else noise[here][..., 0].contiguous()


def _composite(part: _Part, white_back: bool) -> Composite:
    """What the rays of a part see, (rays, …), depths not clamped yet."""
    rays, opacity = part.rays, part.marched.opacity[:, None]
    weighted_depth = part.marched.weighted_depth[:, None]
    colours = composite(part.field, rays, part.samples.depths, part.marched.weights)
    is_empty = opacity == 0
    depth = torch.where(is_empty, torch.inf, weighted_depth / torch.where(is_empty, 1.0, opacity))
    xyz = rays.origins * opacity + rays.directions * weighted_depth
    return Composite(
        features=2 * over_background(colours, opacity, white_back) - 1,
        depth=depth,
        opacity=opacity,
        xyz=turned(over_background(xyz, opacity, white_back)),
    )
