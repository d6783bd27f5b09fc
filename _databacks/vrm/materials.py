"""Materials: what the file says about base colour, alpha and culling, and the `Material` each shading makes of it.

Source: spec/renderer.md §5 (paper), §12.2 (corrected); VRM 0.x `materialProperties`; KHR_texture_transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from _databacks.vrm.images import Images
from _databacks.vrm.json_path import (
    JsonValue,
    describe,
    extension,
    optional_boolean,
    optional_index,
    optional_integer,
    optional_number,
)
from _exchange.errors import FormatError
from _exchange.glb import srgb_from_linear
from _exchange.mesh import AlphaMode, Cull, Material, Texture, Wrap

_WRAPS: dict[int, Wrap] = {10497: "repeat", 33071: "clamp", 33648: "mirror"}
_MAGNIFY: dict[int, Literal["linear", "nearest"]] = {9728: "nearest", 9729: "linear"}
_MINIFY: dict[int, Literal["trilinear", "linear", "nearest"]] = {
    9728: "nearest",
    9729: "linear",
    9984: "nearest",
    9985: "trilinear",
    9986: "nearest",
    9987: "trilinear",
}
_ALPHA_MODES: dict[str, AlphaMode] = {"OPAQUE": "OPAQUE", "MASK": "MASK", "BLEND": "BLEND"}
_CULLS: dict[int, Cull] = {0: "none", 1: "front", 2: "back"}
_QUEUES: dict[AlphaMode, int] = {"OPAQUE": 2000, "MASK": 2450, "BLEND": 3000}
_TRANSPARENT_WITH_Z_WRITE = 3
"""MToon 0.x `_BlendMode`."""
_MAX_QUEUE = 1_000_000
_IMAGE_FORMATS_OF_EXTENSIONS = ("KHR_texture_basisu", "EXT_texture_webp", "EXT_texture_avif", "MSFT_texture_dds")


@dataclass(frozen=True)
class Sampler:
    """How a texture is repeated and filtered; defaults are those of an absent sampler."""

    wrap_u: Wrap = "repeat"
    wrap_v: Wrap = "repeat"
    magnify: Literal["linear", "nearest"] = "linear"
    minify: Literal["trilinear", "linear", "nearest"] = "trilinear"


@dataclass(frozen=True)
class TextureSource:
    """A texture: an image (None where the file names none) and a sampler."""

    place: str
    image: int | None
    sampler: Sampler


@dataclass(frozen=True)
class UvTransform:
    """KHR_texture_transform: uv' = offset + R · (scale · uv)."""

    offset: tuple[float, ...] = (0.0, 0.0)
    rotation: float = 0.0
    scale: tuple[float, ...] = (1.0, 1.0)

    def apply(self, uv: NDArray[np.float32]) -> NDArray[np.float32]:
        """(V, 2) transformed texture coordinates; infinite where they leave float32."""
        cosine, sine = np.cos(self.rotation), np.sin(self.rotation)
        turn = np.array([[cosine, sine], [-sine, cosine]])
        with np.errstate(over="ignore"):
            return ((uv * np.array(self.scale)) @ turn.T + np.array(self.offset)).astype(np.float32)


@dataclass(frozen=True)
class TextureUse:
    """The base colour texture of a material: index, set of texture coordinates, transform and the set it names."""

    texture: int
    texcoord: int
    transform: UvTransform | None
    transform_texcoord: int | None


@dataclass(frozen=True)
class MToon:
    """What counts of a VRM 0.x MToon entry or of a `VRMC_materials_mtoon` block; None where it says nothing."""

    color: tuple[float, ...] | None = None
    cull: Cull | None = None
    render_queue: int | None = None
    queue_offset: int = 0
    writes_depth: bool = False


@dataclass(frozen=True)
class MaterialSource:
    """A material as the file has it. `has_pbr`: the block `pbrMetallicRoughness` is present."""

    place: str
    name: str
    has_pbr: bool
    base_color: tuple[float, ...]
    use: TextureUse | None
    alpha_mode: AlphaMode
    alpha_cutoff: float
    double_sided: bool
    mtoon: MToon


