"""Skins: joints, inverse bind matrices and linear blend skinning, as the original does it and as glTF means it.

Source: spec/renderer.md §3.1 (original), §12.1 (corrected); glTF 2.0 specification, section 3.7.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _databacks.vrm.accessors import Accessors
from _databacks.vrm.json_path import JsonValue, optional_index
from _databacks.vrm.limits import MAX_JOINTS
from _databacks.vrm.meshes import Primitive
from _databacks.vrm.nodes import Scenes, turn_about_z
from _exchange.errors import FormatError

_BLOCK = 65_536
"""Vertices blended at a time: (V, 3, 4) double matrices stay in the cache's reach."""


@dataclass(frozen=True)
class Skin:
    """Joint nodes and the accessor of their inverse bind matrices (None: identities)."""

    place: str
    joints: tuple[int, ...]
    inverse_binds: int | None


@dataclass(frozen=True, eq=False)
class Influences:
    """What pulls at each vertex.

    Attributes:
        joints: (V, K) positions in the skin's list of joints.
        weights: (V, K) float64, rows sum to one, or to zero where `weightless`.
        weightless: (V,) the file's weights sum to zero.
    """

    joints: NDArray[np.int64]
    weights: NDArray[np.float64]
    weightless: NDArray[np.bool_]

    def strongest(self) -> NDArray[np.int64]:
        """(V,) the joint with the largest weight, the first of equals."""
        return self.joints[np.arange(len(self.joints)), self.weights.argmax(axis=1)]


def read_skins(root: JsonValue, accessors: Accessors, node_count: int) -> tuple[Skin, ...]:
    """Skins of the document.

    Raises:
        FormatError: an index does not resolve, or the bind matrices are too few or no float matrices.
    """
    skins, total = [], 0
    for entry in root.entries_of("skins"):
        joints = entry["joints"].indices(node_count, "nodes")
        total += len(joints)
        if not joints or total > MAX_JOINTS:
            raise entry["joints"].error(f"1 to {MAX_JOINTS} joints in all skins", str(total))
        optional_index(entry, "skeleton", node_count, "nodes")
        binds = optional_index(entry, "inverseBindMatrices", len(accessors), "accessors")
        if binds is not None:
            accessor, place = accessors[binds], entry["inverseBindMatrices"].place
            if accessor.kind != "MAT4" or accessor.component_name != "float32":
                found = f"{accessor.kind} of {accessor.component_name}"
                raise FormatError(place, "a MAT4 accessor of float32", found)
            if accessor.count < len(joints):
                raise FormatError(place, f"at least {len(joints)} matrices, one per joint", str(accessor.count))
        skins.append(Skin(entry.place, joints, binds))
    return tuple(skins)


def inverse_bind_matrices(skin: Skin, accessors: Accessors) -> NDArray[np.float64]:
    """(J, 4, 4) matrices for column vectors; identities where the file has none."""
    if skin.inverse_binds is None:
        return np.broadcast_to(np.eye(4), (len(skin.joints), 4, 4))
    stored = accessors.floats(skin.inverse_binds)[: len(skin.joints)]
    return stored.reshape(-1, 4, 4).swapaxes(1, 2).astype(np.float64)


def read_influences(primitive: Primitive, accessors: Accessors, skin: Skin, sets: int) -> Influences:
    """Joints and weights of a primitive in `skin`, from the first `sets` attribute sets.

    A joint beyond the skin is harmless where its weight is zero.

    Raises:
        FormatError: a joint that pulls is not in the skin, or a weight is not finite.
    """
    channels = [number for number in range(sets) if f"JOINTS_{number}" in primitive.attributes]
    joints = np.concatenate([accessors.raw(primitive.attributes[f"JOINTS_{n}"]) for n in channels], 1).astype(np.int64)
    weights = np.concatenate([_weights(primitive, accessors, n) for n in channels], 1).astype(np.float64)
    beyond = joints >= len(skin.joints)
    wrong = beyond & (weights != 0)
    if wrong.any():
        vertex, slot = np.argwhere(wrong)[0]
        place = primitive.place_of(f"JOINTS_{channels[slot // 4]}")
        raise FormatError(place, f"joints below the {len(skin.joints)} of {skin.place}", str(joints[vertex, slot]))
    total = weights.sum(axis=1, keepdims=True)
    weightless = total[:, 0] == 0
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total != 0)
    return Influences(np.where(beyond, 0, joints), weights, weightless)


def _weights(primitive: Primitive, accessors: Accessors, channel: int) -> NDArray:
    """Weights of one set; integers count as fractions whether the file marks them as normalised or not."""
    index = primitive.attributes[f"WEIGHTS_{channel}"]
    if accessors[index].component_name == "float32":
        return accessors.floats(index)
    stored = accessors.raw(index)
    return stored / np.iinfo(stored.dtype).max


def blend(positions: NDArray, influences: Influences, matrices: NDArray[np.float64], place: str) -> NDArray[np.float64]:
    """(V, 3) linear blend skinning Σ w · M_joint · p, with (J, 4, 4) `matrices`.

    Raises:
        FormatError: a result is not finite.
    """
    affine = np.ascontiguousarray(matrices[:, :3, :])
    posed = np.empty((len(positions), 3))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(positions), _BLOCK):
            rows = slice(start, start + _BLOCK)
            joints, weights = influences.joints[rows], influences.weights[rows]
            mixed = np.zeros((len(joints), 3, 4))
            for slot in range(joints.shape[1]):
                mixed += weights[:, slot, None, None] * affine[joints[:, slot]]
            posed[rows] = np.einsum("vij,vj->vi", mixed[:, :, :3], positions[rows]) + mixed[:, :, 3]
    if not np.isfinite(posed).all():
        raise FormatError(place, "finite positions after skinning", "an overflow")
    return posed


def paper_joint_positions(skin: Skin, accessors: Accessors) -> NDArray[np.float32]:
    """(J, 3) joints of the bind pose taken as pure translation: −(translation column of the inverse bind)."""
    return (-inverse_bind_matrices(skin, accessors)[:, :3, 3]).astype(np.float32)


def paper_joint_matrices(
    skin: Skin, scenes: Scenes, joint_positions: NDArray, turns_deg: Mapping[int, float]
) -> NDArray[np.float64]:
    """(J, 4, 4) matrices of the original's pose: M_j = M_parent · T · R · T⁻¹ along joints of the skin only.

    Args:
        joint_positions: (J, 3) from `paper_joint_positions`.
        turns_deg: rotation about +z per node, degrees; nodes that are no joint are left alone.
    """
    slots: dict[int, int] = {}
    for slot, node in enumerate(skin.joints):
        slots.setdefault(node, slot)
    matrices = np.empty((len(skin.joints), 4, 4))
    for node in scenes.parents_first():
        if node not in slots:
            continue
        slot, parent = slots[node], scenes.nodes[node].parent
        above = matrices[slots[parent]] if parent in slots else np.eye(4)
        turn = turns_deg.get(node)
        matrices[slot] = above if turn is None else above @ turn_about_z(turn, joint_positions[slot])
    for slot, node in enumerate(skin.joints):
        matrices[slot] = matrices[slots[node]]
    return matrices
