"""LPIPS: networks against a flat second writing of them, against the `lpips` package where it imports, and its laws."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from torch.nn import functional

from _exchange.errors import FormatError, InputError
from _measure.metrics.lpips import LpipsNetwork, lpips
from _measure.network_weights import linear_heads
from _measure.networks import alexnet, squeezenet, vgg16

BACKBONES = {"alex": alexnet.AlexNetFeatures, "vgg": vgg16.VggFeatures, "squeeze": squeezenet.SqueezeNetFeatures}
SHIFT = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
SCALE = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)


def random_weights(network: str, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, value in BACKBONES[network]().state_dict().items():
        fan_in = value[0].numel() if value.ndim > 1 else 400
        weights[name] = torch.randn(value.shape, generator=generator) * (2 / fan_in) ** 0.5
    return weights | linear_heads(network)


def pictures(size: tuple[int, int] = (80, 72)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return torch.rand((3, *size), generator=generator), torch.rand((3, *size), generator=generator)


def reference_maps(network: str, weights: dict[str, torch.Tensor], x: torch.Tensor) -> list[torch.Tensor]:
    """The networks written out from torchvision's published layer lists."""

    def conv(index: int, x: torch.Tensor, **how: int) -> torch.Tensor:
        return functional.conv2d(
            x, weights[f"features.{index}.weight"], weights[f"features.{index}.bias"], **how
        ).relu()

    def fire(index: int, x: torch.Tensor) -> torch.Tensor:
        def part(name: str, x: torch.Tensor, padding: int = 0) -> torch.Tensor:
            key = f"features.{index}.{name}"
            return functional.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], padding=padding).relu()

        squeezed = part("squeeze", x)
        return torch.cat([part("expand1x1", squeezed), part("expand3x3", squeezed, 1)], 1)

    if network == "alex":
        one = conv(0, x, stride=4, padding=2)
        two = conv(3, functional.max_pool2d(one, 3, 2), padding=2)
        three = conv(6, functional.max_pool2d(two, 3, 2), padding=1)
        four = conv(8, three, padding=1)
        return [one, two, three, four, conv(10, four, padding=1)]
    if network == "vgg":
        maps = []
        for block in ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)):
            x = functional.max_pool2d(maps[-1], 2, 2) if maps else x
            for index in block:
                x = conv(index, x, padding=1)
            maps.append(x)
        return maps

    def pool(x: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(x, 3, 2, ceil_mode=True)

    one = conv(0, x, stride=2)
    two = fire(4, fire(3, pool(one)))
    three = fire(7, fire(6, pool(two)))
    four = fire(9, pool(three))
    five = fire(10, four)
    six = fire(11, five)
    return [one, two, three, four, five, six, fire(12, six)]


@pytest.mark.parametrize("network", BACKBONES)
@pytest.mark.parametrize("value_range", ["unit", "signed"])
def test_distance_is_the_published_formula(network: str, value_range: str) -> None:
    weights = random_weights(network)
    a, b = pictures()
    fed = [(2 * x - 1 if value_range == "signed" else x)[None] for x in (a, b)]
    maps = [reference_maps(network, weights, (x - SHIFT) / SCALE) for x in fed]
    expected = 0.0
    for layer, (one, two) in enumerate(zip(*maps)):
        unit = [x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in (one, two)]
        head = weights[f"lin{layer}.model.1.weight"].view(-1)
        expected += float(torch.einsum("bchw,c->bhw", (unit[0] - unit[1]) ** 2, head).mean())
    # The same float32 arithmetic in another order and memory format.
    assert lpips(LpipsNetwork(network, weights), a, b, value_range) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("network", BACKBONES)
def test_distance_is_zero_for_equal_pictures_and_symmetric(network: str) -> None:
    net = LpipsNetwork(network, random_weights(network))
    a, b = pictures()
    assert lpips(net, a, a) == 0.0
    assert lpips(net, a, b) > 0
    assert lpips(net, a, b) == pytest.approx(lpips(net, b, a), rel=1e-6)


def test_the_input_range_matters() -> None:
    net = LpipsNetwork("alex", random_weights("alex"))
    a, b = pictures()
    assert lpips(net, a, b, "unit") != pytest.approx(lpips(net, a, b, "signed"), rel=1e-2)
    assert lpips(net, 2 * a - 1, 2 * b - 1, "unit") == pytest.approx(lpips(net, a, b, "signed"), rel=1e-5)


@pytest.mark.skipif(importlib.util.find_spec("lpips") is None, reason="the package lpips is not installed")
@pytest.mark.parametrize("network", BACKBONES)
def test_distance_is_the_packages(network: str) -> None:
    package = importlib.import_module("lpips").LPIPS(net=network, pnet_rand=True, verbose=False)
    weights = random_weights(network)
    own = {}
    for name in package.state_dict():
        if name.startswith("net.slice"):
            own[name] = weights["features." + name.split(".", 2)[2]]
    package.load_state_dict(own, strict=False)
    a, b = pictures()
    expected = float(package(a[None], b[None], normalize=True))
    assert lpips(LpipsNetwork(network, weights), a, b, "signed") == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("network", "smallest"), [("alex", 31), ("vgg", 16), ("squeeze", 17)])
def test_smallest_picture(network: str, smallest: int) -> None:
    net = LpipsNetwork(network, random_weights(network))
    a, b = pictures((smallest, smallest))
    assert np.isfinite(lpips(net, a, b))
    a, b = pictures((smallest - 1, smallest))
    with pytest.raises(InputError, match=f"at least {smallest} pixels"):
        lpips(net, a, b)


def test_different_shapes_are_refused() -> None:
    net = LpipsNetwork("alex", random_weights("alex"))
    with pytest.raises(InputError, match="two pictures"):
        lpips(net, torch.zeros(3, 70, 70), torch.zeros(3, 70, 71))


def test_missing_and_misshapen_parameters_are_named() -> None:
    weights = random_weights("alex")
    del weights["features.3.bias"]
    with pytest.raises(FormatError, match=r"features\.3\.bias.*\(192,\).*none"):
        LpipsNetwork("alex", weights)
    weights = random_weights("alex") | {"lin2.model.1.weight": torch.zeros(1, 5, 1, 1)}
    with pytest.raises(FormatError, match=r"lin2\.model\.1\.weight.*\(1, 384, 1, 1\)"):
        LpipsNetwork("alex", weights)


def test_real_squeeze_weights_rank_distortions(shared_squeeze_weights) -> None:
    """More noise is farther; the published heads and backbone give a plausible size."""
    net = LpipsNetwork("squeeze", shared_squeeze_weights.tensors)
    a = torch.nn.functional.interpolate(pictures((12, 12))[0][None], size=96, mode="bilinear")[0]
    noise = torch.randn(a.shape, generator=torch.Generator().manual_seed(3))
    distances = [lpips(net, (a + level * noise).clamp(0, 1), a) for level in (0.01, 0.05, 0.2)]
    assert distances == sorted(distances)
    assert 0 < distances[0] < distances[-1] < 2
