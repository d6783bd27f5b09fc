"""What the feature extractor looks at: spec/features.md §1.1–§1.3 in closed forms and against other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from _exchange.errors import InputError
from training.feature_picture import composite_on_black, feature_pair, feature_picture, resized, resized_size


def opaque(colours):
    return np.concatenate([colours, np.full_like(colours[..., :1], 255)], axis=-1)


def random_picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)


# -- black ------------------------------------------------------------------------------------------------------


def test_black_composite_of_every_value_and_alpha_is_pillows():
    rgba = np.zeros((256, 256, 4), np.uint8)
    rgba[..., 0], rgba[..., 3] = np.indices((256, 256))
    black = Image.new("RGBA", (256, 256), (0, 0, 0, 255))
    expected = np.asarray(Image.alpha_composite(black, Image.fromarray(rgba)))[..., :3]
    np.testing.assert_array_equal(composite_on_black(rgba), expected)


def test_invisible_pixels_are_black_and_solid_ones_stay():
    rgba = random_picture(5, 6)
    rgba[..., 3] = 0
    assert not composite_on_black(rgba).any()
    np.testing.assert_array_equal(composite_on_black(opaque(rgba[..., :3])), rgba[..., :3])


# -- size -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((512, 512), (256, 256)),
        ((60, 92), (256, 392)),  # 392.53
        ((92, 60), (392, 256)),
        ((300, 300), (256, 256)),
        ((1, 1), (256, 256)),
        ((256, 700), (256, 700)),
        ((3, 4), (256, 341)),  # 341.33
        ((511, 512), (256, 256)),  # 256.5
        ((510, 512), (256, 257)),  # 257.004
        ((1, 64), (256, 16384)),
    ],
)
def test_shorter_side_becomes_256(size, expected):
    assert resized_size(*size) == expected
    assert feature_picture(random_picture(*size)).shape[2:] == expected


@given(height=st.integers(1, 3000), width=st.integers(1, 3000))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_longer_side_is_the_whole_part(height, width):
    short, long = sorted((height, width))
    assert sorted(resized_size(height, width)) == [256, 256 * long // short]


# -- resizing ---------------------------------------------------------------------------------------------------


def test_half_the_size_averages_blocks_of_four():
    rgba = opaque(random_picture(512, 512)[..., :3])
    blocks = rgba[..., :3].reshape(256, 2, 256, 2, 3).mean(axis=(1, 3)) / 255
    np.testing.assert_allclose(feature_picture(rgba)[0].permute(1, 2, 0), blocks, rtol=0, atol=1e-6)


def test_quarter_of_the_size_looks_at_four_pixels_of_sixteen():
    """Without antialiasing only the two middle rows and columns of each 4 × 4 block count."""
    rgba = opaque(random_picture(1024, 1024)[..., :3])
    middle = rgba[..., :3].reshape(256, 4, 256, 4, 3)[:, 1:3, :, 1:3].mean(axis=(1, 3)) / 255
    np.testing.assert_allclose(feature_picture(rgba)[0].permute(1, 2, 0), middle, rtol=0, atol=1e-6)


def test_own_size_changes_nothing():
    pictures = torch.rand(1, 3, 256, 300, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resized(pictures), pictures)


@pytest.mark.parametrize("size", [(60, 92), (92, 60), (700, 400), (3, 2), (1, 5)])
def test_bilinear_between_pixel_centres_as_scipy_does(size):
    """Each axis has its own scale, input side / output side; edge pixels are repeated."""
    rgba = opaque(random_picture(*size)[..., :3])
    height, width = resized_size(*size)
    rows = (np.arange(height) + 0.5) * size[0] / height - 0.5
    columns = (np.arange(width) + 0.5) * size[1] / width - 0.5
    where = np.meshgrid(rows.clip(0, size[0] - 1), columns.clip(0, size[1] - 1), indexing="ij")
    expected = ndimage.map_coordinates(rgba[..., 1] / 255, where, order=1, mode="nearest")
    np.testing.assert_allclose(feature_picture(rgba)[0, 1], expected, rtol=0, atol=2e-5)


# -- pair -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(512, 512), (60, 92), (33, 31)])
def test_second_of_the_pair_is_the_mirror(size):
    pair = feature_pair(random_picture(*size))
    torch.testing.assert_close(pair[1], pair[0].flip(-1), rtol=0, atol=2e-5)
    assert not torch.equal(pair[0], pair[1])


def test_mirrored_picture_swaps_the_pair():
    rgba = random_picture(40, 52)
    assert torch.equal(feature_pair(rgba[:, ::-1]), feature_pair(rgba).flip(0))


def test_values_are_float32_between_0_and_1():
    pair = feature_pair(random_picture(40, 52))
    assert pair.dtype == torch.float32
    assert 0 <= pair.min() < pair.max() <= 1


def test_picture_is_not_written_to():
    rgba = random_picture(40, 52)
    before = rgba.copy()
    feature_pair(rgba)
    np.testing.assert_array_equal(rgba, before)


# -- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rgba",
    [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 4)), np.zeros((4, 0, 4), np.uint8), np.zeros((2, 2), np.uint8)],
)
def test_other_pictures_are_refused(rgba):
    with pytest.raises(InputError, match="Expected an RGBA picture of bytes, found"):
        feature_picture(rgba)


@pytest.mark.parametrize("size", [(1, 65), (65, 1), (2, 100_000)])
def test_slivers_are_refused_before_they_fill_the_memory(size):
    with pytest.raises(InputError, match=rf"at most 64 times as long as wide, found {size[0]} × {size[1]}"):
        feature_picture(np.zeros((*size, 4), np.uint8))
