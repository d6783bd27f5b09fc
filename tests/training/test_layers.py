"""Layers that several networks share, and the checks of their options. Source: spec/generator.md §0.1, §1.1, §3.4."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from _exchange.errors import InputError
from training import discriminator, mapping
from training.layers import Conv2dLayer, FullyConnectedLayer, channels_at, require_known, require_number


def test_effective_weights_and_biases_by_hand() -> None:
    """Stored weights times m / √in, stored biases times m: m is 0.01, in is 4."""
    layer = FullyConnectedLayer(4, 2, lr_multiplier=0.01, bias_init=3)
    assert layer.bias is not None
    torch.testing.assert_close(layer.bias.detach(), torch.tensor([300.0, 300.0]))
    nn.init.constant_(layer.weight, 100.0)
    torch.testing.assert_close(layer(torch.ones(1, 2, 4)).detach(), torch.full((1, 2, 2), 4 * 0.5 + 3.0))


def test_a_new_layer_has_unit_variance() -> None:
    """Weights before training are such that a wide layer keeps the variance, whatever its multiplier."""
    torch.manual_seed(0)
    layer, x = FullyConnectedLayer(1000, 1000, lr_multiplier=0.01), torch.randn(20, 1000)
    assert float(layer(x).detach().std()) == pytest.approx(1, abs=0.03)  # of 20,000 numbers that are nearly independent


def test_gain_scales_result_and_clamp() -> None:
    layer = Conv2dLayer(3, 5, 3, activation="lrelu", conv_clamp=0.5)
    x = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    plain = functional.leaky_relu(functional.conv2d(x, layer.weight / math.sqrt(27), padding=1), 0.2) * math.sqrt(2)
    for gain in (1, math.sqrt(0.5)):
        torch.testing.assert_close(layer(x, gain=gain), (plain * gain).clamp(-0.5 * gain, 0.5 * gain))


@pytest.mark.parametrize(
    ("options", "network"),
    [
        (mapping.MAPPING_OPTIONS, mapping.MappingNetwork.__init__),
        (discriminator.BLOCK_OPTIONS, discriminator.DualDiscriminator._add_blocks),
        ((*discriminator.EPILOGUE_OPTIONS, "conv_clamp"), discriminator.DiscriminatorEpilogue.__init__),
    ],
)
def test_options_that_are_let_through_are_those_there_are(options: tuple[str, ...], network) -> None:  # type: ignore[no-untyped-def]
    parameters = inspect.signature(network).parameters.values()
    assert set(options) == {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


@pytest.mark.parametrize(("resolution", "expected"), [(4, 512), (64, 512), (128, 256), (512, 64)])
def test_channels_of_the_published_networks(resolution: int, expected: int) -> None:
    assert channels_at(resolution, 32768, 512) == expected


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.25), np.int64(1)])
def test_numbers_in_range_pass(value: float) -> None:
    require_number("share", value, high=1)


@pytest.mark.parametrize("value", [-1e-9, 1.5, math.nan, math.inf, True, None, "1", 1j])
def test_others_are_named(value: object) -> None:
    with pytest.raises(InputError, match="Expected share to be a number from 0 to 1, found "):
        require_number("share", value, high=1)  # type: ignore[arg-type]


def test_unknown_names_are_cut_short_and_need_not_be_text() -> None:
    """Names of a file are not ours: they may be long, many, or no text at all."""
    names = [b"raw", 7, "x" * 500, "b", "c", "d"]
    with pytest.raises(InputError, match=r"options with names out of a, found b'raw', 7, 'x{59}, 'b', 'c'\."):
        require_known("options", names, ["a"])  # type: ignore[arg-type]
