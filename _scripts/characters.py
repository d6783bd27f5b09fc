"""Procedural characters → VRM files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from _databacks.characters import FIRST_FREE_SEED, GENERATOR_VERSION
from _databacks.characters.sample_set import write_characters
from _exchange.command import Outcome, Verb, main
from _exchange.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Characters(Verb):
    """Write procedural anime characters (CC0) as VRM files, one per seed; the same seed gives the same bytes."""

    out: Path
    """Folder to write into."""
    count: int = 12
    """How many."""
    first_seed: int = FIRST_FREE_SEED
    """Seed of the first; the others follow. Smaller seeds belong to the sample set."""


def run(options: Characters) -> Outcome:
    """Write, and name the files."""
    if options.count < 1 or options.first_seed < 0:
        found = f"--count {options.count} and --first-seed {options.first_seed}"
        raise InputError(f"Expected at least one character and a seed of at least 0, found {found}.")
    paths = write_characters(options.out, range(options.first_seed, options.first_seed + options.count))
    text = f"{len(paths)} characters of generator version {GENERATOR_VERSION} in {options.out}"
    return Outcome(text, {"generator_version": GENERATOR_VERSION, "files": [str(path) for path in paths]})


if __name__ == "__main__":
    main(Characters, run)
