"""Grids that are decoded only near a surface, against the whole ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import measure

from tests.training.random_fields import BOX, constant_field, random_field
from training.engine.cpu import CpuEngine
from training.engine.cpu_blocks import blocks_near
from training.engine.plain import PlainEngine
from training.lattice import lattice_axis

LEVEL = 1.0
SHAPE = (77, 94, 64)
"""With and without points left over beside whole blocks."""
STEP = BOX / 255
"""That of the published volume."""
FAST = CpuEngine()


def axes() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x, y, z = (torch.arange(count) * STEP - 0.12 for count in SHAPE)
    return x, y, z


def surface(sigma: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    verts, faces, *_ = measure.marching_cubes(sigma.numpy(), LEVEL)
    return verts, faces


@pytest.mark.parametrize("seed", range(6))
def test_the_surface_of_a_smooth_field_is_the_same(seed: int) -> None:
    field = random_field(side=24, seed=seed)
    near = FAST.sigma_near_level(field, *axes(), LEVEL)[0]
    whole = FAST.sigma_on_grid(field, *axes())[0]
    assert torch.equal(near >= LEVEL, whole >= LEVEL)
    assert all(np.array_equal(found, expected) for found, expected in zip(surface(near), surface(whole)))


def test_most_of_a_ball_is_not_decoded() -> None:
    # Steps of 8 mm and a radius of 0.2 m: the shell of blocks beside the sphere and those around it, 64 points each.
    axis = torch.linspace(-0.35, 0.35, 89)
    corners = axis[::4]
    distance = torch.stack(torch.meshgrid(corners, corners, corners, indexing="ij")).norm(dim=0)
    share = blocks_near((1 + 0.2 - distance).numpy(), LEVEL).mean()
    shell = 4 * np.pi * 0.2**2 * 0.7 / 22 / BOX**3
    assert 2 * shell < share < 5 * shell


def test_one_side_everywhere_is_one_side() -> None:
    for sigma in (-3.0, 40.0):
        found = FAST.sigma_near_level(constant_field(sigma), *axes(), LEVEL)
        assert torch.equal(found, torch.full((1, *SHAPE), sigma))


def test_a_block_is_decoded_when_a_neighbour_has_another_side() -> None:
    corners = np.full((9, 9, 9), -1, np.float32)
    corners[4, 4, 4] = 2
    assert np.argwhere(blocks_near(corners, LEVEL)).min() == 2
    assert np.argwhere(blocks_near(corners, LEVEL)).max() == 5
    assert blocks_near(corners, LEVEL).sum() == 4**3


def test_what_is_not_a_number_is_found() -> None:
    corners = np.full((5, 5, 5), -1, np.float32)
    corners[0, 0, 0] = np.nan
    assert blocks_near(corners, LEVEL)[0, 0, 0] == 1


def test_other_engines_look_everywhere() -> None:
    field, axis = random_field(side=8), lattice_axis(6, BOX)
    whole = PlainEngine().sigma_on_grid(field, axis, axis, axis)
    assert torch.equal(PlainEngine().sigma_near_level(field, axis, axis, axis, LEVEL), whole)
