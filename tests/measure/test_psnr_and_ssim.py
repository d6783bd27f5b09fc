"""PSNR and SSIM against scikit-image and torchmetrics, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage import metrics as reference
from torchmetrics.functional.image import peak_signal_noise_ratio

from _exchange.errors import InputError
from _measure.metrics.psnr import PSNR, psnr
from _measure.metrics.ssim import SSIM, ssim


def pair(seed: int, shape: tuple[int, ...] = (19, 23, 3)) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    target = generator.random(shape, np.float32)
    noisy = np.clip(target + 0.1 * generator.standard_normal(shape), 0, 1).astype(np.float32)
    return noisy, target


@pytest.mark.parametrize("seed", range(3))
def test_psnr_with_range_one_is_scikit_images(seed: int) -> None:
    predicted, target = pair(seed)
    expected = reference.peak_signal_noise_ratio(target.astype(float), predicted.astype(float), data_range=1)
    assert psnr(predicted, target) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.5, 0.25), (2.0, -0.5)])
def test_psnr_with_the_targets_range_is_torchmetrics_given_that_range(scale: float, shift: float) -> None:
    predicted, target = (picture * scale + shift for picture in pair(4))
    spread = max(target.max(), 0) - min(target.min(), 0)
    expected = peak_signal_noise_ratio(torch.tensor(predicted), torch.tensor(target), data_range=float(spread))
    assert psnr(predicted, target, "target") == pytest.approx(float(expected), abs=2e-5)  # theirs is float32


def test_psnr_by_hand() -> None:
    """One of four values is off by 0.2: MSE = 0.04/4 = 0.01, 10·log10(1/0.01) = 20."""
    target, error = np.array([0.0, 0.0, 1.0, 0.5]), np.array([0.2, 0, 0, 0])
    assert psnr(target + error, target) == pytest.approx(20.0)
    half = target / 2  # R = 1/2: 10·log10(0.25/0.01)
    assert psnr(half + error, half, "target") == pytest.approx(13.979400086720377)


def test_psnr_edge_cases() -> None:
    zeros, grey = np.zeros((2, 2, 3)), np.full((2, 2, 3), 0.5)
    assert psnr(grey, grey) == math.inf
    assert psnr(grey, grey, "target") == math.inf
    assert psnr(grey, zeros, "target") == -math.inf
    assert math.isnan(psnr(zeros, zeros, "target"))


@pytest.mark.parametrize("seed", range(3))
def test_ssim_is_scikit_images_per_channel(seed: int) -> None:
    predicted, target = (picture.astype(np.float64) for picture in pair(seed))
    expected = reference.structural_similarity(predicted, target, win_size=3, data_range=1, channel_axis=2)
    assert ssim(predicted, target) == pytest.approx(expected, abs=1e-12)


def test_ssim_is_not_the_window_over_channels() -> None:
    predicted, target = (picture.astype(np.float64) for picture in pair(1))
    other = reference.structural_similarity(predicted, target, win_size=3, data_range=1)
    assert abs(ssim(predicted, target) - other) > 1e-3


def test_ssim_by_hand() -> None:
    """One window: x = one bright pixel of nine, y = its negative; means 1/9 and 8/9, variances 1/9, covariance −1/9."""
    x = np.zeros((3, 3, 1))
    x[1, 1] = 1
    c1, c2 = 1e-4, 9e-4
    mean_x, mean_y, variance = 1 / 9, 8 / 9, 1 / 9
    expected = (2 * mean_x * mean_y + c1) * (-2 * variance + c2)
    expected /= (mean_x**2 + mean_y**2 + c1) * (2 * variance + c2)
    assert ssim(x, 1 - x) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_pictures_of_different_shapes_are_refused(metric) -> None:
    with pytest.raises(InputError, match=r"one shape.*\(4, 5, 3\) and \(5, 4, 3\)"):
        metric(np.zeros((4, 5, 3)), np.zeros((5, 4, 3)))


def test_ssim_refuses_pictures_below_its_window() -> None:
    with pytest.raises(InputError, match="at least 3"):
        ssim(np.zeros((2, 9, 3)), np.zeros((2, 9, 3)))


def test_descriptions_say_unit_direction_and_scale() -> None:
    assert (PSNR.unit, PSNR.better, PSNR.table_scale) == ("dB", "higher", 1.0)
    assert (SSIM.better, SSIM.lowest, SSIM.highest, SSIM.table_scale) == ("higher", -1.0, 1.0, 100.0)
