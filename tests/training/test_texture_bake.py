"""Textured surfaces: the layout keeps the surface, texels have the field's colours, other readers see the same."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import torch
import trimesh
from PIL import Image
from scipy.ndimage import map_coordinates
from torch import Tensor

from _databacks.vrm.extract import read_head_mesh
from _exchange.errors import InputError, MissingComponent, SuiteError
from _exchange.mesh import Mesh
from _exchange.protocol import CORRECTED
from tests.training.closed_form_fields import ClosedFormEngine, any_field, ball
from training.surface import is_watertight
from training.texel_faces import REACH_TEXELS, texel_faces
from training.texture_bake import Layout, TexturedMesh, bake, textured, unwrap
from training.volume import Export, mesh_of_field

SIZE = 128


def stripes(points: Tensor) -> Tensor:
    """Smooth colours that differ everywhere: waves of 0.2 m."""
    return 0.5 + 0.45 * torch.sin(points * 31 + torch.tensor([0.0, 1.0, 2.0]))


@pytest.fixture(scope="module")
def engine() -> ClosedFormEngine:
    return ClosedFormEngine(ball((0.02, 0.01, -0.03), 0.2, 1e4), stripes)


@pytest.fixture(scope="module")
def surface(engine: ClosedFormEngine) -> Mesh:
    return mesh_of_field(engine, any_field(), Export.of({}, 24, CORRECTED))


@pytest.fixture(scope="module")
def result(engine: ClosedFormEngine, surface: Mesh) -> TexturedMesh:
    return textured(engine, any_field(), surface, SIZE)


def seen(pixels: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Bilinear texture look-up as glTF defines it: (N, 3) of (N, 2)."""
    height, width = pixels.shape[:2]
    places = [uv[:, 1] * height - 0.5, uv[:, 0] * width - 0.5]
    return np.stack(
        [map_coordinates(pixels[..., c].astype(float), places, order=1, mode="nearest") for c in range(3)], 1
    )


def test_cutting_keeps_every_face_where_it_was(surface: Mesh) -> None:
    layout = unwrap(surface, SIZE)
    np.testing.assert_array_equal(layout.source[layout.faces], surface.faces)
    assert (layout.uv.min(), layout.uv.max()) >= (0, 0)
    assert layout.uv.max() <= 1


def test_no_two_faces_share_a_texel(surface: Mesh) -> None:
    """Each face's area in texels, summed, is what is covered: at most one face for each centre."""
    layout = unwrap(surface, SIZE)
    a, b, c = np.moveaxis(layout.uv[layout.faces] * [layout.width, layout.height], 1, 0)
    area = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum() / 2
    found = texel_faces(layout.uv, layout.faces, layout.width, layout.height)
    assert (found.distance == 0).sum() == pytest.approx(area, rel=0.05)
    assert area > 0.3 * layout.width * layout.height


def test_texels_covered_by_a_triangle_worked_by_hand() -> None:
    """Corners (0, 0), (4, 0), (0, 4) in a 4 × 4 picture: centres with x + y ≤ 4, on the long edge too. The next
    diagonal is 1/√2 away from it, the one after that √2."""
    found = texel_faces(np.array([[0, 0], [1, 0], [0, 1]], np.float32), np.array([[0, 1, 2]]), 4, 4)
    assert found.face.tolist() == [[0] * 4] * 3 + [[0, 0, 0, -1]]
    row, col = np.mgrid[:4, :4]
    expected = np.maximum(row + col - 3, 0) / np.sqrt(2)
    expected[3, 3] = np.inf
    np.testing.assert_allclose(found.distance, expected, atol=1e-12)
    np.testing.assert_allclose(found.weights[0, 1], [0.5, 0.375, 0.125])  # centre (1.5, 0.5)
    np.testing.assert_allclose(found.weights[3, 2], [0, 0.375, 0.625], atol=1e-12)  # (2.5, 3.5) → (1.5, 2.5)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_the_nearest_face_wins_and_nearest_points_are_those_of_a_fine_search(order: list[int]) -> None:
    chance = np.random.default_rng(5)
    uv = chance.random((12, 2)).astype(np.float32)
    faces = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]])[:, order]
    found = texel_faces(uv, faces, 13, 9)
    share = np.linspace(0, 1, 201)
    a, b = (grid.ravel() for grid in np.meshgrid(share, share))
    weights = np.stack([a, b, 1 - a - b], 1)[a + b <= 1 + 1e-12]
    points = np.einsum("nk,fkd->fnd", weights, uv[faces].astype(float) * (13, 9) - 0.5)
    for row, col in np.ndindex(9, 13):
        distance = np.hypot(points[..., 0] - col, points[..., 1] - row).min(1)
        if found.face[row, col] < 0:
            assert distance.min() > REACH_TEXELS
            continue
        # the search is a two-hundredth of an edge of up to 13 texels coarse
        assert found.distance[row, col] == pytest.approx(distance.min(), abs=0.1)
        assert distance[found.face[row, col]] == pytest.approx(distance.min(), abs=0.1)


