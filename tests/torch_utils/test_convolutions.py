"""Resampling and modulated convolutions against their definitions. Source: spec/generator.md §2.4, §3.3."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from _exchange.errors import InputError
from torch_utils.ops.conv2d_resample import conv2d_resample
from torch_utils.ops.modulated_conv2d import modulated_conv2d
from torch_utils.ops.upfirdn2d import setup_filter, upfirdn2d


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_definition(x: Tensor, w: Tensor, f: Tensor, case: dict[str, Any]) -> Tensor:
    """Spec §3.3, word for word, with a filter of n taps on each axis."""
    n, up, down, flip_filter = f.shape[-1], case["up"], case["down"], case["flip_filter"]
    before = case["padding"] + (up > 1) * ((n + up - 1) // 2) + (down > 1) * ((n - down + 1) // 2)
    after = case["padding"] + (up > 1) * ((n - up) // 2) + (down > 1) * ((n - down) // 2)
    around = (before, after) * 2
    x = upfirdn2d(x, f if up > 1 else None, up=up, padding=around, gain=up * up, flip_filter=flip_filter)
    x = functional.conv2d(x, w if case["flip_weight"] else w.flip([2, 3]), groups=case["groups"])
    return upfirdn2d(x, f, down=down, flip_filter=flip_filter) if down > 1 else x


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "up": st.integers(1, 3),
            "down": st.integers(1, 3),
            "padding": st.integers(0, 2),
            "flip_weight": st.booleans(),
            "flip_filter": st.booleans(),
            "groups": st.sampled_from([1, 2]),
        }
    ),
    st.sampled_from([1, 3, 5]),
    st.sampled_from([[1, 3, 3, 1], [1, 2, 1], [1], [1, 2, 3, 4, 5]]),
)
def test_shortcuts_equal_the_definition(case: dict[str, Any], kernel: int, taps: list[float]) -> None:
    x, w, f = randn(2, 4, 7, 7), randn(6, 4 // case["groups"], kernel, kernel, seed=1), setup_filter(taps)
    torch.testing.assert_close(conv2d_resample(x, w, f, **case), by_definition(x, w, f, case), atol=1e-10, rtol=0)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries({"up": st.integers(1, 4), "down": st.integers(1, 4), "padding": st.integers(-4, 2)}),
    st.sampled_from([1, 2, 3, 5]),
    st.sampled_from([[1, 3, 3, 1], [1, 2, 1], [1]]),
    st.integers(1, 6),
)
def test_small_images_are_as_defined_or_refused(case: dict[str, int], kernel: int, taps: list[float], r: int) -> None:
    """Refused exactly where padding, kernel and filter leave no sample."""
    x, w, f = randn(1, 2, r, r), randn(3, 2, kernel, kernel, seed=1), setup_filter(taps)
    (n, up, down), left = (len(taps), case["up"], case["down"]), r * case["up"] + 2 * case["padding"] - (kernel - 1)
    for factor, centring in ((up, (n + up - 1) // 2 + (n - up) // 2), (down, (n - down + 1) // 2 + (n - down) // 2)):
        left += centring - (n - 1) if factor > 1 else 0
    if left < 1:
        with pytest.raises(InputError, match="at least as large as"):
            conv2d_resample(x, w, f, **case)
    else:
        options = {**case, "flip_weight": True, "flip_filter": False, "groups": 1}
        torch.testing.assert_close(
            conv2d_resample(x, w, f, **case), by_definition(x, w, f, options), atol=1e-10, rtol=0
        )


def modulated_by_hand(x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """One sample: scale input channels, bring every output channel's weights to unit length."""
    scaled = torch.stack([weight[:, i] * style[i] for i in range(len(style))], dim=1)
    unit = torch.stack([kernel / (kernel.norm() ** 2 + 1e-8).sqrt() for kernel in scaled])
    return functional.conv2d(x[None], unit, padding=1)[0]


