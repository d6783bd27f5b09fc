"""The random numbers of one render after the backbone's, in the order in which every engine draws them.

Source: spec/generator.md §5.2, §5.5, §5.8, §5.9.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from torch_utils.determinism import Draws
from training.depths import coarse_depths, draw_jitter, span_of
from training.engine.interface import Rays, Sampling


@dataclass(frozen=True, eq=False)
class RayDraws:
    """What is drawn for B · M rays.

    Attributes:
        depths: (B, M, S, 1) coarse depths, metres.
        u: (B, M, N) in [0, 1), which decide the fine depths; None without a fine pass.
        coarse_noise: (B, M, S, 1) added to raw densities; None without noise.
        fine_noise: (B, M, N, 1) likewise.
    """

    depths: Tensor
    u: Tensor | None
    coarse_noise: Tensor | None
    fine_noise: Tensor | None


def draw_rays(rays: Rays, sampling: Sampling, box_warp: float, draws: Draws) -> RayDraws:
    """Draw ``stratified_jitter``, ``density_noise_coarse``, ``importance_u`` and ``density_noise_fine``, where wanted.

    Raises:
        InputError: the limits of the rays do not fit one another.
    """
    batch, count = rays.origins.shape[:2]
    device, fine = rays.origins.device, sampling.depth_resolution_importance
    span = span_of(rays, sampling, box_warp)
    depths = coarse_depths(span, draw_jitter(rays, sampling, draws), sampling.disparity_space_sampling)
    coarse_noise = _density_noise("coarse", depths, sampling, draws)
    u = draws.uniform("importance_u", (batch * count, fine), device).view(batch, count, fine) if fine else None
    fine_noise = None if u is None else _density_noise("fine", u[..., None], sampling, draws)
    return RayDraws(depths, u, coarse_noise, fine_noise)


def _density_noise(name: str, like: Tensor, sampling: Sampling, draws: Draws) -> Tensor | None:
    """Normal numbers (B, M, n, 1), scaled; None without noise."""
    if not sampling.density_noise:
        return None
    batch, count, samples, _ = like.shape
    drawn = draws.normal(f"density_noise_{name}", (batch, count * samples, 1), like.device)
    return drawn.view(batch, count, samples, 1) * sampling.density_noise
