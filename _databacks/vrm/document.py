"""A glTF or VRM document: container and JSON read and checked as a whole, nothing decoded yet.

Source: glTF 2.0 specification; spec/renderer.md §2, §9, §12.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from _databacks.vrm.accessors import Accessors, read_accessors
from _databacks.vrm.container import read_container
from _databacks.vrm.humanoid import Humanoid, expression_notes, read_humanoid
from _databacks.vrm.images import Images, read_images
from _databacks.vrm.json_path import JsonValue, describe
from _databacks.vrm.limits import MAX_NOTES
from _databacks.vrm.materials import MaterialSource, TextureSource, read_materials, read_textures
from _databacks.vrm.meshes import Meshes, read_meshes
from _databacks.vrm.nodes import Scenes, read_scenes
from _databacks.vrm.skin import Skin, read_skins
from _exchange.errors import FormatError, InputError

_UNDERSTOOD = frozenset(
    {
        "KHR_mesh_quantization",
        "KHR_texture_transform",
        "KHR_lights_punctual",
        "KHR_animation_pointer",
        "KHR_xmp_json_ld",
        "VRM",
        "VRMC_vrm",
        "VRMC_vrm_animation",
        "VRMC_springBone",
        "VRMC_springBone_extended_collider",
        "VRMC_springBone_limit",
        "VRMC_node_constraint",
    }
)
"""Required extensions that are read, or whose absence changes no base colour and no neutral pose."""
_UNDERSTOOD_PREFIXES = ("KHR_materials_", "VRMC_materials_")
_NOT_UNDERSTOOD = frozenset({"KHR_materials_pbrSpecularGlossiness"})


@dataclass(frozen=True, eq=False)
class Document:
    """Everything that the later steps ask of a file; every index in it resolves, every byte range is checked.

    Attributes:
        path: the file.
        root: the JSON document.
        accessors, scenes, skins, meshes, materials, textures, images: the parts of glTF.
        humanoid: the VRM block.
        notes: oddities that were passed over, one sentence each.
    """

    path: Path
    root: JsonValue
    accessors: Accessors
    scenes: Scenes
    skins: tuple[Skin, ...]
    meshes: Meshes
    materials: tuple[MaterialSource, ...]
    textures: tuple[TextureSource, ...]
    images: Images
    humanoid: Humanoid
    notes: tuple[str, ...]


def read_document(path: Path) -> Document:
    """Read and check a .vrm, .glb or .gltf file.

    Raises:
        FormatError: something in the file is wrong; the message names the place.
        InputError: the file cannot be read.
    """
    with naming(path):
        container = read_container(path)
        root = container.root
        _check_asset(root)
        quantized = "KHR_mesh_quantization" in _check_extensions(root)
        accessors = read_accessors(container)
        images = read_images(container, accessors)
        textures = read_textures(root, len(images))
        node_count = len(root.entries_of("nodes"))
        humanoid = read_humanoid(root, node_count)
        materials = read_materials(root, len(textures), humanoid.material_properties)
        meshes = read_meshes(root, accessors, len(materials), quantized)
        skins = read_skins(root, accessors, node_count)
        scenes = read_scenes(root, len(meshes), len(skins))
        if humanoid.version == "" and path.suffix.lower() == ".vrm":
            raise FormatError("extensions", "a VRM (0.x) or VRMC_vrm (1.0) block in a .vrm file", "neither")
        notes = container.notes + _notes(root, accessors, scenes, meshes)
        return Document(path, root, accessors, scenes, skins, meshes, materials, textures, images, humanoid, notes)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give errors that rise through the block the name of the file."""
    try:
        yield
    except FormatError as problem:
        if problem.file is not None:
            raise
        raise problem.in_file(path) from problem
    except MemoryError as problem:
        raise InputError(f"{path.name}: expected a file that fits in memory, found a larger one.") from problem


def _notes(root: JsonValue, accessors: Accessors, scenes: Scenes, meshes: Meshes) -> tuple[str, ...]:
    """What is odd about the document and yet harmless."""
    notes = [
        f"{accessor.place}.byteOffset: an offset without bufferView was ignored."
        for accessor in accessors.entries
        if accessor.stray_offset
    ]
    for primitive in (primitive for mesh in meshes for primitive in mesh):
        position = primitive.attributes.get("POSITION")
        if position is None:
            notes.append(f"{primitive.place}.attributes: a primitive without POSITION was skipped.")
        elif not accessors[position].has_bounds:
            notes.append(f"{accessors[position].place}: positions without min and max; the data themselves count.")
    for node in scenes.nodes:
        primitives = meshes[node.mesh] if node.mesh is not None and node.skin is None else ()
        if any("JOINTS_0" in primitive.attributes for primitive in primitives):
            notes.append(f"{node.place}.skin: a mesh with joints is drawn unskinned, as its node names no skin.")
    target_counts = [max((primitive.target_count for primitive in mesh), default=0) for mesh in meshes]
    notes += expression_notes(root, target_counts, [node.mesh for node in scenes.nodes])
    return tidy_notes(notes)


def tidy_notes(notes: list[str]) -> tuple[str, ...]:
    """Each note once, and not more than anybody reads."""
    unique = list(dict.fromkeys(notes))
    more = len(unique) - MAX_NOTES
    return tuple(unique if more <= 0 else [*unique[:MAX_NOTES], f"{more} more notes are left out."])


def _check_asset(root: JsonValue) -> None:
    version = root["asset"]["version"]
    if version.text().split(".")[0] != "2":
        raise version.error("2.0", describe(version.value))
    minimum = root["asset"].get("minVersion")
    if minimum is not None and minimum.text() != "2.0":
        raise minimum.error("2.0", describe(minimum.value))


def _check_extensions(root: JsonValue) -> set[str]:
    """Names of the extensions in use, after refusing required ones that are not understood."""
    for entry in root.entries_of("extensionsRequired"):
        name = entry.text()
        known = name in _UNDERSTOOD or name.startswith(_UNDERSTOOD_PREFIXES)
        if not known or name in _NOT_UNDERSTOOD:
            raise entry.error("an extension that this reader understands", name[:80])
    return {entry.text() for key in ("extensionsUsed", "extensionsRequired") for entry in root.entries_of(key)}
