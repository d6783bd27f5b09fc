"""The OpenGL back end: a graphics card, or Mesa's software driver, through EGL without any window system.

Depth and blending follow the same `Plan` as the CPU rasteriser; texture filtering is the driver's own: trilinear with
anisotropy 16 on graphics cards, the elliptical average `mesa` on Mesa's software driver. Pictures are OpenGL's with
row 0 turned to the top. Source: spec/renderer.md §5, §12.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from _exchange.camera import Camera
from _exchange.errors import InputError, MissingComponent
from _exchange.frames import BOX_SIDE
from _exchange.mesh import HeadMesh, Mesh, Texture
from _exchange.protocol import Way
from _render.arrays import DrawnArrays, arrays_of_colored_mesh, arrays_of_head_mesh
from _render.framebuffer import resolve
from _render.scene import Drawing, GeometryBuffers, What
from _render.scene_cpu import CpuScene
from _render.shading import Draw, Plan, colored_plan, plan
from _render.textures import MAX_ANISOTROPY, Filter

_SOFTWARE_DRIVERS = ("llvmpipe", "softpipe", "swrast", "swiftshader")
_INSTALL = "Install the Debian packages libegl1 libgl1 libgl1-mesa-dri, or draw with the back end cpu."
_EGL: dict[str, Any] = {"backend": "egl"}
_MINIFY = {
    "trilinear": moderngl.LINEAR_MIPMAP_LINEAR,
    "linear": moderngl.LINEAR,
    "nearest": moderngl.NEAREST,
}

VERTEX_SHADER = """#version 330 core
uniform mat4 clip_from_head;
in vec3 in_position;
in vec2 in_uv;
in vec4 in_color;
out vec3 point;
out vec2 uv;
out vec4 color;
void main() {
    gl_Position = clip_from_head * vec4(in_position, 1.0);
    point = in_position;
    uv = in_uv;
    color = in_color;
}
"""

FRAGMENT_SHADER = """#version 330 core
uniform sampler2D image;
uniform vec4 color_factor;
uniform float cutoff;
uniform bool keeps_alpha;
uniform bool blends;
uniform bvec2 mirrors;
uniform float box_half;
uniform bool drops_outside;
in vec3 point;
in vec2 uv;
in vec4 color;
layout(location = 0) out vec4 colour_out;
layout(location = 1) out vec4 position_out;

vec4 texel() {
    if (!any(mirrors)) return texture(image, uv);
    vec2 folded = mod(uv, 2.0);
    bvec2 turned = bvec2(mirrors.x && folded.x > 1.0, mirrors.y && folded.y > 1.0);
    vec2 at = mix(uv, mix(folded, 2.0 - folded, turned), mirrors);
    vec2 sense = mix(vec2(1.0), vec2(-1.0), turned);
    return textureGrad(image, at, dFdx(uv) * sense, dFdy(uv) * sense);
}

