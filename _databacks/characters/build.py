"""From a seed to a character and its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _databacks.characters.accessories import accessory_solids
from _databacks.characters.clothes import body_solids
from _databacks.characters.face_texture import face_pixels, skin_pixels
from _databacks.characters.hair.atlas import hair_pixels
from _databacks.characters.hair.families import hair_solids
from _databacks.characters.hair.scalp import Scalp
from _databacks.characters.head import Skull, ear_solids, head_solid
from _databacks.characters.rng import Stream
from _databacks.characters.skeleton import joints
from _databacks.characters.solids import Solid
from _databacks.characters.traits import Traits, draw_traits
from _databacks.characters.wardrobe import clothes_pixels
from _databacks.characters.write_vrm import vrm_bytes
from _exchange import atomic
from _exchange.errors import InputError

GENERATOR_VERSION = "1.0.0"
"""Named in every file. Raising it is a deliberate act: the sample set and all that depends on it are recorded anew."""


@dataclass(frozen=True, eq=False)
class Character:
    """One character before writing.

    Attributes:
        traits: what was drawn from the seed.
        solids: closed surfaces in `head_model`, metres.
        textures: material → (H, W, 3) uint8 sRGB, in order of drawing.
    """

    traits: Traits
    solids: tuple[Solid, ...]
    textures: Mapping[str, NDArray[np.uint8]]

    @property
    def name(self) -> str:
        """The character's name: file stem and title."""
        return sample_name(self.traits.seed)

    def vrm(self) -> bytes:
        """The VRM 0.x file."""
        return vrm_bytes(self.solids, self.textures, joints(self.traits.eyes), self.name, GENERATOR_VERSION)


def sample_name(seed: int) -> str:
    """Name of the character of a seed, e.g. ``character_000003``."""
    return f"character_{seed:06d}"


def build(seed: int) -> Character:
    """The character of a seed: the same seed of the same version gives the same character.

    Raises:
        InputError: the seed is negative.
    """
    if seed < 0:
        raise InputError(f"Expected a seed of 0 or more, found {seed}.")
    return assemble(draw_traits(seed))


def assemble(traits: Traits) -> Character:
    """The character with these traits; its locks are jittered by the streams of `traits.seed`."""
    skull = Skull(traits.face, traits.eyes, traits.mouth)
    scalp = Scalp(skull, traits.hair.fullness)
    solids = [
        head_solid(skull),
        *ear_solids(skull),
        *body_solids(traits.clothes),
        *hair_solids(scalp, traits.hair, Stream(traits.seed, "strands")),
        *accessory_solids(scalp, traits.accessory),
    ]
    textures = {
        "face": face_pixels(traits),
        "skin": skin_pixels(traits),
        "clothes": clothes_pixels(traits),
        "hair": hair_pixels(traits.seed, traits.palette.hair),
    }
    return Character(traits, tuple(solids), textures)


def write_character(seed: int, path: Path) -> Path:
    """Write the VRM file of a seed, atomically; returns `path`."""
    atomic.write_bytes(path, build(seed).vrm())
    return path
