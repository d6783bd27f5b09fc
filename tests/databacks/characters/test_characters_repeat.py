"""A seed names one character: the same bytes every time and in every process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from _databacks.characters import GENERATOR_VERSION, build, draw_traits, write_character
from _exchange.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[3]


def test_same_seed_gives_same_bytes() -> None:
    assert build(5).vrm() == build(5).vrm()


def test_same_seed_gives_same_bytes_in_another_process() -> None:
    code = "import hashlib; from _databacks.characters import build; print(hashlib.sha256(build(17).vrm()).hexdigest())"
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == hashlib.sha256(build(17).vrm()).hexdigest()


def test_other_characters_built_before_change_nothing() -> None:
    alone = build(8).vrm()
    build(9)
    assert build(8).vrm() == alone


def test_different_seeds_give_different_characters() -> None:
    traits = [draw_traits(seed) for seed in range(60)]
    looks = {(one.palette, one.face, one.eyes, one.mouth, one.hair) for one in traits}
    assert len(looks) == 60


def test_write_character_writes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "one.vrm"
    write_character(3, path)
    assert path.read_bytes() == build(3).vrm()
    assert list(path.parent.iterdir()) == [path]


def test_generator_version_is_three_numbers() -> None:
    assert [part.isdigit() for part in GENERATOR_VERSION.split(".")] == [True, True, True]


def test_a_negative_seed_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match=r"Expected a seed of 0 or more, found -1\."):
        build(-1)


def test_a_very_large_seed_is_fine() -> None:
    assert draw_traits(2**40).seed == 2**40
