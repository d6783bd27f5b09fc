"""The baselines: what billboard, inflate and mean head promise about their surfaces and pictures."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from _exchange.camera import CAM60, ORTHO
from _exchange.digest import sha256_of_file
from _exchange.errors import InputError
from _exchange.frames import BOX_SIDE
from _exchange.mesh import Mesh
from _exchange.pictures import read_picture
from _methods import registry
from _methods.inflate import body_of_sheet, swelling
from _methods.interface import Method, MethodSettings, Rendering
from _methods.sheet import sheet_of_alpha
from tests.methods.tiny_dataset import method_input, portrait_of_disc
from tests.shared_data import discover

PIXEL_M = BOX_SIDE / 512


def character_portrait() -> NDArray[np.uint8]:
    """A head on shoulders that the picture's lower border cuts, with a dark contour line and a coloured face."""
    rows, cols = np.mgrid[0:512, 0:512] + 0.5
    head = (rows - 230) ** 2 + (cols - 256) ** 2 <= 90**2
    body = (np.abs(cols - 256) <= 30 + np.clip(rows - 370, 0, 110)) & (rows > 300)
    inside = head | body
    portrait = np.zeros((512, 512, 4), np.uint8)
    portrait[body, :3] = 60, 90, 200
    portrait[head, :3] = 240, 200, 180
    portrait[(rows - 240) ** 2 + (cols - 290) ** 2 <= 15**2, :3] = 20, 120, 40  # one eye, to tell left from right
    portrait[..., 3] = 255 * inside
    portrait[inside & (ndimage.distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1] <= 2), :3] = 0
    return portrait


@functools.cache
def _set(name: str) -> Method:
    method = registry.find(name).load(MethodSettings())
    method.set_item(method_input(character_portrait()))
    return method


@functools.cache
def _rendered(name: str, view: str) -> Rendering:
    return _set(name).render(ORTHO[view])


def _trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.verts, mesh.faces, process=False)


def _core(mask: NDArray[np.bool_], pixels: int = 2) -> NDArray[np.bool_]:
    return ndimage.binary_erosion(mask, iterations=pixels, border_value=1)


# -- what billboard and inflate share ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["billboard", "inflate"])
def test_from_the_front_the_portrait_is_seen_again(name):
    portrait, rendering = character_portrait(), _rendered(name, "front")
    inside = portrait[..., 3] > 127
    overlap = (inside & (rendering.alpha > 127)).sum() / (inside | (rendering.alpha > 127)).sum()
    # Outline vertices stand every 3.6 mm (2.7 pixels).
    assert overlap > 0.99
    difference = np.abs(rendering.image.astype(int) - portrait[..., :3])[_core(inside)].max(-1)
    # The reduction blurs the borders between flat colours, over one pixel to both sides; elsewhere: equal to rounding.
    assert np.mean(difference <= 2) > 0.95
    assert difference.mean() < 3


@pytest.mark.parametrize("name", ["billboard", "inflate"])
def test_from_behind_the_mirrored_portrait_is_seen(name):
    portrait, rendering = character_portrait()[:, ::-1], _rendered(name, "back")
    inside = _core(portrait[..., 3] > 127, 4)
    difference = np.abs(rendering.image.astype(int) - portrait[..., :3])[inside].max(-1)
    assert np.mean(difference <= 2) > 0.95
    assert rendering.image[240, 511 - 290].tolist() == pytest.approx([20, 120, 40], abs=2)


@pytest.mark.parametrize("name", ["billboard", "inflate"])
@pytest.mark.parametrize("resolution", [16, 64, 192])
def test_a_finer_mesh_covers_the_same_silhouette(name, resolution):
    mesh = _set(name).mesh(resolution)
    low, high = mesh.verts.min(0), mesh.verts.max(0)
    step = BOX_SIDE / resolution
    # The head's crown at row 140, the body's corners at columns 256 ± 140, the cut at the picture's border.
    assert high[1] == pytest.approx(0.35 - 140 * PIXEL_M, abs=step)
    assert [low[0], high[0]] == pytest.approx([-140 * PIXEL_M, 140 * PIXEL_M], abs=step)
    assert low[1] == pytest.approx(-0.35, abs=1e-9)


@pytest.mark.parametrize("name", ["billboard", "inflate", "mean_head"])
def test_the_default_mesh_is_simple_and_coloured(name):
    mesh = _set(name).mesh()
    assert len(mesh.faces) <= 100_000
    assert mesh.colors is not None
    assert (mesh.colors[:, 3] == 255).all()


