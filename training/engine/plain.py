"""The obvious engine: plain torch, every sample decoded, differentiable. The others are measured against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from torch_utils.determinism import Draws
from training.clearing import clear
from training.decoder import decoder_outputs, squashed
from training.depths import importance_depths
from training.engine.interface import Clearing, Composite, Decoded, Engine, Field, Rays, Sampling
from training.march import interval_weights, march, over_background, turned
from training.planes import sample_planes
from training.ray_draws import draw_rays


@dataclass(frozen=True, eq=False)
class RaySamples:
    """Samples along m rays of each of B characters, ready to march.

    Attributes:
        depths: (B, m, n, 1) metres.
        points: (B, m, n, 3) `head_world`, metres.
        sigma: (B, m, n, 1) raw densities after clearing.
        outputs: (B, m, n, F) features before the sigmoid.
    """

    depths: Tensor
    points: Tensor
    sigma: Tensor
    outputs: Tensor

    def merged_with(self, others: RaySamples) -> RaySamples:
        """Both, sorted by depth; these first among equals."""
        depths = torch.cat([self.depths, others.depths], 2)
        order = depths.argsort(stable=True, dim=2)
        pairs = (
            (self.depths, others.depths),
            (self.points, others.points),
            (self.sigma, others.sigma),
            (self.outputs, others.outputs),
        )
        return RaySamples(*(_reordered(torch.cat(pair, 2), order) for pair in pairs))


def _reordered(values: Tensor, order: Tensor) -> Tensor:
    return values.gather(2, order.expand(-1, -1, -1, values.shape[-1]))


def decoder_outputs_at(field: Field, points: Tensor) -> Tensor:
    """(B, M, 1 + F) raw density and features before the sigmoid, at (B, M, 3) points."""
    samples = sample_planes(field.planes, points, field.box_warp, field.triplane_depth, field.use_triplane)
    return decoder_outputs(field.decoder, samples)


def samples_at(field: Field, rays: Rays, depths: Tensor, clearing: Clearing, noise: Tensor | None = None) -> RaySamples:
    """The field at (B, M, n, 1) depths of the rays; `noise` of that shape is added to the raw densities."""
    points = rays.origins[:, :, None] + depths * rays.directions[:, :, None]
    outputs = decoder_outputs_at(field, points.flatten(1, 2)).unflatten(1, depths.shape[1:3])
    sigma = outputs[..., :1] if noise is None else outputs[..., :1] + noise
    return RaySamples(depths, points, clear(sigma, points, field.box_warp, clearing), outputs[..., 1:])


class PlainEngine(Engine):
    """See `Engine`. Memory stays bounded: rays and points are taken in parts, on which results do not depend.

    Args:
        points_at_once: samples decoded together.
    """

    name = "plain"

    def __init__(self, points_at_once: int = 1 << 15) -> None:
        self.points_at_once = points_at_once

    def render(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Composite:
        """See `Engine.render`."""
        features, positions, depths, opacities, nearest, farthest = [], [], [], [], [], []
        for samples in self._samples(field, rays, sampling, clearing, draws):
            colours = squashed(field.decoder, samples.outputs)
            marched = march(torch.cat([colours, samples.points], -1), samples.sigma, samples.depths)
            channels = over_background(marched.channels, marched.opacity, sampling.white_back)
            features.append(2 * channels[..., :-3] - 1)
            positions.append(channels[..., -3:])
            depths.append(marched.depth)
            opacities.append(marched.opacity)
            nearest.append(samples.depths.amin((1, 2), keepdim=True)[..., 0])
            farthest.append(samples.depths.amax((1, 2), keepdim=True)[..., 0])
        low, high = torch.cat(nearest, 1).amin(1, keepdim=True), torch.cat(farthest, 1).amax(1, keepdim=True)
        if sampling.depth_clamp == "batch":
            low, high = low.min(), high.max()
        return Composite(
            features=torch.cat(features, 1),
            depth=torch.cat(depths, 1).clamp(low, high),
            opacity=torch.cat(opacities, 1),
            xyz=turned(torch.cat(positions, 1)),
        )

    def opacity(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Tensor:
        """See `Engine.opacity`; bitwise that of `render`."""
        parts = self._samples(field, rays, sampling, clearing, draws)
        return torch.cat([interval_weights(part.sigma, part.depths).sum(-2) for part in parts], 1)

    def decode(self, field: Field, points: Tensor) -> Decoded:
        """See `Engine.decode`."""
        outputs = torch.cat(list(self._outputs(field, points)), 1)
        return Decoded(outputs[..., :1], squashed(field.decoder, outputs[..., 1:]))

    def sigma(self, field: Field, points: Tensor) -> Tensor:
        """See `Engine.sigma`; bitwise that of `decode`."""
        return torch.cat([part[..., :1] for part in self._outputs(field, points)], 1)

    def _outputs(self, field: Field, points: Tensor) -> Iterator[Tensor]:
        at_once = max(1, self.points_at_once // points.shape[0])
        return (decoder_outputs_at(field, part) for part in points.split(at_once, 1))

    def _samples(
        self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws
    ) -> Iterator[RaySamples]:
        """The samples to march, some rays after the others."""
        batch, count = rays.origins.shape[:2]
        drawn, fine = draw_rays(rays, sampling, field.box_warp, draws), sampling.depth_resolution_importance
        at_once = max(1, self.points_at_once // (batch * max(sampling.depth_resolution, fine)))
        for start in range(0, count, at_once):
            part = slice(start, start + at_once)
            some = Rays(rays.origins[:, part], rays.directions[:, part])
            noise = None if drawn.coarse_noise is None else drawn.coarse_noise[:, part]
            samples = samples_at(field, some, drawn.depths[:, part], clearing, noise)
            if drawn.u is not None:
                weights = interval_weights(samples.sigma, samples.depths)
                more = importance_depths(samples.depths, weights, drawn.u[:, part])
                noise = None if drawn.fine_noise is None else drawn.fine_noise[:, part]
                samples = samples.merged_with(samples_at(field, some, more, clearing, noise))
            yield samples
