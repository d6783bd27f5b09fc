"""Bias, activation, gain, clamp: order and defaults by hand, derivatives, errors. Source: spec/generator.md §3.1."""

from __future__ import annotations

import math

import pytest
import torch

from _exchange.errors import InputError
from torch_utils.ops.bias_act import ACTIVATIONS, bias_act


def test_the_order_by_hand() -> None:
    """−3 + 1 = −2, times 0.2, times √2 = −0.566; 3 + 1 = 4, times √2 = 5.66, clamped to 5."""
    result = bias_act(torch.tensor([[-3.0], [3.0]]), torch.tensor([1.0]), act="lrelu", clamp=5)
    torch.testing.assert_close(result, torch.tensor([[-0.4 * math.sqrt(2)], [5.0]]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", -0.5),
        ("relu", 0.0),
        ("lrelu", -0.1 * math.sqrt(2)),
        ("tanh", math.tanh(-0.5)),
        ("sigmoid", 1 / (1 + math.exp(0.5))),
        ("elu", math.exp(-0.5) - 1),
        ("selu", 1.0507009873554805 * 1.6732632423543772 * (math.exp(-0.5) - 1)),
        ("softplus", math.log(1 + math.exp(-0.5))),
        ("swish", -0.5 / (1 + math.exp(0.5)) * math.sqrt(2)),
    ],
)
def test_every_activation(name: str, expected: float) -> None:
    result = bias_act(torch.tensor([[-0.5]], dtype=torch.float64), act=name)
    assert float(result) == pytest.approx(expected, abs=1e-12)


def test_clamp_zero_is_a_clamp_and_the_input_stays() -> None:
    x = torch.ones(2, 3)
    assert not bias_act(x, torch.ones(3), clamp=0).any()
    assert torch.equal(x, torch.ones(2, 3))


def test_the_axis_of_the_bias() -> None:
    x, b = torch.zeros(2, 3, 4), torch.arange(4.0)
    assert torch.equal(bias_act(x, b, dim=2), b.expand(2, 3, 4))
    assert torch.equal(bias_act(x, b, dim=-1), b.expand(2, 3, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_dtype_is_kept(dtype: torch.dtype) -> None:
    assert bias_act(torch.ones(2, 3, dtype=dtype), torch.ones(3), act="lrelu", gain=2, clamp=1).dtype == dtype


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_second_derivatives(name: str) -> None:
    """On both sides of every kink and inside and outside of the clamp, at no place nearer than 0.05."""
    x = torch.tensor([[-1.4, -0.5, 0.4], [1.3, -0.2, 0.7]], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([0.1, -0.1, 0.05], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x, b: bias_act(x.sin(), b, act=name, gain=1.3, clamp=0.95), (x, b))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"act": "gelu"}, r"activation out of linear, .*found 'gelu'"),
        ({"act": ["lrelu"]}, r"activation out of linear, .*found \['lrelu'\]"),
        ({"b": torch.ones(2)}, r"bias of shape \(3,\) for axis 1, found \(2,\)"),
        ({"b": torch.ones(3), "dim": 2}, r"axis below 2"),
        ({"clamp": -1}, r"clamp of at least 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        bias_act(torch.zeros(2, 3), **options)
