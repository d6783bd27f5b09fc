"""Materials, skinning and metadata of a written file agree with each other and with the two formats' specifications."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _databacks.characters.solids import Solid, normals
from _databacks.characters.write_vrm import _influences
from tests.databacks.characters.decode import Decoded, built, decoded

SEED = 7
BONES = ["hips", "spine", "chest", "neck", "head"]


@pytest.fixture(scope="module")
def character() -> Decoded:
    return decoded(SEED)


def test_mtoon_and_gltf_say_the_same_of_every_material(character: Decoded) -> None:
    for material, mtoon in zip(character.gltf.materials, character.vrm["materialProperties"], strict=True):
        # UnityEngine.Rendering.CullMode: 0 off, 2 back. MToon's _BlendMode: 0 opaque.
        assert (mtoon["floatProperties"]["_CullMode"] == 0) == bool(material.doubleSided)
        assert (mtoon["floatProperties"]["_BlendMode"] == 0) == (material.alphaMode == "OPAQUE")
        assert mtoon["tagMap"]["RenderType"] == "Opaque"
        assert mtoon["renderQueue"] == 2000, "Unity's queue of opaque geometry"
        assert mtoon["vectorProperties"]["_MainTex"] == [0, 0, 1, 1], "no shift, no scale"
        assert material.pbrMetallicRoughness.baseColorFactor == mtoon["vectorProperties"]["_Color"]
        assert mtoon["textureProperties"]["_ShadeTexture"] == mtoon["textureProperties"]["_MainTex"]


def test_every_material_is_worn_and_textures_are_used_once(character: Decoded) -> None:
    gltf = character.gltf
    assert sorted(primitive.material for primitive in gltf.meshes[0].primitives) == list(range(len(gltf.materials)))
    used = [material.pbrMetallicRoughness.baseColorTexture.index for material in gltf.materials]
    assert sorted(used) == list(range(len(gltf.textures)))
    assert sorted(texture.source for texture in gltf.textures) == list(range(len(gltf.images)))


def test_extensions_in_use_are_declared(character: Decoded) -> None:
    used = {name for material in character.gltf.materials for name in material.extensions} | {"VRM"}
    assert used == set(character.gltf.extensionsUsed)
    assert not character.gltf.extensionsRequired, "other programs may leave them out"


def test_accessors_of_positions_carry_their_bounds(character: Decoded) -> None:
    for primitive, part in zip(character.gltf.meshes[0].primitives, character.primitives, strict=True):
        accessor = character.gltf.accessors[primitive.attributes.POSITION]
        np.testing.assert_array_equal(np.float32(accessor.min), part.positions.min(axis=0))
        np.testing.assert_array_equal(np.float32(accessor.max), part.positions.max(axis=0))


def test_buffer_views_start_at_multiples_of_four_and_do_not_overlap(character: Decoded) -> None:
    views = sorted(character.gltf.bufferViews, key=lambda view: view.byteOffset or 0)
    ends = [0] + [(view.byteOffset or 0) + view.byteLength for view in views]
    assert all((view.byteOffset or 0) % 4 == 0 for view in views)
    assert all((view.byteOffset or 0) >= end for view, end in zip(views, ends))
    assert ends[-1] <= character.gltf.buffers[0].byteLength


def test_all_bones_are_joints_below_the_root_of_the_skin(character: Decoded) -> None:
    gltf = character.gltf
    bones = {entry["node"] for entry in character.vrm["humanoid"]["humanBones"]}
    assert bones == set(gltf.skins[0].joints)
    below, waiting = set(), [gltf.skins[0].skeleton]
    while waiting:
        node = waiting.pop()
        below.add(node)
        waiting += gltf.nodes[node].children or []
    assert bones <= below
    assert set(gltf.scenes[gltf.scene].nodes) >= {gltf.skins[0].skeleton}


def test_the_first_person_sees_from_the_head(character: Decoded) -> None:
    head = next(entry["node"] for entry in character.vrm["humanoid"]["humanBones"] if entry["bone"] == "head")
    assert character.vrm["firstPerson"]["firstPersonBone"] == head
    assert [note["mesh"] for note in character.vrm["firstPerson"]["meshAnnotations"]] == [0]


def test_permissions_are_those_of_cc0(character: Decoded) -> None:
    meta = character.vrm["meta"]
    assert meta["allowedUserName"] == "Everyone"
    assert {meta[f"{kind}UssageName"] for kind in ("violent", "sexual", "commercial")} == {"Allow"}


def test_the_file_holds_the_surfaces_moved_to_the_head_of_the_model(character: Decoded) -> None:
    """A face at the origin of `head_model` stands 0.1 m above the head bone of the file."""
    head = built(SEED).solids[0]
    stored = character.part("face").positions - character.bones["head"] - [0, 0.1, 0]
    np.testing.assert_allclose(stored, head.positions, atol=1e-6)


def test_stored_normals_are_those_of_the_welded_surface(character: Decoded) -> None:
    head = built(SEED).solids[0]
    np.testing.assert_allclose(character.part("face").normals, normals(head.positions, head.faces), atol=2e-4)


# -- weights as bytes ---------------------------------------------------------------------------------------------


def _hung_on(weights: dict[str, np.ndarray]) -> Solid:
    count = len(next(iter(weights.values())))
    return Solid(np.zeros((count, 3)), np.zeros((count, 2)), np.zeros((0, 3), np.int64), "skin", weights)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shares=st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=4))
def test_bytes_of_any_weights_sum_to_255_and_are_close_to_them(shares: list[float]) -> None:
    wanted = np.array(shares) / sum(shares)
    solid = _hung_on({bone: np.array([share]) for bone, share in zip(BONES[1:], wanted)})
    joints, weights = (array[0].astype(int) for array in _influences(solid, BONES))
    assert weights.sum() == 255
    # Three roundings of up to half a byte end in the strongest weight.
    assert np.abs(weights[: len(wanted)] - wanted * 255).max() <= 2
    assert [BONES[joint] for joint in joints[weights > 0]] == [
        bone for bone, weight in zip(BONES[1:], weights) if weight > 0
    ]
    assert (joints[weights == 0] == 0).all()
