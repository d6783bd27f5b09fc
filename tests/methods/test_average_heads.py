"""The average head: what fills a cell, and the committed asset made of a hundred characters."""

from __future__ import annotations

import numpy as np
import pytest

from _databacks.characters import GENERATOR_VERSION, SAMPLE_SEEDS
from _exchange.errors import FormatError, InputError
from _exchange.mesh import Mesh
from _methods.average_heads import ASSET, VIEWS, average_heads, filled_cells, read_average, write_average
from _methods.mean_head import mean_surface
from _render.scene_cpu import CpuRenderer


def _box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Mesh:
    """An axis-aligned box in `head_world`; pictures show both sides of faces, so their turn does not matter."""
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    quads = [(0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5)]
    faces = [triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))]
    return Mesh(corners, np.array(faces))


def test_a_box_fills_exactly_the_cells_whose_centres_it_holds():
    low, high = (-0.12, -0.21, -0.05), (0.21, 0.07, 0.28)  # unlike in all six, so that a flipped axis shows
    cells = 28  # cells of 25 mm, centres at odd multiples of 12.5 mm: none on a face of the box
    filled = filled_cells(CpuRenderer().load_colored_mesh(_box(low, high)), cells)
    centres = -0.35 + 0.025 * (np.arange(cells) + 0.5)
    inside = [(centres > a) & (centres < b) for a, b in zip(low, high)]
    expected = inside[0][:, None, None] & inside[1][None, :, None] & inside[2][None, None, :]
    assert (filled == expected).all()


@pytest.fixture(scope="module")
def average():
    return read_average(ASSET)


def test_the_asset_is_small_and_names_its_generator(average):
    assert ASSET.stat().st_size < 1_000_000
    assert average.generator_version == GENERATOR_VERSION, "remake it: python3 -m _methods.average_heads"


def test_the_asset_averages_a_hundred_heads_outside_the_sample_set(average):
    assert len(set(average.seeds.tolist())) == 100
    assert not set(average.seeds.tolist()) & set(SAMPLE_SEEDS)
    assert average.filled.max() == 100
    assert int(average.filled.sum(dtype=np.int64)) == int(average.cells_filled.sum())


def test_heads_made_again_are_those_of_the_asset(average):
    again = average_heads([int(seed) for seed in average.seeds[:2]], cells=len(average.filled))
    # Equal on one machine; cells at the very surface may change sides with another processor's rounding.
    assert again.cells_filled == pytest.approx(average.cells_filled[:2], rel=1e-3), (
        "the generator draws other heads: raise its version and run python3 -m _methods.average_heads"
    )
    # What both of two heads fill, nearly all of a hundred fill somewhere: no cell of theirs is unknown to the asset.
    assert (average.filled[again.filled == 2] >= 2).all()


def test_the_average_is_symmetric_as_heads_are(average):
    share = average.filled / 100
    # Hair styles lean to one side; averaged over a hundred they stay below a tenth of the volume.
    assert np.abs(share - share[::-1]).sum() < 0.1 * share.sum()


def test_the_mean_surface_holds_the_cells_that_at_least_half_fill(average):
    import trimesh

    mesh = mean_surface(average, 64)
    surface = trimesh.Trimesh(mesh.verts, mesh.faces, process=False)
    cell_volume = (0.7 / len(average.filled)) ** 3
    half_filled = (average.filled >= 50).sum() * cell_volume
    # Smoothing over one cell and the cut at the cube's floor change little.
    assert surface.volume == pytest.approx(half_filled, rel=0.03)


def test_an_average_is_read_as_it_was_written(tmp_path):
    made = average_heads([1500], cells=16)
    write_average(made, tmp_path / "a.npz")
    found = read_average(tmp_path / "a.npz")
    assert (found.filled == made.filled).all()
    assert found.seeds.tolist() == [1500]
    assert all((found.pictures[view] == made.pictures[view]).all() for view in VIEWS)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"not an archive"])
def test_a_damaged_average_is_refused_with_its_name(tmp_path, content):
    path = tmp_path / "mean.npz"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"mean\.npz.*average head"):
        read_average(path)


@pytest.mark.parametrize("count", [0, 256])
def test_an_average_of_no_or_too_many_heads_is_refused(count):
    with pytest.raises(InputError, match=f"found {count}"):
        average_heads(range(count))
