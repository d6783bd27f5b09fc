"""LPIPS of batches and its cached arithmetic: by hand, against the plain formula, and one pair against many."""

from __future__ import annotations

import pytest
import torch

from _exchange.errors import InputError
from _measure import network_weights
from _measure.metrics.description import lpips_metric
from _measure.metrics.lpips import LpipsNetwork, lpips, lpips_pairs
from tests.measure.test_lpips import BACKBONES, random_weights


def batches(count: int, size: tuple[int, int] = (40, 48)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    target = torch.rand((count, 3, *size), generator=generator)
    noise = (
        torch.randn(target.shape, generator=generator)
        * torch.linspace(0.001, 0.3, max(count, 1))[:count, None, None, None]
    )
    return (target + noise).clamp(0, 1), target


def plain(net: LpipsNetwork, predicted: torch.Tensor, target: torch.Tensor) -> float:
    """The formula as it is written, in float64 from the maps on."""
    total = 0.0
    with torch.inference_mode():
        for maps, head in zip(net.feature_maps(2 * torch.stack([predicted, target]) - 1), net.heads):
            wide = maps.double()
            unit = wide / (wide.square().sum(1, keepdim=True).sqrt() + 1e-10)
            weighted = (unit[0] - unit[1]).square() * head[0].double()
            total += float(weighted.sum(0).mean())
    return total


def test_a_distance_worked_by_hand() -> None:
    """SqueezeNet with two channels alive: the first map is (x, 1), x = (red + 0.030)/0.458, all others are zero.

    x = 3/4 has the unit vector (3/5, 4/5), x = 4/3 has (4/5, 3/5): with heads 2 and 3 the distance is
    2·(1/5)² + 3·(1/5)² = 0.2. Maps of zeros add nothing, their norm being 1e-10.
    """
    weights = {name: torch.zeros_like(value) for name, value in random_weights("squeeze").items()}
    weights["features.0.weight"][0, 0, 1, 1] = 1
    weights["features.0.bias"][1] = 1
    weights["lin0.model.1.weight"][0, :2, 0, 0] = torch.tensor([2.0, 3.0])
    net = LpipsNetwork("squeeze", weights)
    red = [0.458 * x - 0.030 for x in (3 / 4, 4 / 3)]
    one, two = (torch.full((3, 21, 30), value) for value in red)
    assert lpips(net, one, two, "unit") == pytest.approx(0.2, rel=1e-5)
    assert lpips(net, (one + 1) / 2, (two + 1) / 2, "signed") == pytest.approx(0.2, rel=1e-5)


@pytest.mark.parametrize("network", BACKBONES)
@pytest.mark.parametrize("size", [(64, 80), (300, 301)], ids=["one piece", "many pieces"])
def test_the_cached_arithmetic_is_the_plain_formula(network: str, size: tuple[int, int]) -> None:
    if network == "vgg" and size[0] > 100:
        size = (200, 100)  # its first map still has several pieces
    net = LpipsNetwork(network, random_weights(network))
    for predicted, target in zip(*batches(2, size)):
        assert lpips(net, predicted, target) == pytest.approx(plain(net, predicted, target), rel=1e-6)


@pytest.mark.parametrize("network", BACKBONES)
@pytest.mark.parametrize("value_range", ["unit", "signed"])
def test_a_batch_gives_what_its_pairs_give(network: str, value_range) -> None:
    net = LpipsNetwork(network, random_weights(network))
    predicted, target = batches(5)
    alone = [lpips(net, a, b, value_range) for a, b in zip(predicted, target)]
    together = lpips_pairs(net, predicted, target, value_range)
    assert together == pytest.approx(alone, rel=1e-6)
    assert len(set(together)) == 5
    assert lpips_pairs(net, predicted[3:], target[3:], value_range) == together[3:]  # the rest of a batch plays no part


def test_an_empty_batch_has_no_distances() -> None:
    assert lpips_pairs(LpipsNetwork("alex", random_weights("alex")), *batches(0)) == []


def test_pictures_are_not_written_to() -> None:
    net = LpipsNetwork("squeeze", random_weights("squeeze"))
    predicted, target = batches(2)
    kept = predicted.clone(), target.clone()
    for value_range in ("unit", "signed"):
        lpips_pairs(net, predicted, target, value_range)
    assert torch.equal(predicted, kept[0])
    assert torch.equal(target, kept[1])


@pytest.mark.parametrize(
    ("shapes", "match"),
    [
        (((3, 70, 70), (3, 70, 70)), r"two batches of pictures \(B, 3, H, W\), found \(3, 70, 70\)"),
        (((2, 3, 70, 70), (1, 3, 70, 70)), r"\(2, 3, 70, 70\) and \(1, 3, 70, 70\)"),
        (((2, 4, 70, 70), (2, 4, 70, 70)), r"\(2, 4, 70, 70\)"),
        (((2, 3, 30, 70), (2, 3, 30, 70)), r"at least 31 pixels a side, found \(30, 70\)"),
    ],
)
def test_other_shapes_are_refused(shapes, match: str) -> None:
    net = LpipsNetwork("alex", random_weights("alex"))
    with pytest.raises(InputError, match=match):
        lpips_pairs(net, *(torch.zeros(shape) for shape in shapes))


def test_the_network_of_a_device_measures_as_its_weights_do(shared_squeeze_weights) -> None:
    predicted, target = batches(2)
    net = network_weights.lpips_network("squeeze", "cpu")
    assert net.shift.device.type == "cpu"
    assert lpips_pairs(net, predicted, target) == lpips_pairs(
        LpipsNetwork("squeeze", shared_squeeze_weights.tensors), predicted, target
    )
    with pytest.raises(InputError, match="a device out of cpu, cuda"):
        network_weights.lpips_network("squeeze", "tpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: LPIPS is tested on the CPU only")
@pytest.mark.parametrize("network", BACKBONES)
def test_a_gpu_gives_the_same_distances(network: str) -> None:
    net = LpipsNetwork(network, random_weights(network))
    predicted, target = batches(5)
    expected = lpips_pairs(net, predicted, target)
    found = lpips_pairs(net.to("cuda"), predicted.cuda(), target.cuda())
    assert found == pytest.approx(expected, rel=1e-4)  # float32 sums in another order, without TF32


def test_the_description_names_its_network() -> None:
    metric = lpips_metric("vgg")
    assert (metric.id, metric.label, metric.better, metric.lowest) == ("lpips_vgg", "lpips-vgg", "lower", 0.0)
