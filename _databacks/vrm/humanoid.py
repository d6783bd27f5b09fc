"""The VRM layer: which version, which node is which bone, who made the character and under what licence.

Source: spec/renderer.md §2, §12.1; VRM 0.x `extensions.VRM`, VRM 1.0 `extensions.VRMC_vrm`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from _databacks.vrm.json_path import JsonValue, extension
from _exchange.errors import FormatError

Version = Literal["0.x", "1.0", ""]


@dataclass(frozen=True)
class Humanoid:
    """The VRM block of a file.

    Attributes:
        version: ``"0.x"``, ``"1.0"``, or ``""`` for a glTF file without VRM block.
        place: path of the bones, for errors.
        bones: node by bone name, such as ``head`` and ``leftUpperArm``.
        attribution: the texts of the meta block under their own names, and `title`, `author`, `licence` whatever the
            version calls them; empty texts are left out.
        material_properties: the VRM 0.x list, or None.
    """

    version: Version
    place: str
    bones: Mapping[str, int]
    attribution: Mapping[str, str]
    material_properties: list[JsonValue] | None = None


def read_humanoid(root: JsonValue, node_count: int) -> Humanoid:
    """The VRM block; where a file has both versions, 1.0 counts.

    Raises:
        FormatError: a block or a list in it has another type, or a bone names a node that does not exist.
    """
    vrm0, vrm1 = extension(root, "VRM"), extension(root, "VRMC_vrm")
    if vrm1 is not None:
        bones = _read_bones1(vrm1, node_count)
        return Humanoid("1.0", f"{vrm1.place}.humanoid.humanBones", bones, _attribution(vrm1, {"title": "name"}))
    if vrm0 is not None:
        names = {"title": "title", "author": "author", "licence": "licenseName"}
        return Humanoid(
            "0.x",
            f"{vrm0.place}.humanoid.humanBones",
            _read_bones0(vrm0, node_count),
            _attribution(vrm0, names),
            vrm0.entries_of("materialProperties"),
        )
    asset = root.get("asset")
    copyright_text = None if asset is None else asset.get("copyright")
    attribution = {} if copyright_text is None else {"copyright": copyright_text.text()}
    return Humanoid("", "extensions", {}, attribution)


def _read_bones0(block: JsonValue, node_count: int) -> dict[str, int]:
    humanoid = block.get("humanoid")
    bones: dict[str, int] = {}
    for entry in [] if humanoid is None else humanoid.entries_of("humanBones"):
        node = entry["node"]
        if node.value != -1:  # Unity's mark of a bone that is not set
            bones.setdefault(entry["bone"].text(), node.index(node_count, "nodes"))
    return bones


def _read_bones1(block: JsonValue, node_count: int) -> dict[str, int]:
    humanoid = block.get("humanoid")
    bones = None if humanoid is None else humanoid.get("humanBones")
    if bones is None:
        return {}
    return {name: entry["node"].index(node_count, "nodes") for name, entry in bones.members()}


def _attribution(block: JsonValue, names: Mapping[str, str]) -> dict[str, str]:
    meta = block.get("meta")
    if meta is None:
        return {}
    texts = {}
    for key, entry in meta.members():
        text = _text_of(entry)
        if text:
            texts[key] = text
    common = {common: texts[own] for common, own in names.items() if own in texts}
    if "authors" in texts:
        common["author"] = texts["authors"]
    if "licence" not in common:
        links = [texts[key] for key in ("licenseUrl", "otherLicenseUrl") if key in texts]
        if links:
            common["licence"] = " ".join(links)
    return texts | common


def _text_of(entry: JsonValue) -> str:
    """A text, a truth value or a list of texts as one text; empty for numbers (image indices) and objects."""
    value = entry.value
    if isinstance(value, str):
        return entry.text().strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(item.text().strip() for item in entry.entries() if isinstance(item.value, str))
    return ""


def required_bone(humanoid: Humanoid, bone: str) -> int:
    """The node of a bone.

    Raises:
        FormatError: the file does not have it.
    """
    if bone not in humanoid.bones:
        found = ", ".join(sorted(humanoid.bones)[:6]) + (" …" if len(humanoid.bones) > 6 else "")
        raise FormatError(humanoid.place, f"the bone {bone}", found or "no bones")
    return humanoid.bones[bone]


def expression_notes(root: JsonValue, target_counts: list[int], node_meshes: list[int | None]) -> list[str]:
    """Notes about expressions (never drawn) that name morph targets which do not exist.

    Args:
        target_counts: number of morph targets per mesh.
        node_meshes: mesh per node, or None.
    """
    notes = []
    try:
        for bind, mesh in _binds(root, node_meshes):
            count = target_counts[mesh] if mesh is not None and mesh < len(target_counts) else 0
            index = bind["index"].integer()
            if index >= count:
                notes.append(f"{bind.place}.index: morph target {index} of {count} was skipped.")
    except FormatError as problem:
        notes.append(f"{problem.message.rstrip('.')}; the expressions were skipped.")
    return notes


def _binds(root: JsonValue, node_meshes: list[int | None]) -> list[tuple[JsonValue, int | None]]:
    """All morph target binds of both versions, with the mesh each names."""
    binds: list[tuple[JsonValue, int | None]] = []
    vrm0, vrm1 = extension(root, "VRM"), extension(root, "VRMC_vrm")
    master = None if vrm0 is None else vrm0.get("blendShapeMaster")
    for group in [] if master is None else master.entries_of("blendShapeGroups"):
        binds += [(bind, bind["mesh"].integer()) for bind in group.entries_of("binds")]
    expressions = None if vrm1 is None else vrm1.get("expressions")
    for _, kind in [] if expressions is None else expressions.members():
        for _, expression in kind.members():
            for bind in expression.entries_of("morphTargetBinds"):
                binds.append((bind, node_meshes[bind["node"].index(len(node_meshes), "nodes")]))
    return binds
