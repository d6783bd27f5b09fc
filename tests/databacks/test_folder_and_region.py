"""Which files of a user's folder become characters, under which names, and what is looked at."""

from __future__ import annotations

import os

import numpy as np
import pytest

from _databacks.folder import characters_below
from _databacks.region import region_of_head
from _exchange.errors import InputError
from _exchange.items import Region


def touch(root, *files):
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def names(root, **options):
    return [str(character.item) for character in characters_below(root, **options)[0]]


def test_groups_are_the_names_of_the_folders_that_hold_the_files(tmp_path):
    touch(tmp_path, "b.vrm", "a.glb", "deep/er/c.vrm", "__hidden/d.VRM", "___/e.vrm", "readme.txt", "f.vrm.zip")
    assert names(tmp_path) == ["er/c", "hidden/d", "own/a", "own/b", "own/e"]


def test_dots_and_spaces_stay_in_names(tmp_path):
    touch(tmp_path, "my set/inugami korone_v1.03.vrm")
    assert names(tmp_path) == ["my set/inugami korone_v1.03"]


def test_the_second_file_of_a_name_is_skipped_with_the_first_one_named(tmp_path):
    touch(tmp_path, "one/set/a.vrm", "two/set/a.vrm", "two/set/b.vrm")
    characters, (problem,) = characters_below(tmp_path)
    assert [character.file for character in characters] == ["one/set/a.vrm", "two/set/b.vrm"]
    assert (problem.status, problem.item, problem.file) == ("skipped", "set/a", "two/set/a.vrm")
    assert "one/set/a.vrm" in problem.reason


def test_copies_in_the_dataset_that_is_written_are_not_read(tmp_path):
    touch(tmp_path, "a.vrm", "out/raw/own/own/b.vrm", "out/source/c.vrm")
    assert names(tmp_path, leave_out=(tmp_path / "out/raw",)) == ["own/a", "source/c"]


def test_names_that_no_list_can_hold_are_skipped_with_a_sentence(tmp_path):
    touch(tmp_path, "line\nbreak.vrm", "good.vrm")
    with open(os.fsencode(tmp_path) + b"/\xff.vrm", "wb"):
        characters, problems = characters_below(tmp_path)
    assert [str(character.item) for character in characters] == ["own/good"]
    assert {problem.status for problem in problems} == {"skipped"}
    assert len(problems) == 2


def test_folders_named_like_characters_are_not_characters(tmp_path):
    (tmp_path / "folder.vrm").mkdir()
    assert names(tmp_path) == []


def test_no_folder_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        characters_below(tmp_path / "absent")


# -- the region of interest


def picture(*boxes):
    """A 512² picture that is opaque in boxes (first row, first column, end row, end column)."""
    rgba = np.zeros((512, 512, 4), np.uint8)
    for top, left, bottom, right in boxes:
        rgba[top:bottom, left:right, 3] = 128
    return rgba


def test_the_region_is_the_bounding_box_grown_by_eight():
    assert region_of_head(picture((100, 200, 150, 300)), -0.2) == Region(92, 192, 66, 116)


def test_what_lies_below_the_neck_does_not_count():
    # the neck at y = 0 is the edge between rows 255 and 256
    assert region_of_head(picture((100, 200, 400, 300), (300, 0, 400, 512)), 0.0) == Region(92, 192, 172, 116)


def test_the_region_is_clipped_to_the_picture():
    assert region_of_head(picture((0, 3, 511, 512)), -0.35) == Region(0, 0, 512, 512)


def test_faint_pixels_do_not_count_and_an_empty_head_is_refused():
    faint = picture((100, 200, 150, 300))
    faint[..., 3] = np.minimum(faint[..., 3], 127)
    with pytest.raises(InputError, match="above its neck"):
        region_of_head(faint, -0.2)
    with pytest.raises(InputError, match="above its neck"):
        region_of_head(picture((300, 0, 400, 512)), 0.0)
