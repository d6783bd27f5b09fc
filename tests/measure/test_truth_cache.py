"""True surfaces that are kept: found, missed, damaged, too many, and where nothing can be kept."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from _databacks.vrm import TrueSurface
from _exchange.atomic import TEMPORARY_PREFIX
from _exchange.protocol import CORRECTED
from _measure import truth_cache
from _measure.true_surface import compared_true_surface, visible_surface_key
from _measure.truth_cache import cached_surface
from tests.measure.small_benchmark import SmallBenchmark


class Builder:
    """Counts how often it is asked."""

    def __init__(self, size: int = 3) -> None:
        self.asked = 0
        self.size = size

    def __call__(self) -> TrueSurface:
        self.asked += 1
        verts = np.arange(3 * self.size, dtype=np.float32).reshape(-1, 3) / 7
        return TrueSurface(verts, np.array([[0, 1, 2]]), np.array([0.1, 0.2, 1 / 3]))


def assert_same(a: TrueSurface, b: TrueSurface) -> None:
    for name in ("verts", "faces", "loc_origin"):
        one, two = getattr(a, name), getattr(b, name)
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)


def test_a_kept_surface_is_not_built_again_and_is_the_same(tmp_path: Path) -> None:
    build = Builder()
    first = cached_surface(tmp_path, "key", build)
    assert_same(cached_surface(tmp_path, "key", build), first)
    assert build.asked == 1


def test_another_key_is_another_surface(tmp_path: Path) -> None:
    build = Builder()
    cached_surface(tmp_path, "one", build)
    cached_surface(tmp_path, "two", build)
    assert build.asked == 2


@pytest.mark.parametrize("damage", ["empty", "torn", "flipped", "foreign"])
def test_a_damaged_file_is_built_anew_and_replaced(tmp_path: Path, damage: str) -> None:
    build = Builder()
    first = cached_surface(tmp_path, "key", build)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    broken = {
        "empty": b"",
        "torn": whole[:middle],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "foreign": b"PK\x03\x04" * 40,
    }
    path.write_bytes(broken[damage])
    assert_same(cached_surface(tmp_path, "key", build), first)
    assert build.asked == 2
    assert path.read_bytes() == whole


def test_a_place_that_cannot_be_written_keeps_nothing_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    build = Builder()
    for _ in range(2):
        assert_same(cached_surface(tmp_path / "taken", "key", build), Builder()())
    assert build.asked == 2


def test_what_was_used_longest_ago_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = Builder()
    for age, key in enumerate(("old", "used", "new")):
        cached_surface(tmp_path, key, build)
        os.utime(tmp_path / f"{key}.surface", ns=(age, age))
    cached_surface(tmp_path, "used", build)  # a hit makes it young again
    one = (tmp_path / "old.surface").stat().st_size
    monkeypatch.setattr(truth_cache, "MAX_BYTES", 2 * one)
    cached_surface(tmp_path, "last", build)
    assert {path.stem for path in tmp_path.iterdir()} == {"used", "last"}


def test_what_a_killed_process_left_unfinished_counts_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached_surface(tmp_path, "kept", Builder())
    one = (tmp_path / "kept.surface").stat().st_size
    leftover = tmp_path / f"{TEMPORARY_PREFIX}123-abc"
    leftover.write_bytes(bytes(one))
    os.utime(leftover, ns=(1, 1))
    monkeypatch.setattr(truth_cache, "MAX_BYTES", 2 * one)
    cached_surface(tmp_path, "last", Builder())
    assert {path.name for path in tmp_path.iterdir()} == {"kept.surface", "last.surface"}


def test_files_that_nobody_made_here_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "letter.txt").write_bytes(bytes(5000))
    monkeypatch.setattr(truth_cache, "MAX_BYTES", 0)
    cached_surface(tmp_path, "key", Builder())
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_file_that_another_process_deletes_meanwhile_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("one", "two"):
        cached_surface(tmp_path, key, Builder())
    monkeypatch.setattr(truth_cache, "MAX_BYTES", 0)
    glob = Path.glob

    def first_gone(folder: Path, pattern: str) -> list[Path]:
        found = sorted(glob(folder, pattern))
        for path in found[:1]:
            path.unlink()
        return found

    monkeypatch.setattr(Path, "glob", first_gone)
    assert_same(cached_surface(tmp_path, "three", Builder()), Builder()())
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_it_lies_in_the_users_cache_beside_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert truth_cache.user_truth_cache() == tmp_path / "anime3d" / "truth"


def test_what_building_raises_is_raised_and_nothing_is_kept(tmp_path: Path) -> None:
    def build() -> TrueSurface:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cached_surface(tmp_path, "key", build)
    assert list(tmp_path.iterdir()) == []


# -- of characters ----------------------------------------------------------------------------------------------


def test_the_compared_surface_is_the_same_from_either(benchmark_run: SmallBenchmark, tmp_path: Path) -> None:
    truth = benchmark_run.truths[benchmark_run.items[0]]
    fresh = compared_true_surface(truth, CORRECTED)
    for _ in range(2):
        kept = compared_true_surface(truth, CORRECTED, tmp_path / "cache")
        np.testing.assert_array_equal(kept.verts, fresh.verts)
        np.testing.assert_array_equal(kept.faces, fresh.faces)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_the_cuts_share_one_kept_surface_and_poses_do_not(benchmark_run: SmallBenchmark) -> None:
    truth = benchmark_run.truths[benchmark_run.items[0]]
    key = visible_surface_key(truth, CORRECTED)
    assert visible_surface_key(truth, replace(CORRECTED, truth_box_bounds_y=True, truth_region="mirrored")) == key
    assert visible_surface_key(replace(truth, region=replace(truth.region, row=1.0)), CORRECTED) == key
    assert visible_surface_key(truth, replace(CORRECTED, truth_pose="bind")) != key
    assert visible_surface_key(replace(truth, fit=True), CORRECTED) != key
    assert visible_surface_key(replace(truth, head_position=(0.0, 1.0, 0.0)), CORRECTED) != key


def test_a_changed_character_is_never_met_by_its_old_surface(benchmark_run: SmallBenchmark, tmp_path: Path) -> None:
    truth = benchmark_run.truths[benchmark_run.items[0]]
    before = compared_true_surface(truth, CORRECTED, tmp_path / "cache")
    truth.character.write_bytes(benchmark_run.run.item(benchmark_run.items[2]).mesh.read_bytes())
    moved = replace(truth, head_position=(0.0, -0.1, 0.0))  # predicted spheres lie around the origin
    after = compared_true_surface(moved, CORRECTED, tmp_path / "cache")
    assert np.linalg.norm(after.verts, axis=1).max() > np.linalg.norm(before.verts, axis=1).max() + 0.002
