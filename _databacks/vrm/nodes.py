"""Nodes: the tree, its matrices and the order in which scenes draw it.

Matrices are (4, 4) float64 for column vectors, lengths are metres, axes are the file's.
Source: glTF 2.0 specification, section 3.5; spec/renderer.md §3.2, §12.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from _databacks.vrm.json_path import JsonValue, describe, optional_index, optional_indices
from _exchange.errors import FormatError


@dataclass(frozen=True, eq=False)
class Node:
    """One node as the file has it; `parent` is None for a root."""

    place: str
    parent: int | None
    children: tuple[int, ...]
    mesh: int | None
    skin: int | None
    matrix: NDArray[np.float64] | None
    trs: NDArray[np.float64]
    """T · R · S of what is present, the identity where nothing is."""


@dataclass(frozen=True, eq=False)
class Scenes:
    """The tree and the scenes that draw parts of it.

    Attributes:
        nodes: all nodes; the tree has no cycle and no node has two parents.
        roots: per scene its listed nodes.
        default: index of the scene to draw, or None where the file has no scene.
    """

    nodes: tuple[Node, ...]
    roots: tuple[tuple[int, ...], ...]
    default: int | None

    def draw_order(self, scene: int | None) -> list[int]:
        """Nodes of a scene depth first, a node before its children; none for None."""
        order: list[int] = []
        seen: set[int] = set()
        waiting = [] if scene is None else list(reversed(self.roots[scene]))
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                order.append(node)
                waiting.extend(reversed(self.nodes[node].children))
        return order

    def parents_first(self) -> list[int]:
        """All nodes, every parent before its children."""
        order = [index for index, node in enumerate(self.nodes) if node.parent is None]
        for index in order:
            order.extend(self.nodes[index].children)
        return order

    def descendants(self, node: int) -> set[int]:
        """`node` and everything below it."""
        below = [node]
        for index in below:
            below.extend(self.nodes[index].children)
        return set(below)

    def world(self, local: Literal["either", "both"], above_roots: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 4, 4) world matrices.

        Args:
            local: ``either`` takes `matrix`, else T·R·S (glTF); ``both`` multiplies all that is present, as the
                original's drawing does.
            above_roots: (4, 4) matrix put above all roots.

        Raises:
            FormatError: a product overflows.
        """
        world = np.empty((len(self.nodes), 4, 4))
        with np.errstate(over="ignore", invalid="ignore"):
            for index in self.parents_first():
                node = self.nodes[index]
                own = node.trs if node.matrix is None else node.matrix
                if local == "both" and node.matrix is not None:
                    own = node.matrix @ node.trs
                world[index] = (above_roots if node.parent is None else world[node.parent]) @ own
        finite = np.isfinite(world).all(axis=(1, 2))
        if not finite.all():
            place = self.nodes[int(np.flatnonzero(~finite)[0])].place
            raise FormatError(place, "a finite world matrix", "an overflow")
        return world


def read_scenes(root: JsonValue, mesh_count: int, skin_count: int) -> Scenes:
    """Nodes and scenes of the document.

    Raises:
        FormatError: an index does not resolve, a node has two parents or is its own ancestor, a number is not finite.
    """
    entries = root.entries_of("nodes")
    children = [optional_indices(entry, "children", len(entries), "nodes") for entry in entries]
    parents = _parents(entries, children)
    nodes = tuple(
        Node(
            entry.place,
            parents[index],
            children[index],
            optional_index(entry, "mesh", mesh_count, "meshes"),
            optional_index(entry, "skin", skin_count, "skins"),
            _matrix(entry),
            _translation_rotation_scale(entry),
        )
        for index, entry in enumerate(entries)
    )
    scene_entries = root.entries_of("scenes")
    roots = tuple(optional_indices(scene, "nodes", len(nodes), "nodes") for scene in scene_entries)
    given = root.get("scene")
    first = 0 if roots else None
    return Scenes(nodes, roots, first if given is None else given.index(len(roots), "scenes"))


def _parents(entries: list[JsonValue], children: list[tuple[int, ...]]) -> list[int | None]:
    """The parent of each node, after checking that the links form trees."""
    parents: list[int | None] = [None] * len(entries)
    for parent, below in enumerate(children):
        for position, child in enumerate(below):
            if parents[child] is not None:
                place = f"nodes[{parent}].children[{position}]"
                raise FormatError(place, "a node without another parent", f"node {child}, a child of {parents[child]}")
            parents[child] = parent
    reached = [index for index, parent in enumerate(parents) if parent is None]
    for index in reached:
        reached.extend(children[index])
    if len(reached) < len(entries):
        place = f"nodes[{min(set(range(len(entries))) - set(reached))}]"
        raise FormatError(place, "a tree of nodes", "a node that is its own ancestor")
    return parents


def _matrix(entry: JsonValue) -> NDArray[np.float64] | None:
    member = entry.get("matrix")
    return None if member is None else np.array(member.numbers(16)).reshape(4, 4).T


def _translation_rotation_scale(entry: JsonValue) -> NDArray[np.float64]:
    translation, rotation, scale = entry.get("translation"), entry.get("rotation"), entry.get("scale")
    matrix = np.eye(4)
    if rotation is not None:
        matrix[:3, :3] = _rotation(rotation)
    if scale is not None:
        matrix[:3, :3] *= scale.numbers(3)
    if translation is not None:
        matrix[:3, 3] = translation.numbers(3)
    return matrix


def _rotation(entry: JsonValue) -> NDArray[np.float64]:
    """Rotation matrix of a quaternion x, y, z, w, brought to unit length."""
    quaternion = np.array(entry.numbers(4))
    length = np.linalg.norm(quaternion)
    if not 1e-6 < length < 1e6:
        raise entry.error("a unit quaternion", describe(entry.value) + f" of length {length:g}")
    x, y, z, w = quaternion / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def transform(matrix: NDArray, points: NDArray) -> NDArray[np.float64]:
    """(V, 3) float64 images of (V, 3) points under an affine (4, 4) matrix."""
    return points.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def translation(offset: NDArray | tuple[float, float, float]) -> NDArray[np.float64]:
    """(4, 4) shift by `offset`."""
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix


def turn_about_z(degrees: float, pivot: NDArray) -> NDArray[np.float64]:
    """(4, 4) rotation about the z axis through `pivot`, counter-clockwise seen from +z."""
    angle = np.radians(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return translation(pivot) @ matrix @ translation(-np.asarray(pivot))


def vrm1_turn() -> NDArray[np.float64]:
    """(4, 4) turn by 180° about y that brings a VRM 1.0 character to `model` axes."""
    return np.diag([-1.0, 1.0, -1.0, 1.0])
