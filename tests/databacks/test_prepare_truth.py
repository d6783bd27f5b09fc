"""Pictures, regions and copies that `prepare` writes agree with the surface that the evaluation reads from them."""

from __future__ import annotations

import numpy as np
import pytest

from _databacks.dataset import open_dataset
from _databacks.index import DatasetIndex
from _databacks.training_item import training_item
from _exchange.items import ItemId
from _exchange.pictures import read_picture
from _exchange.protocol import CORRECTED
from _measure.true_surface import compared_true_surface
from tests.databacks.preparing import own, run
from tests.databacks.tiny_characters import HALF_SIDE, cube, write_tiny
from tests.databacks.vrm.handmade import HEAD_AT, character

PIXEL = 0.7 / 512
ACROSS = 0.05
"""The cube stands to the right of the model's middle: on the left of its front picture, seen by a viewer."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")


def write(folder, form):
    """A cube that is off the middle, as VRM 0.x, as VRM 1.0 (which looks the other way), or as a plain GLB file."""
    folder.mkdir()
    if form == "glb":
        (folder / "c.glb").write_bytes(character("", positions=cube(across=ACROSS)).to_bytes())
        return {"head_position": tuple(HEAD_AT.tolist())}
    if form == "1.0":
        (folder / "c.vrm").write_bytes(character(form, positions=cube(across=ACROSS), turned=True).to_bytes())
        return {}
    write_tiny(folder / "c.vrm", positions=cube(across=ACROSS))
    return {}


@pytest.mark.parametrize("form", ["0.x", "1.0", "glb"])
def test_silhouette_region_position_map_and_surface_are_one_place(tmp_path, form):
    options = write(tmp_path / "in", form)
    assert run(tmp_path / "in", tmp_path / "out", kinds=("ortho", "ortho_xyza"), **options).failed == 0
    truth = open_dataset(tmp_path / "out").truth(ItemId("own", "c"))
    surface = compared_true_surface(truth, CORRECTED).verts  # head_world
    low, high = surface.min(axis=0), surface.max(axis=0)
    np.testing.assert_allclose(low, [-ACROSS - HALF_SIDE, -HALF_SIDE, -HALF_SIDE], atol=1e-6)
    np.testing.assert_allclose(high, [-ACROSS + HALF_SIDE, HALF_SIDE, HALF_SIDE], atol=1e-6)

    rows, cols = np.nonzero(read_picture(truth.pictures["ortho_front"])[..., 3] > 127)
    np.testing.assert_allclose(
        (cols.min() * PIXEL - 0.35, (cols.max() + 1) * PIXEL - 0.35), (low[0], high[0]), atol=PIXEL
    )
    np.testing.assert_allclose(
        (0.35 - (rows.max() + 1) * PIXEL, 0.35 - rows.min() * PIXEL), (low[1], high[1]), atol=PIXEL
    )
    region = truth.region
    assert (region.row, region.col) == (rows.min() - 8, cols.min() - 8)
    assert (region.height, region.width) == (rows.max() + 1 - rows.min() + 16, cols.max() + 1 - cols.min() + 16)

    middle = int((rows.min() + rows.max()) / 2), int((cols.min() + cols.max()) / 2)
    encoded = read_picture(own(tmp_path / "out") / "ortho_xyza/own/c/front.png")[middle]
    head_model = encoded[:3] / 255 * 0.7 - 0.35
    np.testing.assert_allclose(head_model, [ACROSS, 0, -HALF_SIDE], atol=0.7 / 255)  # one step of a byte


def test_a_head_position_moves_the_character(tmp_path):
    write(tmp_path / "in", "glb")
    run(tmp_path / "in", tmp_path / "out", head_position=(0.02, 1.5, 0.0))
    truth = open_dataset(tmp_path / "out").truth(ItemId("own", "c"))
    surface = compared_true_surface(truth, CORRECTED).verts
    assert surface[:, 0].max() == pytest.approx(-ACROSS + HALF_SIDE + 0.02, abs=1e-6)
    cols = np.nonzero(read_picture(truth.pictures["ortho_front"])[..., 3] > 127)[1]
    assert (cols.max() + 1) * PIXEL - 0.35 == pytest.approx(surface[:, 0].max(), abs=PIXEL)


def test_a_head_bone_goes_before_a_given_position(tmp_path):
    write(tmp_path / "in", "0.x")
    run(tmp_path / "in", tmp_path / "out", head_position=(0.0, 9.0, 0.0))
    surface = compared_true_surface(open_dataset(tmp_path / "out").truth(ItemId("own", "c")), CORRECTED).verts
    assert surface[:, 1].max() == pytest.approx(HALF_SIDE, abs=1e-6)


@pytest.mark.parametrize("across", [0.3, -0.3])
def test_the_region_of_a_head_at_the_border_stays_inside_the_picture(tmp_path, across):
    write_tiny(tmp_path / "in/c.vrm", positions=cube(0.1, across=across, above=0.35))
    run(tmp_path / "in", tmp_path / "out")
    region = open_dataset(tmp_path / "out").truth(ItemId("own", "c")).region
    assert region.row == 0
    assert (region.col == 0) == (across > 0)
    assert (region.col + region.width == 512) == (across < 0)


def test_every_kind_makes_whole_training_items_with_their_random_views(tmp_path):
    write_tiny(tmp_path / "in/c.vrm", positions=cube(across=ACROSS))
    run(tmp_path / "in", tmp_path / "out", kinds=("all",))
    index = DatasetIndex(tmp_path / "out")
    counts = {}
    for name in index.names:
        counts[name.split("/")[1]] = counts.get(name.split("/")[1], 0) + 1
    assert counts == {
        "fandom_align": 1, "ortho": 5, "ortho_xyza": 5, "rgb": 8, "rgb60": 60, "xyza": 8, "xyza60": 60
    }  # fmt: skip
    for view in range(8):
        item = training_item(index, f"own/rgb/own/c/{view:04d}", 64)
        inside = item["alpha"][0] == 1
        distance = np.abs(item["xyz"][:, inside] - np.array([[ACROSS], [0], [0]])).max(axis=0)
        assert np.abs(distance - HALF_SIDE).max() < 0.7 / 255  # every position is on the cube, to one step of a byte
