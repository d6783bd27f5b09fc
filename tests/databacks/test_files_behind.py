"""Which files input and truth of characters come from: what a seal of a run has to cover."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from _databacks.dataset import open_dataset
from _databacks.layout import DatasetLayout
from _databacks.prepare import PrepareConfig, prepare
from _databacks.vroid import Vroid
from _exchange import atomic
from _exchange.items import SCORED_CAMERAS, ItemId
from _exchange.pictures import write_png
from tests.databacks.tiny_characters import write_tiny

ITEM = ItemId("own", "cube")
OTHER = ItemId("own", "other")


def names(root: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def scored_pictures(renderset: str, item: ItemId) -> set[str]:
    cameras = (camera.partition("_") for camera in SCORED_CAMERAS)
    return {f"renders/{renderset}/{kind}/{item}/{view}.png" for kind, _, view in cameras}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cubes, drawn."""
    root = tmp_path_factory.mktemp("own")
    for item in (ITEM, OTHER):
        write_tiny(root / "source" / f"{item.idx}.vrm")
    kinds = ("ortho", "rgb60_spin12")
    return prepare(PrepareConfig(source=root / "source", out=root / "data", kinds=kinds, backend="cpu", workers=1)).root


def test_an_own_character_rests_on_its_file_record_pictures_and_the_tables(own: Path) -> None:
    found = names(own, open_dataset(own).files_behind([ITEM]))
    assert found == sorted(found)
    assert set(found) == {
        "subsets/own_all.csv",
        "renders/own/own_meta.json",
        "renders/own/attribution.csv",
        "renders/own/fandom_align_alignment.json",
        f"renders/own/fandom_align/{ITEM}/front.png",
        f"renders/own/_records/{ITEM}.json",
        f"raw/own/{ITEM}.vrm",
        *scored_pictures("own", ITEM),
    }


def test_more_characters_add_their_own_files_and_repeat_no_table(own: Path) -> None:
    dataset = open_dataset(own)
    one, both = (set(dataset.files_behind(items)) for items in ([ITEM], [ITEM, OTHER]))
    added = names(own, sorted(both - one))
    assert len(added) == 3 + len(SCORED_CAMERAS)
    assert all(str(OTHER) in name for name in added)


def test_what_is_missing_is_left_out(own: Path) -> None:
    absent = ItemId("own", "nobody")
    assert open_dataset(own).files_behind([absent]) == open_dataset(own).files_behind([])


def test_a_published_set_rests_on_the_list_of_its_split_and_its_character(tmp_path: Path) -> None:
    item = ItemId("7", "1234567")
    atomic.write_text(tmp_path / "subsets" / "rutileEB_val.csv", f"{item.idx}\n")
    atomic.write_bytes(tmp_path / "raw" / "vroid" / str(item) / f"{item.idx}.vrm", b"a character")
    write_png(tmp_path / "renders" / "rutileE" / "ortho" / str(item) / "front.png", np.zeros((8, 8, 3), np.uint8))
    found = names(tmp_path, Vroid(DatasetLayout(tmp_path), "val").files_behind([item]))
    assert found == [
        f"raw/vroid/{item}/{item.idx}.vrm",
        f"renders/rutileE/ortho/{item}/front.png",
        "subsets/rutileEB_val.csv",
    ]
