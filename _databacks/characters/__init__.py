"""Procedural anime characters: head and shoulders as VRM 0.x files, one per seed, CC0."""

from _databacks.characters.build import GENERATOR_VERSION, Character, assemble, build, sample_name, write_character
from _databacks.characters.sample_set import FIRST_FREE_SEED, SAMPLE_SEEDS, write_characters
from _databacks.characters.traits import Traits, draw_traits

__all__ = [
    "FIRST_FREE_SEED",
    "GENERATOR_VERSION",
    "SAMPLE_SEEDS",
    "Character",
    "Traits",
    "assemble",
    "build",
    "draw_traits",
    "sample_name",
    "write_character",
    "write_characters",
]