# -- reading the JSON side --------------------------------------------------------------------------------------


def read_textures(root: JsonValue, image_count: int) -> tuple[TextureSource, ...]:
    """Textures with their samplers.

    Raises:
        FormatError: an index does not resolve, a sampler has an unknown value, or the only image is of a format that
            needs an extension.
    """
    samplers = [_read_sampler(entry) for entry in root.entries_of("samplers")]
    textures = []
    for entry in root.entries_of("textures"):
        image = optional_index(entry, "source", image_count, "images")
        if image is None:
            for name in _IMAGE_FORMATS_OF_EXTENSIONS:
                if extension(entry, name) is not None:
                    raise FormatError(f"{entry.place}.extensions", "a PNG or JPEG source", name)
        sampler = optional_index(entry, "sampler", len(samplers), "samplers")
        textures.append(TextureSource(entry.place, image, Sampler() if sampler is None else samplers[sampler]))
    return tuple(textures)


def _read_sampler(entry: JsonValue) -> Sampler:
    def choice(key: str, allowed: dict, default: str) -> str:
        member = entry.get(key)
        if member is None:
            return default
        code = member.integer()
        if code not in allowed:
            raise member.error(f"one of {', '.join(map(str, allowed))}", str(code))
        return str(allowed[code])

    return Sampler(
        choice("wrapS", _WRAPS, "repeat"),  # type: ignore[arg-type]
        choice("wrapT", _WRAPS, "repeat"),  # type: ignore[arg-type]
        choice("magFilter", _MAGNIFY, "linear"),  # type: ignore[arg-type]
        choice("minFilter", _MINIFY, "trilinear"),  # type: ignore[arg-type]
    )


def read_materials(
    root: JsonValue, texture_count: int, properties: list[JsonValue] | None
) -> tuple[MaterialSource, ...]:
    """Materials of the document.

    Args:
        properties: the VRM 0.x `materialProperties`, one entry per material, or None.

    Raises:
        FormatError: an index does not resolve or a value is not what it should be.
    """
    entries = root.entries_of("materials")
    return tuple(
        _read_material(entry, texture_count, properties[index] if properties and index < len(properties) else None)
        for index, entry in enumerate(entries)
    )


def _read_material(entry: JsonValue, texture_count: int, properties: JsonValue | None) -> MaterialSource:
    pbr = entry.get("pbrMetallicRoughness")
    factor = None if pbr is None else pbr.get("baseColorFactor")
    info = None if pbr is None else pbr.get("baseColorTexture")
    mode = entry.get("alphaMode")
    if mode is not None and mode.text() not in _ALPHA_MODES:
        raise mode.error("OPAQUE, MASK or BLEND", describe(mode.value))
    name = entry.get("name")
    return MaterialSource(
        entry.place,
        name.text() if name is not None else "",
        pbr is not None,
        (1.0, 1.0, 1.0, 1.0) if factor is None else factor.numbers(4),
        None if info is None else _read_use(info, texture_count),
        "OPAQUE" if mode is None else _ALPHA_MODES[mode.text()],
        optional_number(entry, "alphaCutoff", 0.5),
        optional_boolean(entry, "doubleSided"),
        _read_mtoon(entry, properties),
    )


def _read_use(info: JsonValue, texture_count: int) -> TextureUse:
    texture = info["index"].index(texture_count, "textures")
    texcoord = optional_integer(info, "texCoord", 0, maximum=255)
    block = extension(info, "KHR_texture_transform")
    if block is None:
        return TextureUse(texture, texcoord, None, None)
    offset, scale = block.get("offset"), block.get("scale")
    own = block.get("texCoord")
    transform = UvTransform(
        (0.0, 0.0) if offset is None else offset.numbers(2),
        optional_number(block, "rotation", 0.0),
        (1.0, 1.0) if scale is None else scale.numbers(2),
    )
    return TextureUse(texture, texcoord, transform, None if own is None else own.integer(0, 255))


