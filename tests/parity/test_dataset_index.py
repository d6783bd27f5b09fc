"""The index of a dataset: spec/data.md §8 against what the original's index answered."""

from __future__ import annotations

import builtins
import json

import pytest

from _databacks.index import FIELDS, DatasetIndex
from _databacks.names import PUBLISHED_SETS
from _exchange.errors import InputError
from tests.parity.fixtures import measure_files

TINY_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f0005000"
    "1ff89993d1d0000000049454e44ae426082"
)
WAYS = {"default": FIELDS, "render_params_only": ("render_params",), "image_only": ("image",)}
FIXTURES = measure_files("dataset_index*.json")


def dataset(root, fixture, extra=()):
    for name in (*fixture["files"], *extra):
        path = root / "renders" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(TINY_PNG)
    for key, content in fixture.items():
        if key.endswith("_meta"):
            renderset = key.removesuffix("_meta")
            folder = root / "renders" / renderset
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{key}.json").write_text(json.dumps(content))
    return DatasetIndex(root, PUBLISHED_SETS)


@pytest.mark.parametrize("path", FIXTURES)
def test_listing_and_order(path, tmp_path):
    fixture = json.loads(path.read_text())
    index = dataset(tmp_path, fixture)
    assert list(index.names) == fixture["bns_in_order"]
    assert len(index) == fixture["length"]
    assert sorted(index.params) == fixture["param_keys_sorted"]


@pytest.mark.parametrize("path", FIXTURES)
def test_items_by_name_and_by_position(path, tmp_path):
    fixture = json.loads(path.read_text())
    index = dataset(tmp_path, fixture)
    for bn, recorded in fixture["items"].items():
        item = index.item(bn)
        assert sorted(item) == recorded["keys"]
        assert item["bn"] == bn
        assert item["info"] == recorded["info"]
        assert item["render_params"] == recorded["render_params"]
        assert item["image"].as_stored().mode == "RGBA"
        assert index.item(fixture["bns_in_order"].index(bn)) == item


@pytest.mark.parametrize("path", FIXTURES)
def test_outcomes_of_pictures_without_metadata_and_metadata_without_pictures(path, tmp_path):
    fixture = json.loads(path.read_text())
    errors = fixture["errors"]
    index = dataset(tmp_path, fixture, errors["extra_files"])
    assert list(index.names) == sorted(fixture["bns_in_order"] + errors["bns_added"])
    for bn, outcomes in errors["outcome"].items():
        for way, outcome in outcomes.items():
            if outcome == "ok":
                assert set(index.item(bn, WAYS[way])) == {"bn", "info", *WAYS[way]}
                continue
            with pytest.raises(getattr(builtins, outcome)) as caught:
                index.item(bn, WAYS[way])
            assert isinstance(caught.value, InputError), (bn, way)