void main() {
    vec4 c = texel() * color * color_factor;
    if (c.a < cutoff) discard;
    vec3 beyond = abs(point);
    if (max(beyond.x, max(beyond.y, beyond.z)) > box_half) {
        if (drops_outside) discard;
        c.a = 0.0;
    } else if (!keeps_alpha) {
        c.a = 1.0;
    }
    c = clamp(c, 0.0, 1.0);  // buffers of floats do not
    if (blends) {
        if (c.a == 0.0) discard;
        c.rgb *= c.a;
    }
    colour_out = c;
    position_out = vec4((point + box_half) / (2.0 * box_half), c.a);
}
"""


@dataclass(frozen=True, eq=False)
class _Target:
    """Framebuffers of one size: `solid` has colour, position and depth; `colour` the same colour and depth alone."""

    solid: Any
    colour: Any


class EglRenderer:
    """Draws with OpenGL 3.3 on the first EGL device.

    Raises:
        MissingComponent: there is no EGL or it gives no OpenGL 3.3 context.
    """

    name = "egl"

    def __init__(self) -> None:
        try:
            self._context = moderngl.create_context(standalone=True, require=330, **_EGL)
        except Exception as error:  # the loader raises bare Exception, ImportError or OSError, depending on what lacks
            raise MissingComponent(
                f"Expected an OpenGL 3.3 context through EGL, found none ({error}).", next_step=_INSTALL
            ) from error
        self._context.gc_mode = "context_gc"  # freed in `current`: never while another context is current
        information = self._context.info
        self.device: str = information["GL_RENDERER"]
        self.largest_side: int = information["GL_MAX_TEXTURE_SIZE"]
        self._program = self._context.program(vertex_shader=VERTEX_SHADER, fragment_shader=FRAGMENT_SHADER)
        self._targets: dict[tuple[int, bool], _Target] = {}

    @property
    def is_software(self) -> bool:
        """Whether the device is a driver that draws on the CPU."""
        return any(name in self.device.lower() for name in _SOFTWARE_DRIVERS)

    @property
    def texture_filter(self) -> Filter:
        """The driver's own filter."""
        return "mesa" if self.is_software else "trilinear"

    @property
    def reason(self) -> str:
        """One sentence: the device and its filter."""
        return f"OpenGL through EGL on {self.device}, with the driver's own texture filter ({self.texture_filter})"

    def release(self) -> None:
        """Give the context back; scenes of this renderer cannot be drawn any more."""
        self._context.release()

    def load(self, head_mesh: HeadMesh, shading: Way = "corrected", texture_filter: Filter = "trilinear") -> EglScene:
        """Upload a character. On a software driver `trilinear` is drawn with the driver's filter `mesa`.

        Raises:
            InputError: the filter `mesa` is asked for on a graphics card, or an image is too large for the device.
        """
        if texture_filter == "mesa" and not self.is_software:
            raise InputError(f"Expected the filter trilinear on {self.device}, found mesa: only the CPU has it here.")
        drawn = plan(head_mesh, shading)
        return EglScene(self, drawn, arrays_of_head_mesh(head_mesh, drawn))

    def load_colored_mesh(self, mesh_head_world: Mesh) -> EglScene:
        """Upload a bare surface with vertex colours."""
        return EglScene(self, colored_plan(), arrays_of_colored_mesh(mesh_head_world))

    @property
    def context(self) -> Any:
        """The moderngl context."""
        return self._context

    @contextmanager
    def current(self) -> Iterator[Any]:
        """Make the moderngl context current, and free what dropped scenes left on the device."""
        with self._context:
            self._context.gc()
            yield self._context

    @property
    def program(self) -> Any:
        """The one program; its uniforms are set before every draw."""
        return self._program

    def target(self, size: int, floats: bool) -> _Target:
        """Framebuffers of one size, made once; colour as bytes, or as floats for blending."""
        key = size, floats
        if key not in self._targets:
            colour = self._context.texture((size, size), 4, dtype="f4" if floats else "f1")
            position = self._context.renderbuffer((size, size), 4, dtype="f1")
            depth = self._context.depth_renderbuffer((size, size))
            self._targets[key] = _Target(
                solid=self._context.framebuffer([colour, position], depth),
                colour=self._context.framebuffer([colour], depth),
            )
        return self._targets[key]


