"""How an illustration is drawn: every choice of the illustration pass, as one frozen value."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from _exchange.errors import InputError


@dataclass(frozen=True)
class IllustrationStyle:
    """Choices of the illustration pass. Widths are pixels of the finished 512² picture.

    Raises:
        InputError: a number is negative or not finite, or the light has no direction.
    """

    silhouette_width: float = 1.7
    """Width of the ink along the outer silhouette and along deep jumps of depth; 0 draws none."""
    crease_width: float = 1.0
    """Width of the ink along shallow jumps of depth, between parts of different colour, and along creases."""
    texture_width: float = 0.8
    """Width of the ink along strong edges of the textures (eyes, mouth, clothes)."""
    line_strength: float = 0.9
    """Opacity of full ink, 0..1."""
    ink_darkness: float = 0.62
    """How much darker than the colour below it the ink is: 0 is that colour, 1 black."""
    depth_jump: float = 0.004
    """Neighbouring surfaces farther apart than this in depth get a line between them, metres."""
    crease_angle: float = 65.0
    """Facets that meet at more than this angle get a line, degrees."""
    texture_edge: float = 0.10
    """Contrast (0..1) from which an edge in the flat colours gets a line."""
    light: tuple[float, float, float] = (-0.4, 0.75, 0.65)
    """Direction towards the light in eye axes: right, up, towards the viewer. From the front these are the axes of
    `head_world`. The light turns with the camera, as illustrators have it; its length does not matter."""
    shade_strength: float = 0.8
    """How much of the shadow tint is taken, 0..1; 0 leaves flat colours."""
    shade_from: float = 0.12
    """Cosine between normal and light below which a surface is in shadow."""
    shade_softness: float = 0.10
    """Half the width of the transition from lit to shadow, in the same cosine."""
    normal_smoothing: float = 14.0
    """Reach of the smoothing of normals before shading, pixels, so that single locks do not speckle."""
    cast_shadow_reach: float = 0.10
    """Largest distance between a surface and what throws a shadow on it (fringe, chin), metres; 0 casts none."""
    flattening: float = 10.0
    """Reach of the edge-preserving smoothing of colours, pixels; 0 leaves textures as they are."""
    flattening_contrast: float = 0.22
    """Colour differences (sum of three channels, each 0..1) that survive the smoothing."""
    saturation: float = 1.06
    """Factor on the distance of flat colours from grey."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            numbers = value if isinstance(value, tuple) else (value,)
            if not all(math.isfinite(number) for number in numbers):
                raise InputError(f"Expected a finite {entry.name} in the illustration style, found {value}.")
            if not isinstance(value, tuple) and value < 0 and entry.name != "shade_from":
                raise InputError(f"Expected {entry.name} ≥ 0 in the illustration style, found {value}.")
        if not any(self.light):
            raise InputError("Expected a direction towards the light in the illustration style, found (0, 0, 0).")
