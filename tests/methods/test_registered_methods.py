"""What every registered method of our own promises, whatever it does inside: one set of tests over all entries."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from _exchange.camera import CAM60, ORTHO, Camera
from _exchange.errors import InputError
from _exchange.frames import BOX_SIDE
from _methods import registry
from _methods.interface import Method, MethodSettings, Rendering
from _render.scene_cpu import CpuRenderer
from tests.methods.panic3d_files import write_generator
from tests.methods.tiny_dataset import method_input

NAMES = [entry.name for entry in registry.entries() if entry.loader.startswith("_methods.")]
CAMERAS = {"front": ORTHO["front"], "left": ORTHO["left"], "turned": CAM60[44], "from above behind": CAM60[1]}
every_method = pytest.mark.parametrize("name", NAMES)
SURFACES = [name for name in NAMES if name != "panic3d"]
"""Methods whose pictures are drawings of their meshes; a radiance field is rendered by itself."""


def _portrait() -> NDArray[np.uint8]:
    """An upright bust that leans: nothing of it is symmetric, so a flipped axis shows."""
    rows, cols = np.mgrid[0:512, 0:512] + 0.5
    head = ((rows - 220) / 110) ** 2 + ((cols - 270) / 85) ** 2 <= 1
    body = np.abs(cols - 240) <= 40 + 0.8 * np.clip(rows - 320, 0, None)
    portrait = np.zeros((512, 512, 4), np.uint8)
    portrait[..., 0], portrait[..., 1], portrait[..., 2] = rows // 2, cols // 2, 90
    portrait[..., 3] = 255 * (head | (body & (rows > 300)))
    return portrait


@functools.cache
def _weights() -> tempfile.TemporaryDirectory[str]:
    """Of a tiny random generator, for `panic3d`; deleted at the end."""
    folder = tempfile.TemporaryDirectory()
    write_generator(Path(folder.name) / "generator.safetensors", trained_without=("line_filler",))
    return folder


def _load(name: str) -> Method:
    options = {} if name in SURFACES else {"checkpoint": f"{_weights().name}/generator.safetensors"}
    return registry.find(name).load(MethodSettings(options=options))


@functools.cache
def _set(name: str) -> Method:
    method = _load(name)
    method.set_item(method_input(_portrait()))
    return method


@functools.cache
def _seen(name: str, view: str) -> Rendering:
    return _set(name).render(CAMERAS[view])


def _silhouette_of_mesh(name: str, resolution: int, camera: Camera) -> NDArray[np.bool_]:
    """Where the renderer meets the mesh as other programs get it."""
    scene = CpuRenderer().load_colored_mesh(_set(name).mesh(resolution))
    return scene.geometry_buffers(camera, 512).face >= 0


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@every_method
def test_a_fresh_method_refuses_queries(name: str) -> None:
    fresh = _load(name)
    for query in (lambda: fresh.render(ORTHO["front"]), fresh.mesh, fresh.prepared_input):
        with pytest.raises(InputError, match=r"Call set_item"):
            query()


@every_method
@pytest.mark.parametrize("view", CAMERAS)
def test_pictures_are_empty_where_nothing_is_seen(name: str, view: str) -> None:
    rendering = _seen(name, view)
    assert rendering.alpha.shape == (512, 512)
    nothing = rendering.alpha == 0
    assert nothing.any()
    assert (rendering.image[nothing] == 0).all()
    assert np.isnan(rendering.position[nothing]).all()


@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("view", CAMERAS)
def test_positions_lie_on_the_rays_of_their_pixels_inside_the_cube(name: str, view: str) -> None:
    position = _seen(name, view).position.astype(np.float64)
    met = np.isfinite(position).all(-1)
    assert (np.isfinite(position).any(-1) == met).all()
    assert met.any() or (name, view) == ("billboard", "left"), "only a plane can vanish"
    assert np.abs(position[met]).max(initial=0) <= BOX_SIDE / 2 + 1e-6
    origins, directions = (array[met] for array in CAMERAS[view].rays())
    away = np.linalg.norm(np.cross(position[met] - origins, directions), axis=-1)
    # Position maps are bytes: half a step of 2.7 mm along each axis, √3 of that from corner to corner.
    assert away.max(initial=0) <= np.sqrt(3) * 0.5 * BOX_SIDE / 255 + 1e-4


@pytest.mark.parametrize(("name", "view"), [(name, view) for name in SURFACES for view in CAMERAS if view != "left"])
def test_the_mesh_has_the_silhouette_of_the_pictures(name: str, view: str) -> None:
    seen = _seen(name, view).alpha > 127
    assert _overlap(seen, _silhouette_of_mesh(name, 192, CAMERAS[view])) > 0.99
    # Cells of 8 pixels: an outline of some 2000 pixels that is off by about one.
    assert _overlap(seen, _silhouette_of_mesh(name, 64, CAMERAS[view])) > 0.96


@every_method
@pytest.mark.parametrize("resolution", [8, 33, 192])
def test_meshes_stay_in_the_cube_and_wear_opaque_colours(name: str, resolution: int) -> None:
    mesh = _set(name).mesh(resolution)
    assert np.abs(mesh.verts).max() <= BOX_SIDE / 2
    assert mesh.colors is not None
    assert mesh.colors.dtype == np.uint8
    assert (mesh.colors[:, 3] == 255).all()
    assert len(np.unique(mesh.faces)) == len(mesh.verts), "no vertex without a triangle"
    corners = mesh.verts[mesh.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    assert areas.sum() > 0.05, "front and back of a bust: hundreds of square centimetres"


@every_method
def test_more_steps_give_more_triangles(name: str) -> None:
    counts = [len(_set(name).mesh(resolution).faces) for resolution in (8, 33, 192)]
    assert counts == sorted(set(counts))


@every_method
def test_the_portrait_is_not_written_into(name: str) -> None:
    portrait = _portrait()
    portrait.setflags(write=False)
    method = _load(name)
    method.set_item(method_input(portrait))
    method.mesh(16)
    assert (portrait == _portrait()).all()


@every_method
def test_queries_in_another_order_give_the_same(name: str) -> None:
    other = _load(name)
    other.set_item(method_input(_portrait()))
    other.mesh(33)
    other.mesh(16)
    assert other.render(CAMERAS["left"]).rgba().tobytes() == _seen(name, "left").rgba().tobytes()
    assert other.mesh(33).verts.tobytes() == _set(name).mesh(33).verts.tobytes()


@every_method
def test_digests_are_sha256_in_hexadecimal(name: str) -> None:
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in _set(name).digests().values())


def test_an_unknown_back_end_is_refused_when_the_method_is_loaded() -> None:
    for name in SURFACES:
        with pytest.raises(InputError, match="found 'vulkan'"):
            registry.find(name).load(MethodSettings(back_end="vulkan"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["billboard", "inflate"])
def test_mesh_colours_are_those_of_the_portrait_at_the_same_place(name: str) -> None:
    mesh = _set(name).mesh(64)
    assert mesh.colors is not None
    rows, cols = (0.5 - mesh.verts[:, 1] / BOX_SIDE) * 512, (0.5 + mesh.verts[:, 0] / BOX_SIDE) * 512
    inner = _portrait()[..., 3] > 0
    for shift in ((0, 24), (0, -24), (24, 0), (-24, 0)):
        inner &= np.roll(inner, shift, (0, 1))
    inside = inner[np.clip(rows.astype(int), 0, 511), np.clip(cols.astype(int), 0, 511)]
    assert inside.sum() > 100
    # The portrait's red grows by half per row, its green by half per column, in front and behind.
    np.testing.assert_allclose(mesh.colors[inside, 0], (rows[inside] - 0.5) // 2, atol=1.01)
    np.testing.assert_allclose(mesh.colors[inside, 1], (cols[inside] - 0.5) // 2, atol=1.01)
    assert (mesh.colors[inside, 2] == 90).all()
