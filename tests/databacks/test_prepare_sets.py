"""`prepare` beyond plain folders: fitted heads, plain GLB files, published sets, names of kinds."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

from _databacks.dataset import open_dataset
from _databacks.index import DatasetIndex
from _databacks.prepare import PrepareConfig, prepare
from _databacks.prepare_plan import wanted_views
from _exchange.errors import InputError
from _exchange.items import ItemId
from _exchange.pictures import read_picture
from tests.databacks.preparing import own, run
from tests.databacks.tiny_characters import cube, tiny_character, write_tiny


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")


def test_fit_shrinks_a_large_head_and_says_by_how_much(tmp_path):
    write_tiny(tmp_path / "in/large.vrm", positions=cube(0.4))
    run(tmp_path / "in", tmp_path / "out", fit=True, kinds=("ortho", "ortho_xyza"))
    entry = json.loads((own(tmp_path / "out") / "own_meta.json").read_text())["own/ortho/own/large/front"]
    assert entry["render_params"]["scale"] == pytest.approx(0.34 / 0.4)
    cols = np.nonzero(read_picture(own(tmp_path / "out") / "ortho/own/large/front.png")[..., 3] > 127)[1]
    assert (cols.max() + 1 - cols.min()) / 512 * 0.7 == pytest.approx(2 * 0.34, abs=0.003)
    encoded = read_picture(own(tmp_path / "out") / "ortho_xyza/own/large/front.png")[256, 256, 2] / 255 * 0.7 - 0.35
    assert encoded / entry["render_params"]["scale"] == pytest.approx(-0.4, abs=0.7 / 255)  # metres again
    assert open_dataset(tmp_path / "out").truth(ItemId("own", "large")).fit


def test_plain_glb_characters_need_the_head_s_position(tmp_path):
    content = tiny_character()
    (tmp_path / "in").mkdir()
    plain = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
    plain["extensionsUsed"] = plain["extensions"] = None
    text = json.dumps({key: value for key, value in plain.items() if value is not None}).encode()
    text += b" " * (int.from_bytes(content[12:16], "little") - len(text))
    (tmp_path / "in/plain.glb").write_bytes(content[:20] + text + content[20 + len(text) :])
    assert run(tmp_path / "in", tmp_path / "out").failed == 1
    result = run(tmp_path / "in", tmp_path / "out", head_position=(0.0, 1.5, 0.0))
    assert (result.drawn, result.failed) == (1, 0)
    truth = open_dataset(tmp_path / "out").truth(ItemId("own", "plain"))
    assert truth.character.name == "plain.glb"
    assert truth.head_position == (0, 1.5, 0)


def test_a_published_set_is_drawn_from_its_raw_characters(tmp_path):
    root = tmp_path / "_data/lustrous"
    write_tiny(root / "raw/dssc/genshin/albedo.vrm")
    (root / "subsets").mkdir()
    (root / "subsets/daredemoE_test.csv").write_text("genshin/albedo\nhololive/absent_v1.0\n")
    authors = {"daredemoE/ortho/x/y/front": {"render_params": {"elev": 0, "azim": 0}}}
    (root / "renders/daredemoE").mkdir(parents=True)
    (root / "renders/daredemoE/daredemoE_meta.json").write_text(json.dumps(authors))
    result = prepare(PrepareConfig(source=tmp_path, kinds=("ortho",), backend="cpu", workers=1))
    assert (result.renderset, result.total, result.drawn, result.failed) == ("daredemoE", 2, 1, 1)
    assert "raw/dssc/hololive/absent_v1.0.vrm" in result.problems[0].reason
    meta = json.loads((root / "renders/daredemoE/daredemoE_meta.json").read_text())
    assert set(meta) == {*authors, *(f"daredemoE/ortho/genshin/albedo/{view}" for view in VIEWS)}
    assert not (root / "renders/daredemoE/fandom_align").exists()
    assert (root / "subsets/daredemoE_test.csv").read_text().startswith("genshin/albedo\n")
    record = json.loads((root / "renders/daredemoE/_records/genshin/albedo.json").read_text())
    assert (record["shading"], record["paper_arm_degrees"]) == ("paper", 15)


def test_vroid_characters_carry_the_hub_s_author_and_licence(tmp_path):
    write_tiny(tmp_path / "raw/vroid/7/17/17.vrm", author="in the file")
    hub = {
        "id": "17",
        "name": None,
        "url": "https://hub.vroid.com/en/characters/5/models/17",
        "character": {"name": "Seventeen", "user": {"name": "the author"}},
        "license": {"credit": "necessary", "redistribution": "disallow"},
    }
    (tmp_path / "raw/vroid/7/17/17.json").write_text(json.dumps(hub))
    (tmp_path / "subsets").mkdir()
    (tmp_path / "subsets/rutileEB_all.csv").write_text("17\n")
    prepare(PrepareConfig(source=tmp_path, kinds=("rgb",), backend="cpu", workers=1))
    (row,) = json.loads((tmp_path / "renders/rutileE/attribution.json").read_text())
    assert (row["title"], row["author"], row["credit"]) == ("Seventeen", "the author", "necessary")
    assert row["url"].endswith("/models/17")
    params = DatasetIndex(tmp_path).item("rutileE/rgb/7/17/0003")["render_params"]
    assert params["elev"] == 20 * np.random.RandomState(zlib.adler32(b"17/3")).standard_normal()


VIEWS = ("front", "left", "right", "back", "top")


def test_kinds_are_named_like_their_folders():
    spin = ("0042", "0043", "0044", "0045", "0046", "0047", "0036", "0037", "0038", "0039", "0040", "0041")
    assert wanted_views(("rgb60_spin12", "ortho")) == {"ortho": None, "rgb60": spin}
    assert wanted_views(("rgb60_spin12", "rgb60")) == {"rgb60": None}
    assert set(wanted_views(("all",))) == {"ortho", "ortho_xyza", "rgb", "xyza", "rgb60", "xyza60"}
    with pytest.raises(InputError, match="depth"):
        wanted_views(("all", "depth"))
