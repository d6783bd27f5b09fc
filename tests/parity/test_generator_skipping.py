"""What the fast engine leaves out by looking ahead, on the fields of the fixtures: empty cells, blocks off the surface.

These fields have details of every size, so that something may be lost; it must stay far below the tolerances.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.parity.generator_cases import Case, assert_mostly, case_parameters, engine, load_case, scale_of
from training.clearing import limit
from training.engine.interface import Field, Rays
from training.engine.occupancy import SigmaGrid, occupancy_of_grid
from training.lattice import lattice_axis

RESOLUTION = 128
"""Points along a side of the grid that tells which cells are empty."""


def _first(case: Case) -> Field:
    field = case.field()
    return replace(field, planes=field.planes[:1])


def _grid(field: Field) -> SigmaGrid:
    axis = lattice_axis(RESOLUTION, field.box_warp)
    return SigmaGrid(engine("fast").sigma_on_grid(field, axis, axis, axis)[0], (axis, axis, axis))


@pytest.mark.parametrize("path", case_parameters())
def test_empty_cells_change_no_picture(path: Path) -> None:
    case = load_case(path)
    case.require_recorded()
    clearing, sampling = case.clearing(), case.sampling()
    opacity = clearing.binarize_clouds or clearing.cull_clouds
    if not 0 < opacity < 1 or sampling.density_noise:
        pytest.skip(f"{path.stem} culls nothing that could be known beforehand")
    field, rays = _first(case), case.rays()
    rays = Rays(rays.origins[:1], rays.directions[:1])
    occupancy = occupancy_of_grid(_grid(field), field.box_warp, limit(opacity))
    draws = case.recorded()
    first = {name: array[: len(array) // len(case.field().planes)] for name, array in draws.arrays.items()}
    whole, skipping = (
        engine("fast").render(field, rays, sampling, rule, type(draws)(first))
        for rule in (clearing, replace(clearing, occupancy=occupancy))
    )
    empty = 1 - float(occupancy.cells.double().mean())
    sys.stdout.write(f"{path.stem}: {empty:.1%} of the cells are empty\n")
    for name in ("features", "opacity", "xyz", "depth"):
        found, reference = getattr(skipping, name), getattr(whole, name)
        assert_mostly(found, reference, 1e-3 * scale_of(reference), share=0.999, mean=1e-5 * scale_of(reference))


@pytest.mark.parametrize("path", case_parameters())
def test_blocks_find_the_surface(path: Path) -> None:
    # The middle of the published lattice, whose blocks are 11 mm wide.
    field = _first(load_case(path))
    axis = lattice_axis(256, field.box_warp)[56:200]
    whole = engine("fast").sigma_on_grid(field, axis, axis, axis)[0]
    near = engine("fast").sigma_near_level(field, axis, axis, axis, 1.0)[0]
    decoded, lost = float((near == whole).double().mean()), int(((near >= 1) != (whole >= 1)).sum())
    sys.stdout.write(f"{path.stem}: {decoded:.1%} of {whole.numel()} points decoded, {lost} on the wrong side\n")
    assert lost <= 3e-4 * whole.numel(), "measured: at most 1.1e-4"
    assert decoded < 1
    assert torch.equal(near.isfinite(), whole.isfinite())
