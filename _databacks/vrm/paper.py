"""A character as the original draws it: skin 0, arms turned by a fixed angle, textured primitives only.

Source: spec/renderer.md §2, §3, §5, §8.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from _databacks.vrm.document import Document, tidy_notes
from _databacks.vrm.humanoid import required_bone
from _databacks.vrm.limits import MAX_SURFACE_VERTICES
from _databacks.vrm.materials import paper_material
from _databacks.vrm.meshes import TRIANGLES, Primitive, read_positions, read_texcoords, read_triangles
from _databacks.vrm.nodes import translation
from _databacks.vrm.parts import Budget, Posed, make_part
from _databacks.vrm.skin import (
    Skin,
    blend,
    paper_joint_matrices,
    paper_joint_positions,
    read_influences,
)
from _exchange.errors import FormatError
from _exchange.frames import HEAD_OFFSET
from _exchange.mesh import HeadMesh, Material, Part

_SIDES = (("left", 1.0), ("right", -1.0))


def paper_head_mesh(document: Document, arm_angle_deg: float) -> HeadMesh:
    """The character with both upper arms turned down by `arm_angle_deg`.

    Raises:
        FormatError: something that the original refuses too (spec/renderer.md §8).
    """
    _check(document)
    skin = _skin_zero(document)
    for bone in ("neck", "leftUpperArm", "rightUpperArm"):
        required_bone(document.humanoid, bone)
    origin = paper_loc_origin(document)
    joints = paper_joint_positions(skin, document.accessors)
    notes = list(document.notes)
    parts = _parts(document, posed_primitives(document, arm_angle_deg), origin, notes)
    return HeadMesh(
        parts=tuple(parts),
        loc_origin=origin,
        neck_height=float(joints[_joint(document, skin, "neck")][1] - origin[1]),
        arm_angles_deg=_arm_angles(document, skin, joints, arm_angle_deg),
        vrm_version=document.humanoid.version,
        attribution=document.humanoid.attribution,
        notes=tidy_notes(notes),
    )


def paper_loc_origin(document: Document) -> NDArray[np.float64]:
    """(3,) origin of the head frames in `model`: the head joint of skin 0 + (0, 0.1, 0).

    Raises:
        FormatError: the file is no VRM 0.x, or has no head joint in skin 0.
    """
    _check_version(document)
    skin = _skin_zero(document)
    joints = paper_joint_positions(skin, document.accessors)
    return joints[_joint(document, skin, "head")].astype(np.float64) + HEAD_OFFSET


def posed_primitives(document: Document, arm_angle_deg: float) -> dict[tuple[int, int], Posed]:
    """Vertices of every primitive, by (mesh, primitive), in the file's axes before node matrices.

    Each is posed from the file's values and written back over its positions: of primitives that share positions but
    not weights, the last one wins.

    Raises:
        FormatError: a primitive has no joints or weights, is no triangle list, or its data are damaged.
    """
    skin = _skin_zero(document)
    turns = {
        document.humanoid.bones[f"{side}UpperArm"]: sign * arm_angle_deg
        for side, sign in _SIDES
        if f"{side}UpperArm" in document.humanoid.bones
    }
    joints = paper_joint_positions(skin, document.accessors)
    matrices = paper_joint_matrices(skin, document.scenes, joints, turns)
    head = document.humanoid.bones.get("head")
    below_head = document.scenes.descendants(head) if head is not None else set()
    joint_on_head = np.array([node in below_head for node in skin.joints])
    budget = Budget()
    known: dict[tuple[int, ...], Posed] = {}
    latest: dict[tuple[object, ...], Posed] = {}
    places = {}
    for mesh_index, mesh in enumerate(document.meshes):
        for index, primitive in enumerate(mesh):
            _check_primitive(document, primitive)
            for name in ("POSITION", "JOINTS_0", "WEIGHTS_0"):
                if name not in primitive.attributes:
                    raise FormatError(f"{primitive.place}.attributes", f"{name}, which paper shading needs", "none")
            inputs = tuple(primitive.attributes[name] for name in ("POSITION", "JOINTS_0", "WEIGHTS_0"))
            if inputs not in known:
                budget.pose(primitive, document.accessors)
                known[inputs] = _pose(document, primitive, skin, matrices, joint_on_head)
            place = places[mesh_index, index] = _bytes_of(document, inputs[0])
            latest[place] = known[inputs]
    return {key: latest[place] for key, place in places.items()}


def bind_surface(document: Document) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Positions (V, 3) and triangles (F, 3) of all primitives in file order: no pose, no nodes, not shifted.

    Raises:
        FormatError: a primitive has no indices or is no triangle list, or an attribute cannot be read.
    """
    verts: list[NDArray[np.float32]] = []
    faces: list[NDArray[np.int64]] = []
    budget, start = Budget(), 0
    for primitive in (primitive for mesh in document.meshes for primitive in mesh):
        if primitive.indices is None:
            raise FormatError(f"{primitive.place}.indices", "an index accessor", "none")
        _check_primitive(document, primitive)
        budget.draw(primitive, document.accessors)
        positions = read_positions(primitive, document.accessors)
        if start + len(positions) > MAX_SURFACE_VERTICES:
            raise FormatError(primitive.place, f"at most {MAX_SURFACE_VERTICES} vertices", "more so far")
        triangles = read_triangles(primitive, document.accessors, len(positions), [])
        assert triangles is not None, "non-triangles have been refused"
        verts.append(positions)
        faces.append(triangles.astype(np.int64) + start)
        start += len(positions)
    if not verts:
        raise FormatError("meshes", "at least one primitive", "none")
    return np.concatenate(verts), np.concatenate(faces)


# -- one step each ----------------------------------------------------------------------------------------------


