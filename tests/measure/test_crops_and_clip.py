"""Boxes of regions, cuts beyond the border, and what CLIP is fed."""

from __future__ import annotations

import numpy as np
import pytest

from _exchange.errors import InputError
from _exchange.items import Region
from _measure.crops import Box, box_of_region, cut
from _measure.metrics.clip import cosine_similarity, preprocess, resize_and_crop


def test_boxes_of_a_region_by_hand() -> None:
    region = Region(10.9, 96.25, 262.75, 170.5)
    assert box_of_region(region, "front") == Box(10, 96, 262, 170)
    # 512 − (96.25 + 170.5) = 245.25; from floored numbers it would be 246.
    assert box_of_region(region, "back") == Box(10, 245, 262, 170)
    assert box_of_region(region, "360") == Box(10, 0, 262, 512)


def test_negative_numbers_are_floored_not_truncated() -> None:
    assert box_of_region(Region(-0.5, -2.1, 5, 5), "front") == Box(-1, -3, 5, 5)


def test_back_box_is_the_mirror_image_of_the_front_box() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (512, 512, 4), np.uint8)
    region = Region(30, 50, 100, 120)
    mirrored = cut(picture[:, ::-1], box_of_region(region, "front"))[:, ::-1]
    np.testing.assert_array_equal(cut(picture, box_of_region(region, "back")), mirrored)


def test_outside_the_picture_is_transparent() -> None:
    picture = np.full((4, 4, 4), 9, np.uint8)
    part = cut(picture, Box(-1, 2, 4, 4))
    expected = np.zeros((4, 4, 4), np.uint8)
    expected[1:, :2] = 9
    np.testing.assert_array_equal(part, expected)
    assert not cut(picture, Box(10, 10, 2, 3)).any()
    assert not cut(picture, Box(-10, -10, 2, 3)).any()


def test_pictures_without_alpha_and_empty_boxes_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(H, W, 4\)"):
        cut(np.zeros((4, 4, 3), np.uint8), Box(0, 0, 2, 2))
    with pytest.raises(InputError, match="at least one pixel"):
        cut(np.zeros((4, 4, 4), np.uint8), Box(0, 0, 0, 2))


@pytest.mark.parametrize(("shape", "resized"), [((100, 300), 672), ((300, 100), 672), ((97, 151), 348)])
def test_the_central_square_is_kept(shape: tuple[int, int], resized: int) -> None:
    """A horizontal or vertical ramp: the crop's middle is the picture's middle, its width 224 of `resized`."""
    long = max(shape)
    ramp = np.linspace(0, 255, long)
    grey = np.broadcast_to(ramp if shape[1] == long else ramp[:, None], shape)
    square = resize_and_crop(np.repeat(grey[..., None], 3, 2).astype(np.uint8))[..., 0].astype(float)
    assert square.shape == (224, 224)
    along = square.mean(0) if shape[1] == long else square.mean(1)
    assert along.mean() == pytest.approx(127, abs=1)
    assert along[-1] - along[0] == pytest.approx(255 * 224 / resized, abs=3)


def test_normalisation_by_hand() -> None:
    """White: (1 − mean)/deviation per channel."""
    tensor = preprocess(np.full((224, 224, 3), 255, np.uint8))
    assert tensor.shape == (3, 224, 224)
    expected = [(1 - 0.48145466) / 0.26862954, (1 - 0.4578275) / 0.26130258, (1 - 0.40821073) / 0.27577711]
    np.testing.assert_allclose(tensor[:, 0, 0], expected, rtol=1e-6)


def test_cosine_refuses_zero_and_unequal_embeddings() -> None:
    with pytest.raises(InputError, match="not zero"):
        cosine_similarity(np.zeros(3), np.ones(3))
    with pytest.raises(InputError, match="one length"):
        cosine_similarity(np.ones(3), np.ones(4))
