"""A character as its file means it: every skin, node transform and material, arms brought to 60° below horizontal.

Source: spec/renderer.md §12.1, §12.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from _databacks.vrm.document import Document, tidy_notes
from _databacks.vrm.humanoid import required_bone
from _databacks.vrm.materials import MaterialSource, UvTransform, corrected_material
from _databacks.vrm.meshes import Primitive, check_coordinates, read_positions, read_texcoords, read_triangles
from _databacks.vrm.nodes import Node, translation, turn_about_z, vrm1_turn
from _databacks.vrm.parts import Budget, Posed, make_part
from _databacks.vrm.skin import blend, inverse_bind_matrices, read_influences
from _exchange.errors import FormatError
from _exchange.frames import HEAD_OFFSET
from _exchange.mesh import HeadMesh, Material, Part

ARM_DEG = -60.0
"""Angle of the upper arms that are drawn, above the horizontal."""
FIT_HALF_SIDE = 0.34
"""Half the box that `fit` shrinks a large head into, metres."""
_NECK_BELOW_HEAD = 0.1
_OUTWARD = {"left": -1.0, "right": 1.0}


@dataclass(frozen=True, eq=False)
class _Pose:
    """Where everything stands: (N, 4, 4) world matrices with the arms turned, and what hangs on the head."""

    world: NDArray[np.float64]
    below_head: frozenset[int]


def corrected_head_mesh(
    document: Document, *, fit: bool, head_position: tuple[float, float, float] | None, with_looks: bool = True
) -> HeadMesh:
    """The character in `head_model`.

    Args:
        fit: shrink a head that is larger than the working cube into it.
        head_position: (x, y, z) of the head joint in `model`, for files without a head bone.
        with_looks: read materials and decode their images; without, every part is plain white.

    Raises:
        FormatError: there is no head, or the data of something drawn are damaged.
    """
    scenes, bones = document.scenes, document.humanoid.bones
    notes = list(document.notes)
    rest = scenes.world("either", vrm1_turn() if document.humanoid.version == "1.0" else np.eye(4))
    head_joint = _head_joint(document, rest, head_position, notes)
    origin = head_joint + HEAD_OFFSET
    neck_y = rest[bones["neck"]][1, 3] if "neck" in bones else head_joint[1] - _NECK_BELOW_HEAD
    world, angles = _arms_down(document, rest)
    below_head = scenes.descendants(bones["head"]) if "head" in bones else set()
    parts = _Parts(document, _Pose(world, frozenset(below_head)), origin, notes).read(with_looks)
    scale = _fit_scale(parts) if fit else 1.0
    if scale != 1.0:
        parts = [replace(part, positions=(part.positions * scale).astype(np.float32)) for part in parts]
    if with_looks:
        notes += _unused_image_notes(document)
    if not parts:
        notes.append("scenes: there is nothing to draw.")
    return HeadMesh(
        parts=tuple(parts),
        loc_origin=origin,
        neck_height=float(neck_y - origin[1]) * scale,
        scale=scale,
        arm_angles_deg=angles,
        vrm_version=document.humanoid.version,
        attribution=document.humanoid.attribution,
        notes=tidy_notes(notes),
    )


def _unused_image_notes(document: Document) -> list[str]:
    """Notes about unreadable images that no base colour uses; the others are met when they are decoded."""
    used = {document.textures[material.use.texture].image for material in document.materials if material.use}
    notes = []
    for index in sorted(set(range(len(document.images))) - used):
        try:
            document.images.check(index, "corrected")
        except FormatError as problem:
            notes.append(f"{problem.message.rstrip('.')}; no base colour uses it.")
    return notes


def _head_joint(
    document: Document,
    world: NDArray[np.float64],
    head_position: tuple[float, float, float] | None,
    notes: list[str],
) -> NDArray[np.float64]:
    if "head" in document.humanoid.bones:
        return world[document.humanoid.bones["head"]][:3, 3]
    if head_position is None:
        if document.humanoid.version == "":
            raise FormatError("extensions", "a VRM or VRMC_vrm block or a given position of the head", "neither")
        required_bone(document.humanoid, "head")
    if document.humanoid.version != "":
        notes.append(f"{document.humanoid.place}: there is no head bone; the given position counts.")
    return np.array(head_position, np.float64)


def _arms_down(
    document: Document, rest: NDArray[np.float64]
) -> tuple[NDArray[np.float64], dict[str, dict[str, float]]]:
    """World matrices with both upper arms at `ARM_DEG`, and per side the rest angle and the turn, degrees."""
    world = rest.copy()
    angles: dict[str, dict[str, float]] = {}
    for side, outward in _OUTWARD.items():
        upper, lower = (document.humanoid.bones.get(f"{side}{part}Arm") for part in ("Upper", "Lower"))
        if upper is None or lower is None:
            continue
        along = rest[lower][:3, 3] - rest[upper][:3, 3]
        sideways = outward * along[0] + 0.0  # −0 becomes 0: an arm straight ahead does not point across the chest
        angle = float(np.degrees(np.arctan2(along[1], sideways)))
        turn = -outward * (angle - ARM_DEG)
        below = sorted(document.scenes.descendants(upper))
        world[below] = turn_about_z(turn, rest[upper][:3, 3]) @ world[below]
        angles[side] = {"rest": angle, "turn": turn}
    return world, angles


def _fit_scale(parts: list[Part]) -> float:
    """min(1, 0.34 / h) with h the largest of |x|, |z|, +y on the head; −y is left out for the sake of long hair."""
    on_head = [part.positions[part.on_head] for part in parts if part.on_head.any()]
    if not on_head:
        return 1.0
    points = np.concatenate(on_head).astype(np.float64)
    height = max(np.abs(points[:, [0, 2]]).max(), points[:, 1].max())
    return float(min(1.0, FIT_HALF_SIDE / height)) if height > 0 else 1.0


class _Parts:
    """Reads the drawn primitives one by one, keeping what they share."""

    def __init__(self, document: Document, pose: _Pose, origin: NDArray[np.float64], notes: list[str]) -> None:
        self.document, self.pose, self.notes = document, pose, notes
        self.head_model = translation(-origin)
        self.budget = Budget()
        self.posed: dict[tuple[int | None, ...], Posed] = {}
        self.materials: dict[int | None, Material] = {}
        self.coordinates: dict[tuple[int | None, UvTransform | None], NDArray[np.float32] | None] = {}
        self.joints: dict[int, tuple[NDArray[np.float64], NDArray[np.bool_]]] = {}

    def read(self, with_looks: bool) -> list[Part]:
        """All parts in draw order."""
        scenes = self.document.scenes
        parts = []
        for index in scenes.draw_order(scenes.default):
            node = scenes.nodes[index]
            for primitive in self.document.meshes[node.mesh] if node.mesh is not None else ():
                if "POSITION" in primitive.attributes:
                    part = self._part(index, node, primitive, with_looks)
                    if part is not None and len(part.faces):
                        parts.append(part)
        return parts

    def _part(self, index: int, node: Node, primitive: Primitive, with_looks: bool) -> Part | None:
        accessors = self.document.accessors
        self.budget.draw(primitive, accessors)
        skinned = node.skin is not None and "JOINTS_0" in primitive.attributes
        posed = self._posed(node.skin if skinned else None, primitive)
        faces = read_triangles(primitive, accessors, len(posed.positions), self.notes)
        if faces is None:
            return None
        matrix = self.head_model
        if not skinned:
            matrix = matrix @ self.pose.world[index]
            posed = replace(posed, on_head=index in self.pose.below_head)
            if np.linalg.det(matrix[:3, :3]) < 0:
                faces = faces[:, [0, 2, 1]]
        source = self.document.materials[primitive.material] if with_looks and primitive.material is not None else None
        material = self._material(primitive.material, source)
        uv = None if material.texture is None else self._coordinates(primitive, source)
        if uv is None:
            material = replace(material, texture=None)
        return make_part(primitive.place, posed=posed, faces=faces, uv=uv, matrix=matrix, material=material)

    def _posed(self, skin_index: int | None, primitive: Primitive) -> Posed:
        """Vertices in `model` where skinned, in the node's own space where not."""
        attributes = primitive.attributes
        names = (
            ("POSITION", "JOINTS_0", "WEIGHTS_0", "JOINTS_1", "WEIGHTS_1") if skin_index is not None else ("POSITION",)
        )
        key = (skin_index, *(attributes.get(name) for name in names))
        if key in self.posed:
            return self.posed[key]
        accessors = self.document.accessors
        self.budget.pose(primitive, accessors)
        positions = read_positions(primitive, accessors)
        if skin_index is None:
            posed = Posed(positions.astype(np.float64), on_head=False)
        else:
            skin = self.document.skins[skin_index]
            influences = read_influences(primitive, accessors, skin, sets=2)
            if influences.weightless.any():
                influences.weights[influences.weightless, 0] = 1.0
                self.notes.append(
                    f"{primitive.place_of('WEIGHTS_0')}: vertices without weight follow their first joint."
                )
            matrices, on_head = self._joints(skin_index)
            place = primitive.place_of("POSITION")
            posed = Posed(blend(positions, influences, matrices, place), on_head[influences.strongest()])
        self.posed[key] = posed
        return posed

    def _material(self, index: int | None, source: MaterialSource | None) -> Material:
        if index not in self.materials:
            document = self.document
            self.materials[index] = corrected_material(source, document.textures, document.images, self.notes)
        return self.materials[index]

    def _coordinates(self, primitive: Primitive, source: MaterialSource | None) -> NDArray[np.float32] | None:
        """(V, 2) coordinates of the set that the material names, transformed; None where nothing is looked up."""
        if source is None or source.use is None:
            return None
        use = source.use
        channel = use.texcoord if use.transform_texcoord is None else use.transform_texcoord
        accessor = primitive.attributes.get(f"TEXCOORD_{channel}")
        key = (accessor, use.transform)
        if accessor is not None and key not in self.coordinates:
            self.budget.look_up(primitive.place, self.document.accessors[accessor].count)
            uv = read_texcoords(primitive, self.document.accessors, channel)
            if uv is not None and use.transform is not None:
                uv = use.transform.apply(uv)
                check_coordinates(f"{source.place}.pbrMetallicRoughness.baseColorTexture.extensions", uv)
            self.coordinates[key] = uv
        return self.coordinates.get(key)

    def _joints(self, skin_index: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(J, 4, 4) matrices from the bind pose to `model`, and (J,) whether a joint is on the head."""
        if skin_index not in self.joints:
            skin = self.document.skins[skin_index]
            binds = inverse_bind_matrices(skin, self.document.accessors)
            on_head = np.array([joint in self.pose.below_head for joint in skin.joints])
            self.joints[skin_index] = self.pose.world[list(skin.joints)] @ binds, on_head
        return self.joints[skin_index]
