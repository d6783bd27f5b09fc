"""The CPU back end: needs only pip packages and gives the same bits on every run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from _exchange.camera import Camera
from _exchange.frames import BOX_SIDE
from _exchange.mesh import HeadMesh, Mesh
from _exchange.protocol import Way
from _render import projection, textures
from _render import rasterise_numba as kernels
from _render.arrays import DrawnArrays, arrays_of_colored_mesh, arrays_of_head_mesh
from _render.clipping import ClippedTriangles, clip_triangles
from _render.framebuffer import resolve
from _render.interpolate_numba import encode_positions, interpolate
from _render.normals import smooth_normals
from _render.scene import Drawing, GeometryBuffers, What
from _render.shading import Plan, colored_plan, plan
from _render.textures import Filter

_WRAPS = {"repeat": kernels.REPEAT, "clamp": kernels.CLAMP, "mirror": kernels.MIRROR}
_FILTERS = {"linear": kernels.LINEAR, "nearest": kernels.NEAREST, "trilinear": kernels.TRILINEAR}
_CULLS = {"none": kernels.CULL_NONE, "front": kernels.CULL_FRONT, "back": kernels.CULL_BACK}


@dataclass(frozen=True)
class CpuRenderer:
    """Draws on one CPU core."""

    reason: str = "the CPU rasteriser, as asked"
    name: str = field(default="cpu", init=False)

    def load(self, head_mesh: HeadMesh, shading: Way = "corrected", texture_filter: Filter = "trilinear") -> CpuScene:
        """Make a character ready to be drawn: mip chains and tables are built here, once."""
        drawn = plan(head_mesh, shading)
        return CpuScene(drawn, arrays_of_head_mesh(head_mesh, drawn), texture_filter)

    def load_colored_mesh(self, mesh_head_world: Mesh) -> CpuScene:
        """Make a bare surface with vertex colours ready."""
        return CpuScene(colored_plan(), arrays_of_colored_mesh(mesh_head_world), "trilinear")


@dataclass(frozen=True, eq=False)
class _View:
    """A view after pass 1: clipped triangles in the kernels' order of arguments, and what each pixel shows."""

    geometry: tuple[NDArray, ...]
    clipped: ClippedTriangles | None
    source: NDArray[np.int32]
    solid_count: int
    depth: NDArray[np.int32]
    shown: NDArray[np.int32]

    def extend(self, values: NDArray) -> NDArray:
        """Vertex values followed by those of vertices that clipping made."""
        return values if self.clipped is None else self.clipped.extend(values)


