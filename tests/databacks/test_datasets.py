"""Datasets behind one interface: what each finds where, what it gives a method, and what it says is missing."""

from __future__ import annotations

import json
import pickle
import zlib

import numpy as np
import pytest
from PIL import Image

from _databacks.dataset import open_dataset
from _databacks.layout import DatasetLayout
from _databacks.names import UnknownItem
from _databacks.vroid import Vroid
from _exchange.errors import FormatError, InputError, MissingComponent
from _exchange.items import SCORED_CAMERAS, ItemId, Region
from _exchange.pictures import write_png

ALBEDO = ItemId("genshin", "albedo")
PORTRAIT = "renders/daredemoE/fandom_align/genshin/albedo/front.png"
MASK = "renders/daredemoE/fandom_align_seg/genshin/albedo/front.png"
RED = np.full((512, 512, 4), (255, 0, 0, 200), np.uint8)


def write_list(root, name, *lines):
    path = root / "subsets" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def animerecon(root, matrix=None):
    write_list(root, "daredemoE_test", "genshin/albedo")
    entry = {
        "source": "genshin-impact/genshin/Albedo/0000",
        "transformation": (np.eye(3) if matrix is None else matrix).tolist(),
        "area_of_interest": [[10, 20], [30, 40]],
    }
    path = root / "renders/daredemoE/fandom_align_alignment.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"daredemoE/fandom_align/genshin/albedo/front": entry}))
    return root


# -- AnimeRecon


def test_animerecon_names_its_truth(tmp_path):
    dataset = open_dataset(animerecon(tmp_path))
    assert (dataset.renderset, dataset.default_protocol, dataset.items()) == ("daredemoE", "paper", [ALBEDO])
    truth = dataset.truth(ALBEDO)
    assert truth.bn == "daredemoE/fandom_align/genshin/albedo/front"
    assert truth.character == tmp_path / "raw/dssc/genshin/albedo.vrm"
    assert truth.region == Region(10, 20, 30, 40)
    assert (truth.shading, truth.paper_arm_degrees) == ("paper", 15)
    assert tuple(truth.pictures) == SCORED_CAMERAS
    assert truth.pictures["ortho_back"] == tmp_path / "renders/daredemoE/ortho/genshin/albedo/back.png"
    assert truth.pictures["rgb60_0036"] == tmp_path / "renders/daredemoE/rgb60/genshin/albedo/0036.png"


def test_the_mask_replaces_the_portrait_s_alpha(tmp_path):
    dataset = open_dataset(animerecon(tmp_path))
    write_png(tmp_path / PORTRAIT, RED)
    assert (dataset.method_input(ALBEDO).portrait == RED).all()
    mask = np.arange(512 * 512, dtype=np.uint32).astype(np.uint8).reshape(512, 512)
    write_png(tmp_path / MASK, mask)
    portrait = dataset.method_input(ALBEDO).portrait
    assert (portrait[..., :3] == RED[..., :3]).all()
    assert (portrait[..., 3] == mask).all()


@pytest.mark.parametrize("suffix", ["jpg", "webp", "png"])
def test_a_raw_illustration_of_any_suffix_is_aligned_where_no_portrait_is_stored(tmp_path, suffix):
    matrix = np.diag([1.0, 1, 1])
    matrix[:2, 2] = 100, 50
    dataset = open_dataset(animerecon(tmp_path, matrix))
    raw = tmp_path / f"raw/fandom/genshin-impact/images/genshin/Albedo/0000.{suffix}"
    raw.parent.mkdir(parents=True)
    Image.new("RGB", (64, 32), (0, 0, 255)).save(raw, quality=95)
    portrait = dataset.method_input(ALBEDO).portrait
    np.testing.assert_allclose(portrait[116, 82], [0, 0, 255, 255], atol=3)  # inside: opaque, though it has no alpha
    assert portrait[99, 82, 3] == portrait[116, 49, 3] == portrait[132, 82, 3] == 0


