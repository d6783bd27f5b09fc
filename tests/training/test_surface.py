"""Questions about triangle surfaces, against solids known by heart and against trimesh."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from _exchange.errors import InputError
from _exchange.mesh import Mesh
from training.surface import enclosed_volume, is_watertight, largest_component, marching_cubes, positions_of_indices

TETRAHEDRON = Mesh(
    np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
)
LAWS = settings(derandomize=True, deadline=None, max_examples=15)


def with_faces(faces: list[list[int]]) -> Mesh:
    return Mesh(TETRAHEDRON.verts, np.array(faces))


def both(first: Mesh, second: Mesh) -> Mesh:
    return Mesh(
        np.concatenate([first.verts, second.verts]), np.concatenate([first.faces, second.faces + len(first.verts)])
    )


def solid(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(shape.vertices), np.asarray(shape.faces))


def test_a_tetrahedron_is_closed_and_holds_a_sixth() -> None:
    assert is_watertight(TETRAHEDRON)
    assert enclosed_volume(TETRAHEDRON) == pytest.approx(1 / 6)


def test_turned_inside_out_it_is_closed_and_holds_minus_a_sixth() -> None:
    inside_out = with_faces(TETRAHEDRON.faces[:, ::-1].tolist())
    assert is_watertight(inside_out)
    assert enclosed_volume(inside_out) == pytest.approx(-1 / 6)


@pytest.mark.parametrize(
    ("what", "faces"),
    [
        ("a missing face", [[0, 2, 1], [0, 1, 3], [0, 3, 2]]),
        ("a face turned over", [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 3, 2]]),
        ("a face twice", [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3], [1, 2, 3]]),
        ("a fin", [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3], [0, 1, 2], [0, 2, 1]]),
        ("an edge for a face", [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3], [1, 1, 2]]),
        ("nothing", np.zeros((0, 3), int).tolist()),
    ],
)
def test_what_is_not_closed(what: str, faces: list[list[int]]) -> None:
    assert not is_watertight(Mesh(TETRAHEDRON.verts, np.array(faces, int).reshape(-1, 3))), what


def test_the_largest_piece_is_that_of_most_area_not_of_most_faces() -> None:
    large, fine = solid(trimesh.creation.box((1, 1, 1))), solid(trimesh.creation.icosphere(3, radius=0.1))
    for mesh in (both(large, fine), both(fine, large)):
        kept = largest_component(mesh)
        assert (len(kept.verts), len(kept.faces)) == (8, 12)
        assert is_watertight(kept)
        assert enclosed_volume(kept) == pytest.approx(1)


def test_of_equal_pieces_the_one_of_the_first_vertex_stays_with_its_colours() -> None:
    twins = both(TETRAHEDRON, Mesh(TETRAHEDRON.verts + 5, TETRAHEDRON.faces))
    colors = np.arange(32, dtype=np.uint8).reshape(8, 4)
    kept = largest_component(Mesh(twins.verts, twins.faces[::-1], colors))
    np.testing.assert_array_equal(kept.verts, TETRAHEDRON.verts)
    np.testing.assert_array_equal(kept.colors, colors[:4])


def test_pieces_need_faces() -> None:
    with pytest.raises(InputError, match="found none"):
        largest_component(Mesh(TETRAHEDRON.verts, np.zeros((0, 3), int)))


@LAWS
@given(st.integers(0, 2**31))
def test_marching_cubes_close_any_volume_with_an_empty_border(seed: int) -> None:
    """Noise has every ambiguous cell; each edge must still belong to two faces, which trimesh confirms."""
    chance = np.random.default_rng(seed)
    volume = np.pad(chance.normal(size=(9, 8, 7)).astype(np.float32), 1, constant_values=-9)
    surface = marching_cubes(volume, 0.0)
    mesh = Mesh(surface.indices, surface.faces)
    assert is_watertight(mesh)
    assert trimesh.Trimesh(mesh.verts, mesh.faces, process=False).is_watertight


def test_metres_of_indices() -> None:
    """Of 8 points, the last has index 7: 0.35 m on the true lattice, an eighth of the box short of it otherwise."""
    ends = np.array([[0, 0, 0], [7, 7, 7]], np.float32)
    np.testing.assert_allclose(positions_of_indices(ends, 8, "true"), [[-0.35] * 3, [0.35] * 3], atol=1e-7)
    np.testing.assert_allclose(positions_of_indices(ends, 8, "sheared"), [[-0.35] * 3, [0.2625] * 3], atol=1e-7)
    np.testing.assert_allclose(positions_of_indices(ends, 8, "true", 1.0), [[-0.5] * 3, [0.5] * 3], atol=1e-7)
