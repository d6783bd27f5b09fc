"""Traits: what makes one character differ from another, drawn from its seed and nothing else.

Each group has a stream of its own (`rng`), so adding a field at the end of a group leaves the other groups alone.
Lengths are metres in `head_model`; shares are without unit.
"""

from __future__ import annotations

from dataclasses import dataclass

from _databacks.characters.palette import Palette, draw_palette
from _databacks.characters.rng import Stream

HAIR_FAMILIES = ("bob", "long", "spiky", "ponytail", "twin_tails", "hime", "wavy", "wolf")
FRINGES = ("blunt", "parted", "swept", "pointed", "centre_lock")
MOUTHS = ("smile", "neutral", "cat", "open", "pout")
EYE_SHAPES = ("round", "drooping", "raised", "calm")
OUTFITS = ("sailor", "turtleneck", "shirt", "tee", "hoodie")
ACCESSORIES = ("none", "cat_ears", "ribbon", "clip", "headband")


@dataclass(frozen=True)
class FaceTraits:
    """Shape of the head: half width, jaw taper (0 = round, 1 = narrow), height of the chin and length of the nose."""

    half_width: float
    jaw_taper: float
    chin_y: float
    nose: float
    blush: float
    blush_lines: bool


@dataclass(frozen=True)
class EyeTraits:
    """Eyes and brows: centre, size of the opening, outline and painting."""

    x: float
    y: float
    width: float
    height: float
    shape: str
    iris_share: float
    lash_weight: float
    slit_pupil: bool
    brow_lift: float
    brow_slope: float
    brow_weight: float


@dataclass(frozen=True)
class MouthTraits:
    """Mouth: kind, width and height above the chin."""

    kind: str
    width: float
    y: float


@dataclass(frozen=True)
class HairTraits:
    """Hair: family, fringe, side (−1 or 1) of the parting, fullness over the skull, lowest height of the fringe.

    `length` in −1…1 moves the tips from their family's mean: up where hair hangs all around, down for tails.
    `curl` in 0…1 means something of its own in each family.
    """

    family: str
    fringe: str
    part_side: int
    fullness: float
    length: float
    fringe_y: float
    sidelocks: bool
    ahoge: bool
    curl: float


@dataclass(frozen=True)
class ClothesTraits:
    """Clothes: outfit, whether the sleeves are long, whether a bow or tie is worn."""

    outfit: str
    long_sleeves: bool
    bow: bool


@dataclass(frozen=True)
class AccessoryTraits:
    """Accessory: kind and the side (−1 or 1) it is worn on where that matters."""

    kind: str
    side: int


@dataclass(frozen=True)
class Traits:
    """Everything that is drawn for one character."""

    seed: int
    palette: Palette
    face: FaceTraits
    eyes: EyeTraits
    mouth: MouthTraits
    hair: HairTraits
    clothes: ClothesTraits
    accessory: AccessoryTraits


def draw_traits(seed: int) -> Traits:
    """The traits of a seed."""
    return Traits(
        seed=seed,
        palette=draw_palette(seed),
        face=_draw_face(Stream(seed, "face")),
        eyes=_draw_eyes(Stream(seed, "eyes")),
        mouth=_draw_mouth(Stream(seed, "mouth")),
        hair=_draw_hair(Stream(seed, "hair")),
        clothes=_draw_clothes(Stream(seed, "clothes")),
        accessory=_draw_accessory(Stream(seed, "accessory")),
    )


def _draw_face(stream: Stream) -> FaceTraits:
    return FaceTraits(
        half_width=stream.uniform(0.089, 0.095),
        jaw_taper=stream.uniform(0.35, 1.0),
        chin_y=stream.uniform(-0.137, -0.128),
        nose=stream.uniform(0.008, 0.012),
        blush=stream.uniform(0.25, 0.75),
        blush_lines=stream.chance(0.25),
    )


def _draw_eyes(stream: Stream) -> EyeTraits:
    return EyeTraits(
        x=stream.uniform(0.0370, 0.0400),
        y=stream.uniform(-0.046, -0.040),
        width=stream.uniform(0.042, 0.049),
        height=stream.uniform(0.040, 0.050),
        shape=stream.choose(EYE_SHAPES, (3, 2, 2, 1.5)),
        iris_share=stream.uniform(0.66, 0.78),
        lash_weight=stream.uniform(0.8, 1.25),
        slit_pupil=stream.chance(0.06),
        brow_lift=stream.uniform(0.008, 0.014),
        brow_slope=stream.uniform(-0.25, 0.3),
        brow_weight=stream.uniform(0.7, 1.3),
    )


def _draw_mouth(stream: Stream) -> MouthTraits:
    return MouthTraits(
        kind=stream.choose(MOUTHS, (4, 2, 1, 2, 1)),
        width=stream.uniform(0.021, 0.031),
        y=stream.uniform(0.026, 0.031),
    )


def _draw_hair(stream: Stream) -> HairTraits:
    return HairTraits(
        family=stream.choose(HAIR_FAMILIES),
        fringe=stream.choose(FRINGES, (1.5, 1.5, 2, 2, 2)),
        part_side=stream.choose((-1, 1)),
        fullness=stream.uniform(0.016, 0.024),
        length=stream.uniform(-1.0, 1.0),
        fringe_y=stream.uniform(-0.020, -0.004),
        sidelocks=stream.chance(0.75),
        ahoge=stream.chance(0.22),
        curl=stream.uniform(0.0, 1.0),
    )


def _draw_clothes(stream: Stream) -> ClothesTraits:
    return ClothesTraits(outfit=stream.choose(OUTFITS), long_sleeves=stream.chance(0.7), bow=stream.chance(0.7))


def _draw_accessory(stream: Stream) -> AccessoryTraits:
    return AccessoryTraits(kind=stream.choose(ACCESSORIES, (4, 1.5, 1.5, 1.5, 1.0)), side=stream.choose((-1, 1)))
