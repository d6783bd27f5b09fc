"""Depths by closed forms: steps, disparity, boxes, and inverse cumulative distributions by NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from _exchange.errors import InputError
from torch_utils.determinism import GeneratorDraws
from training.depths import Span, box_limits, coarse_depths, draw_jitter, importance_depths, inverse_cdf, span_of
from training.engine.interface import Rays, Sampling

BOX = 0.7


def _sampling(start: float | str = 0.5, end: float | str = 1.5, disparity: bool = False) -> Sampling:
    return Sampling(start, end, 5, 4, disparity_space_sampling=disparity)  # type: ignore[arg-type]


def _rays(*pairs: tuple[tuple[float, ...], tuple[float, ...]]) -> Rays:
    origins, directions = (torch.tensor([part]) for part in zip(*pairs))
    return Rays(origins, directions)


THROUGH = ((0.0, 0.1, 1.0), (0.0, 0.0, -1.0))
BESIDE = ((2.0, 0.0, 1.0), (0.0, 0.0, -1.0))
INSIDE = ((0.0, 0.0, 0.0), (0.0, 0.0, -1.0))


def test_without_jitter_depths_are_even_from_start_to_end() -> None:
    depths = coarse_depths(Span(0.5, 1.5), torch.zeros(1, 2, 5, 1), disparity=False)
    np.testing.assert_allclose(depths[0, 0, :, 0], [0.5, 0.75, 1.0, 1.25, 1.5])


def test_jitter_pushes_forward_within_a_step() -> None:
    jitter = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).reshape(1, 1, 5, 1)
    depths = coarse_depths(Span(0.5, 1.5), jitter, disparity=False)
    np.testing.assert_allclose(depths.flatten(), [0.5, 0.8125, 1.125, 1.4375, 1.75])


def test_disparity_spacing_is_even_in_inverse_depth() -> None:
    depths = coarse_depths(Span(0.5, 1.5), torch.zeros(1, 1, 5, 1), disparity=True).flatten()
    np.testing.assert_allclose(1 / depths, np.linspace(2, 1 / 1.5, 5), rtol=1e-6)


def test_limits_of_rays_through_inside_and_beside_the_box() -> None:
    span = box_limits(_rays(THROUGH, INSIDE, BESIDE), BOX)
    np.testing.assert_allclose(span.near.flatten(), [0.65, -0.35, -1], atol=1e-7)
    np.testing.assert_allclose(span.far.flatten(), [1.35, 0.35, -2], atol=1e-7)


def test_a_ray_in_the_plane_of_a_face_has_no_limits() -> None:
    span = box_limits(_rays(((0.5, 0.0, 1.0), (0.0, 0.0, -1.0))), 1.0)
    assert span.near.isnan().all()


def test_auto_gives_rays_that_miss_the_entries_of_those_that_meet() -> None:
    nearer = ((0.0, 0.0, 0.9), (0.0, 0.0, -1.0))
    span = span_of(_rays(THROUGH, nearer, BESIDE), _sampling("auto", "auto"), BOX)
    np.testing.assert_allclose(span.near.flatten(), [0.65, 0.55, 0.55], atol=1e-6)
    np.testing.assert_allclose(span.far.flatten(), [1.35, 1.25, 0.65], atol=1e-6)


def test_auto_without_any_ray_that_meets_runs_backwards() -> None:
    span = span_of(_rays(BESIDE), _sampling("auto", "auto"), BOX)
    depths = coarse_depths(span, torch.zeros(1, 1, 5, 1), disparity=False)
    np.testing.assert_allclose(depths.flatten(), [-1, -1.25, -1.5, -1.75, -2])


def test_a_seeded_stream_fills_the_jitter_of_auto_rays_sample_by_sample() -> None:
    rays = _rays(THROUGH, INSIDE, BESIDE)
    drawn = draw_jitter(rays, _sampling("auto", "auto"), GeneratorDraws.seeded(3))
    in_order = torch.rand(5, 1, 3, 1, generator=torch.Generator().manual_seed(3))
    assert torch.equal(drawn, in_order.permute(1, 2, 0, 3))


@pytest.mark.parametrize("sampling", [_sampling("auto", 1.5), _sampling("auto", "auto", disparity=True)])
def test_auto_demands_both_limits_and_even_depths(sampling: Sampling) -> None:
    with pytest.raises(InputError, match="both 'auto'"):
        span_of(_rays(THROUGH), sampling, BOX)


def test_inverse_cdf_interpolates_between_edges() -> None:
    """NumPy's interpolation of the cumulated weights is the definition; weights far above 1e-5 keep it exact."""
    generator = np.random.default_rng(0)
    weights, bins = generator.uniform(0.5, 1, (3, 6)), np.sort(generator.uniform(0, 1, (3, 7)))
    u = generator.uniform(0, 0.999, (3, 20))
    cdf = np.concatenate([np.zeros((3, 1)), np.cumsum(weights / weights.sum(1, keepdims=True), 1)], 1)
    expected = [np.interp(u[row], cdf[row], bins[row]) for row in range(3)]
    found = inverse_cdf(*(torch.tensor(part, dtype=torch.float32) for part in (bins, weights, u)))
    np.testing.assert_allclose(found, expected, atol=2e-5)  # 1e-5 is added to every weight


def test_fine_depths_gather_where_the_weight_is_and_never_in_the_last_bin() -> None:
    depths = torch.linspace(0, 1, 12).reshape(1, 1, 12, 1)
    weights = torch.zeros(1, 1, 11, 1)
    weights[0, 0, 5] = 1
    u = torch.linspace(0, 0.9999, 400).reshape(1, 1, 400)
    found = importance_depths(depths, weights, u).flatten()
    near_peak = (found > 3.5 / 11) & (found < 7.5 / 11)
    assert near_peak.float().mean() > 0.9
    assert found.max() <= 9.5 / 11 + 1e-6, "the last bin is from 9.5 to 10.5 steps"


def test_fine_depths_carry_no_gradient_and_need_three_samples() -> None:
    depths, weights = torch.rand(1, 2, 6, 1, requires_grad=True), torch.rand(1, 2, 5, 1, requires_grad=True)
    assert not importance_depths(depths, weights, torch.rand(1, 2, 3)).requires_grad
    assert importance_depths(torch.rand(1, 2, 3, 1), torch.rand(1, 2, 2, 1), torch.rand(1, 2, 4)).isfinite().all()
    with pytest.raises(InputError, match="at least 3"):
        importance_depths(torch.rand(1, 2, 2, 1), torch.rand(1, 2, 1, 1), torch.rand(1, 2, 4))
    with pytest.raises(InputError, match="at least 2"):
        coarse_depths(Span(0.5, 1.5), torch.rand(1, 2, 1, 1), disparity=False)
