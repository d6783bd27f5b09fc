"""The sample set is pinned: twelve characters of one generator version, recorded by what their files show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from _databacks.characters import (
    FIRST_FREE_SEED,
    GENERATOR_VERSION,
    SAMPLE_SEEDS,
    build,
    draw_traits,
    sample_name,
    write_characters,
)
from tests.databacks.characters.decode import decoded, digest

RECORD = json.loads(Path(__file__).with_name("sample_set.json").read_text(encoding="utf-8"))


def test_the_record_is_of_this_generator_version() -> None:
    """A new version comes with a new record, and with new records of everything that depends on the sample set."""
    assert RECORD["generator_version"] == GENERATOR_VERSION
    assert list(RECORD["characters"]) == [sample_name(seed) for seed in SAMPLE_SEEDS]


@pytest.mark.parametrize("seed", SAMPLE_SEEDS)
def test_a_sample_character_shows_what_was_recorded(seed: int) -> None:
    assert digest(decoded(seed)) == RECORD["characters"][sample_name(seed)], (
        "the generator draws other characters now: raise GENERATOR_VERSION and record the sample set anew"
    )


def test_there_are_twelve_different_seeds_below_the_free_ones() -> None:
    assert len(set(SAMPLE_SEEDS)) == 12
    assert max(SAMPLE_SEEDS) < FIRST_FREE_SEED


def test_the_set_shows_every_family_of_hair_and_many_looks() -> None:
    traits = [draw_traits(seed) for seed in SAMPLE_SEEDS]
    assert {one.hair.family for one in traits} == {
        "bob", "long", "spiky", "ponytail", "twin_tails", "hime", "wavy", "wolf",
    }  # fmt: skip
    assert len({one.hair.fringe for one in traits}) == 5
    assert len({one.clothes.outfit for one in traits}) == 5
    assert len({one.palette.skin for one in traits}) >= 4
    assert len({one.palette.hair.base for one in traits}) >= 8


def test_names_sort_like_seeds_and_are_the_titles_in_the_files(tmp_path: Path) -> None:
    assert sample_name(3) == "character_000003"
    assert build(3).name == sample_name(3)
    (path,) = write_characters(tmp_path, seeds=(3,))
    assert path == tmp_path / "character_000003.vrm"
    assert path.read_bytes() == build(3).vrm()
