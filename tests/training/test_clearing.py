"""Crop, cull and binarise, by hand and by the logistic function."""

from __future__ import annotations

import math

import pytest
import torch

from training.clearing import EMPTY, SOLID, clear, density_from_sigma, limit, outside_crop
from training.engine.interface import Clearing

POINTS = torch.tensor([[0.0, 0.0, 0.0], [0.26, 0.0, 0.0], [0.0, 0.34, 0.0], [0.0, 0.0, -0.26], [0.24, 0.9, 0.24]])


def test_the_crop_takes_x_and_z_but_never_y() -> None:
    assert outside_crop(POINTS, 0.7, 0.1).flatten().tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("opacity", [0.1, 0.4, 0.5, 0.9])
def test_the_limit_is_where_the_activation_reaches_the_opacity(opacity: float) -> None:
    """1 − exp(−softplus(x)) is the logistic function of x."""
    assert 1 / (1 + math.exp(1 - limit(opacity))) == pytest.approx(opacity)
    around = torch.tensor([limit(opacity) - 1e-3, limit(opacity) + 1e-3])
    assert (density_from_sigma(around) < opacity).tolist() == [True, False]


def test_no_density_has_an_opacity_of_nothing_or_more_than_all() -> None:
    assert (limit(0), limit(-1), limit(1), limit(2)) == (-math.inf, -math.inf, math.inf, math.inf)


def test_what_each_option_leaves() -> None:
    sigma = torch.tensor([5.0, 5.0, 0.9, 5.0, 1.1])[:, None]

    def left(**options: float) -> list[float]:
        return clear(sigma, POINTS, 0.7, Clearing(**options)).flatten().tolist()

    assert left() == sigma.flatten().tolist()
    assert left(triplane_crop=0.1) == pytest.approx([5, EMPTY, 0.9, EMPTY, 1.1])
    assert left(cull_clouds=0.5) == pytest.approx([5, 5, EMPTY, 5, 1.1])
    assert left(triplane_crop=0.1, cull_clouds=0.5) == pytest.approx([5, EMPTY, EMPTY, EMPTY, 1.1])
    assert left(binarize_clouds=0.5) == [SOLID, SOLID, EMPTY, SOLID, SOLID]
    assert left(binarize_clouds=0.5, cull_clouds=0.99, triplane_crop=0.1) == [SOLID, EMPTY, EMPTY, EMPTY, SOLID]


def test_nothing_is_written_into_the_densities() -> None:
    sigma = torch.zeros(5, 1)
    clear(sigma, POINTS, 0.7, Clearing(0.1, 0.5, 0.5))
    assert not sigma.any()
