"""The miniature datasets of the evaluation fixtures, opened as any dataset root is."""

from __future__ import annotations

import json

import pytest

from _databacks.dataset import open_dataset
from _databacks.index import DatasetIndex
from _databacks.names import PictureName
from _databacks.views import derived_camera
from _exchange.items import Region
from tests.parity.fixtures import measure_files

ROOTS = measure_files("e2e*/_data/lustrous")


@pytest.mark.parametrize("root", ROOTS)
def test_items_in_list_order_with_their_truth(root):
    dataset = open_dataset(root.parents[1])  # the root is found below the folder that holds _data
    folder = root / "renders" / dataset.renderset
    lines = next((root / "subsets").glob(f"{dataset.renderset}*.csv")).read_text().split()
    assert [str(item) for item in dataset.items()] == lines
    alignment = json.loads((folder / "fandom_align_alignment.json").read_text())
    for item in dataset.items():
        truth = dataset.truth(item)
        (row, col), (height, width) = alignment[truth.bn]["area_of_interest"]
        assert truth.region == Region(row, col, height, width)
        assert truth.character.is_file()
        assert all(path.is_file() for path in truth.pictures.values())
    assert {gap.stage for gap in dataset.missing_stages()} <= {"portrait"}


@pytest.mark.parametrize("root", ROOTS)
def test_cameras_derived_from_names_are_the_recorded_ones(root):
    compared = 0
    for name, params in DatasetIndex(root).params.items():
        camera = derived_camera(PictureName.parse(name))
        if camera is not None:
            assert camera.render_params == params, name
            compared += 1
    if not compared:
        pytest.skip(f"{root.parents[1].name} has no view metadata")
