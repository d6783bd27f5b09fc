"""The compiled passes against the plain operators, in float64 where the comparison allows it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from torch_utils.ops.bias_act import bias_act
from torch_utils.ops.upfirdn2d import setup_filter, upfirdn2d, upsample2d
from training import tiled_convolution
from training.pixel_kernels import activate, add_upsampled, smooth_and_activate
from training.tiled_convolution import convolve_and_activate, transformed_kernels

FILTER = setup_filter([1, 3, 3, 1])
REST = np.float32(0.2), np.float32(np.sqrt(2))
ROUNDING = {"rtol": 0, "atol": 5e-6}
"""A few roundings of values up to 10; measured 3e-6."""


def randn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def images(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].double()


def pixels(image: Tensor) -> np.ndarray:
    return image[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("limit", [np.inf, 1.0])
def test_activation(limit: float) -> None:
    x, noise, bias = randn(6, 5), randn(6, seed=1), randn(5, seed=2)
    clamp = None if limit == np.inf else limit
    expected = bias_act(torch.from_numpy(x + noise[:, None]), torch.from_numpy(bias), act="lrelu", clamp=clamp)
    activate(x, noise, bias, *REST, np.float32(limit))
    np.testing.assert_allclose(x, expected, **ROUNDING)


def test_what_is_not_a_number_stays_so() -> None:
    x = np.full((1, 1), np.nan, np.float32)
    activate(x, np.zeros(1, np.float32), np.zeros(1, np.float32), *REST, np.float32(1))
    assert np.isnan(x).all()


@pytest.mark.parametrize("r", [1, 2, 5])
@pytest.mark.parametrize("limit", [np.inf, 1.0])
def test_smoothing(r: int, limit: float) -> None:
    x, noise, bias = randn(2 * r + 1, 2 * r + 1, 3), randn(2 * r, 2 * r, seed=1), randn(3, seed=2)
    smooth = upfirdn2d(images(x), FILTER, padding=1, gain=4) + torch.from_numpy(noise)
    expected = bias_act(smooth, torch.from_numpy(bias), act="lrelu", clamp=None if limit == np.inf else limit)
    out = np.empty((2 * r, 2 * r, 3), np.float32)
    smooth_and_activate(x, out, noise, bias, *REST, np.float32(limit))
    np.testing.assert_allclose(out, pixels(expected), **ROUNDING)


@pytest.mark.parametrize("r", [1, 2, 5])
@pytest.mark.parametrize("limit", [np.inf, 0.5])
def test_upsampling(r: int, limit: float) -> None:
    small, out = randn(r, r, 3), randn(2 * r, 2 * r, 3, seed=1)
    bias = randn(3, seed=2)
    expected = images(out + bias).clamp(-limit, limit) + upsample2d(images(small), FILTER)
    add_upsampled(small, out, bias, np.float32(limit))
    np.testing.assert_allclose(out, pixels(expected), **ROUNDING)


@pytest.mark.parametrize("strip", [1, 1000, 1 << 19])
@pytest.mark.parametrize(("height", "width"), [(2, 2), (4, 6), (14, 8)])
def test_convolution_by_tiles(height: int, width: int, strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled_convolution, "STRIP_FLOATS", strip)
    x, weight = randn(height, width, 5), torch.from_numpy(randn(7, 5, 3, 3, seed=3))
    noise, bias = randn(height, width, seed=1), randn(7, seed=2)
    product = functional.conv2d(images(x), weight.double(), padding=1) + torch.from_numpy(noise)
    expected = bias_act(product, torch.from_numpy(bias), act="lrelu", clamp=8)
    result = convolve_and_activate(x, transformed_kernels(weight), noise, bias, *REST, np.float32(8))
    np.testing.assert_allclose(result, pixels(expected), rtol=0, atol=2e-5)  # sums of 45 products in 16 parts: 4e-6


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_reaches_all_that_the_sums_take_it_to(value: float) -> None:
    """All pixels that are not finite by plain sums, and no others but those of the tiles that see it: 2 pixels more."""
    x, weight = randn(12, 12, 3), torch.from_numpy(randn(4, 3, 3, 3, seed=1))
    x[5, 6, 1] = value
    nothing = np.zeros((12, 12), np.float32), np.zeros(4, np.float32)
    result = convolve_and_activate(x, transformed_kernels(weight), *nothing, *REST, np.float32(np.inf))
    plain = pixels(functional.conv2d(images(x).float(), weight, padding=1))
    assert not np.isfinite(result[~np.isfinite(plain)]).any()
    far = np.ones((12, 12), bool)
    far[3:9, 4:10] = False
    assert np.isfinite(result[far]).all()


def test_tiles_round_about_as_well_as_sums() -> None:
    """256 channels, unit variance: the deviation from float64 is at most four times that of PyTorch's convolution."""
    x, weight = randn(16, 16, 256), torch.from_numpy(randn(64, 256, 3, 3, seed=1) / 48)
    exact = pixels(functional.conv2d(images(x), weight.double(), padding=1))
    plain = pixels(functional.conv2d(images(x).float(), weight, padding=1))
    nothing = np.zeros((16, 16), np.float32), np.zeros(64, np.float32)
    tiled = convolve_and_activate(
        x, transformed_kernels(weight), *nothing, np.float32(1), np.float32(1), np.float32(np.inf)
    )
    assert np.std(tiled - exact) <= 4 * np.std(plain - exact)
