"""Cells that are known to be empty: where they are, and what leaving them out changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from _exchange.errors import InputError
from tests.training.random_fields import BOX, pinhole_rays, random_field
from torch_utils.determinism import GeneratorDraws
from training.clearing import limit
from training.engine.cpu import CpuEngine
from training.engine.interface import Clearing, Sampling
from training.engine.occupancy import Occupancy, SigmaGrid, occupancy_of_grid
from training.engine.plain import PlainEngine
from training.lattice import lattice_axis

SAMPLING = Sampling(0.5, 1.5, 48, 48, white_back=True)
CLEARING = Clearing(triplane_crop=0.1, cull_clouds=0.5)


def grid_of(field, resolution: int) -> SigmaGrid:
    axis = lattice_axis(resolution, BOX)
    return SigmaGrid(CpuEngine().sigma_on_grid(field, axis, axis, axis)[0], (axis, axis, axis))


def test_a_solid_point_occupies_its_cell_and_those_around() -> None:
    axis = lattice_axis(21, BOX)
    sigma = torch.full((21, 21, 21), -5.0)
    sigma[11, 3, 19] = 1.0  # steps of 1/20 of the side: in cells 5, 1 and 9 of ten
    cells = occupancy_of_grid(SigmaGrid(sigma, (axis, axis, axis)), BOX, limit(0.5), 10).cells
    assert torch.equal(cells.nonzero().amin(0), torch.tensor([4, 0, 8]))
    assert torch.equal(cells.nonzero().amax(0), torch.tensor([6, 2, 9]))
    assert int(cells.sum()) == 3 * 3 * 2


def test_cells_that_no_grid_point_is_near_may_hold_anything() -> None:
    half, whole = lattice_axis(21, BOX)[:11], lattice_axis(21, BOX)
    grid = SigmaGrid(torch.full((11, 21, 21), -5.0), (half, whole, whole))
    cells = occupancy_of_grid(grid, BOX, 1.0, 10).cells
    assert not cells[:6].any(), "grid points reach to the middle, the border of cells 4 and 5"
    assert cells[7:].all()


def test_points_find_their_cells() -> None:
    cells = torch.ones(2, 2, 2, dtype=torch.bool)
    cells[1, 0, 1] = False
    points = torch.tensor([[0.1, -0.1, 0.1], [-0.1, -0.1, 0.1], [0.1, 0.1, 0.1], [0.36, -0.1, 0.1], [torch.nan, 0, 0]])
    assert Occupancy(cells).knows_empty(points, BOX)[:, 0].tolist() == [True, False, False, False, False]


def test_both_engines_empty_the_same_samples() -> None:
    # Every other cell, whatever it holds: what rays see changes, and it must change alike.
    odd = torch.arange(6)
    cells = (odd[:, None, None] + odd[:, None] + odd) % 2 == 0
    field, rays = random_field(batch=2), pinhole_rays(14, 0.0, 120.0)
    for clearing in (CLEARING, Clearing(), Clearing(binarize_clouds=0.5)):
        checkered = replace(clearing, occupancy=Occupancy(cells))
        fast, plain, whole = (
            engine.render(field, rays, SAMPLING, rule, GeneratorDraws.seeded(1))
            for engine, rule in ((CpuEngine(), checkered), (PlainEngine(), checkered), (CpuEngine(), clearing))
        )
        difference = (fast.features - plain.features).abs()
        assert float((difference <= 1e-4).double().mean()) >= 0.995
        assert float(difference.mean()) < 5e-6
        assert float((fast.features - whole.features).abs().mean()) > 1e-2


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("resolution", [64, 128])
def test_pictures_of_smooth_fields_do_not_change(seed: int, resolution: int) -> None:
    field, rays = random_field(seed=seed, spread=50.0), pinhole_rays(24, 35.0 * seed)
    occupancy = occupancy_of_grid(grid_of(field, resolution), BOX, limit(CLEARING.cull_clouds))
    assert not occupancy.cells.all()
    engine = CpuEngine()
    whole, skipping = (
        engine.render(field, rays, SAMPLING, clearing, GeneratorDraws.seeded(2))
        for clearing in (CLEARING, replace(CLEARING, occupancy=occupancy))
    )
    for name in ("features", "opacity", "xyz", "depth"):
        assert torch.equal(getattr(whole, name), getattr(skipping, name)), name


def test_a_grid_has_the_sizes_of_its_axes() -> None:
    axis = lattice_axis(4, BOX)
    with pytest.raises(InputError, match=r"\(4, 4, 4\)"):
        occupancy_of_grid(SigmaGrid(torch.zeros(4, 4, 5), (axis, axis, axis)), BOX, 1.0)