def _pose(
    document: Document,
    primitive: Primitive,
    skin: Skin,
    matrices: NDArray[np.float64],
    joint_on_head: NDArray[np.bool_],
) -> Posed:
    positions = read_positions(primitive, document.accessors)
    influences = read_influences(primitive, document.accessors, skin, sets=1)
    posed = blend(positions, influences, matrices, primitive.place_of("POSITION")).astype(np.float32)
    drawable = ~influences.weightless if influences.weightless.any() else None
    return Posed(posed.astype(np.float64), joint_on_head[influences.strongest()], drawable)


def _parts(
    document: Document,
    posed: Mapping[tuple[int, int], Posed],
    origin: NDArray[np.float64],
    notes: list[str],
) -> list[Part]:
    """Textured primitives in draw order, through their node's matrix."""
    scenes = document.scenes
    world = scenes.world("both", np.eye(4))
    budget = Budget()
    materials: dict[str, Material] = {}
    coordinates: dict[int, NDArray[np.float32] | None] = {}
    parts = []
    for node_index in scenes.draw_order(0 if scenes.roots else None):
        mesh_index = scenes.nodes[node_index].mesh
        for index, primitive in enumerate(document.meshes[mesh_index] if mesh_index is not None else ()):
            assert mesh_index is not None
            source = None if primitive.material is None else document.materials[primitive.material]
            channel = primitive.attributes.get("TEXCOORD_0")
            if source is None or source.use is None or channel is None:
                notes.append(f"{primitive.place}: without texture it is not drawn.")
                continue
            budget.draw(primitive, document.accessors)
            if channel not in coordinates:
                budget.look_up(primitive.place, document.accessors[channel].count)
                coordinates[channel] = read_texcoords(primitive, document.accessors, 0)
            if source.place not in materials:
                materials[source.place] = paper_material(source, document.textures, document.images)
            vertices = posed[mesh_index, index]
            faces = read_triangles(primitive, document.accessors, len(vertices.positions), notes)
            assert faces is not None, "non-triangles have been refused"
            if vertices.drawable is not None:
                notes.append(f"{primitive.place}.attributes.WEIGHTS_0: triangles without any weight vanish.")
            part = make_part(
                primitive.place,
                posed=vertices,
                faces=faces,
                uv=coordinates[channel],
                matrix=translation(-origin) @ world[node_index],
                material=materials[source.place],
            )
            if len(part.faces):
                parts.append(part)
    if not parts:
        notes.append("scenes[0]: there is nothing to draw.")
    return parts


def _arm_angles(document: Document, skin: Skin, joints: NDArray, arm_angle_deg: float) -> dict[str, dict[str, float]]:
    """Turn per side whose upper arm is a joint, and the rest angle where the lower arm is one as well."""
    angles: dict[str, dict[str, float]] = {}
    for side, sign in _SIDES:
        upper, lower = (document.humanoid.bones.get(f"{side}{part}Arm") for part in ("Upper", "Lower"))
        if upper not in skin.joints:
            continue
        angles[side] = {"turn": sign * arm_angle_deg}
        if lower in skin.joints:
            along = joints[skin.joints.index(lower)] - joints[skin.joints.index(upper)]
            angles[side]["rest"] = float(np.degrees(np.arctan2(along[1], -sign * along[0] + 0.0)))
    return angles


# -- what the original refuses ----------------------------------------------------------------------------------


def _check(document: Document) -> None:
    """Refuse what makes the original fail before it draws.

    Raises:
        FormatError: see spec/renderer.md §8.
    """
    _check_version(document)
    for material in document.materials:
        if not material.has_pbr:
            raise FormatError(f"{material.place}.pbrMetallicRoughness", "the block that paper shading needs", "none")
    for texture in document.textures:
        if texture.image is None:
            raise FormatError(f"{texture.place}.source", "the image that paper shading needs", "none")
    for index in range(len(document.images)):
        document.images.check(index, "paper")


def _check_version(document: Document) -> None:
    version = document.humanoid.version
    if version != "0.x":
        found = "a VRM 1.0 block, which only corrected shading reads" if version else "none"
        raise FormatError("extensions.VRM", "the VRM 0.x block that paper shading needs", found)


def _skin_zero(document: Document) -> Skin:
    if not document.skins:
        raise FormatError("skins", "the skin that paper shading needs", "none")
    skin = document.skins[0]
    if skin.inverse_binds is None:
        raise FormatError(f"{skin.place}.inverseBindMatrices", "the matrices that paper shading needs", "none")
    return skin


def _joint(document: Document, skin: Skin, bone: str) -> int:
    node = required_bone(document.humanoid, bone)
    if node not in skin.joints:
        raise FormatError(f"{skin.place}.joints", f"node {node}, the bone {bone}, among the joints", "it is no joint")
    return skin.joints.index(node)


def _check_primitive(document: Document, primitive: Primitive) -> None:
    if primitive.mode != TRIANGLES:
        raise FormatError(f"{primitive.place}.mode", f"{TRIANGLES} (triangles)", str(primitive.mode))
    indices = {} if primitive.indices is None else {f"{primitive.place}.indices": primitive.indices}
    attributes = {primitive.place_of(name): index for name, index in primitive.attributes.items()}
    for place, index in (attributes | indices).items():
        accessor = document.accessors[index]
        if accessor.view is None and accessor.sparse is None:
            found = f"{accessor.place} without any"
            raise FormatError(place, "an accessor with data, which the original needs", found)


def _bytes_of(document: Document, index: int) -> tuple[object, ...]:
    """What identifies the stored positions: accessors over the same bytes are one."""
    accessor = document.accessors[index]
    if accessor.view is None or accessor.sparse is not None:
        return ("accessor", index)
    return (accessor.view, accessor.offset, accessor.count)