@dataclass(frozen=True, eq=False)
class CpuScene:
    """One loaded character (see `scene.Scene`)."""

    plan: Plan
    arrays: DrawnArrays
    texture_filter: Filter

    def prepare(self) -> None:
        """Build mip chains and tables now."""
        _ = self._look

    def draw(self, camera: Camera, what: What = "colour", size: int = 512) -> NDArray[np.uint8]:
        """The (size, size, 4) uint8 picture of one view."""
        view = self._cover(camera, size)
        if what == "colour":
            return self._colour(view)
        return self._position(view, self._colour(view) if self.plan.outside == "hole" else None)

    def draw_both(self, camera: Camera, size: int = 512) -> Drawing:
        """Colour and position of one view; the triangles are searched once."""
        view = self._cover(camera, size)
        colour = self._colour(view)
        return Drawing(colour, self._position(view, colour if self.plan.outside == "hole" else None))

    def geometry_buffers(self, camera: Camera, size: int = 512) -> GeometryBuffers:
        """Part, triangle, depth, position, normal and uv of what pass 1 shows at every pixel."""
        view = self._cover(camera, size)
        is_shown = view.shown >= 0
        face = np.append(view.source, 0)[view.shown]
        part_of_draw = np.array([draw.part for draw in self.plan.draws] or [0], np.int16)
        position, normal, uv = (np.zeros((size, size, channels), np.float32) for channels in (3, 3, 2))
        for values, result in ((self.arrays.positions, position), (self._normals, normal), (self.arrays.uv, uv)):
            interpolate(view.shown, view.geometry, view.extend(values), result)
        eye_from_head_model = camera.eye_from_head_model()
        depth = -(position @ eye_from_head_model[2, :3] + eye_from_head_model[2, 3])
        return GeometryBuffers(
            part=np.where(is_shown, part_of_draw[np.append(self.arrays.face_draw, 0)[face]], -1).astype(np.int16),
            face=np.where(is_shown, np.append(self.arrays.face_in_part, 0)[face], -1).astype(np.int32),
            depth=np.where(is_shown, depth, np.inf).astype(np.float32),
            position=position,
            normal=_towards_camera(normal, view),
            uv=uv,
        )

    # -- steps ------------------------------------------------------------------------------------------------------

    @cached_property
    def _normals(self) -> NDArray[np.float32]:
        return smooth_normals(self.arrays.positions, self.arrays.faces) * np.array([-1, 1, -1], np.float32)

    @cached_property
    def _look(self) -> tuple[NDArray, ...]:
        """Tables of draws and texels, in the kernels' order of arguments."""
        images = {id(draw.texture.pixels): draw.texture.pixels for draw in self.plan.draws if draw.texture is not None}
        slots = {key: slot for slot, key in enumerate(images)}
        store = textures.pack(list(images.values()))
        modes = np.zeros((max(1, len(self.plan.draws)), 10), np.int32)
        numbers = np.zeros((len(modes), 5), np.float64)
        for mode, number, draw in zip(modes, numbers, self.plan.draws):
            number[:4] = draw.color_factor
            number[4] = draw.cutoff * 255 - ALPHA_MARGIN if draw.cutoff > 0 else 0.0
            least_alpha = 255.0 if not len(self.arrays.colors) else 255.0 * float(self.arrays.colors[:, 3].min())
            mode[kernels.TEXTURE] = -1
            if draw.texture is not None:
                slot = slots[id(draw.texture.pixels)]
                mode[kernels.TEXTURE] = slot
                mode[kernels.WRAP_U], mode[kernels.WRAP_V] = _WRAPS[draw.texture.wrap_u], _WRAPS[draw.texture.wrap_v]
                mode[kernels.MAGNIFY] = _FILTERS[draw.texture.magnify]
                mode[kernels.MINIFY] = _FILTERS[draw.texture.minify]
                least_alpha = float(store.least_alpha[slot])
            mode[kernels.CULL] = _CULLS[draw.cull]
            mode[kernels.TESTED] = least_alpha * draw.color_factor[3] < number[4] + 2 * ALPHA_MARGIN
            mode[kernels.KEEPS_ALPHA] = draw.keeps_alpha
            mode[kernels.WRITES_DEPTH] = draw.writes_depth
            mode[kernels.VERTEX_COLOR] = len(self.arrays.colors) > 0
        return modes, numbers, store.texels, store.levels, store.level_counts

    def _cover(self, camera: Camera, size: int) -> _View:
        """Project, clip where needed, and find what each pixel shows."""
        arrays = self.arrays
        count = len(arrays.positions)
        screen, inverse_w, window_z = np.zeros((count, 2), np.int64), np.zeros(count), np.zeros(count)
        matrix = camera.clip_from_eye() @ camera.eye_from_head_model().astype(np.float64)
        faces, face_draw, solid_count, clipped = arrays.faces, arrays.face_draw, arrays.solid_count, None
        attributes: tuple[NDArray, ...] = (arrays.positions, arrays.uv, arrays.colors)
        if not projection.project(arrays.positions, matrix, size, screen, inverse_w, window_z):
            clip = projection.clip_coordinates(arrays.positions, matrix)
            clipped = clip_triangles(clip, arrays.faces, size)
            faces, face_draw = clipped.faces, arrays.face_draw[clipped.source]
            solid_count = int(np.searchsorted(clipped.source, arrays.solid_count))
            attributes = tuple(clipped.extend(values) if len(values) else values for values in attributes)
            clip = clipped.extend(clip)
            screen, inverse_w, window_z = np.zeros((len(clip), 2), np.int64), np.zeros(len(clip)), np.zeros(len(clip))
            projection.project_clip(clip, size, screen, inverse_w, window_z)
        geometry: tuple[NDArray, ...] = (faces, face_draw, screen, inverse_w, window_z, *attributes)
        depth = np.full((size, size), kernels.EMPTY, np.int32)
        shown = np.full((size, size), -1, np.int32)
        order = _near_first(faces[:solid_count], window_z, self._look[0][face_draw[:solid_count], kernels.TESTED])
        kernels.cover(order, geometry, self._look, self._rules, depth, shown, _NO_ACCUMULATOR)
        source = np.arange(len(faces), dtype=np.int32) if clipped is None else clipped.source
        return _View(geometry, clipped, source, solid_count, depth, shown)

    def _colour(self, view: _View) -> NDArray[np.uint8]:
        picture = np.zeros((*view.shown.shape, 4), np.uint8)
        if not len(view.source):
            return picture
        blended = view.solid_count < len(view.source)
        accumulator = np.zeros(picture.shape, np.float32) if blended else _NO_ACCUMULATOR
        hole = BOX_SIDE / 2 if self.plan.outside == "hole" else 0.0
        mesa = self.texture_filter == "mesa"
        kernels.shade(view.shown, view.geometry, self._look, mesa, hole, picture, accumulator)
        if blended:
            order, depth = np.arange(view.solid_count, len(view.source)), view.depth.copy()
            kernels.cover(order, view.geometry, self._look, self._rules, depth, view.shown, accumulator)
            resolve(accumulator, picture)
        return picture

    def _position(self, view: _View, colour: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        """The position map; alpha is the colour picture's, or 255 where something was drawn."""
        picture = np.zeros((*view.shown.shape, 4), np.uint8)
        encode_positions(view.shown, view.geometry, BOX_SIDE, picture)
        if colour is not None:
            picture[..., 3] = colour[..., 3]
        return picture

    @property
    def _rules(self) -> tuple[bool, bool, float]:
        drop = BOX_SIDE / 2 if self.plan.outside == "drop" else 0.0
        return self.texture_filter == "mesa", self.plan.ties == "last", drop


ALPHA_MARGIN = 1e-6
"""Filtered alpha (0..255) can be this much too small, by rounding: what equals the cutoff stays."""
_NO_ACCUMULATOR = np.zeros((0, 0, 4), np.float32)


def _near_first(faces: NDArray[np.int32], window_z: NDArray[np.float64], tested: NDArray[np.int32]) -> NDArray[np.intp]:
    """Triangles without alpha test, then the others from near to far: the order that samples fewest hidden texels."""
    masked = np.flatnonzero(tested)
    return np.concatenate([np.flatnonzero(tested == 0), masked[np.argsort(window_z[faces[masked, 0]], kind="stable")]])


def _towards_camera(normal: NDArray[np.float32], view: _View) -> NDArray[np.float32]:
    """(S, S, 3) normals made unit again, and turned round on triangles that are seen from behind."""
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    normal = np.divide(normal, length, out=np.zeros_like(normal), where=length > 1e-12)
    faces, screen = view.geometry[0], view.geometry[2].astype(np.float64)
    sides = screen[faces[:, 1:]] - screen[faces[:, :1]]
    seen_from_behind = sides[:, 0, 0] * sides[:, 1, 1] > sides[:, 0, 1] * sides[:, 1, 0]  # clockwise, y down
    behind = np.append(seen_from_behind, False)[view.shown]
    return np.where(behind[..., None], -normal, normal).astype(np.float32)