def test_the_texture_shows_the_field_all_over_the_surface(result: TexturedMesh) -> None:
    """At random points inside faces, cuts included: seen 4.8 and on average 0.3 of 255.

    Beside a cut, texels take the nearest point of a face, up to 1.5 texels of 8 mm away, where colours rise by at most
    14 per metre; a texel of another chart would be off by up to 200.
    """
    chance = np.random.default_rng(0)
    faces = chance.integers(0, len(result.mesh.faces), 20_000)
    weights = chance.dirichlet([1, 1, 1], len(faces))
    corners = result.mesh.faces[faces]
    points = (weights[..., None] * result.mesh.verts[corners]).sum(1)
    uv = (weights[..., None] * result.uv[corners]).sum(1)
    expected = stripes(torch.from_numpy(points)).numpy() * 255
    difference = np.abs(seen(result.texture.pixels, uv) - expected)
    assert difference.max() < 10
    assert difference.mean() < 0.5


def test_hidden_texels_repeat_the_nearest_shown_one(engine: ClosedFormEngine) -> None:
    uv = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75]], np.float32)
    layout = Layout(np.arange(3), np.array([[0, 1, 2]]), uv, 16, 16)
    verts = np.array([[-0.2, -0.2, 0], [0.2, -0.2, 0], [-0.2, 0.2, 0]], np.float32)
    picture = bake(engine, any_field(), Mesh(verts, layout.faces), layout)
    assert (picture[..., 3] == 255).all()
    shown = np.argwhere(texel_faces(uv, layout.faces, 16, 16).face >= 0)
    for place in np.ndindex(16, 16):
        distance = np.hypot(*(shown - place).T)
        nearest = shown[distance <= distance.min() + 1e-9]
        assert (picture[place] == picture[tuple(nearest.T)]).all(1).any(), place


def test_both_sides_of_a_cut_have_one_normal_that_looks_out(surface: Mesh, result: TexturedMesh) -> None:
    outwards = result.mesh.verts - np.array([0.02, 0.01, -0.03], np.float32)
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    assert (result.normals * outwards).sum(1).min() > 0.99
    source = unwrap(surface, SIZE).source
    order = np.argsort(source, kind="stable")
    twins = np.flatnonzero(np.diff(source[order]) == 0)
    assert len(twins)
    np.testing.assert_array_equal(result.normals[order][twins], result.normals[order][twins + 1])


def test_where_faces_cancel_out_normals_still_have_unit_length(engine: ClosedFormEngine) -> None:
    """A leaf with two faces back to back."""
    verts = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], np.float32)
    leaf = textured(engine, any_field(), Mesh(verts, np.array([[0, 1, 2], [0, 2, 1]])), 16)
    np.testing.assert_allclose(np.linalg.norm(leaf.normals, axis=1), 1)


# -- files ------------------------------------------------------------------------------------------------------


