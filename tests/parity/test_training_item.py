"""Training items: spec/training.md §2 against items that the original's loader produced."""

from __future__ import annotations

import json

import numpy as np
import pytest

from _databacks.index import DatasetIndex
from _databacks.names import VROID, PictureName
from _databacks.training_item import nearest_indices, training_item
from _databacks.vroid import vroid_item
from _exchange.camera import camera_from_params, mirrored_label
from _exchange.pictures import write_png
from tests.parity.fixtures import discover

NOT_MADE = ("resnet_", "image_dorthoA")
"""Tagger features come from their own room; nobody can make the auxiliary side pictures."""


@pytest.mark.parametrize("path", discover("training/dataset_item*.npz"))
def test_items_and_their_mirrors(path, tmp_path):
    recorded = np.load(path, allow_pickle=False)
    for key in recorded.files:
        if key.startswith("png/"):
            _, kind, idx, view = key.split("/")
            write_png(tmp_path / "renders" / VROID / kind / idx[-1] / idx / f"{view}.png", recorded[key])
    (tmp_path / "renders" / VROID / f"{VROID}_meta.json").write_text(str(recorded["meta_json"]))
    index = DatasetIndex(tmp_path)
    items = [vroid_item(str(idx)) for idx in recorded["ids"]]
    count = int(recorded["n_items"]) // 2
    for number in recorded["idxs"].tolist():
        item, view = items[number % count // 8], number % count % 8
        bn = str(PictureName(VROID, "rgb", item.franch, item.idx, f"{view:04d}"))
        ours = training_item(index, bn, int(recorded["size"]), mirrored=number >= count)
        flat = {key: value for key, value in ours.items() if key != "condition"}
        flat |= {f"condition/{key}": value for key, value in ours["condition"].items()}
        prefix = f"item{number}/"
        wanted = {key.removeprefix(prefix): recorded[key] for key in recorded.files if key.startswith(prefix)}
        assert set(flat) == {key for key in wanted if not key.split("/")[-1].startswith(NOT_MADE)}
        for key, array in flat.items():
            assert array.dtype == wanted[key].dtype, key
            np.testing.assert_allclose(array, wanted[key], rtol=0, atol=0 if key == "image" else 1e-6, err_msg=key)


@pytest.mark.parametrize("path", discover("training/dataset_item*.npz"))
def test_all_labels_of_the_doubled_set(path):
    recorded = np.load(path, allow_pickle=False)
    meta = json.loads(str(recorded["meta_json"]))
    labels = [
        camera_from_params(meta[f"{VROID}/rgb/{str(idx)[-1]}/{idx}/{view:04d}"]["render_params"]).label()
        for idx in recorded["ids"]
        for view in range(8)
    ]
    doubled = np.stack([*labels, *mirrored_label(np.stack(labels))])
    np.testing.assert_allclose(doubled, recorded["all_labels"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", discover("training/nearest*.npz"))
def test_nearest_neighbour_takes_the_recorded_pixels(path):
    recorded = np.load(path, allow_pickle=False)
    for key in recorded.files:
        stored, wanted = (int(part) for part in key.split("_"))
        np.testing.assert_array_equal(nearest_indices(stored, wanted), recorded[key], err_msg=key)
