"""Laws of anatomy that hold for characters of many seeds, not only for those of the sample set."""

from __future__ import annotations

import numpy as np
import pytest

from _databacks.characters import Traits, draw_traits
from _databacks.characters.solids import Solid, signed_volume
from _databacks.characters.traits import HAIR_FAMILIES
from tests.databacks.characters.shapes import front_most, is_closed, places, shapes

SEEDS = tuple(range(5000, 5016))
Made = list[tuple[Traits, dict[str, list[Solid]]]]


@pytest.fixture(scope="module")
def characters() -> Made:
    return [(draw_traits(seed), shapes(draw_traits(seed))) for seed in SEEDS]


def _all(parts: dict[str, list[Solid]]) -> list[Solid]:
    return [solid for solids in parts.values() for solid in solids]


def test_these_seeds_show_most_families_of_hair(characters: Made) -> None:
    """Otherwise the laws below would be held for a few of them only."""
    assert len({traits.hair.family for traits, _ in characters}) >= len(HAIR_FAMILIES) - 1


def test_all_surfaces_are_closed_and_turned_outwards(characters: Made) -> None:
    for traits, parts in characters:
        for solid in _all(parts):
            assert is_closed(solid), (traits.seed, solid.material)
            assert signed_volume(solid.positions, solid.faces) > 0


def test_a_surface_with_one_triangle_less_or_turned_is_not_called_closed(characters: Made) -> None:
    """Negative control of the law above."""
    head = characters[0][1]["head"][0]
    turned = head.faces.copy()
    turned[100] = turned[100, ::-1]
    for faces in (head.faces[1:], turned):
        assert not is_closed(Solid(head.positions, head.uv, faces, head.material, head.weights))


def test_head_ears_and_body_are_mirror_images_of_themselves(characters: Made) -> None:
    for traits, parts in characters:
        for name in ("head", "ears", "body"):
            here = places(parts[name])
            mirrored = np.unique(here * [-1, 1, 1], axis=0)
            # Rounding to the grid may go another way on the other side.
            assert len(here) == len(mirrored), (traits.seed, name)
            assert np.abs(np.sort(here, axis=0) - np.sort(mirrored, axis=0)).max() <= 2


def test_the_face_is_in_the_order_of_a_face(characters: Made) -> None:
    for traits, _ in characters:
        chin, mouth = traits.face.chin_y, traits.face.chin_y + traits.mouth.y
        lower_lid, upper_lid = (traits.eyes.y + side * traits.eyes.height / 2 for side in (-1, 1))
        assert chin < mouth < -0.09 < lower_lid < upper_lid, "chin, mouth, nose, eyes"
        assert upper_lid < upper_lid + traits.eyes.brow_lift < 0.112, "brows below the crown"
        assert traits.eyes.x - traits.eyes.width / 2 > 0.01, "eyes apart"
        assert traits.eyes.x + traits.eyes.width / 2 < 0.75 * traits.face.half_width, "eyes on the front of the face"


def test_ears_stand_at_the_height_of_the_eyes_and_stick_out(characters: Made) -> None:
    for traits, parts in characters:
        for ear in parts["ears"]:
            assert ear.positions[:, 1].min() < traits.eyes.y < ear.positions[:, 1].max()
            assert np.abs(ear.positions[:, 0]).max() > np.abs(parts["head"][0].positions[:, 0]).max() - 0.01


def test_nothing_stands_before_the_eyes_and_the_mouth(characters: Made) -> None:
    for traits, parts in characters:
        eyes, others = traits.eyes, parts["hair"] + parts["accessory"] + parts["body"]
        spots = [(0.0, traits.face.chin_y + traits.mouth.y)]
        for side in (-1, 1):
            spots += [(side * eyes.x, eyes.y + share * eyes.height) for share in (-0.3, -0.1, 0.1)]
            spots += [(side * (eyes.x - 0.3 * eyes.width), eyes.y)]
        for x, y in spots:
            assert front_most(parts["head"], x, y) < front_most(others, x, y), (traits.seed, x, y)


def test_what_is_on_the_head_stays_in_the_box_but_for_hanging_hair(characters: Made) -> None:
    for traits, parts in characters:
        for solid in _all(parts):
            if set(solid.weights) == {"head"}:
                assert np.abs(solid.positions[:, [0, 2]]).max() < 0.30, traits.seed
                assert solid.positions[:, 1].max() < 0.30
                lowest = -0.46 if solid.material == "hair" else -0.20
                assert solid.positions[:, 1].min() > lowest


def test_hair_covers_the_skull_from_behind_and_above(characters: Made) -> None:
    for _, parts in characters:
        for x, y in ((0.0, 0.05), (0.05, 0.03), (-0.05, 0.03), (0.0, -0.04)):
            turned = [_turned(solid) for solid in parts["hair"]]
            assert front_most(turned, -x, y) < front_most([_turned(parts["head"][0])], -x, y)
        crown = parts["head"][0].positions[:, 1].max()
        assert max(solid.positions[:, 1].max() for solid in parts["hair"]) > crown


def _turned(solid: Solid) -> Solid:
    """Seen from behind."""
    return Solid(solid.positions * [-1, 1, -1], solid.uv, solid.faces, solid.material, solid.weights)


def test_skin_weights_are_shares_of_at_most_four_bones(characters: Made) -> None:
    for _, parts in characters:
        for solid in _all(parts):
            weights = np.array(list(solid.weights.values()))
            assert 1 <= len(weights) <= 4
            assert weights.shape[1] == len(solid.positions)
            assert weights.min() >= -1e-12
            np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-12)


def test_left_bones_carry_what_is_on_the_left(characters: Made) -> None:
    for _, parts in characters:
        for solid in parts["body"]:
            for bone, weight in solid.weights.items():
                if bone.startswith(("left", "right")):
                    side = -1 if bone.startswith("left") else 1
                    assert (solid.positions[weight > 0, 0] * side).min(initial=np.inf) > 0


def test_texture_coordinates_stay_inside_their_texture(characters: Made) -> None:
    for _, parts in characters:
        for solid in _all(parts):
            assert solid.uv.min() >= 0
            assert solid.uv.max() <= 1


def test_the_face_texture_lies_on_the_front_as_a_straight_projection(characters: Made) -> None:
    """Within 45 mm of the middle a texel is where the front view shows it, so painted eyes are not stretched."""
    for _, parts in characters:
        head = parts["head"][0]
        x, y, z = head.positions.T
        front = (np.abs(x) < 0.045) & (y > -0.10) & (z < -0.06)
        # The face looks along −z and its left is −x, which is the right of the picture.
        picture_x = -head.positions[front, 0]
        expected = np.stack([0.5 + picture_x / 0.28, 0.5 - (head.positions[front, 1] + 0.015) / 0.28], axis=1)
        np.testing.assert_allclose(head.uv[front], expected, atol=1e-4)


def test_hair_keeps_clear_of_the_arms_and_the_inside_of_the_chest(characters: Made) -> None:
    """Hair that reaches the shoulders is led before the chest or behind the back."""
    for traits, parts in characters:
        hair = np.concatenate([solid.positions for solid in parts["hair"]])
        low = hair[hair[:, 1] < -0.25]
        in_the_chest = (np.abs(low[:, 0]) < 0.06) & (np.abs(low[:, 2] - 0.02) < 0.03)
        assert not in_the_chest.any(), traits.seed
