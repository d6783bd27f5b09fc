"""A character is shaped like an anime head: size, symmetry, closed surfaces, free eyes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from _databacks.characters import SAMPLE_SEEDS, Character, assemble, draw_traits
from _databacks.characters.solids import Solid
from _databacks.characters.traits import ACCESSORIES, FRINGES, HAIR_FAMILIES, MOUTHS, OUTFITS
from tests.databacks.characters.decode import built, decoded, front_material


@pytest.fixture(scope="module")
def characters() -> list[Character]:
    return [built(seed) for seed in (*SAMPLE_SEEDS[:4], 1001, 1002)]


def _welded(solid: Solid) -> trimesh.Trimesh:
    mesh = trimesh.Trimesh(np.round(solid.positions, 7), solid.faces, process=False)
    mesh.merge_vertices(merge_tex=True, merge_norm=True, digits_vertex=6)
    return mesh


def test_every_solid_is_closed_and_looks_outwards(characters: list[Character]) -> None:
    for character in characters[:3]:
        for number, solid in enumerate(character.solids):
            mesh = _welded(solid)
            assert mesh.is_watertight, (character.name, number, solid.material)
            assert mesh.volume > 0


def test_the_head_is_as_high_as_an_anime_head(characters: list[Character]) -> None:
    for character in characters:
        head = character.solids[0].positions
        assert 0.22 <= np.ptp(head[:, 1]) <= 0.28
        assert 0.16 <= np.ptp(head[:, 0]) <= 0.20
        assert -0.14 <= head[:, 1].min() <= -0.12


def test_the_face_looks_along_minus_z_with_a_small_nose(characters: list[Character]) -> None:
    for character in characters:
        head = character.solids[0].positions
        middle = head[(head[:, 1] > -0.095) & (head[:, 1] < -0.055)]
        tip = middle[middle[:, 2].argmin()]
        assert abs(tip[0]) < 0.003
        assert -0.09 < tip[1] < -0.07
        beside = head[(np.abs(head[:, 0]) > 0.02) & (np.abs(head[:, 0]) < 0.03) & (np.abs(head[:, 1] - tip[1]) < 0.01)]
        assert 0.004 < beside[:, 2].min() - tip[2] < 0.03


def test_the_head_is_symmetric(characters: list[Character]) -> None:
    for character in characters:
        head = np.unique(character.solids[0].positions, axis=0)
        mirrored = np.unique(np.round(head * [-1.0, 1.0, 1.0], 5) + 0.0, axis=0)
        np.testing.assert_allclose(mirrored, np.unique(np.round(head, 5) + 0.0, axis=0), atol=2.1e-5)


def test_the_face_texture_is_nearly_symmetric(characters: list[Character]) -> None:
    """Only highlights, odd-coloured eyes and the nose mark differ between the halves: a few per cent of texels."""
    for character in characters:
        face = character.textures["face"].astype(int)
        different = np.abs(face - face[:, ::-1]).max(axis=2) > 24
        assert different.mean() < 0.03


def test_eyes_are_painted_on_the_surface_where_the_eye_bones_are(characters: list[Character]) -> None:
    for character in characters:
        file = decoded(character.traits.seed)
        head = character.solids[0].positions
        for bone in ("leftEye", "rightEye"):
            x, y, z = file.bones[bone] - file.loc_origin
            surface = head[np.argmin((head[:, 0] - x) ** 2 + (head[:, 1] - y) ** 2 + (head[:, 2] > 0))]
            assert 0.005 < z - surface[2] < 0.03, "the bone turns inside the head, just behind the painted eye"
            scale = 1024 / 0.28
            texel = character.textures["face"][round((-0.015 - y) * scale + 512), round(-x * scale + 512)]
            skin = character.textures["face"][round((-0.015 + 0.085) * scale + 512), 512].astype(int)
            assert np.abs(texel.astype(int) - skin).max() > 60, "the pupil differs from skin"


@pytest.mark.parametrize("seed", [*SAMPLE_SEEDS, *range(2000, 2003)])
def test_no_hair_hides_the_eyes_or_the_mouth(seed: int) -> None:
    character, file = built(seed), decoded(seed)
    eyes = character.traits.eyes
    for side in (-1, 1):
        assert front_material(file, side * eyes.x, eyes.y - 0.2 * eyes.height) == "face"
        assert front_material(file, side * (eyes.x - 0.3 * eyes.width), eyes.y) == "face"
    assert front_material(file, 0.0, character.traits.face.chin_y + character.traits.mouth.y) == "face"


@pytest.mark.parametrize("seed", SAMPLE_SEEDS)
def test_hair_covers_the_crown_and_the_back_of_the_head(seed: int) -> None:
    character = built(seed)
    skull = character.solids[0].positions
    hair = np.concatenate([solid.positions for solid in character.solids if solid.material == "hair"])
    assert hair[:, 1].max() > skull[:, 1].max()
    assert hair[:, 2].max() > skull[:, 2].max()
    assert hair[:, 1].max() < 0.30


@pytest.mark.parametrize("family", HAIR_FAMILIES)
def test_every_family_of_hair_builds_with_closed_locks(family: str) -> None:
    traits = draw_traits(31)
    character = assemble(replace(traits, hair=replace(traits.hair, family=family, ahoge=True)))
    locks = [solid for solid in character.solids if solid.material == "hair"]
    assert len(locks) > 15
    assert all(_welded(solid).is_watertight for solid in locks)


def test_every_fringe_outfit_mouth_and_accessory_builds() -> None:
    traits = draw_traits(32)
    for number in range(max(len(FRINGES), len(OUTFITS), len(MOUTHS), len(ACCESSORIES))):
        varied = replace(
            traits,
            hair=replace(traits.hair, fringe=FRINGES[number % len(FRINGES)]),
            clothes=replace(traits.clothes, outfit=OUTFITS[number % len(OUTFITS)], bow=True),
            mouth=replace(traits.mouth, kind=MOUTHS[number % len(MOUTHS)]),
            accessory=replace(traits.accessory, kind=ACCESSORIES[number % len(ACCESSORIES)]),
        )
        character = assemble(varied)
        assert all(np.isfinite(solid.positions).all() for solid in character.solids)
        assert all(_welded(solid).is_watertight for solid in character.solids if solid.material != "hair")


def test_skin_weights_follow_the_body(characters: list[Character]) -> None:
    """Hair hangs on the head, hands on the hands, and weights blend along neck and elbow."""
    for character in characters[:2]:
        for solid in character.solids:
            total = sum(weight for weight in solid.weights.values())
            np.testing.assert_allclose(total, 1, atol=1e-9)
            if solid.material == "hair":
                assert list(solid.weights) == ["head"]
        bones = {bone for solid in character.solids for bone in solid.weights}
        assert {"head", "neck", "chest", "leftUpperArm", "leftLowerArm", "leftHand", "rightUpperArm"} <= bones