def _read_mtoon(entry: JsonValue, properties: JsonValue | None) -> MToon:
    if properties is not None:
        shader = properties.get("shader")
        if shader is not None and shader.text() == "VRM/MToon":
            return _read_mtoon0(properties)
        return MToon()
    block = extension(entry, "VRMC_materials_mtoon")
    if block is None:
        return MToon()
    return MToon(
        queue_offset=optional_integer(block, "renderQueueOffsetNumber", 0, -_MAX_QUEUE, _MAX_QUEUE),
        writes_depth=optional_boolean(block, "transparentWithZWrite"),
    )


def _read_mtoon0(properties: JsonValue) -> MToon:
    vectors, floats = properties.get("vectorProperties"), properties.get("floatProperties")
    color = None if vectors is None else vectors.get("_Color")
    cull = None if floats is None else floats.get("_CullMode")
    blend = None if floats is None else floats.get("_BlendMode")
    queue = optional_integer(properties, "renderQueue", -1, -_MAX_QUEUE, _MAX_QUEUE)
    return MToon(
        color=None if color is None else color.numbers(4),
        cull=None if cull is None else _CULLS[cull.integer(0, 2)],
        render_queue=queue if queue >= 0 else None,
        writes_depth=blend is not None and blend.number() == _TRANSPARENT_WITH_Z_WRITE,
    )


# -- what the shadings make of it -------------------------------------------------------------------------------


def paper_material(source: MaterialSource, textures: tuple[TextureSource, ...], images: Images) -> Material:
    """The original's look: the factor as stored, the sampler ignored, both sides drawn.

    Call it only for materials with a base colour texture that names an image.

    Raises:
        FormatError: the image is unreadable.
    """
    texture = None
    if source.use is not None:
        image = textures[source.use.texture].image
        if image is not None:
            texture = Texture(images.decode(image, "paper"))
    red, green, blue, alpha = source.base_color
    return Material(
        name=source.name,
        color_factor=(red, green, blue, alpha),
        texture=texture,
        alpha_mode=source.alpha_mode,
        alpha_cutoff=source.alpha_cutoff,
        cull="none",
        render_queue=_QUEUES[source.alpha_mode],
    )


def corrected_material(
    source: MaterialSource | None, textures: tuple[TextureSource, ...], images: Images, notes: list[str]
) -> Material:
    """The look that the file means; white, opaque and single-sided where a primitive has no material.

    An image that cannot be read counts as white, with a note.
    """
    if source is None:
        return Material()
    mtoon = source.mtoon
    if mtoon.color is not None:
        red, green, blue = mtoon.color[:3]
    else:  # rounded because the formula gives 1 − 1e-16 for 1
        red, green, blue = np.round(srgb_from_linear(np.array(source.base_color[:3])), 9).tolist()
    default_queue = _QUEUES[source.alpha_mode] + mtoon.queue_offset
    return Material(
        name=source.name,
        color_factor=(red, green, blue, source.base_color[3]),
        texture=_corrected_texture(source, textures, images, notes),
        alpha_mode=source.alpha_mode,
        alpha_cutoff=source.alpha_cutoff,
        cull=mtoon.cull or ("none" if source.double_sided else "back"),
        render_queue=default_queue if mtoon.render_queue is None else mtoon.render_queue,
        writes_depth_when_blended=mtoon.writes_depth,
    )


def _corrected_texture(
    source: MaterialSource, textures: tuple[TextureSource, ...], images: Images, notes: list[str]
) -> Texture | None:
    if source.use is None:
        return None
    texture = textures[source.use.texture]
    if texture.image is None:
        notes.append(f"{texture.place}: a texture without source counts as white.")
        return None
    try:
        pixels = images.decode(texture.image, "corrected")
    except FormatError as problem:
        notes.append(f"{problem.message.rstrip('.')}; the texture counts as white.")
        return None
    sampler = texture.sampler
    return Texture(pixels, sampler.wrap_u, sampler.wrap_v, sampler.magnify, sampler.minify)
