"""Alignment of illustrations: closed forms, and files of both kinds, whole and damaged."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from _databacks.alignment import (
    LANDMARK_GROUPS,
    alignment_matrix,
    identity_alignment,
    keypoints_through,
    read_alignments,
    read_detections,
    write_alignments,
)
from _databacks.layout import SetFolder
from _databacks.warp import aligned_illustration, warp
from _exchange.errors import FormatError, InputError
from _exchange.items import Alignment, ItemId, Region

NAME = "daredemoE/fandom_align/genshin/albedo/front"
ENTRY = {"source": "a/b/c/0000", "transformation": np.eye(3).tolist(), "area_of_interest": [[1, 2.5], [30, 40]]}


def face(seed=0):
    return np.random.default_rng(seed).normal([300, 200, 0.5], [40, 30, 0.1], (28, 3))


# -- the matrix


@pytest.mark.parametrize("jitter", [0.0, 1.0, -0.4])
def test_the_matrix_brings_centre_and_spread_to_their_targets(jitter):
    aligned = keypoints_through(alignment_matrix(face(), jitter), face())[:, :2]
    centre = aligned.mean(axis=0)
    distances = np.sqrt(((aligned - centre) ** 2).sum(axis=1))
    np.testing.assert_allclose(centre, [294.9637145996094 + 8.072593688964844 * jitter, 255.85690307617188], atol=1e-9)
    np.testing.assert_allclose(np.sqrt(((distances - distances.mean()) ** 2).mean()), 13.355611801147461, atol=1e-9)


def test_the_matrix_scales_both_axes_alike_and_never_rotates():
    matrix = alignment_matrix(face())
    assert matrix[0, 0] == matrix[1, 1] > 0
    assert matrix[0, 1] == matrix[1, 0] == 0
    assert matrix[2].tolist() == [0, 0, 1]


def test_scores_are_ignored_and_kept():
    other = face()
    other[:, 2] = 9
    np.testing.assert_array_equal(alignment_matrix(other), alignment_matrix(face()[:, :2]))
    np.testing.assert_array_equal(keypoints_through(alignment_matrix(other), other)[:, 2], 9)


def test_groups_cover_the_28_landmarks_once():
    covered = [index for group in LANDMARK_GROUPS.values() for index in range(28)[group]]
    assert covered == list(range(28))


@pytest.mark.parametrize("points", [np.zeros((28, 3)), np.zeros((27, 3)), np.full((28, 3), np.nan), np.zeros(28)])
def test_points_that_are_no_face_are_refused(points):
    with pytest.raises(InputError, match="28"):
        alignment_matrix(points)


# -- files


def test_alignments_survive_writing(tmp_path):
    folder = SetFolder(tmp_path / "own")
    alignments = {
        ItemId("b", "x"): Alignment("s/1", np.diag([2.0, 2, 1]), Region(0.5, 1, 2, 3), face()),
        ItemId("a", "y"): identity_alignment(Region(0, 0, 512, 512), "s/2"),
    }
    write_alignments(folder, alignments)
    again = read_alignments(folder)
    assert list(again) == [ItemId("a", "y"), ItemId("b", "x")]
    for item, alignment in alignments.items():
        assert (again[item].source, again[item].region) == (alignment.source, alignment.region)
        np.testing.assert_array_equal(again[item].transformation, alignment.transformation)
        np.testing.assert_array_equal(again[item].keypoints, alignment.keypoints)
    assert again[ItemId("a", "y")].keypoints.shape == (0, 3)
    assert "own/fandom_align/a/y/front" in json.loads(folder.alignment_json.read_text())


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_the_original_s_pickle_gives_the_detection_that_was_used(tmp_path, protocol):
    detections = np.stack([face(1), face(2)])
    entry = ENTRY | {
        "transformation": np.diag([0.5, 0.5, 1]),
        "area_of_interest": ((np.float64(1), 2), (30, 40)),
        "_alignment": {"source": {"keypoints": detections, "_detection_used": np.int64(1)}},
    }
    folder = SetFolder(tmp_path)
    folder.alignment_pickle.write_bytes(pickle.dumps({NAME: entry}, protocol))
    alignment = read_alignments(folder)[ItemId("genshin", "albedo")]
    np.testing.assert_array_equal(alignment.keypoints, face(2))
    np.testing.assert_array_equal(alignment.transformation, np.diag([0.5, 0.5, 1]))
    assert alignment.region == Region(1, 2, 30, 40)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    folder = SetFolder(tmp_path)
    folder.alignment_pickle.write_bytes(b"cos\nsystem\n(S'echo'\ntR.")
    with pytest.raises(FormatError, match=r"os\.system"):
        read_alignments(folder)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"transformation": [[1, 0], [0, 1]]}, "transformation"),
        ({"transformation": [[1, 0, 0], [0, 1, 0], ["x", 0, 1]]}, "transformation"),
        ({"area_of_interest": [[0, 0], [0, 5]]}, "area_of_interest"),
        ({"area_of_interest": None}, "area_of_interest"),
        ({"_alignment": {"source": {"keypoints": [[1, 2, 3]], "_detection_used": 0}}}, "_alignment"),
        ({"_alignment": {"source": {"keypoints": [face().tolist()], "_detection_used": 4}}}, "_alignment"),
        ({"_alignment": 3}, "_alignment"),
    ],
)
def test_a_damaged_entry_is_named(tmp_path, change, place):
    folder = SetFolder(tmp_path)
    folder.alignment_json.write_text(json.dumps({NAME: ENTRY | change}))
    with pytest.raises(FormatError, match=f"albedo.*{place}"):
        read_alignments(folder)


@pytest.mark.parametrize("key", ["transformation", "area_of_interest"])
def test_a_missing_key_is_named(tmp_path, key):
    folder = SetFolder(tmp_path)
    folder.alignment_json.write_text(json.dumps({NAME: {k: v for k, v in ENTRY.items() if k != key}}))
    with pytest.raises(FormatError, match=key):
        read_alignments(folder)


def test_no_alignment_file_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="found neither"):
        read_alignments(SetFolder(tmp_path))


def test_detections_are_read_by_source(tmp_path):
    path = tmp_path / "facecrop_fandom.pkl"
    boxes = np.arange(10.0).reshape(2, 5)
    record = {"n_detections": 2, "bbox": boxes, "keypoints": np.stack([face(1), face(2)])}
    path.write_bytes(pickle.dumps({"virtualyoutuber/x/y/0000": record}))
    found = read_detections(path)["virtualyoutuber/x/y/0000"]
    np.testing.assert_array_equal(found.boxes, boxes)
    np.testing.assert_array_equal(found.keypoints[1], face(2))
    path.write_bytes(pickle.dumps({"virtualyoutuber/x/y/0000": {"bbox": boxes, "keypoints": face()[None]}}))
    with pytest.raises(FormatError, match="virtualyoutuber/x/y/0000"):
        read_detections(path)


# -- the warp


def picture(height=6, width=5):
    rgba = np.random.default_rng(3).integers(0, 256, (height, width, 4), dtype=np.uint8)
    rgba[0, 0] = [0, 0, 0, 255]
    return rgba


def on_white(rgba):
    alpha = rgba[..., 3:] / 255
    return rgba[..., :3] / 255 * alpha + 1 - alpha


def moved(rows, cols):
    matrix = np.eye(3)
    matrix[:2, 2] = rows, cols
    return matrix


def test_a_move_by_whole_pixels_copies_and_fills_with_white_and_transparency():
    warped = warp(picture(), moved(2, 1), 10)
    np.testing.assert_allclose(warped[2:8, 1:6, :3], on_white(picture()), atol=0.5 / 255 + 1e-6)  # white in bytes
    np.testing.assert_allclose(warped[2:8, 1:6, 3], picture()[..., 3] / 255, atol=1e-6)
    outside = np.ones((10, 10), bool)
    outside[2:8, 1:6] = False
    assert (warped[outside] == [1, 1, 1, 0]).all()


def test_half_a_pixel_blends_the_border_with_the_fill():
    corner = warp(picture(), moved(0.5, 0), 10)[0, 0]
    np.testing.assert_allclose(corner, [0.5, 0.5, 0.5, 0.5], atol=1e-6)  # black opaque corner against white and clear


def test_rows_move_before_columns():
    alpha = np.zeros((4, 4, 4), np.uint8)
    alpha[1, 2, 3] = 255
    assert np.argwhere(warp(alpha, moved(3, 0), 9)[..., 3] == 1).tolist() == [[4, 2]]


def test_an_illustration_takes_its_mask_as_alpha():
    mask = np.full((512, 512), 77, np.uint8)
    aligned = aligned_illustration(picture(), moved(100, 100), mask)
    assert aligned.shape == (512, 512, 4)
    assert (aligned[..., 3] == 77).all()
    with pytest.raises(InputError, match="mask"):
        aligned_illustration(picture(), moved(0, 0), mask[:5])


def test_a_matrix_without_inverse_is_refused():
    with pytest.raises(InputError, match="inverse"):
        warp(picture(), np.zeros((3, 3)))
