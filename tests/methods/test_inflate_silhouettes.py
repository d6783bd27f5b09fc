"""Inflation of odd silhouettes, and its swelling against closed forms."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from _exchange.errors import InputError
from _exchange.frames import BOX_SIDE
from _methods import registry
from _methods.inflate import Body, body_of_sheet, limited, swelling
from _methods.interface import MethodSettings
from _methods.sheet import Sheet, sheet_of_alpha
from tests.methods.tiny_dataset import method_input

ROWS, COLS = np.mgrid[0:512, 0:512] + 0.5
PIXEL_M = BOX_SIDE / 512


def _alpha(inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return (255 * inside).astype(np.uint8)


def _disc(row: float, col: float, radius: float) -> NDArray[np.bool_]:
    return (ROWS - row) ** 2 + (COLS - col) ** 2 <= radius**2


def _body(inside: NDArray[np.bool_], resolution: int = 128) -> Body:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return body_of_sheet(sheet_of_alpha(_alpha(inside), resolution))


def _surface(body: Body) -> trimesh.Trimesh:
    return trimesh.Trimesh(body.verts, np.concatenate([body.sheets, body.wall]), process=False)


RING = _disc(256, 256, 120) & ~_disc(256, 256, 60)
SHAPES = {
    "ball": (_disc(256, 256, 100), 2),
    "ring": (RING, 0),
    "ring around a ball": (RING | _disc(256, 256, 30), 2),
    "two holes": (_disc(256, 256, 120) & ~_disc(256, 200, 30) & ~_disc(256, 312, 30), -2),
    "two balls": (_disc(150, 150, 60) | _disc(350, 350, 60), 4),
    "frame along all borders": ((np.abs(ROWS - 256) > 216) | (np.abs(COLS - 256) > 216), 0),
    "everything": (np.ones((512, 512), np.bool_), 2),
    "hair line from top to bottom": (np.abs(COLS - 300) < 5, 2),
    "a corner": ((ROWS > 480) & (COLS < 32), 2),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_bodies_are_closed_and_have_the_holes_of_their_silhouette(shape: str) -> None:
    inside, euler_number = SHAPES[shape]
    surface = _surface(_body(inside))
    assert surface.is_watertight
    assert surface.is_winding_consistent
    assert surface.volume > 0
    # A closed surface over a flat region has twice its Euler number: 2 per ball, 0 per ring, −2 with two holes.
    assert surface.euler_number == euler_number
    assert np.abs(surface.vertices).max() <= BOX_SIDE / 2


def test_a_few_opaque_pixels_make_a_small_body() -> None:
    surface = _surface(_body((np.abs(ROWS - 251) < 2) & (np.abs(COLS - 251) < 2), 192))
    assert surface.is_watertight
    assert np.ptp(surface.vertices[:, :2], axis=0).max() < 6 * PIXEL_M
    assert np.ptp(surface.vertices[:, 2]) >= 0.008 - 1e-9, "as thick as a lock of hair"


@pytest.mark.parametrize("name", ["billboard", "inflate"])
def test_a_silhouette_smaller_than_half_a_cell_says_so(name: str) -> None:
    portrait = np.zeros((512, 512, 4), np.uint8)
    portrait[250, 250] = 255
    with pytest.raises(InputError) as caught:
        registry.find(name).load(MethodSettings()).set_item(method_input(portrait))
    assert "half a cell of 2.7 × 2.7 pixels, found 1 that do not" in str(caught.value)
    assert "higher resolution" in caught.value.next_step


def test_a_silhouette_lost_at_a_coarse_resolution_is_refused_there_only() -> None:
    portrait = np.zeros((512, 512, 4), np.uint8)
    portrait[200:210, 200:210] = 255
    method = registry.find("inflate").load(MethodSettings())
    method.set_item(method_input(portrait))
    with pytest.raises(InputError, match=r"64\.0 × 64\.0 pixels, found 100"):
        method.mesh(8)
    assert len(method.mesh(192).faces) > 0


# -- spots beside the body ----------------------------------------------------------------------------------------


def _body_with_spots(seed: int) -> NDArray[np.bool_]:
    """A block with spots of one to three pixels, one to three pixels beside it: nearer than the body's depth goes."""
    random = np.random.default_rng(seed)
    inside = (np.abs(ROWS - 250) < 50) & (np.abs(COLS - 250) < 50)
    for row in range(210, 290, 8):
        gap, height, width = random.integers(1, 4, 3)
        inside[row : row + height, 300 + gap : 300 + gap + width] = True
    return inside


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_spots_beside_the_body_have_a_finite_depth_of_their_own(seed: int) -> None:
    # `_body` turns the solver's warning of a singular matrix into an error.
    body = _body(_body_with_spots(seed), 512)
    assert np.isfinite(body.verts).all()
    spots = body.pixels[:, 1] > 300.9
    assert spots.any()
    assert np.abs(body.verts[spots, 2]).max() < 0.008, "as thin as they are small, however deep the body beside them"


