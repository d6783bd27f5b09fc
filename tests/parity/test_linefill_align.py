"""The alignment recorded beside line filling: spec/data.md §6, parity/linefill/README.md."""

from __future__ import annotations

import re

import numpy as np
import pytest

from _databacks.alignment import alignment_matrix, keypoints_through, vertical_jitter
from _databacks.warp import warp
from tests.parity.fixtures import discover

FILES = discover("linefill/align*.npz")


def cases_of(path, *needed):
    """The arrays of each case that has what is needed, without the case's name."""
    arrays = np.load(path, allow_pickle=False)
    cases = sorted({match[1] for name in arrays if (match := re.match(r"(case\d+)/", name))})
    all_of_them = [
        {name.split("/")[1]: arrays[name] for name in arrays if name.startswith(f"{case}/")} for case in cases
    ]
    usable = [case for case in all_of_them if set(needed) <= set(case)]
    if not usable:
        pytest.skip(f"{path.name} has no case with {', '.join(needed)}")
    return usable


@pytest.mark.parametrize("path", FILES)
def test_jitter_is_seeded_by_the_checksum(path):
    for case in cases_of(path, "seed_name", "adler32"):
        first = np.random.RandomState(int(case["adler32"])).standard_normal(3)[0]
        assert vertical_jitter(str(case["seed_name"])) == first


@pytest.mark.parametrize("path", FILES)
def test_matrix(path):
    for case in cases_of(path, "keypoints", "seed_name", "M"):
        ours = alignment_matrix(case["keypoints"], vertical_jitter(str(case["seed_name"])))
        np.testing.assert_allclose(ours, case["M"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", FILES)
def test_keypoints_of_the_aligned_picture(path):
    for case in cases_of(path, "keypoints", "M", "warped_keypoints"):
        ours = keypoints_through(case["M"], case["keypoints"])
        np.testing.assert_allclose(ours, case["warped_keypoints"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", FILES)
def test_warped_picture(path):
    for case in cases_of(path, "rgba", "M", "warped"):
        ours = warp(case["rgba"], case["M"], case["warped"].shape[-1]).transpose(2, 0, 1)
        np.testing.assert_allclose(ours, case["warped"], rtol=0, atol=1e-4)