def test_a_source_that_would_leave_the_dataset_is_not_opened(tmp_path):
    root = animerecon(tmp_path / "set")
    path = root / "renders/daredemoE/fandom_align_alignment.json"
    path.write_text(path.read_text().replace("genshin-impact/genshin", "x/../../../../.."))
    Image.new("RGB", (8, 8)).save(tmp_path / "0000.png")
    with pytest.raises(InputError, match="portrait"):
        open_dataset(root).method_input(ALBEDO)


@pytest.mark.parametrize("path", [PORTRAIT, MASK])
def test_pictures_of_another_size_are_refused_by_name(tmp_path, path):
    dataset = open_dataset(animerecon(tmp_path))
    write_png(tmp_path / PORTRAIT, RED)
    write_png(tmp_path / path, RED[:256])
    with pytest.raises(FormatError, match=r"front\.png: expected a picture of 512 × 512 pixels, found 512 × 256"):
        dataset.method_input(ALBEDO)


def test_what_is_missing_is_said_per_item_and_stage(tmp_path):
    animerecon(tmp_path)
    write_list(tmp_path, "daredemoE_test", "genshin/albedo", "genshin/lumine")
    dataset = open_dataset(tmp_path)
    gaps = {(str(gap.item), gap.stage) for gap in dataset.missing_stages()}
    assert gaps == {
        ("genshin/albedo", "portrait"),
        ("genshin/albedo", "character"),
        ("genshin/albedo", "renders"),
        ("genshin/lumine", "alignment"),
        ("genshin/lumine", "character"),
        ("genshin/lumine", "renders"),
    }
    sentences = [str(gap) for gap in dataset.missing_stages([ALBEDO])]
    assert any("raw/dssc/genshin/albedo.vrm" in sentence for sentence in sentences)
    write_png(tmp_path / PORTRAIT, RED)
    assert "portrait" not in {gap.stage for gap in dataset.missing_stages([ALBEDO])}


def test_an_item_without_alignment_is_a_key_error_with_a_sentence(tmp_path):
    dataset = open_dataset(animerecon(tmp_path))
    for ask in (dataset.truth, dataset.method_input):
        with pytest.raises(UnknownItem, match="genshin/lumine") as caught:
            ask(ItemId("genshin", "lumine"))
        assert isinstance(caught.value, KeyError)


def test_the_digest_sees_list_alignment_portrait_and_mask(tmp_path):
    digests = [open_dataset(animerecon(tmp_path)).digest()]
    for path in (PORTRAIT, MASK):
        write_png(tmp_path / path, RED)
        digests.append(open_dataset(tmp_path).digest())
    shifted = np.eye(3)
    shifted[0, 2] = 1e-9
    digests.append(open_dataset(animerecon(tmp_path, shifted)).digest())
    write_list(tmp_path, "daredemoE_test", "genshin/albedo", "genshin/lumine")
    digests.append(open_dataset(tmp_path).digest())
    assert len(set(digests)) == 5
    assert open_dataset(tmp_path).digest([ALBEDO]) == digests[3]


# -- Vroid


def test_vroid_items_are_grouped_by_the_last_digit_and_stand_where_they_should(tmp_path):
    write_list(tmp_path, "rutileEB_test", "1234567", "99")
    dataset = open_dataset(tmp_path)
    item = ItemId("7", "1234567")
    assert dataset.items() == [item, ItemId("9", "99")]
    write_png(tmp_path / "renders/rutileE/ortho/7/1234567/front.png", RED)
    given = dataset.method_input(item)
    assert (given.portrait == RED).all()
    assert given.alignment.transformation.tolist() == np.eye(3).tolist()
    truth = dataset.truth(item)
    assert truth.bn == "rutileE/ortho/7/1234567/front"
    assert truth.region == Region(0, 0, 512, 512)
    assert (truth.shading, truth.paper_arm_degrees) == ("paper", 60)


