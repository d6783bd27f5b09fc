"""Which runs are set side by side: names that differ, refusals that name the field, and the protocol asked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from _exchange.errors import FormatError, InputError
from _exchange.run_folder import RunFolder
from _measure.comparison.chosen_runs import names_apart, read_runs, require_comparable
from tests.measure.scored_folders import write_scored

VALUES = {"cd": {"a/one": 0.1, "a/two": 0.2}}


def write(folder: Path, **options) -> Path:
    return write_scored(folder, VALUES, **options).path


def test_runs_are_called_by_their_folders(tmp_path: Path) -> None:
    runs = read_runs([write(tmp_path / "mine"), write(tmp_path / "other")], None)
    assert [run.name for run in runs] == ["mine", "other"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/x/run", "/y/run"], ["x/run", "y/run"]),
        (["/a/x/run", "/b/x/run", "/b/x/else"], ["a/x/run", "b/x/run", "else"]),
        (["/run", "/x/run"], ["/run", "x/run"]),
        (["/a/caf\udce9", "/b/caf\u00e9"], ["caf\\udce9", "caf\u00e9"]),
        (["/a/run/variants/paper", "/b/run/variants/paper"], ["a/run/variants/paper", "b/run/variants/paper"]),
    ],
)
def test_colliding_names_are_told_apart(paths: list[str], names: list[str]) -> None:
    assert names_apart([Path(path) for path in paths]) == names


@pytest.mark.parametrize("count", [0, 1])
def test_one_run_has_nothing_to_be_compared_with(tmp_path: Path, count: int) -> None:
    with pytest.raises(InputError, match=f"at least two runs to compare, found {count}"):
        read_runs([write(tmp_path / "mine")][:count], None)


def test_the_same_run_twice_is_refused_however_it_is_written(tmp_path: Path) -> None:
    path = write(tmp_path / "mine")
    with pytest.raises(InputError, match="every run once"):
        read_runs([path, tmp_path / "other" / ".." / "mine"], None)


def test_no_such_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Expected a run folder .*nowhere, found none"):
        read_runs([write(tmp_path / "mine"), tmp_path / "nowhere"], None)


@pytest.mark.parametrize("protocol", [None, "paper"])
def test_an_unmeasured_run_names_the_command_that_measures_it(tmp_path: Path, protocol: str | None) -> None:
    (tmp_path / "un measured").mkdir()
    with pytest.raises(InputError) as caught:
        read_runs([tmp_path / "un measured", write(tmp_path / "mine")], protocol)  # type: ignore[arg-type]
    asked = " --variants" if protocol else ""
    assert f"Run python3 -m _scripts.measure '{tmp_path / 'un measured'}'{asked} first." in str(caught.value)


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "mine")
    (path / "table.json").write_text("{")
    with pytest.raises(FormatError, match=r"table\.json"):
        read_runs([write(tmp_path / "other"), path], None)


# -- protocols --------------------------------------------------------------------------------------------------


def test_the_other_protocol_is_taken_from_its_variant(tmp_path: Path) -> None:
    """One run was measured under `paper` alone, the other under both."""
    paper = write(tmp_path / "paper", protocol="paper", network="alex")
    both = write(tmp_path / "both")
    write(RunFolder(both).variant("paper").path, protocol="paper", network="alex")
    runs = read_runs([paper, both], "paper")
    assert [run.name for run in runs] == ["paper", "both"]
    assert [run.scored.folder.path.name for run in runs] == ["paper", "paper"]
    assert {run.scored.protocol for run in runs} == {"paper"}


def test_protocols_are_never_mixed_and_the_sentence_says_what_to_do(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a"), write(tmp_path / "b", protocol="paper")]
    with pytest.raises(InputError, match="the same protocol, found 'corrected' in a and 'paper' in b") as caught:
        read_runs(paths, None)
    assert "--protocol" in str(caught.value)


def test_a_run_without_the_protocol_asked_for_is_refused(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a"), write(tmp_path / "b")]
    with pytest.raises(InputError, match="under the protocol paper, found corrected") as caught:
        read_runs(paths, "paper")
    assert f"Run python3 -m _scripts.measure {tmp_path / 'a'} --variants first." in str(caught.value)


def test_a_variant_of_another_protocol_in_its_place_is_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    write(RunFolder(path).variant("paper").path)
    with pytest.raises(InputError, match="found corrected and corrected"):
        read_runs([path, write(tmp_path / "b")], "paper")


# -- what cannot be compared ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"dataset": "daredemoE"}, "dataset, found 'own' in a and 'daredemoE' in b"),
        ({"network": "vgg"}, "LPIPS network, found 'squeeze' in a and 'vgg' in b"),
        ({"pictures": "unpasted"}, "pictures, found 'pasted' in a and 'unpasted' in b"),
        ({"weights": {"net.npz": "cd" * 32}}, r"weights net\.npz, found 'abab.*' in a and 'cdcd.*' in b"),
    ],
)
def test_what_must_agree_is_named(tmp_path: Path, changed: dict[str, object], word: str) -> None:
    same = {"weights": {"net.npz": "ab" * 32}}
    paths = [write(tmp_path / "a", **same), write(tmp_path / "b", **{**same, **changed})]
    with pytest.raises(InputError, match=f"the same {word}"):
        read_runs(paths, None)


def test_the_third_run_must_agree_too(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a"), write(tmp_path / "b"), write(tmp_path / "c", dataset="else")]
    with pytest.raises(InputError, match="dataset, found 'own' in a and 'else' in c"):
        read_runs(paths, None)


def test_runs_of_other_characters_have_nothing_in_common(tmp_path: Path) -> None:
    other = write_scored(tmp_path / "b", {"cd": {"z/one": 0.1}}).path
    with pytest.raises(InputError, match="items that a and b have in common, found none"):
        read_runs([write(tmp_path / "a"), other], None)


def test_a_network_that_only_one_run_has_is_no_obstacle(tmp_path: Path) -> None:
    runs = read_runs([write(tmp_path / "a", weights={"net.npz": "ab" * 32}), write(tmp_path / "b")], None)
    require_comparable(runs)


def test_a_run_that_moved_is_still_the_same_run(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    shutil.copytree(path, tmp_path / "elsewhere" / "a")
    runs = read_runs([path, tmp_path / "elsewhere" / "a"], None)
    assert [run.name for run in runs] == [f"{tmp_path.name}/a", "elsewhere/a"]


# -- the same characters ----------------------------------------------------------------------------------------


def test_other_characters_of_the_same_names_are_refused(tmp_path: Path) -> None:
    mine = write(tmp_path / "a", truths={"a/one": "11", "a/two": "22"})
    other = write(tmp_path / "b", truths={"a/one": "11", "a/two": "33"})
    with pytest.raises(InputError, match="1 of 2 items differ between a and b, first a/two") as caught:
        read_runs([mine, other], None)
    assert "--data" in str(caught.value)


def test_every_two_runs_must_agree_on_the_truth_not_only_each_with_the_first(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a", truths={"a/one": "11"})]
    paths += [write(tmp_path / name, truths={"a/one": "11", "a/two": name}) for name in ("b", "c")]
    with pytest.raises(InputError, match="differ between b and c, first a/two"):
        read_runs(paths, None)


def test_truths_that_one_table_does_not_know_hinder_nothing(tmp_path: Path) -> None:
    """Tables written before truths were recorded, and items whose truth could not be read."""
    paths = [write(tmp_path / "a", truths={"a/one": "11"}), write(tmp_path / "b", truths={"a/two": "22"})]
    old = write(tmp_path / "old")
    table = json.loads((old / "table.json").read_text(encoding="utf-8"))
    del table["truths"]
    (old / "table.json").write_text(json.dumps(table), encoding="utf-8")
    assert [run.name for run in read_runs([*paths, old], None)] == ["a", "b", "old"]
