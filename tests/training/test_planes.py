"""Plane samples: which axes a plane spans, trilinear values, and the fade at the faces."""

from __future__ import annotations

import pytest
import torch

from training.planes import sample_planes

SIZE, DEPTH, BOX = 16, 4, 0.7


def _ramps() -> torch.Tensor:
    """(1, 3, 3 · D, R, R) planes whose three features are the coordinates of column, row and slice, in [−1, 1]."""
    along, slices = (torch.arange(SIZE) * 2 + 1) / SIZE - 1, (torch.arange(DEPTH) * 2 + 1) / DEPTH - 1
    columns, rows = along.expand(DEPTH, SIZE, SIZE), along[:, None].expand(DEPTH, SIZE, SIZE)
    volume = torch.stack([columns, rows, slices[:, None, None].expand(DEPTH, SIZE, SIZE)])
    return volume.flatten(0, 1)[None, None].expand(1, 3, -1, -1, -1)


@pytest.mark.parametrize(("use_triplane", "last"), [(True, "yzx"), (False, "zxy")])
def test_each_plane_reads_its_own_axes(use_triplane: bool, last: str) -> None:
    point = torch.tensor([0.11, -0.07, 0.2])
    found = sample_planes(_ramps(), point[None, None], BOX, DEPTH, use_triplane)[0, :, 0]
    scaled = dict(zip("xyz", (point * 2 / BOX).tolist()))
    for plane, axes in enumerate(("xyz", "xzy", last)):
        torch.testing.assert_close(found[plane], torch.tensor([scaled[axis] for axis in axes]), rtol=0, atol=1e-6)


def test_planes_of_one_slice_know_no_third_coordinate() -> None:
    planes = torch.randn(1, 3, 2, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    points = torch.tensor([[[0.1, 0.05, -0.3], [0.1, 0.05, 0.3]]])
    found = sample_planes(planes, points, BOX, 1, use_triplane=True)[0, 0]
    assert torch.equal(found[0], found[1])


def test_three_slices_fade_from_two_thirds_to_a_third_outside() -> None:
    planes = torch.ones(1, 3, 3, 64, 64)
    thirds = torch.tensor([0.0, 2 / 3, 1.0, 7 / 6, 4 / 3, 2.0])
    points = torch.stack([torch.zeros(6), torch.zeros(6), thirds * BOX / 2], -1)[None]
    found = sample_planes(planes, points, BOX, 3, use_triplane=True)[0, 0, :, 0]
    torch.testing.assert_close(found, torch.tensor([1, 1, 0.5, 0.25, 0, 0]), rtol=0, atol=1e-6)


def test_points_far_outside_read_nothing() -> None:
    found = sample_planes(_ramps(), torch.full((1, 5, 3), 3.0), BOX, DEPTH, use_triplane=True)
    assert found.shape == (1, 3, 5, 3)
    assert not found.any()