@pytest.mark.parametrize("name", ["billboard", "inflate"])
def test_a_transparent_portrait_is_refused(name):
    method = registry.find(name).load(MethodSettings())
    with pytest.raises(InputError, match="opaque"):
        method.set_item(method_input(np.zeros((512, 512, 4), np.uint8)))


@pytest.mark.parametrize("name", ["billboard", "inflate", "mean_head"])
def test_the_same_item_gives_the_same_bytes(name):
    again = registry.find(name).load(MethodSettings())
    again.set_item(method_input(character_portrait()))
    for camera in (ORTHO["left"], CAM60[44]):
        first, second = _set(name).render(camera), again.render(camera)
        assert first.rgba().tobytes() == second.rgba().tobytes()
        assert first.position_map().tobytes() == second.position_map().tobytes()
    assert again.mesh(48).verts.tobytes() == _set(name).mesh(48).verts.tobytes()


@pytest.mark.parametrize("name", ["billboard", "inflate", "mean_head"])
def test_positions_are_where_the_camera_looks(name):
    rendering = _rendered(name, "front")
    met = np.isfinite(rendering.position[..., 0])
    assert met.sum() > 10_000
    origins, _ = ORTHO["front"].rays()
    # Position maps are stored in bytes: steps of 2.7 mm.
    assert np.abs(rendering.position - origins)[met][:, :2].max() <= 0.5 * BOX_SIDE / 255 + 1e-6


# -- billboard --------------------------------------------------------------------------------------------------


def test_the_billboard_is_exactly_the_plane_z_0():
    mesh = _set("billboard").mesh()
    assert (mesh.verts[:, 2] == 0).all()
    normals = np.cross(mesh.verts[mesh.faces[:, 1]] - mesh.verts[mesh.faces[:, 0]],
                       mesh.verts[mesh.faces[:, 2]] - mesh.verts[mesh.faces[:, 0]])  # fmt: skip
    assert (normals[:, 2] > 0).all()


def test_the_billboard_vanishes_from_the_side():
    assert (_rendered("billboard", "left").alpha > 0).mean() < 0.005


# -- inflate ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resolution", [16, 100, 192])
def test_the_inflated_mesh_is_watertight_and_turned_outwards(resolution):
    mesh = _trimesh(_set("inflate").mesh(resolution))
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0


