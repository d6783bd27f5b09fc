"""Training items beyond the recorded ones: portraits, laws of the mirror, resizing, and names that make no item."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from _databacks.index import DatasetIndex
from _databacks.names import BadName, MissingPicture, UnknownItem
from _databacks.training_item import ORTHO_VIEWS, nearest_indices, training_item
from _exchange.camera import camera_from_params
from _exchange.pictures import write_png

SIDE = 16
PORTRAIT = "daredemoE/fandom_align/genshin/albedo/front"
RGB60 = "daredemoE/rgb60/genshin/albedo/0043"


def noise(seed):
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 4), dtype=np.uint8)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A set of noise: no two pictures are alike and nothing is symmetric."""
    root = tmp_path_factory.mktemp("items")
    names = [PORTRAIT, RGB60, RGB60.replace("rgb60", "xyza60")]
    names += [f"daredemoE/{kind}/genshin/albedo/{view}" for kind in ("ortho", "ortho_xyza") for view in ORTHO_VIEWS]
    for seed, name in enumerate(names):
        write_png(root / "renders" / f"{name}.png", noise(seed))
    return DatasetIndex(root, derive_cameras=True)


def stored(index, name):
    return index.item(name, ("image",))["image"].pixels().astype(np.float64)


def on_white(rgba):
    alpha = rgba[..., 3:] / 255
    return (rgba[..., :3] / 255 * alpha + 1 - alpha).transpose(2, 0, 1)


def flat(item):
    return {key: value for key, value in item.items() if key != "condition"} | {
        f"condition/{key}": value for key, value in item["condition"].items()
    }


def test_a_portrait_replaces_the_front_picture_alone(index):
    by_portrait = flat(training_item(index, PORTRAIT, SIDE))
    by_front = flat(training_item(index, "daredemoE/ortho/genshin/albedo/front", SIDE))
    different = {key for key, value in by_front.items() if not np.array_equal(value, by_portrait[key])}
    assert different == {"condition/image_ortho_front"}
    expected = on_white(stored(index, PORTRAIT))
    np.testing.assert_allclose(by_portrait["condition/image_ortho_front"], expected, atol=0.5 / 255 + 1e-6)


def test_positions_and_alpha_come_from_the_position_map_of_the_view(index):
    item = training_item(index, RGB60, SIDE)
    encoded = stored(index, RGB60.replace("rgb60", "xyza60")).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(item["xyz"], encoded[:3] * 0.7 - 0.35, atol=1e-6)
    np.testing.assert_allclose(item["alpha"], encoded[3:], atol=1e-6)
    np.testing.assert_allclose(item["image"] / 255, on_white(stored(index, RGB60)), atol=0.5 / 255 + 1e-6)


def test_the_mirror_flips_columns_negates_x_and_swaps_the_sides(index):
    plain, mirrored = (training_item(index, RGB60, SIDE, mirrored=flag) for flag in (False, True))
    swapped = {"left": "right", "right": "left"}
    np.testing.assert_array_equal(mirrored["image"], plain["image"][..., ::-1])
    for view in ORTHO_VIEWS:
        ours, theirs = f"image_ortho_{view}", f"image_ortho_{swapped.get(view, view)}"
        for suffix, sign in (("", 1), ("_alpha", 1), ("_xyz", np.array([-1, 1, 1]).reshape(3, 1, 1))):
            expected = plain["condition"][theirs + suffix][..., ::-1] * sign
            np.testing.assert_array_equal(mirrored["condition"][ours + suffix], expected)
        np.testing.assert_array_equal(mirrored["condition"][f"{ours}_camera"], plain["condition"][f"{ours}_camera"])
    signs = np.ones(25)
    signs[[1, 2, 3, 4, 8]] = -1
    np.testing.assert_array_equal(mirrored["camera"], plain["camera"] * signs)


def test_the_label_of_the_mirror_is_the_label_of_the_opposite_azimuth(index):
    """The item is at +30 degrees; its mirror image is what a camera at −30 degrees sees of the mirrored character."""
    opposite = camera_from_params(index.item(RGB60)["render_params"] | {"azim": -30.0}).label()
    np.testing.assert_allclose(training_item(index, RGB60, SIDE, mirrored=True)["camera"], opposite, atol=1e-6)


def test_names_without_a_position_map_are_refused(index):
    for name in (RGB60.replace("rgb60", "xyza60"), PORTRAIT.replace("align", "align_seg")):
        with pytest.raises(BadName, match="rgb, rgb60, ortho or fandom_align"):
            training_item(index, name, SIDE)


def test_a_missing_picture_and_missing_metadata_are_named(index):
    with pytest.raises(MissingPicture, match=r"xyza60.*0044\.png"):
        training_item(index, RGB60.replace("0043", "0044"), SIDE)
    with pytest.raises(UnknownItem, match=r"daredemoE_meta\.json"):
        training_item(DatasetIndex(index.layout.root), RGB60, SIDE)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(stored=st.integers(1, 600), wanted=st.integers(1, 600))
def test_nearest_neighbour_is_pillow_s_for_all_sizes(stored, wanted):
    row = Image.fromarray(np.arange(stored, dtype=np.int32)[None])
    expected = np.asarray(row.resize((wanted, 1), Image.Resampling.NEAREST))[0]
    np.testing.assert_array_equal(nearest_indices(stored, wanted), expected)