def test_training_names_are_id_major_with_eight_views(tmp_path):
    write_list(tmp_path, "rutileEB_train", "17", "3")
    names = [str(name) for name in Vroid(DatasetLayout(tmp_path), "train").training_names()]
    assert len(names) == 16
    assert names[0] == "rutileE/rgb/7/17/0000"
    assert names[7:9] == ["rutileE/rgb/7/17/0007", "rutileE/rgb/3/3/0000"]


def test_an_unknown_split_lists_the_known(tmp_path):
    with pytest.raises(InputError, match="train"):
        Vroid(DatasetLayout(tmp_path), "dev")


# -- Vtuber


def test_vtuber_items_have_portraits_and_no_truth(tmp_path):
    write_list(tmp_path, "virtualyoutuberE_all", "virtualyoutuberE/fandom_align/dotLIVE/Name_a/0002-0001")
    dataset = open_dataset(tmp_path)
    (item,) = dataset.items()
    assert item == ItemId("dotLIVE", "Name_a-0002-0001")
    write_png(tmp_path / "renders/virtualyoutuberE/fandom_align/dotLIVE/Name_a/0002-0001.png", RED)
    assert (dataset.method_input(item).portrait == RED).all()
    assert dataset.missing_stages() == []
    with pytest.raises(MissingComponent, match="portraits only"):
        dataset.truth(item)


def test_vtuber_alignment_uses_the_named_detection_with_its_jitter(tmp_path):
    write_list(tmp_path, "virtualyoutuberE_all", "virtualyoutuberE/fandom_align/A/N/0002-0001")
    keypoints = np.random.default_rng(0).normal(200, 30, (2, 28, 3))
    path = tmp_path / "preprocessed/facecrop_fandom.pkl"
    path.parent.mkdir()
    record = {"n_detections": 2, "bbox": np.zeros((2, 5)), "keypoints": keypoints}
    path.write_bytes(pickle.dumps({"virtualyoutuber/A/N/0002": record}))
    dataset = open_dataset(tmp_path)
    alignment = dataset.alignment(dataset.items()[0])
    assert alignment.source == "virtualyoutuber/A/N/0002"
    np.testing.assert_array_equal(alignment.keypoints, keypoints[1])
    centre = alignment.transformation @ [*keypoints[1, :, :2].mean(axis=0), 1]
    jitter = np.random.RandomState(zlib.adler32(b"virtualyoutuber/A/N/0002-0001")).standard_normal()
    np.testing.assert_allclose(centre[0], 294.9637145996094 + 8.072593688964844 * jitter)


def test_lines_of_another_set_are_refused(tmp_path):
    write_list(tmp_path, "virtualyoutuberE_all", "daredemoE/fandom_align/A/N/front")
    with pytest.raises(InputError, match="daredemoE/fandom_align/A/N/front"):
        open_dataset(tmp_path).items()


# -- the choice


def test_the_first_set_whose_list_is_there_is_opened_and_others_by_name(tmp_path):
    write_list(tmp_path, "virtualyoutuberE_all")
    assert open_dataset(tmp_path).renderset == "virtualyoutuberE"
    write_list(tmp_path, "rutileEB_all", "1")
    assert open_dataset(tmp_path).renderset == "rutileE"
    assert open_dataset(tmp_path).items() == [ItemId("1", "1")]
    write_list(tmp_path, "own_all")
    assert open_dataset(tmp_path).renderset == "own"
    animerecon(tmp_path)
    assert open_dataset(tmp_path).renderset == "daredemoE"
    assert open_dataset(tmp_path, "rutileE").renderset == "rutileE"


def test_an_unknown_set_and_a_missing_list_are_sentences(tmp_path):
    write_list(tmp_path, "own_all")
    with pytest.raises(InputError, match="daredemoE, own, rutileE, virtualyoutuberE"):
        open_dataset(tmp_path, "kiddoWE")
    with pytest.raises(InputError, match="daredemoE_test"):
        open_dataset(tmp_path, "daredemoE")


def test_datasets_can_be_sent_to_worker_processes(tmp_path):
    dataset = open_dataset(animerecon(tmp_path))
    assert pickle.loads(pickle.dumps(dataset)).digest() == dataset.digest()
