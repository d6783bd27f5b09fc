"""LPIPS through AlexNet with seeded weights. Source: spec/measure.md §5.2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from _measure.metrics.lpips import LpipsNetwork, lpips
from _measure.network_weights import linear_heads
from tests.parity.fixtures import arrays_of, measure_files, whatever_is_there
from tests.parity.lpips_weights import seeded_alexnet

LPIPS = measure_files("lpips*.npz")


def picture(fixture: Mapping, key: str) -> torch.Tensor:
    return torch.from_numpy(fixture[key][0].astype(np.float32) / 255)


@pytest.mark.parametrize("path", LPIPS)
@pytest.mark.parametrize(
    ("values", "value_range", "package_heads"),
    [
        ("values_random_heads", "unit", False),
        ("values_random_heads_if_rescaled", "signed", False),
        ("values_package_heads", "unit", True),
    ],
)
def test_values(path: Path, values: str, value_range: str, package_heads: bool) -> None:
    fixture = arrays_of(path)
    weights = seeded_alexnet(int(fixture["weight_seed"]))
    if package_heads:
        weights |= linear_heads("alex")
    net = LpipsNetwork("alex", weights)
    with whatever_is_there() as part:
        for index, expected in enumerate(fixture[values]):
            with part():
                value = lpips(net, picture(fixture, f"a{index}"), picture(fixture, f"b{index}"), value_range)
                assert value == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("path", LPIPS)
def test_feature_maps(path: Path) -> None:
    fixture = arrays_of(path)
    net = LpipsNetwork("alex", seeded_alexnet(int(fixture["weight_seed"])))
    with whatever_is_there() as part:
        for key in sorted(fixture.matching(r"feat\d+_of_a\d+")):
            with part():
                layer, index = (int(number) for number in re.findall(r"\d+", key))
                maps = list(net.feature_maps(picture(fixture, f"a{index}")[None]))
                np.testing.assert_allclose(maps[layer].numpy(), fixture[key], rtol=1e-4, atol=1e-3)