def test_no_vertex_takes_the_colours_of_another_piece() -> None:
    body = _body(_body_with_spots(1), 512)
    spots = body.pixels[:, 1] > 300.9
    assert (body.inner_pixels[spots, 1] > 300.9).all()
    assert (body.inner_pixels[~spots, 1] < 300.9).all()


# -- swelling against closed forms --------------------------------------------------------------------------------


def _at_distance(sheet: Sheet, row: float, col: float) -> NDArray[np.float64]:
    """(V,) metres from a place of the picture."""
    return np.linalg.norm((sheet.pixels - (row, col)) * PIXEL_M, axis=1)


def test_a_square_swells_as_the_series_of_its_torsion_function_says() -> None:
    side = 200
    sheet = sheet_of_alpha(_alpha((np.abs(ROWS - 256) < side / 2) & (np.abs(COLS - 256) < side / 2)), 256)
    odd = np.arange(1, 40, 2)
    # −∇²u = 4 on a square of side a (Timoshenko, torsion of a square bar): u = Σ 16a²/(nπ)³ (−1)^((n−1)/2) (1 − sech).
    signs = (-1.0) ** ((odd - 1) // 2)
    terms = 16 * (side * PIXEL_M) ** 2 / (odd * np.pi) ** 3 * signs * (1 - 1 / np.cosh(odd * np.pi / 2))
    centre = swelling(sheet)[_at_distance(sheet, 256, 256).argmin()]
    assert centre == pytest.approx(np.sqrt(terms.sum()), rel=0.01)


@pytest.mark.parametrize(("row", "col"), [(512, 256), (256, 0), (256, 512)], ids=["below", "left", "right"])
def test_a_disc_that_the_picture_cuts_in_half_swells_as_if_it_went_on(row: float, col: float) -> None:
    sheet = sheet_of_alpha(_alpha(_disc(row, col, 100)), 192)
    at = _at_distance(sheet, row, col)
    inner = at < 90 * PIXEL_M
    expected = np.sqrt((100 * PIXEL_M) ** 2 - at[inner] ** 2)
    assert swelling(sheet)[inner] == pytest.approx(expected, abs=0.002)


def test_at_the_upper_border_the_silhouette_ends() -> None:
    sheet = sheet_of_alpha(_alpha(_disc(0, 256, 100)), 192)
    at_the_border = sheet.pixels[:, 0] < 0.01
    assert at_the_border.any()
    assert (swelling(sheet)[at_the_border] == 0).all()


def test_the_mirrored_silhouette_swells_the_same() -> None:
    inside = _disc(220, 200, 90) | _disc(330, 280, 70)
    volumes = [_surface(_body(shape)).volume for shape in (inside, inside[:, ::-1])]
    # The lattice's diagonals all run one way, which is what is left of a difference.
    assert volumes[0] == pytest.approx(volumes[1], rel=2e-3)


@pytest.mark.parametrize(("y", "front", "back"), [(-0.155, 0.035, 0.045), (-0.33, 0.135, 0.055)], ids=["neck", "chest"])
def test_the_limit_is_the_swelling_where_it_is_small_and_the_profile_where_it_is_large(y, front, back) -> None:
    reach = limited(np.array([0.001, 10.0]), np.array([y, y]))
    assert reach[0] == pytest.approx([0.001, front], rel=1e-6)
    assert reach[1] == pytest.approx([0.001, back], rel=1e-6)


def test_a_large_head_is_deeper_by_half_of_what_it_is_wider() -> None:
    # The profile is made for heads that swell to 0.13 m; the depth of the chest says how it was enlarged.
    for head, size in ((0.13, 1.0), (0.26, 1.5), (0.065, 0.75), (5.0, 2.0)):
        front, _ = limited(np.array([head, 100.0]), np.array([0.1, -0.33]))
        assert front[1] == pytest.approx(0.135 * size, rel=1e-6)


def test_the_limit_grows_with_the_swelling_and_never_leaves_the_cube() -> None:
    heights = np.linspace(-0.35, 0.35, 141)
    reaches = np.array([limited(np.full_like(heights, size), heights) for size in np.linspace(0, 2, 21)])
    assert (np.diff(reaches, axis=0) >= -1e-12).all()
    assert 0.2 < reaches.max() < BOX_SIDE / 2 - 0.004