@pytest.mark.parametrize("path", discover("portraits/*.png"))
def test_real_portraits_inflate_to_watertight_meshes_inside_the_cube(path):
    picture = read_picture(path)
    portrait = np.zeros((512, 512, 4), np.uint8)
    shrunk = picture[:: max(1, -(-picture.shape[0] // 512)), :: max(1, -(-picture.shape[1] // 512))][:512, :512]
    portrait[512 - shrunk.shape[0] :, : shrunk.shape[1]] = shrunk
    method = registry.find("inflate").load(MethodSettings())
    method.set_item(method_input(portrait))
    mesh = method.mesh(96)
    assert _trimesh(mesh).is_watertight
    assert np.abs(mesh.verts).max() <= BOX_SIDE / 2


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.02, 0.98))
def test_any_alpha_inflates_to_a_watertight_mesh_inside_the_cube(seed, share):
    random = np.random.default_rng(seed)
    coarse = 255 * (random.random((24, 24)) < share)
    coarse[random.integers(24), random.integers(24)] = 255
    alpha = np.zeros((512, 512), np.uint8)
    alpha[:] = coarse[np.arange(512)[:, None] * 24 // 512, np.arange(512) * 24 // 512]
    body = body_of_sheet(sheet_of_alpha(alpha, 48))
    mesh = trimesh.Trimesh(body.verts, np.concatenate([body.sheets, body.wall]), process=False)
    assert mesh.is_watertight
    assert mesh.volume > 0
    assert np.abs(body.verts).max() <= BOX_SIDE / 2


def test_a_disc_swells_to_a_half_ball():
    sheet = sheet_of_alpha(portrait_of_disc(100)[..., 3], 192)
    radius, at = 100 * PIXEL_M, np.linalg.norm((sheet.pixels - 256) * PIXEL_M, axis=1)
    expected = np.sqrt(np.maximum(radius**2 - at**2, 0))
    inner = at < 0.95 * radius
    # The solution is exact for linear elements on a disc up to the outline's roughness of half a pixel (0.7 mm).
    assert swelling(sheet)[inner] == pytest.approx(expected[inner], abs=0.002)


def test_a_strip_from_side_to_side_swells_to_an_elliptic_cylinder():
    alpha = np.zeros((512, 512), np.uint8)
    alpha[206:306] = 255
    sheet = sheet_of_alpha(alpha, 192)
    half, at = 50 * PIXEL_M, (sheet.pixels[:, 0] - 256) * PIXEL_M
    inner = np.abs(at) < 0.9 * half
    # −u'' = 4 with u = 0 at ± half: u = 2(half² − at²). The outline stands right to a part of a cell.
    assert swelling(sheet)[inner] == pytest.approx(np.sqrt(2 * (half**2 - at[inner] ** 2)), abs=0.003)


def test_the_head_is_about_as_deep_as_wide_and_the_neck_is_thinner():
    verts = _set("inflate").mesh().verts
    at_eyes = verts[np.abs(verts[:, 1] - 0.03) < 0.01]
    at_neck = verts[np.abs(verts[:, 1] + 0.155) < 0.005]
    width, depth = np.ptp(at_eyes[:, 0]), np.ptp(at_eyes[:, 2])
    assert width == pytest.approx(180 * PIXEL_M, abs=0.01)
    assert 0.7 < depth / width < 1.2
    assert np.ptp(at_neck[:, 2]) < 0.5 * depth


def test_drawn_contour_lines_are_not_smeared_over_the_sides():
    rendering = _rendered("inflate", "left")
    seen = _core(rendering.alpha == 255, 3)[120:300]
    dark = (rendering.image.max(-1) < 40)[120:300]
    # The lines are two pixels wide, black, all around the head. Wrapped around its sides they would cover a third.
    assert (dark & seen).sum() / seen.sum() < 0.05


def test_the_rim_of_the_mesh_wears_the_colours_inside_the_contour():
    mesh = _set("inflate").mesh()
    assert mesh.colors is not None
    # The wall along the outline is upright; the line is drawn on what faces the viewer.
    is_upright = np.abs(_trimesh(mesh).face_normals[:, 2]) < 1e-6
    rim = np.unique(mesh.faces[is_upright])
    rim = rim[mesh.verts[rim, 1] > 0]
    assert len(rim) > 100
    # The line is black, the skin behind it at least 180; the colours of the sides are smoothed over some pixels.
    assert mesh.colors[rim, :3].astype(int).min() > 100


def test_a_portrait_without_any_outline_stays_inside_the_cube():
    method = registry.find("inflate").load(MethodSettings())
    method.set_item(method_input(np.full((512, 512, 4), 255, np.uint8)))
    mesh = method.mesh(64)
    assert _trimesh(mesh).is_watertight
    assert np.abs(mesh.verts).max() <= BOX_SIDE / 2


# -- mean head --------------------------------------------------------------------------------------------------


def test_the_mean_head_does_not_look_at_the_portrait():
    other = registry.find("mean_head").load(MethodSettings())
    other.set_item(method_input(portrait_of_disc(10)))
    assert other.render(CAM60[44]).rgba().tobytes() == _set("mean_head").render(CAM60[44]).rgba().tobytes()


def test_the_mean_head_names_the_digest_of_its_average():
    asset = Path(__file__).resolve().parents[2] / "_methods" / "mean_head.npz"
    assert _set("mean_head").digests() == {"mean_head.npz": sha256_of_file(asset)}


@pytest.mark.parametrize("resolution", [48, 128])
def test_the_mean_head_is_watertight_and_turned_outwards(resolution):
    mesh = _trimesh(_set("mean_head").mesh(resolution))
    assert mesh.is_watertight
    # A head of 0.25 m and shoulders down to the cube's floor: some ten litres.
    assert 0.006 < mesh.volume < 0.025


def test_the_mean_face_is_skin_coloured_and_the_back_of_the_head_is_not():
    front, back = _rendered("mean_head", "front").image, _rendered("mean_head", "back").image
    cheeks, nape = front[280:300, 240:272].astype(int), back[230:250, 240:272].astype(int)
    assert (cheeks[..., 0] - cheeks[..., 2]).mean() > 15
    assert cheeks.mean() > nape.mean() + 20


def test_baselines_accept_no_options():
    for name in ("inflate", "billboard", "mean_head"):
        with pytest.raises(InputError, match=r"no option.*'depth'"):
            registry.find(name).load(MethodSettings(options={"depth": 1}))
