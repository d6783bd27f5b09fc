"""Geometry buffers, coloured meshes, normals, clipping and the choice of a back end."""

from __future__ import annotations

import gc

import moderngl
import numpy as np
import pytest

from _exchange.camera import CAM60, ORTHO, Camera
from _exchange.errors import InputError, MissingComponent
from _exchange.mesh import Mesh
from _render.choose import renderer
from _render.clipping import clip_triangles
from _render.normals import smooth_normals
from _render.rasterise_egl import EglRenderer
from tests.render.shapes import FRONT, FRONT_PERSPECTIVE, back_end, character, colored, egl_or_skip, square

RED, GREEN = (255, 0, 0, 255), (0, 255, 0, 255)


def _sphere(radius: float = 0.2, rings: int = 24) -> Mesh:
    """A closed sphere in `head_world`, counter-clockwise from outside."""
    theta, phi = np.meshgrid(np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings + 1), indexing="ij")
    points = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta), -np.sin(theta) * np.sin(phi)], -1).reshape(-1, 3)
    row = 2 * rings + 1
    faces = []
    for ring in range(rings):
        for step in range(2 * rings):
            a = ring * row + step
            faces += [(a, a + row, a + 1), (a + 1, a + row, a + row + 1)]
    return Mesh(points * radius, np.array(faces, np.int32))


# -- geometry buffers -------------------------------------------------------------------------------------------


def test_buffers_name_part_and_triangle():
    head_mesh = character(square(colored(*RED), half=0.2, z=0.1), square(colored(*GREEN), half=0.1))
    buffers = renderer("cpu").load(head_mesh, "corrected").geometry_buffers(FRONT, 64)
    assert buffers.part[32, 32] == 1
    assert buffers.part[32, 15] == 0
    assert buffers.part[2, 2] == -1
    assert buffers.face[2, 2] == -1
    assert set(np.unique(buffers.face)) == {-1, 0, 1}
    # `square` is cut along the diagonal from its top left to its bottom right corner in the picture
    assert buffers.face[20, 44] == 1
    assert buffers.face[44, 20] == 0


def test_buffer_parts_count_in_the_characters_list_also_when_draws_are_sorted():
    head_mesh = character(square(colored(*RED, alpha_mode="MASK"), half=0.1), square(colored(*GREEN), half=0.2, z=0.1))
    buffers = renderer("cpu").load(head_mesh, "corrected").geometry_buffers(FRONT, 64)
    assert buffers.part[32, 32] == 0
    assert buffers.part[32, 15] == 1


@pytest.mark.parametrize("camera", [FRONT, FRONT_PERSPECTIVE, CAM60[17]])
def test_depth_is_the_distance_along_the_view(camera):
    head_mesh = character(square(colored(*RED), half=0.3, z=0.1))
    buffers = renderer("cpu").load(head_mesh, "corrected").geometry_buffers(camera, 32)
    shown = buffers.part >= 0
    assert np.isinf(buffers.depth[~shown]).all()
    pose = camera.head_world_from_opencv()
    world = buffers.position[shown] * [-1, 1, -1]
    np.testing.assert_allclose(buffers.depth[shown], (world - pose[:3, 3]) @ pose[:3, 2], atol=1e-5)
    np.testing.assert_allclose(buffers.position[shown][:, 2], 0.1, atol=1e-6)


def test_uv_buffer_holds_texture_coordinates():
    buffers = renderer("cpu").load(character(square(colored(*RED), half=0.35)), "corrected").geometry_buffers(FRONT, 16)
    np.testing.assert_allclose(buffers.uv[..., 0], np.broadcast_to((np.arange(16) + 0.5) / 16, (16, 16)), atol=1e-6)
    np.testing.assert_allclose(buffers.uv[..., 1].T, np.broadcast_to((np.arange(16) + 0.5) / 16, (16, 16)), atol=1e-6)


def test_normals_of_a_sphere_point_outwards_in_head_world():
    sphere = _sphere()
    buffers = renderer("cpu").load_colored_mesh(sphere).geometry_buffers(CAM60[17], 64)
    shown = buffers.part >= 0
    outwards = buffers.position[shown] * [-1, 1, -1] / 0.2
    cosine = (buffers.normal[shown] * outwards).sum(axis=1)
    assert shown.sum() > 500
    assert cosine.min() > 0.98