class EglScene:
    """One uploaded character (see `scene.Scene`)."""

    def __init__(self, renderer: EglRenderer, drawn: Plan, arrays: DrawnArrays) -> None:
        self._renderer, self._plan, self._arrays = renderer, drawn, arrays
        with renderer.current() as context:
            self._upload(context)

    def prepare(self) -> None:
        """Nothing is left to do: the upload builds everything."""

    def draw(self, camera: Camera, what: What = "colour", size: int = 512) -> NDArray[np.uint8]:
        """The (size, size, 4) uint8 picture of one view."""
        with self._renderer.current():
            target = self._draw(camera, size, with_position=what == "position")
            return self._read_colour(target, size) if what == "colour" else self._read_position(target, size)

    def draw_both(self, camera: Camera, size: int = 512) -> Drawing:
        """Colour and position of one view, from one pass over the triangles."""
        with self._renderer.current():
            target = self._draw(camera, size, with_position=True)
            return Drawing(self._read_colour(target, size), self._read_position(target, size))

    def geometry_buffers(self, camera: Camera, size: int = 512) -> GeometryBuffers:
        """The CPU rasteriser's buffers."""
        return self._on_cpu.geometry_buffers(camera, size)

    # -- steps ------------------------------------------------------------------------------------------------------

    @cached_property
    def _on_cpu(self) -> CpuScene:
        return CpuScene(self._plan, self._arrays, "trilinear")

    @property
    def _blends(self) -> bool:
        return any(draw.blends for draw in self._plan.draws)

    def _upload(self, context: Any) -> None:
        arrays = self._arrays
        colors = arrays.colors if len(arrays.colors) else np.ones((len(arrays.positions), 4), np.float32)
        vertices = np.concatenate([arrays.positions, arrays.uv, colors], axis=1).astype("f4")
        self._vertex_array = None
        self._ranges: list[tuple[int, int]] = []
        self._images: list[Any] = []
        self._samplers: list[Any] = []
        if not len(arrays.faces):
            return
        content = [(context.buffer(vertices.tobytes()), "3f 2f 4f", "in_position", "in_uv", "in_color")]
        index_buffer = context.buffer(arrays.faces.astype("i4").tobytes())
        self._vertex_array = context.vertex_array(self._renderer.program, content, index_buffer)
        uploaded: dict[int, Any] = {}
        for index, draw in enumerate(self._plan.draws):
            first, last = np.searchsorted(arrays.face_draw, [index, index + 1])
            self._ranges.append((int(first) * 3, int(last - first) * 3))
            pixels = np.full((1, 1, 4), 255, np.uint8) if draw.texture is None else draw.texture.pixels
            key = 0 if draw.texture is None else id(pixels)
            if key not in uploaded:
                height, width = pixels.shape[:2]
                if max(height, width) > self._renderer.largest_side:
                    raise InputError(
                        f"Expected images of at most {self._renderer.largest_side} texels per side on "
                        f"{self._renderer.device}, found {width} × {height}.",
                        next_step="Draw with the back end cpu, or make the image smaller.",
                    )
                uploaded[key] = context.texture((width, height), 4, np.ascontiguousarray(pixels).tobytes())
                uploaded[key].build_mipmaps()
            self._images.append(uploaded[key])
            self._samplers.append(self._sampler(draw.texture or Texture(pixels)))

    def _sampler(self, texture: Texture) -> Any:
        smooth = texture.minify == "trilinear" and (texture.magnify == "linear" or not self._renderer.is_software)
        return self._renderer.context.sampler(
            repeat_x=texture.wrap_u == "repeat",
            repeat_y=texture.wrap_v == "repeat",
            filter=(_MINIFY[texture.minify], moderngl.LINEAR if texture.magnify == "linear" else moderngl.NEAREST),
            anisotropy=float(MAX_ANISOTROPY) if smooth else 1.0,
        )

    def _draw(self, camera: Camera, size: int, with_position: bool) -> _Target:
        context, program = self._renderer.context, self._renderer.program
        target = self._renderer.target(size, self._blends)
        solid = target.solid if with_position else target.colour
        solid.use()
        solid.depth_mask = True
        solid.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        if self._vertex_array is None:
            return target
        clip_from_head = camera.clip_from_eye() @ camera.eye_from_head_model()
        program["clip_from_head"].write(np.ascontiguousarray(clip_from_head.T, "f4").tobytes())
        program["box_half"].value = BOX_SIDE / 2
        program["drops_outside"].value = self._plan.outside == "drop"
        context.enable_only(moderngl.DEPTH_TEST)
        context.depth_func = "<" if self._plan.ties == "first" else "<="
        context.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
        for index, draw in enumerate(self._plan.draws):
            if draw.blends:
                target.colour.use()
                target.colour.depth_mask = draw.writes_depth
                context.enable(moderngl.BLEND)
            self._draw_one(index, draw)
        return target

    def _draw_one(self, index: int, draw: Draw) -> None:
        context, program, texture = self._renderer.context, self._renderer.program, draw.texture
        program["color_factor"].value = tuple(float(value) for value in draw.color_factor)
        program["cutoff"].value = draw.cutoff
        program["keeps_alpha"].value = draw.keeps_alpha
        program["blends"].value = draw.blends
        program["mirrors"].value = (
            texture is not None and texture.wrap_u == "mirror",
            texture is not None and texture.wrap_v == "mirror",
        )
        if draw.cull == "none":
            context.disable(moderngl.CULL_FACE)
        else:
            context.enable(moderngl.CULL_FACE)
            context.cull_face = draw.cull
        self._images[index].use(0)
        self._samplers[index].use(0)
        first, count = self._ranges[index]
        assert self._vertex_array is not None
        self._vertex_array.render(moderngl.TRIANGLES, vertices=count, first=first)
        self._samplers[index].clear(0)

    def _read_colour(self, target: _Target, size: int) -> NDArray[np.uint8]:
        if not self._blends:
            return _top_down(target.colour.read(components=4), np.uint8, size)
        floats = np.ascontiguousarray(_top_down(target.colour.read(components=4, dtype="f4"), np.float32, size))
        picture = np.zeros((size, size, 4), np.uint8)
        resolve(floats, picture)
        return picture

    def _read_position(self, target: _Target, size: int) -> NDArray[np.uint8]:
        return _top_down(target.solid.read(components=4, attachment=1), np.uint8, size)


def _top_down(content: bytes, dtype: type, size: int) -> NDArray:
    """OpenGL's rows, bottom first, as a (size, size, 4) array with row 0 at the top."""
    return np.ascontiguousarray(np.frombuffer(content, dtype).reshape(size, size, 4)[::-1])
