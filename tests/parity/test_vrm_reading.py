"""The reader against the original's numbers: concatenated surface, head bone, origin, posed positions.

A `vrm*.npz` names no file; it belongs to the VRM file beside it whose JSON (read here by pygltflib) has as many
positions and triangles. Sources: spec/renderer.md §3, spec/measure.md §6.1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pygltflib
import pytest

from _databacks.vrm import PAPER_POSES, read_document, read_head_mesh, read_true_surface
from _databacks.vrm.paper import posed_primitives
from tests.parity.fixtures import Recorded, arrays_of, measure_files

TOLERANCE_METRES = 1e-5
"""The fixtures' own (README: abs 1e-5); the measured error is 1.2e-7, one step of float32 at 1.5 m."""


def vrm_file_of(fixture: Path, numbers: Recorded) -> Path:
    if not {"verts", "faces"} & set(numbers):
        pytest.skip(f"{fixture.name} has neither verts nor faces to know its VRM file by")
    for path in sorted(fixture.parent.glob("vrm*/*.vrm")):
        gltf = pygltflib.GLTF2.load_binary(str(path))
        primitives = [primitive for mesh in gltf.meshes for primitive in mesh.primitives]
        counts = {
            "verts": sum(gltf.accessors[primitive.attributes.POSITION].count for primitive in primitives),
            "faces": sum(gltf.accessors[primitive.indices].count // 3 for primitive in primitives),
        }
        if all(count == len(numbers[name]) for name, count in counts.items() if name in numbers):
            return path
    pytest.skip(f"{fixture.name}: no VRM file beside it has its numbers of vertices and triangles")


@pytest.mark.parametrize("fixture", measure_files("vrm*.npz"))
@pytest.mark.parametrize("name", ["verts", "faces"])
def test_the_bind_surface_is_the_concatenation_of_all_primitives(fixture: Path, name: str) -> None:
    numbers = arrays_of(fixture)
    surface = read_true_surface(vrm_file_of(fixture, numbers), pose="bind")
    assert surface.verts.dtype == np.float32
    np.testing.assert_array_equal(getattr(surface, name), numbers[name])


@pytest.mark.parametrize("fixture", measure_files("vrm*.npz"))
@pytest.mark.parametrize("shading", ["paper", "corrected"])
@pytest.mark.parametrize(("name", "below_the_origin"), [("loc_origin", 0.0), ("loc_bone_head", 0.1)])
def test_the_origin_is_the_head_bone_and_ten_centimetres(
    fixture: Path, shading: str, name: str, below_the_origin: float
) -> None:
    numbers = arrays_of(fixture)
    mesh = read_head_mesh(vrm_file_of(fixture, numbers), shading=shading)
    ours = mesh.loc_origin - (0, below_the_origin, 0)
    np.testing.assert_allclose(ours, numbers[name], atol=TOLERANCE_METRES, rtol=0)


@pytest.mark.parametrize("fixture", measure_files("vrm*.npz"))
def test_arms_are_posed_as_the_original_poses_them(fixture: Path) -> None:
    numbers = arrays_of(fixture)
    document = read_document(vrm_file_of(fixture, numbers))
    for name in numbers.matching("posed_.*"):
        _, render_set, mesh = name.split("_")
        posed = posed_primitives(document, PAPER_POSES[render_set])
        mine = posed[int(mesh.removeprefix("mesh")), 0].positions
        np.testing.assert_allclose(mine, numbers[name], atol=TOLERANCE_METRES, rtol=0)


@pytest.mark.parametrize("path", measure_files("vrm*/*.vrm"))
def test_both_shadings_read_every_fixture_character(path: Path) -> None:
    for shading in ("paper", "corrected"):
        mesh = read_head_mesh(path, shading=shading)
        assert mesh.triangle_count > 0
        assert mesh.vrm_version == "0.x"


@pytest.mark.parametrize("path", measure_files("vrm*/*.vrm"))
@pytest.mark.parametrize("arms_deg", PAPER_POSES.values())
def test_the_rendered_surface_of_paper_pictures_has_their_arms(path: Path, arms_deg: float) -> None:
    drawn = read_head_mesh(path, shading="paper", paper_pose=arms_deg).surface()
    rendered = read_true_surface(path, pose="rendered", shading="paper", paper_pose=arms_deg).head_model()
    np.testing.assert_array_equal(rendered.verts, drawn.verts)
    np.testing.assert_array_equal(rendered.faces, drawn.faces)
    other = read_true_surface(path, pose="rendered", shading="paper", paper_pose=arms_deg + 10).head_model()
    assert np.abs(other.verts - drawn.verts).max() > 1e-3
