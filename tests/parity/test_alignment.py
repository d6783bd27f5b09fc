"""Alignment of illustrations: spec/data.md §6 against recorded matrices, keypoints and warps."""

from __future__ import annotations

import numpy as np
import pytest

from _databacks.alignment import alignment_matrix, keypoints_through, read_alignments, vertical_jitter
from _databacks.layout import SetFolder
from _databacks.warp import warp
from tests.parity.fixtures import arrays_of, measure_files

FIXTURES = measure_files("alignment*.npz")


@pytest.mark.parametrize("path", FIXTURES)
def test_matrix_with_its_jitter(path):
    recorded = arrays_of(path)
    rows = zip(recorded["keypoints"], recorded["detection_used"], recorded["names"], recorded["matrices"])
    for detections, used, name, matrix in rows:
        ours = alignment_matrix(detections[used], vertical_jitter(str(name)))
        np.testing.assert_allclose(ours, matrix, rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", FIXTURES)
def test_keypoints_through_the_matrix(path):
    recorded = arrays_of(path)
    rows = zip(recorded["keypoints"], recorded["detection_used"], recorded["matrices"], recorded["keypoints_aligned"])
    for detections, used, matrix, aligned in rows:
        np.testing.assert_allclose(keypoints_through(matrix, detections[used])[None], aligned, rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", FIXTURES)
def test_warp(path):
    recorded = arrays_of(path)
    source = recorded["warp_input_rgba"]
    for matrix, picture in zip(recorded["warp_matrices"], recorded["warp_output_rgba"]):
        ours = warp(source, matrix, picture.shape[-1]).transpose(2, 0, 1)
        np.testing.assert_allclose(ours, picture, rtol=0, atol=4e-3)


@pytest.mark.parametrize("path", measure_files("e2e*/**/fandom_align_alignment.json"))
def test_json_and_pickle_of_one_dataset_agree(path, tmp_path):
    from_json = read_alignments(SetFolder(path.parent))
    pickled = path.with_suffix(".pkl")
    if not pickled.exists():
        pytest.skip(f"{path.parent.parent.name} has no pickle")
    (tmp_path / pickled.name).write_bytes(pickled.read_bytes())
    from_pickle = read_alignments(SetFolder(tmp_path))
    assert from_json.keys() == from_pickle.keys()
    for item, alignment in from_json.items():
        other = from_pickle[item]
        assert (alignment.source, alignment.region) == (other.source, other.region)
        np.testing.assert_array_equal(alignment.transformation, other.transformation)
        np.testing.assert_array_equal(alignment.keypoints, other.keypoints)
