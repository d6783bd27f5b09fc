"""Changing one trait leaves the rest of a character as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from _databacks.characters import Traits, draw_traits, rng
from _databacks.characters import traits as traits_module
from _databacks.characters.face_texture import face_pixels, skin_pixels
from _databacks.characters.palette import SKINS, rgb
from _databacks.characters.traits import ACCESSORIES, MOUTHS, OUTFITS
from _databacks.characters.wardrobe import SWATCHES, clothes_pixels, swatch_uv
from tests.databacks.characters.shapes import bytes_of, shapes

TRAITS = draw_traits(5100)


def _changed_parts(other: Traits) -> set[str]:
    """Which parts of the geometry differ from those of `TRAITS`."""
    here, there = shapes(TRAITS), shapes(other)
    return {name for name in here if bytes_of(here[name]) != bytes_of(there[name])}


def _changed_rows(other: Traits) -> tuple[float, float]:
    """Lowest and highest y of the face, metres, at which the painted faces differ."""
    rows = np.flatnonzero((face_pixels(TRAITS) != face_pixels(other)).any(axis=(1, 2)))
    return -0.015 + 0.14 - (rows.max() + 1) * 0.28 / 1024, -0.015 + 0.14 - rows.min() * 0.28 / 1024


def test_more_draws_of_one_group_change_no_other_group(monkeypatch: pytest.MonkeyPatch) -> None:
    before = draw_traits(5101)

    class Thirsty(rng.Stream):
        """Draws one number more before everything about hair."""

        def __init__(self, seed: int, name: str) -> None:
            super().__init__(seed, name)
            if name == "hair":
                self.uniform()

    monkeypatch.setattr(traits_module, "Stream", Thirsty)
    after = draw_traits(5101)
    assert after.hair != before.hair
    assert replace(after, hair=before.hair) == before


@pytest.mark.parametrize("kind", [kind for kind in ACCESSORIES if kind != TRAITS.accessory.kind])
def test_an_accessory_adds_itself_only(kind: str) -> None:
    assert _changed_parts(replace(TRAITS, accessory=replace(TRAITS.accessory, kind=kind))) == {"accessory"}


def test_the_side_of_a_clip_is_its_own_matter() -> None:
    for side in (-1, 1):
        worn = shapes(replace(TRAITS, accessory=replace(TRAITS.accessory, kind="clip", side=side)))["accessory"]
        # The character's left has negative x, and side 1 is its left.
        assert all((solid.positions[:, 0] * side < 0).all() for solid in worn)


@pytest.mark.parametrize("outfit", [outfit for outfit in OUTFITS if outfit != TRAITS.clothes.outfit])
def test_an_outfit_changes_the_body_only(outfit: str) -> None:
    other = replace(TRAITS, clothes=replace(TRAITS.clothes, outfit=outfit, bow=True))
    assert _changed_parts(other) <= {"body"}
    assert (clothes_pixels(other) != clothes_pixels(TRAITS)).any()
    assert (skin_pixels(other) == skin_pixels(TRAITS)).all()


def test_short_sleeves_bare_the_arms() -> None:
    def skin_reach(long_sleeves: bool) -> float:
        body = shapes(replace(TRAITS, clothes=replace(TRAITS.clothes, long_sleeves=long_sleeves)))["body"]
        return min(
            float(np.abs(solid.positions[:, 0]).min())
            for solid in body
            if solid.material == "skin" and not {"neck", "head"} & set(solid.weights)
        )

    assert skin_reach(long_sleeves=False) < 0.2, "below the shoulder"
    assert skin_reach(long_sleeves=True) > 0.5, "the hands"


@pytest.mark.parametrize("kind", [kind for kind in MOUTHS if kind != TRAITS.mouth.kind][:2])
def test_a_mouth_is_painted_on_the_mouth_and_moves_no_surface(kind: str) -> None:
    other = replace(TRAITS, mouth=replace(TRAITS.mouth, kind=kind))
    assert _changed_parts(other) == set()
    height = TRAITS.face.chin_y + TRAITS.mouth.y
    low, high = _changed_rows(other)
    assert height - 0.010 < low < height < high < height + 0.008


def test_colours_of_the_eyes_are_painted_in_the_openings_of_the_eyes() -> None:
    palette = replace(TRAITS.palette, iris_left=rgb("c23b4e"), iris_right=rgb("3fae74"))
    other = replace(TRAITS, palette=palette)
    assert _changed_parts(other) == set()
    low, high = _changed_rows(other)
    eyes = TRAITS.eyes
    assert eyes.y - 0.52 * eyes.height < low < high < eyes.y + 0.52 * eyes.height
    columns = np.flatnonzero((face_pixels(TRAITS) != face_pixels(other)).any(axis=(0, 2)))
    x = np.abs((columns + 0.5 - 512) * 0.28 / 1024)
    assert x.min() > eyes.x - 0.55 * eyes.width
    assert x.max() < eyes.x + 0.55 * eyes.width
    red, green = (face_pixels(other)[_row(eyes.y - 0.2 * eyes.height), _column(side * eyes.x)] for side in (1, -1))
    assert red[0] > red[1], "the left eye is on the right of the picture"
    assert green[1] > green[0]


def _row(y: float) -> int:
    return int((0.14 - 0.015 - y) * 1024 / 0.28)


def _column(picture_x: float) -> int:
    return int((0.14 + picture_x) * 1024 / 0.28)


def test_another_skin_repaints_and_moves_nothing() -> None:
    other_skin = SKINS[0] if TRAITS.palette.skin == SKINS[5] else SKINS[5]
    other = replace(TRAITS, palette=replace(TRAITS.palette, skin=other_skin))
    assert _changed_parts(other) == set()
    cheek = face_pixels(other)[_row(-0.09), _column(0.0)].astype(float) / 255
    assert np.abs(cheek - other_skin.base).max() < 0.1


def test_another_jaw_moves_the_head_and_leaves_the_body() -> None:
    other = replace(TRAITS, face=replace(TRAITS.face, jaw_taper=1 - TRAITS.face.jaw_taper))
    assert {"head"} <= _changed_parts(other) <= {"head", "ears", "hair", "accessory"}


def test_another_family_of_hair_leaves_the_face_and_the_body() -> None:
    family = "bob" if TRAITS.hair.family != "bob" else "long"
    other = replace(TRAITS, hair=replace(TRAITS.hair, family=family))
    assert _changed_parts(other) == {"hair"}
    assert (face_pixels(other) == face_pixels(TRAITS)).all()


def test_swatches_hold_their_colours_lit_and_in_shadow() -> None:
    pixels = clothes_pixels(TRAITS).astype(float) / 255
    height, width = pixels.shape[:2]
    expected = {"cloth": TRAITS.palette.cloth, "trim": TRAITS.palette.trim, "white": (1.0, 1.0, 1.0)}
    for name in SWATCHES:
        (lit_u, lit_v), (dark_u, dark_v) = swatch_uv(name, [0.0, 1.0])
        lit, dark = pixels[int(lit_v * height), int(lit_u * width)], pixels[int(dark_v * height), int(dark_u * width)]
        assert dark.sum() < lit.sum(), name
        if name in expected:
            np.testing.assert_allclose(lit, expected[name], atol=0.03)
