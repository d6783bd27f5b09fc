"""What datasets and `doctor` say about lists, alignments, portraits and renders that are missing, wrong or odd."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pytest
from PIL import Image

from _databacks.dataset import open_dataset
from _databacks.findings import data_findings
from _databacks.manifest import manifest
from _databacks.names import UnknownItem
from _exchange.errors import FormatError, InputError
from _exchange.items import ItemId
from _exchange.pictures import write_png
from tests.databacks.preparing import run
from tests.databacks.test_datasets import ALBEDO, PORTRAIT, RED, animerecon, write_list
from tests.databacks.tiny_characters import write_tiny

VTUBER_LINE = "virtualyoutuberE/fandom_align/A/N/0002-0001"
VTUBER_IMAGE = "raw/fandom/virtualyoutuber/images/A/N/0002"


def stage(dataset, name):
    return next(gap for gap in dataset.missing_stages() if gap.stage == name)


# -- lists


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("daredemoE_test", "albedo"),
        ("daredemoE_test", "genshin/albedo/x"),
        ("rutileEB_test", "../1"),
        ("virtualyoutuberE_all", "virtualyoutuberE/fandom_align/A/N"),
    ],
)
def test_a_line_that_is_no_name_is_refused_with_its_list(tmp_path, name, line):
    write_list(tmp_path, name, line)
    with pytest.raises(FormatError) as caught:
        open_dataset(tmp_path).items()
    assert str(caught.value) == f"{name}.csv: expected names of items, one a line, found {line!r}."


def test_the_mark_that_editors_put_in_front_of_a_list_is_no_part_of_a_name(tmp_path):
    write_list(tmp_path, "daredemoE_test", "\ufeffgenshin/albedo", "genshin/lumine")
    assert open_dataset(tmp_path).items() == [ALBEDO, ItemId("genshin", "lumine")]


# -- alignments


def test_a_damaged_alignment_is_not_called_missing(tmp_path):
    root = animerecon(tmp_path)
    (root / "renders/daredemoE/fandom_align_alignment.json").write_text("{")
    sentence = str(stage(open_dataset(root), "alignment"))
    assert "fandom_align_alignment.json: expected JSON" in sentence
    assert "is missing" not in sentence


def test_an_item_that_an_alignment_leaves_out_is_named(tmp_path):
    write_list(animerecon(tmp_path), "daredemoE_test", "genshin/lumine")
    sentence = str(stage(open_dataset(tmp_path), "alignment"))
    assert sentence.startswith("genshin/lumine: no alignment. Expected an alignment of genshin/lumine in ")
    assert "authors' archive" in sentence


def test_json_wins_over_a_pickle_and_a_pickle_alone_is_read(tmp_path):
    root = animerecon(tmp_path)
    folder = root / "renders/daredemoE"
    entries = json.loads((folder / "fandom_align_alignment.json").read_text())
    for entry in entries.values():
        entry["area_of_interest"] = ((1, 2), (3, 4))
    (folder / "fandom_align_alignment.pkl").write_bytes(pickle.dumps(entries))
    assert open_dataset(root).truth(ALBEDO).region.row == 10
    (folder / "fandom_align_alignment.json").unlink()
    assert open_dataset(root).truth(ALBEDO).region.row == 1


# -- portraits from raw illustrations


@pytest.mark.parametrize("suffix", ["JPG", "Png", "webp", "gif"])
def test_an_illustration_is_found_under_its_suffix_in_any_case(tmp_path, suffix):
    root = animerecon(tmp_path)
    raw = root / f"raw/fandom/genshin-impact/images/genshin/Albedo/0000.{suffix}"
    raw.parent.mkdir(parents=True)
    Image.new("RGB", (64, 32), (0, 0, 255)).save(raw)
    Image.new("RGB", (64, 32), (255, 0, 0)).save(raw.with_name("0000.v2.png"))
    raw.with_name("0000.txt").write_text("a downloader's traceback")
    portrait = open_dataset(root).method_input(ALBEDO).portrait
    np.testing.assert_allclose(portrait[10, 10], [0, 0, 255, 255], atol=3)
    assert "portrait" not in {gap.stage for gap in open_dataset(root).missing_stages()}


@pytest.mark.parametrize("source", ["site/{outside}/0000", "site/../../../../../0000", "site//0000", "a\0b/c/0000", ""])
def test_a_source_that_leads_elsewhere_opens_nothing(tmp_path, source):
    root = animerecon(tmp_path / "set")
    Image.new("RGB", (8, 8)).save(tmp_path / "0000.png")
    path = root / "renders/daredemoE/fandom_align_alignment.json"
    entries = json.loads(path.read_text())
    for entry in entries.values():
        entry["source"] = source.format(outside=tmp_path)
    path.write_text(json.dumps(entries))
    with pytest.raises(InputError, match="Expected the portrait"):
        open_dataset(root).method_input(ALBEDO)


def vtuber(root, suffix, *, detections=2):
    write_list(root, "virtualyoutuberE_all", VTUBER_LINE)
    raw = root / f"{VTUBER_IMAGE}.{suffix}"
    raw.parent.mkdir(parents=True)
    Image.new("RGB", (400, 400), (0, 255, 0)).save(raw, quality=95)
    if detections:
        keypoints = np.random.default_rng(1).normal(200, 30, (detections, 28, 3))
        path = root / "preprocessed/facecrop_fandom.pkl"
        path.parent.mkdir()
        record = {"n_detections": detections, "bbox": np.zeros((detections, 5)), "keypoints": keypoints}
        path.write_bytes(pickle.dumps({"virtualyoutuber/A/N/0002": record}))
    return open_dataset(root)


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_vtuber_images_without_alpha_are_aligned_opaque_and_take_their_mask(tmp_path, suffix):
    dataset = vtuber(tmp_path, suffix)
    (item,) = dataset.items()
    assert dataset.missing_stages() == []
    row, col = (dataset.alignment(item).transformation @ [200, 200, 1])[:2].round().astype(int)
    np.testing.assert_allclose(dataset.method_input(item).portrait[row, col], [0, 255, 0, 255], atol=3)
    write_png(tmp_path / f"renders/{VTUBER_LINE.replace('align', 'align_seg')}.png", np.full((512, 512), 9, np.uint8))
    assert (dataset.method_input(item).portrait[..., 3] == 9).all()


def test_a_raw_vtuber_image_without_detection_is_no_portrait(tmp_path):
    dataset = vtuber(tmp_path, "jpg", detections=0)
    assert "face detections" in str(stage(dataset, "portrait"))
    with pytest.raises(InputError, match="face detections"):
        dataset.method_input(dataset.items()[0])


def test_a_detection_that_was_not_made_is_named_per_item(tmp_path):
    dataset = vtuber(tmp_path, "jpg", detections=1)
    with pytest.raises(UnknownItem, match="Expected detection '0001' of virtualyoutuber/A/N/0002, found 1 detections"):
        dataset.method_input(dataset.items()[0])
    assert "found 1 detections" in str(stage(dataset, "alignment"))


# -- the commands that bring what is missing


def test_the_command_for_renders_names_set_and_kinds(tmp_path, monkeypatch):
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")
    write_list(tmp_path, "rutileEB_test", "17")
    animerecon(tmp_path)
    write_tiny(tmp_path / "raw/vroid/7/17/17.vrm")
    step = stage(open_dataset(tmp_path, "rutileE"), "renders").next_step
    assert step == (
        f"python3 -m _scripts.prepare {tmp_path} --renderset rutileE --kinds ortho rgb60_spin12 draws its pictures."
    )
    assert stage(open_dataset(tmp_path), "renders").next_step.split()[3:6] == [
        str(tmp_path),
        "--renderset",
        "daredemoE",
    ]
    run(tmp_path, None, renderset="rutileE", kinds=("ortho", "rgb60_spin12"))
    assert open_dataset(tmp_path, "rutileE").missing_stages() == []  # the command keeps its promise


# -- doctor


def findings(folder):
    return {finding.what: finding for finding in data_findings(folder)}


def test_doctor_says_which_sets_are_absent_and_what_brings_them(tmp_path):
    found = findings(tmp_path)
    assert list(found) == ["sample set", "AnimeRecon", "Vroid", "Vtuber"]
    assert not any(finding.present or finding.needed for finding in found.values())
    assert found["sample set"].fix == "Run python3 -m _scripts.prepare."
    assert "authors' archive" in found["Vtuber"].fix


@pytest.mark.parametrize("what", ["AnimeRecon", "Vroid", "Vtuber"])
def test_doctor_names_the_command_that_says_where_a_set_comes_from(tmp_path, what):
    name = re.search(r"python3 -m _scripts\.download (\w+)", findings(tmp_path)[what].fix)[1]
    assert name in manifest().names


def test_doctor_counts_what_is_missing_by_stage_with_every_step(tmp_path):
    root = animerecon(tmp_path / "lustrous")
    write_list(root, "daredemoE_test", "genshin/albedo", "genshin/lumine")
    finding = findings(tmp_path)["AnimeRecon"]
    assert finding.sentence == (
        f"2 characters in {root}; missing: portrait of 1, character of 2, renders of 2, alignment of 1"
    )
    assert "authors' archive" in finding.fix
    assert "cannot be downloaded for you" in finding.fix
    assert f"_scripts.prepare {root} --renderset daredemoE" in finding.fix


def test_doctor_tells_damaged_and_empty_lists_from_absent_ones(tmp_path):
    write_list(tmp_path / "lustrous", "daredemoE_test", "no name")
    write_list(tmp_path / "sample", "own_all")
    found = findings(tmp_path)
    assert found["AnimeRecon"].sentence.startswith("daredemoE_test.csv: expected names of items")
    assert found["sample set"].sentence == f"an empty list in {tmp_path / 'sample'}"
    assert not found["sample set"].present


def test_doctor_calls_a_set_complete_when_nothing_is_missing(tmp_path):
    root = tmp_path / "lustrous"
    write_list(root, "virtualyoutuberE_all", VTUBER_LINE)
    write_png(root / f"renders/{VTUBER_LINE}.png", RED)
    finding = findings(tmp_path)["Vtuber"]
    assert (finding.present, finding.sentence) == (True, f"1 characters in {root}, complete")
    assert not findings(tmp_path)["AnimeRecon"].present
    assert not (root / PORTRAIT).exists()
