"""The sample set: twelve fixed seeds of one generator version, the default data of the suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from _databacks.characters.build import sample_name, write_character
from _exchange.progress import progress

SAMPLE_SEEDS = (3, 4, 7, 8, 15, 24, 25, 31, 36, 37, 42, 47)
"""Seeds of the sample characters; other uses of the generator take seeds from `FIRST_FREE_SEED` upwards."""
FIRST_FREE_SEED = 1000


def write_characters(folder: Path, seeds: Sequence[int]) -> list[Path]:
    """Write characters into a folder, one `.vrm` each; their paths in the order of the seeds."""
    paths = [folder / f"{sample_name(seed)}.vrm" for seed in seeds]
    with progress("characters", len(paths)) as shown:
        for seed, path in zip(seeds, paths):
            write_character(seed, path)
            shown.advance(path.stem)
    return paths