def test_normals_are_turned_towards_the_camera_on_both_sides_of_a_sheet():
    scene = renderer("cpu").load(character(square(colored(*RED))), "corrected")
    np.testing.assert_allclose(scene.geometry_buffers(ORTHO["front"], 8).normal[4, 4], [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(scene.geometry_buffers(ORTHO["back"], 8).normal[4, 4], [0, 0, -1], atol=1e-6)


def test_buffers_survive_clipping_at_the_near_plane():
    close = Camera(0.0, 0.0, dist=0.55)
    scene = renderer("cpu").load_colored_mesh(_sphere())
    buffers = scene.geometry_buffers(close, 64)
    shown = buffers.part >= 0
    assert buffers.depth[shown].min() >= 0.5 - 1e-5
    np.testing.assert_allclose(np.linalg.norm(buffers.position[shown], axis=1), 0.2, atol=2e-3)  # chords of the sphere


def test_buffers_of_an_empty_character():
    buffers = renderer("cpu").load(character(), "corrected").geometry_buffers(FRONT, 8)
    assert (buffers.part == -1).all()
    assert np.isinf(buffers.depth).all()


# -- coloured meshes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["cpu", "egl"])
def test_vertex_colours_are_interpolated_and_both_faces_drawn(backend):
    verts = np.array([(-0.2, -0.2, 0.0), (0.2, -0.2, 0.0), (0.2, 0.2, 0.0), (-0.2, 0.2, 0.0)])
    colors = np.array([(0, 0, 0, 255), (255, 0, 0, 255), (255, 255, 0, 255), (0, 255, 0, 255)], np.uint8)
    scene = back_end(backend).load_colored_mesh(Mesh(verts, np.array([(0, 1, 2), (0, 2, 3)]), colors))
    front = scene.draw(ORTHO["front"], size=64)
    # `head_world` x grows to the right of the front picture: red grows to the right, green upwards.
    ramp = (np.arange(64) + 0.5) / 64 * 0.7 - 0.35
    inside = np.abs(ramp) < 0.2
    assert np.abs(front[32, inside, 0] - (ramp[inside] + 0.2) / 0.4 * 255).max() <= 1
    assert np.abs(front[inside, 32, 1] - (0.2 - ramp[inside]) / 0.4 * 255).max() <= 1
    assert (front[inside][:, inside, 3] == 255).all()
    assert (scene.draw(ORTHO["back"], size=64)[32, inside, 3] == 255).all()


def test_mesh_without_colours_is_white_and_has_positions():
    both = renderer("cpu").load_colored_mesh(_sphere()).draw_both(ORTHO["front"], 64)
    assert both.colour[32, 32].tolist() == [255, 255, 255, 255]
    # the nearest point is (0, 0, 0.2) in head_world, z = −0.2 in head_model: (−0.2 + 0.35)/0.7·255 = 54.6
    assert abs(int(both.position[32, 32, 2]) - 54.6) <= 1
    assert both.position[32, 32, 3] == 255


def test_transparent_vertices_cut_holes():
    verts = np.array([(-0.2, -0.2, 0.0), (0.2, -0.2, 0.0), (0.2, 0.2, 0.0), (-0.2, 0.2, 0.0)])
    colors = np.array([(9, 9, 9, 255), (9, 9, 9, 0), (9, 9, 9, 0), (9, 9, 9, 255)], np.uint8)
    picture = (
        renderer("cpu").load_colored_mesh(Mesh(verts, np.array([(0, 1, 2), (0, 2, 3)]), colors)).draw(FRONT, size=70)
    )
    assert (picture[35, 16:34, 3] == 255).all()
    assert not picture[35, 36:54].any()


def test_vertex_colours_agree_between_back_ends():
    sphere = _sphere()
    colors = np.random.default_rng(0).integers(0, 256, (len(sphere.verts), 4)).astype(np.uint8)
    colors[:, 3] = 255
    mesh = Mesh(sphere.verts, sphere.faces, colors)
    a = renderer("cpu").load_colored_mesh(mesh).draw_both(CAM60[30], 128)
    b = egl_or_skip().load_colored_mesh(mesh).draw_both(CAM60[30], 128)
    assert (np.abs(a.colour.astype(int) - b.colour) <= 2).all(axis=-1).mean() > 0.995
    assert (np.abs(a.position.astype(int) - b.position) <= 1).all(axis=-1).mean() > 0.995


# -- parts ------------------------------------------------------------------------------------------------------


def test_normals_are_shared_across_seams_and_zero_where_nothing_defines_them():
    """Two perpendicular squares that meet in an edge whose vertices are stored twice."""
    positions = np.array(
        [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (9, 9, 9)], np.float32
    )
    faces = np.array([(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)], np.int32)
    normals = smooth_normals(positions, faces)
    np.testing.assert_allclose(normals[1], [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(np.abs(normals[0]), [0.5**0.5, 0, 0.5**0.5], atol=1e-6)
    np.testing.assert_allclose(normals[0], normals[4], atol=1e-7)
    assert not normals[8].any()


@pytest.mark.parametrize("seed", range(5))
def test_clipping_keeps_exactly_the_volume_in_front_of_the_near_plane(seed):
    """The signed area in (x, y) of each triangle's kept part, against a fine sampling of the triangle."""
    generator = np.random.default_rng(seed)
    clip = np.concatenate([generator.uniform(-1, 1, (30, 3)), np.full((30, 1), 0.4)], axis=1)
    faces = np.arange(30, dtype=np.int32).reshape(-1, 3)
    clipped = clip_triangles(clip, faces, 64)
    corners = clipped.extend(clip)[clipped.faces]
    assert (corners[..., 2] + corners[..., 3] >= -1e-12).all()
    edges = corners[:, 1:, :2] - corners[:, :1, :2]
    areas = np.bincount(clipped.source, 0.5 * (edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]), 10)
    first, second = np.meshgrid((np.arange(300) + 0.5) / 300, (np.arange(300) + 0.5) / 300)
    inside = first + second < 1
    weights = np.stack([1 - first - second, first, second], axis=-1)[inside]
    for index, face in enumerate(faces):
        whole = clip[face]
        kept = ((weights @ whole)[:, 2] + 0.4 >= 0).mean()
        side = whole[1:, :2] - whole[:1, :2]
        area = 0.5 * (side[0, 0] * side[1, 1] - side[0, 1] * side[1, 0])
        assert abs(areas[index] - kept * area) < 0.01
    assert (np.diff(clipped.source) >= 0).all()


# -- choice -----------------------------------------------------------------------------------------------------


def test_cpu_is_given_as_asked():
    assert renderer("cpu").name == "cpu"
    assert "as asked" in renderer("cpu").reason


def test_unknown_back_end_lists_the_known_ones():
    with pytest.raises(InputError, match="auto, cpu, egl"):
        renderer("vulkan")


def test_missing_egl_names_the_packages_and_auto_falls_back(monkeypatch):
    def absent(*_: object, **__: object) -> None:
        raise Exception("libEGL.so: cannot open shared object file")

    monkeypatch.setattr(moderngl, "create_context", absent)
    with pytest.raises(MissingComponent, match="libegl1 libgl1 libgl1-mesa-dri"):
        renderer("egl")
    chosen = renderer("auto")
    assert chosen.name == "cpu"
    assert "libEGL.so" in chosen.reason


def test_auto_prefers_the_cpu_rasteriser_to_a_software_driver():
    opengl = egl_or_skip()
    chosen = renderer("auto")
    assert chosen.name == ("cpu" if opengl.is_software else "egl")
    assert opengl.device in chosen.reason


def test_two_opengl_renderers_do_not_disturb_each_other():
    egl_or_skip()
    first, second = EglRenderer(), EglRenderer()
    red, green = first.load(character(square(colored(*RED)))), second.load(character(square(colored(*GREEN))))
    assert red.draw(FRONT, size=8)[4, 4].tolist() == list(RED)
    assert green.draw(FRONT, size=8)[4, 4].tolist() == list(GREEN)
    second.release()
    assert red.draw(FRONT, size=8)[4, 4].tolist() == list(RED)


def test_scenes_of_a_dropped_opengl_renderer_take_nothing_of_another_with_them():
    """Objects of two contexts bear the same numbers: one must not be deleted while the other context is current."""
    kept = egl_or_skip()
    for _ in range(4):
        dropped = EglRenderer()
        others = [dropped.load(character(square(colored(*RED, alpha_mode="BLEND")))) for _ in range(3)]
        scene = kept.load(character(square(colored(*GREEN, alpha_mode="BLEND"))))
        del others, dropped
        gc.collect()
        assert scene.draw(FRONT, size=8)[4, 4].tolist() == list(GREEN)
