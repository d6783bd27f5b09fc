"""Names and paths of datasets, letter for letter as spec/data.md §2 spells them."""

from __future__ import annotations

import pytest

from _databacks.layout import DatasetLayout, find_root, read_list
from _databacks.names import BadName, PictureName
from _exchange.errors import InputError
from _exchange.items import ItemId


def test_a_name_has_five_parts_and_an_idx_may_hold_dots():
    name = PictureName.parse("daredemoE/rgb60/hololive/inugami_korone_v1.03/0042")
    assert name.item == ItemId("hololive", "inugami_korone_v1.03")
    assert name.info == {
        "renderset": "daredemoE",
        "dtype": "rgb60",
        "franch": "hololive",
        "idx": "inugami_korone_v1.03",
        "view": "0042",
    }
    assert str(name) == "daredemoE/rgb60/hololive/inugami_korone_v1.03/0042"


@pytest.mark.parametrize("text", ["a/b/c/d", "a/b/c/d/e/f", "", "a//c/d/e", "a/b/../d/e", "a/b/c/d/\0", "a/b/c\\x/d/e"])
def test_other_texts_are_refused_as_a_value_error(text):
    with pytest.raises(BadName) as caught:
        PictureName.parse(text)
    assert isinstance(caught.value, ValueError)


def test_paths_of_the_published_layout(tmp_path):
    layout = DatasetLayout(tmp_path)
    paths = {
        layout.picture(PictureName.parse("rutileE/ortho_xyza/7/1234567/front")): (
            "renders/rutileE/ortho_xyza/7/1234567/front.png"
        ),
        layout.render_set("rutileE").metadata: "renders/rutileE/rutileE_meta.json",
        layout.render_set("daredemoE").alignment_pickle: "renders/daredemoE/fandom_align_alignment.pkl",
        layout.subset("daredemoE_test"): "subsets/daredemoE_test.csv",
        layout.character("rutileE", ItemId("7", "1234567")): "raw/vroid/7/1234567/1234567.vrm",
        layout.character("daredemoE", ItemId("genshin", "albedo")): "raw/dssc/genshin/albedo.vrm",
        layout.face_detections: "preprocessed/facecrop_fandom.pkl",
        layout.illustration("genshin-impact/genshin/Albedo/0000"): (
            "raw/fandom/genshin-impact/images/genshin/Albedo/0000"
        ),
    }
    for path, relative in paths.items():
        assert path == tmp_path / relative


@pytest.mark.parametrize("below", ["", "_data/lustrous", "lustrous"])
def test_a_root_is_found_at_or_below_the_folder_given(tmp_path, below):
    (tmp_path / below / "subsets").mkdir(parents=True)
    assert find_root(tmp_path).root == tmp_path / below


def test_no_root_is_a_sentence_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(InputError, match=r"renders and subsets.*_scripts\.prepare"):
        find_root(tmp_path)


def test_lists_keep_order_and_spaces_and_drop_only_empty_lines(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"genshin/b\r\n\n a/with space \nx/y\xc2\x85z\n")
    assert read_list(path) == ["genshin/b", " a/with space ", "x/y\x85z"]


def test_a_list_of_other_bytes_is_refused(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read_list(path)
    with pytest.raises(InputError, match=r"none\.csv"):
        read_list(tmp_path / "none.csv")
