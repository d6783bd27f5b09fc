"""The index of a dataset: spec/data.md §8 against what the original's index answered."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from _databacks.index import FIELDS, DatasetIndex
from _databacks.names import PUBLISHED_SETS
from _exchange.errors import InputError
from tests.parity.fixtures import Recorded, entries_of, measure_files, whatever_is_there

TINY_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f0005000"
    "1ff89993d1d0000000049454e44ae426082"
)
WAYS = {"default": FIELDS, "render_params_only": ("render_params",), "image_only": ("image",)}
PORTRAIT = "/fandom_align/"
FIXTURES = measure_files("dataset_index*.json")


def dataset(root: Path, fixture: Recorded, extra: Sequence[str] = ()) -> DatasetIndex:
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


def need_metadata(fixture: Recorded, names: Iterable[str]) -> None:
    """Skip the test where the fixture lacks the metadata of a set that it records parameters of.

    Portraits have their parameters without metadata (spec/data.md §8).
    """
    described = {name.split("/")[0] for name in fixture.content.get("param_keys_sorted", ()) if PORTRAIT not in name}
    for renderset in sorted(described & {name.split("/")[0] for name in names}):
        _ = fixture[f"{renderset}_meta"]


@pytest.mark.parametrize("path", FIXTURES)
def test_names_in_order(path: Path, tmp_path: Path) -> None:
    fixture = entries_of(path)
    assert list(dataset(tmp_path, fixture).names) == fixture["bns_in_order"]


@pytest.mark.parametrize("path", FIXTURES)
def test_length(path: Path, tmp_path: Path) -> None:
    fixture = entries_of(path)
    assert len(dataset(tmp_path, fixture)) == fixture["length"]


@pytest.mark.parametrize("path", FIXTURES)
def test_names_with_parameters(path: Path, tmp_path: Path) -> None:
    fixture = entries_of(path)
    recorded = fixture["param_keys_sorted"]
    need_metadata(fixture, recorded)
    assert sorted(dataset(tmp_path, fixture).params) == recorded


@pytest.mark.parametrize("path", FIXTURES)
def test_items_by_name(path: Path, tmp_path: Path) -> None:
    fixture = entries_of(path)
    index = dataset(tmp_path, fixture)
    items = fixture.inside("items")
    with whatever_is_there() as part:
        for bn in items:
            with part():
                need_metadata(fixture, [bn])
                item, recorded = index.item(bn), items.inside(bn)
                assert item["bn"] == bn
                assert item["image"].as_stored().mode == "RGBA"
                with part():
                    assert sorted(item) == recorded["keys"]
                for field in ("info", "render_params"):
                    with part():
                        assert item[field] == recorded[field]


@pytest.mark.parametrize("path", FIXTURES)
def test_items_by_position(path: Path, tmp_path: Path) -> None:
    fixture = entries_of(path)
    index = dataset(tmp_path, fixture)
    with whatever_is_there() as part:
        for bn in fixture["items"]:
            with part():
                need_metadata(fixture, [bn])
                assert index.item(fixture["bns_in_order"].index(bn)) == index.item(bn)


@pytest.mark.parametrize("path", FIXTURES)
def test_names_added_by_pictures_without_metadata(path: Path, tmp_path: Path) -> None:
    fixture = entries_of(path)
    errors = fixture.inside("errors")
    index = dataset(tmp_path, fixture, errors["extra_files"])
    assert list(index.names) == sorted(fixture["bns_in_order"] + errors["bns_added"])


@pytest.mark.parametrize("path", FIXTURES)
def test_outcomes_of_pictures_without_metadata_and_metadata_without_pictures(path: Path, tmp_path: Path) -> None:
    fixture = entries_of(path)
    errors = fixture.inside("errors")
    index = dataset(tmp_path, fixture, errors["extra_files"])
    with whatever_is_there() as part:
        for bn, outcomes in errors["outcome"].items():
            for way, outcome in outcomes.items():
                with part():
                    need_metadata(fixture, [bn])
                    if outcome == "ok":
                        assert set(index.item(bn, WAYS[way])) == {"bn", "info", *WAYS[way]}
                        continue
                    with pytest.raises(getattr(builtins, outcome)) as caught:
                        index.item(bn, WAYS[way])
                    assert isinstance(caught.value, InputError), (bn, way)