@pytest.mark.parametrize("fused", [True, False])
def test_modulation_by_hand(fused: bool) -> None:
    x, weight, styles, noise = (
        randn(3, 4, 5, 5),
        randn(6, 4, 3, 3, seed=1),
        randn(3, 4, seed=2),
        randn(3, 1, 5, 5, seed=3),
    )
    result = modulated_conv2d(x, weight, styles, noise, padding=1, fused=fused)
    expected = torch.stack([modulated_by_hand(x[b], weight, styles[b]) for b in range(3)]) + noise
    torch.testing.assert_close(result, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("demodulate", [True, False])
def test_fused_equals_unfused(up: int, demodulate: bool) -> None:
    x, weight, styles = randn(2, 4, 6, 6), randn(5, 4, 3, 3, seed=1), randn(2, 4, seed=2)
    options = {"up": up, "padding": 1, "resample_filter": setup_filter([1, 3, 3, 1]), "demodulate": demodulate}
    fused, unfused = (
        modulated_conv2d(x, weight, styles, fused=f, flip_weight=up == 1, **options) for f in (True, False)
    )
    torch.testing.assert_close(fused, unfused, atol=1e-10, rtol=0)


@pytest.mark.parametrize("fused", [True, False])
def test_half_precision_survives_large_weights(fused: bool) -> None:
    """Squares of 300 overflow half precision (65504); weights and styles are tamed first."""
    x, weight, styles = (
        randn(1, 4, 6, 6).half(),
        300 * randn(5, 4, 3, 3, seed=1).float(),
        300 * randn(1, 4, seed=2).float(),
    )
    result = modulated_conv2d(x, weight, styles, padding=1, fused=fused)
    assert result.dtype == torch.float16
    expected = modulated_conv2d(x.double(), weight.double(), styles.double(), padding=1)
    torch.testing.assert_close(result.double(), expected, atol=0.02, rtol=0.01)  # half precision holds 11 bits


@pytest.mark.parametrize("fused", [True, False])
def test_zeros_stay_zeros_in_half_precision(fused: bool) -> None:
    """One sample without styles, one output channel without weights: 0, as in single precision, and not 0 / 0."""
    x, weight, styles = randn(2, 4, 6, 6).half(), randn(5, 4, 3, 3, seed=1).float(), randn(2, 4, seed=2).float()
    weight[1], styles[1] = 0, 0
    result = modulated_conv2d(x, weight, styles, padding=1, fused=fused)
    assert torch.isfinite(result).all()
    assert not result[1].any()
    assert not result[:, 1].any()
    assert result[0, 0].any()


@pytest.mark.parametrize("fused", [True, False])
def test_images_weights_and_styles_may_differ_in_precision(fused: bool) -> None:
    x, weight, styles = randn(2, 4, 6, 6), randn(5, 4, 3, 3, seed=1), randn(2, 4, seed=2)
    exact = modulated_conv2d(x, weight, styles, padding=1)
    for types in [(torch.float32, torch.float32, torch.float64), (torch.float64, torch.float32, torch.float64)]:
        given = [tensor.to(dtype) for tensor, dtype in zip((x, weight, styles), types, strict=True)]
        result = modulated_conv2d(*given, padding=1, fused=fused)
        assert result.dtype == types[0]
        torch.testing.assert_close(result.double(), exact, atol=1e-5, rtol=0)  # single precision holds 24 bits


def test_layout_changes_nothing() -> None:
    x, weight, styles = randn(2, 4, 6, 6), randn(5, 4, 3, 3, seed=1), randn(2, 4, seed=2)
    other = x.to(memory_format=torch.channels_last)
    for up in (1, 2):
        options = {"up": up, "padding": 1, "resample_filter": setup_filter([1, 3, 3, 1])}
        torch.testing.assert_close(
            modulated_conv2d(other, weight, styles, **options), modulated_conv2d(x, weight, styles, **options)
        )


@pytest.mark.parametrize(("up", "down", "kernel"), [(2, 1, 3), (1, 2, 3), (1, 2, 1), (2, 1, 1), (2, 2, 3), (1, 1, 3)])
def test_second_derivatives_of_resampling(up: int, down: int, kernel: int) -> None:
    x, w = randn(1, 2, 4, 4).requires_grad_(), randn(2, 2, kernel, kernel, seed=1).requires_grad_()
    f = setup_filter([1, 3, 3, 1])

    def convolved(x: Tensor, w: Tensor) -> Tensor:
        return conv2d_resample(x, w, f, up=up, down=down, padding=kernel // 2)[:, :, ::2, ::2]

    assert torch.autograd.gradgradcheck(convolved, (x, w))


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("up", [1, 2])
def test_second_derivatives_of_modulation(fused: bool, up: int) -> None:
    x, w, s = (randn(*shape, seed=i).requires_grad_() for i, shape in enumerate([(2, 2, 3, 3), (2, 2, 3, 3), (2, 2)]))
    f = setup_filter([1, 3, 3, 1])

    def convolved(x: Tensor, w: Tensor, s: Tensor) -> Tensor:
        return modulated_conv2d(x, w, s, up=up, padding=1, resample_filter=f, fused=fused)[:, :, ::2, ::2]

    assert torch.autograd.gradgradcheck(convolved, (x, w, s))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x, w: conv2d_resample(x, w[:, :3]), r"weights for 4 input channels in 1 groups"),
        (lambda x, w: conv2d_resample(x, w, groups=3), r"in 3 groups"),
        (lambda x, w: conv2d_resample(x, w, up=0), r"up and down of at least 1, found 0 and 1"),
        (lambda x, w: conv2d_resample(x[0], w), r"images \(B, C, H, W\)"),
        (
            lambda x, w: conv2d_resample(x, w, setup_filter([1.0] * 9, separable=True), down=2, padding=-6),
            "at least as large as",
        ),
        (lambda x, w: modulated_conv2d(x, w, torch.ones(1, 4)), r"one style per sample and input channel, \(2, 4\)"),
        (lambda x, w: modulated_conv2d(x, w[:, :2], torch.ones(2, 2)), r"found \(2, 4, 5, 5\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=sentence):
        call(torch.zeros(2, 4, 5, 5), torch.zeros(6, 4, 3, 3))
