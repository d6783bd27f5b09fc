"""Colours: palettes to draw from and the little arithmetic they need. All colours are sRGB triples in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

from _databacks.characters.rng import Stream

Rgb = tuple[float, float, float]
WHITE: Rgb = (1.0, 1.0, 1.0)
BLACK: Rgb = (0.0, 0.0, 0.0)


def rgb(text: str) -> Rgb:
    """The colour of a ``rrggbb`` text."""
    red, green, blue = (int(text[start : start + 2], 16) / 255 for start in (0, 2, 4))
    return red, green, blue


def mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    """`first` at share 0, `second` at share 1."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second))
    return red, green, blue


def shade(color: Rgb, tint: Rgb = (0.42, 0.30, 0.50), share: float = 0.5) -> Rgb:
    """A painted shadow: the colour multiplied by a violet tint, as cel paintings do instead of adding black."""
    multiplied = (color[0] * tint[0], color[1] * tint[1], color[2] * tint[2])
    return mix(color, multiplied, share)


def luminance(color: Rgb) -> float:
    """Rough brightness in [0, 1]."""
    return 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2]


@dataclass(frozen=True)
class Skin:
    """Skin tones: lit, painted shadow, blush and lips."""

    base: Rgb
    shadow: Rgb
    blush: Rgb
    lip: Rgb


SKINS = (
    Skin(rgb("fff0e6"), rgb("f2c9bd"), rgb("ff9d97"), rgb("d9736f")),
    Skin(rgb("ffe9dc"), rgb("eebfae"), rgb("fb9187"), rgb("cf6a63")),
    Skin(rgb("fde2cf"), rgb("e6b298"), rgb("f38574"), rgb("c66152")),
    Skin(rgb("f3cfb0"), rgb("d59f7d"), rgb("e67a5f"), rgb("b35344")),
    Skin(rgb("d9a883"), rgb("b57f5d"), rgb("cc6650"), rgb("94453a")),
    Skin(rgb("a87455"), rgb("83543c"), rgb("a8503e"), rgb("6f3329")),
)
SKIN_WEIGHTS = (4.0, 5.0, 4.0, 2.0, 1.3, 1.0)


@dataclass(frozen=True)
class HairColors:
    """Hair: main colour, painted shadow, highlight band and the colour of the tips."""

    base: Rgb
    shadow: Rgb
    light: Rgb
    tip: Rgb


_HAIR_BASES = (
    ("3a3340", "6d6788"),  # black
    ("5b4038", "9c7462"),  # dark brown
    ("8a6044", "c99c78"),  # brown
    ("b98a5a", "e8c793"),  # light brown
    ("ecd08f", "fff3c8"),  # blond
    ("dfe0ea", "ffffff"),  # silver
    ("f4a9bd", "ffdfe6"),  # pink
    ("d1495b", "f59a94"),  # red
    ("e58a4e", "ffc795"),  # orange
    ("5f83c9", "abc9f2"),  # blue
    ("79c3dd", "c8eff6"),  # light blue
    ("9c7fcf", "d2bff2"),  # violet
    ("6fb88a", "b7e6bf"),  # green
    ("35486f", "7f9ac4"),  # navy
)
_HAIR_WEIGHTS = (3.0, 2.5, 2.5, 1.5, 2.5, 2.0, 2.0, 1.5, 1.2, 1.5, 1.5, 1.5, 1.0, 1.2)

EYE_COLORS = tuple(
    rgb(text)
    for text in (
        "3f7fd6",
        "2fa6c9",
        "3fae74",
        "8ab23a",
        "d99a2b",
        "c2622d",
        "8c5634",
        "c23b4e",
        "d65c9a",
        "8a5bd1",
        "5b62c9",
        "6d7686",
    )
)
CLOTH_COLORS = tuple(
    rgb(text)
    for text in (
        "f6f4f2",
        "2d3350",
        "33303a",
        "8c2f3f",
        "d9576a",
        "e8a13c",
        "f0d9b5",
        "6b8f71",
        "3f7c8c",
        "6f9bd1",
        "8a78b8",
        "f3b8c6",
        "b8c4d6",
        "5a4636",
    )
)


@dataclass(frozen=True)
class Palette:
    """Every colour of one character."""

    skin: Skin
    hair: HairColors
    iris_left: Rgb
    iris_right: Rgb
    cloth: Rgb
    trim: Rgb
    accent: Rgb


def draw_palette(seed: int) -> Palette:
    """The palette of a seed (stream ``palette``)."""
    stream = Stream(seed, "palette")
    skin = stream.choose(SKINS, SKIN_WEIGHTS)
    base_text, light_text = stream.choose(_HAIR_BASES, _HAIR_WEIGHTS)
    base = mix(rgb(base_text), stream.choose((WHITE, BLACK, rgb("d8a0c0"))), stream.uniform(0.0, 0.08))
    dyed_tips = stream.chance(0.28)
    tip_text = stream.choose(_HAIR_BASES, _HAIR_WEIGHTS)[0]
    tip = mix(base, rgb(tip_text), 0.75) if dyed_tips else shade(base, share=0.12)
    hair = HairColors(base, shade(base, share=0.42), mix(rgb(light_text), base, 0.1), tip)
    iris = stream.choose(EYE_COLORS)
    odd_eyed = stream.chance(0.06)
    other = stream.choose(EYE_COLORS)
    cloth = stream.choose(CLOTH_COLORS)
    contrast = [color for color in CLOTH_COLORS if abs(luminance(color) - luminance(cloth)) > 0.25]
    trim = stream.choose(contrast)
    accent = stream.choose([rgb("d9445a"), rgb("e8b23c"), rgb("3f7fd6"), rgb("2f3140"), rgb("e87aa4"), rgb("58b09c")])
    return Palette(skin, hair, iris, other if odd_eyed else iris, cloth, trim, accent)
