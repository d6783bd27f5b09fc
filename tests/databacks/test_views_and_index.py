"""View metadata and the index, beyond what the recorded listing shows."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

from _databacks.index import DatasetIndex
from _databacks.names import BadName, BadPosition, PictureName, UnknownItem
from _databacks.views import derived_camera
from _exchange.errors import FormatError, InputError
from _exchange.pictures import write_png

GREY = np.full((2, 3, 3), 7, np.uint8)


def write_meta(root, renderset, entries):
    path = root / "renders" / renderset / f"{renderset}_meta.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries))


@pytest.mark.parametrize(
    ("name", "elev", "azim", "fov"),
    [
        ("daredemoE/rgb60/genshin/albedo/0042", 0, 0, 30),
        ("daredemoE/xyza60/genshin/albedo/0000", 60, -180, 30),
        ("daredemoE/fandom_align/genshin/albedo/front", 0, 0, -1),
        ("rutileE/ortho/7/1234567/back", 0, 180, -1),
        ("rutileE/ortho_xyza/7/1234567/left", 0, 90, -1),
        ("own/ortho/own/me/top", 90, 0, -1),
        ("virtualyoutuberE/fandom_align/agency/name/0002-0001", 0, 0, -1),
    ],
)
def test_cameras_follow_from_names(name, elev, azim, fov):
    camera = derived_camera(PictureName.parse(name))
    assert (camera.elev, camera.azim, camera.fov, camera.dist) == (elev, azim, fov, 1)


def test_random_views_are_seeded_by_the_id_alone():
    first = derived_camera(PictureName.parse("rutileE/rgb/7/1234567/0003"))
    normals = np.random.RandomState(zlib.adler32(b"1234567/3")).standard_normal(2)
    assert (first.elev, first.azim) == (20 * normals[0], 100000 * normals[1])
    assert derived_camera(PictureName.parse("own/xyza/any/1234567/0003")) == first


@pytest.mark.parametrize("name", ["s/rgb60/f/i/0060", "s/rgb/f/i/0008", "s/ortho/f/i/side", "s/katepca/f/i/front"])
def test_other_names_have_no_camera(name):
    assert derived_camera(PictureName.parse(name)) is None


def test_an_index_that_derives_cameras_answers_where_metadata_are_missing(tmp_path):
    bn = "daredemoE/rgb60/genshin/albedo/0043"
    write_png(tmp_path / "renders" / f"{bn}.png", GREY)
    with pytest.raises(UnknownItem, match="daredemoE_meta"):
        DatasetIndex(tmp_path).item(bn)
    assert DatasetIndex(tmp_path, derive_cameras=True).item(bn)["render_params"]["azim"] == 30


def test_metadata_win_over_derived_cameras(tmp_path):
    bn = "daredemoE/rgb60/genshin/albedo/0043"
    write_png(tmp_path / "renders" / f"{bn}.png", GREY)
    write_meta(tmp_path, "daredemoE", {bn: {"render_params": {"elev": 1.5, "azim": 2.5}}})
    assert DatasetIndex(tmp_path, derive_cameras=True).item(bn)["render_params"] == {"elev": 1.5, "azim": 2.5}


def test_pictures_are_decoded_when_asked_for_in_their_own_mode_or_another(tmp_path):
    bn = "own/ortho/own/me/front"
    write_png(tmp_path / "renders" / f"{bn}.png", GREY)
    picture = DatasetIndex(tmp_path).item(bn, ("image",))["image"]
    assert picture.as_stored().mode == "RGB"
    assert picture.pixels("RGBA").tolist() == np.dstack([GREY, np.full((2, 3), 255)]).tolist()


def test_a_damaged_picture_is_listed_and_fails_by_name_when_decoded(tmp_path):
    path = tmp_path / "renders/own/ortho/own/me/front.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a picture")
    picture = DatasetIndex(tmp_path).item(0, ("image",))["image"]
    for read in (picture.pixels, picture.as_stored):
        with pytest.raises(FormatError, match=r"front\.png"):
            read()


def test_leftovers_of_interrupted_writes_are_not_listed(tmp_path):
    write_png(tmp_path / "renders/own/ortho/own/me/.partial-12-front.png", GREY)
    assert DatasetIndex(tmp_path).names == ()


def test_positions_and_fields_are_checked(tmp_path):
    index = DatasetIndex(tmp_path)
    with pytest.raises(BadPosition) as caught:
        index.item(0)
    assert isinstance(caught.value, IndexError)
    with pytest.raises(InputError, match="fields"):
        index.item("a/b/c/d/e", ("depth",))


@pytest.mark.parametrize("entry", [{}, [], {"render_params": 3}])
def test_metadata_of_another_shape_name_the_entry(tmp_path, entry):
    write_meta(tmp_path, "daredemoE", {"daredemoE/ortho/g/a/front": entry})
    with pytest.raises(FormatError, match=r"daredemoE_meta\.json: daredemoE/ortho/g/a/front"):
        DatasetIndex(tmp_path)


def test_one_odd_file_name_does_not_close_the_index(tmp_path):
    for name in ("virtualyoutuberE/fandom_align/A/N/0000-0000", "own/ortho/own/a\\b/front"):
        write_png(tmp_path / "renders" / f"{name}.png", GREY)
    index = DatasetIndex(tmp_path)
    assert len(index) == 2
    assert index.item("virtualyoutuberE/fandom_align/A/N/0000-0000")["render_params"]["fov"] == -1
    with pytest.raises(BadName, match="five plain parts"):
        index.item(0)