def test_pygltflib_reads_the_surface_and_the_picture(result: TexturedMesh, tmp_path: Path) -> None:
    result.write_glb(tmp_path / "mesh.glb")
    gltf = pygltflib.GLTF2().load_binary(str(tmp_path / "mesh.glb"))
    primitive = gltf.meshes[0].primitives[0]
    material = gltf.materials[primitive.material]
    assert "KHR_materials_unlit" in material.extensions
    texture = gltf.textures[material.pbrMetallicRoughness.baseColorTexture.index]
    assert (gltf.samplers[texture.sampler].wrapS, gltf.samplers[texture.sampler].wrapT) == (33071, 33071)
    view = gltf.bufferViews[gltf.images[texture.source].bufferView]
    encoded = gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(encoded))), result.texture.pixels)
    counts = {name: gltf.accessors[getattr(primitive.attributes, name)].count for name in ("POSITION", "NORMAL")}
    assert counts == dict.fromkeys(counts, len(result.mesh.verts))


def test_trimesh_sees_the_field_through_its_own_coordinates(result: TexturedMesh) -> None:
    scene = trimesh.load(io.BytesIO(result.glb()), file_type="glb", process=False)
    (read,) = scene.geometry.values()
    np.testing.assert_array_equal(read.vertices.astype(np.float32), result.mesh.verts)
    np.testing.assert_array_equal(read.faces, result.mesh.faces)
    np.testing.assert_allclose(read.vertex_normals, result.normals, atol=1e-6)
    # trimesh counts v upwards
    uv = np.stack([read.visual.uv[:, 0], 1 - read.visual.uv[:, 1]], 1)
    pixels = np.array(read.visual.material.baseColorTexture.convert("RGB"))
    expected = stripes(torch.from_numpy(read.vertices)).numpy() * 255
    assert np.abs(seen(pixels, uv) - expected).mean() < 5


def test_our_own_reader_sees_the_same(result: TexturedMesh, tmp_path: Path) -> None:
    result.write_glb(tmp_path / "mesh.glb")
    (part,) = read_head_mesh(tmp_path / "mesh.glb", shading="corrected", head_position=(0, 0, 0)).parts
    np.testing.assert_array_equal(part.uv, result.uv)
    assert part.material.texture is not None
    np.testing.assert_array_equal(part.material.texture.pixels, result.texture.pixels)


def test_welded_again_the_surface_is_closed(surface: Mesh, result: TexturedMesh) -> None:
    assert is_watertight(surface)
    _, welded = np.unique(result.mesh.verts, axis=0, return_inverse=True)
    count = int(welded.max()) + 1
    assert count == len(surface.verts)
    assert is_watertight(Mesh(np.zeros((count, 3)), welded.reshape(-1)[result.mesh.faces]))


def test_the_same_bytes_in_another_process(result: TexturedMesh) -> None:
    program = (
        "import hashlib, sys\n"
        "from tests.training.test_texture_bake import *\n"
        "engine = ClosedFormEngine(ball((0.02, 0.01, -0.03), 0.2, 1e4), stripes)\n"
        "mesh = mesh_of_field(engine, any_field(), Export.of({}, 24, CORRECTED))\n"
        "sys.stdout.buffer.write(textured(engine, any_field(), mesh, SIZE).glb())"
    )
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=repository)
    assert done.stdout == result.glb()


# -- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 15, 8193])
def test_sizes_out_of_range_are_refused(surface: Mesh, size: int) -> None:
    with pytest.raises(InputError, match=f"between 16 and 8192, found {size}"):
        unwrap(surface, size)


def test_a_mesh_without_faces_is_refused(surface: Mesh) -> None:
    with pytest.raises(InputError, match="found none"):
        unwrap(Mesh(surface.verts, surface.faces[:0]), SIZE)


def test_running_out_of_memory_names_the_texture_size(surface: Mesh) -> None:
    def too_much(points: Tensor) -> Tensor:
        raise MemoryError

    with pytest.raises(SuiteError, match=r"Expected enough memory .* Lower the texture size\."):
        textured(ClosedFormEngine(ball((0, 0, 0), 0.2, 1e4), too_much), any_field(), surface, 16)


def test_without_xatlas_the_command_that_brings_it(surface: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xatlas", None)
    with pytest.raises(MissingComponent, match="pip install xatlas"):
        unwrap(surface, SIZE)
