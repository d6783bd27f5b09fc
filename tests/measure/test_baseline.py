"""Stored baselines: what agrees with one, what does not, and what cannot be compared; files that are none."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from _exchange.errors import FormatError, InputError
from _exchange.items import SCORED_CAMERAS
from _exchange.run_folder import RunFolder
from _exchange.scores import Score
from _measure.baseline import compare_to_baseline, read_baseline, store_into, stored_run, write_baseline
from _measure.scored_run import ScoredRun
from _measure.verdict import Verdict

PICTURE_METRICS = {"psnr": 20.0, "ssim": 0.8, "lpips_squeeze": 0.3}
SURFACE_METRICS = {"cd": 0.012, "f1@5": 0.4, "f1@10": 0.7}
NETWORK_ABSENT = "its weights are nowhere"
MISSING_CLIP = {"clip": NETWORK_ABSENT}


def scores_of(item: str, **changed: float) -> list[Score]:
    """Every picture of an item with the same values, and its surfaces."""
    values = PICTURE_METRICS | SURFACE_METRICS | {name.replace("_at_", "@"): value for name, value in changed.items()}
    pictures = [Score(item, metric, view, values[metric]) for metric in PICTURE_METRICS for view in SCORED_CAMERAS]
    return pictures + [Score(item, metric, "geom", values[metric]) for metric in SURFACE_METRICS]


def scored_run(items: tuple[str, ...] = ("a/one", "a/two"), **changes: Any) -> ScoredRun:
    facts: dict[str, Any] = {
        "folder": RunFolder(Path("runs/one")),
        "title": "discs on own",
        "protocol": "corrected",
        "lpips_network": "squeeze",
        "sample_count": 500,
        "sample_seed": "seeded by item",
        "method": "discs",
        "dataset": "own",
        "generated_with": "corrected",
        "pictures": "pasted",
        "device": "cpu",
        "items": items,
        "scores": tuple(score for item in items for score in scores_of(item)),
        "not_run": MISSING_CLIP,
        "versions": {"python": "3.11"},
    }
    return ScoredRun(**facts | changes)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "baseline.json"
    write_baseline(path, "discs", [scored_run()])
    return path


def compared(run: ScoredRun, path: Path) -> dict[tuple[str, str], Verdict]:
    return {(verdict.subset, verdict.metric): verdict for verdict in compare_to_baseline(run, read_baseline(path))}


def states(run: ScoredRun, path: Path) -> set[str]:
    return {verdict.state for verdict in compared(run, path).values()}


def nudged(metric: str, by: float) -> ScoredRun:
    """One metric of both items moved by an amount in the table's scale."""
    run = scored_run()
    raw = by / (1 if metric == "psnr" else 100)
    moved = (replace(score, value=score.value + raw) if score.metric == metric else score for score in run.scores)
    return replace(run, scores=tuple(moved))


# -- what agrees ------------------------------------------------------------------------------------------------


def test_the_stored_run_agrees_with_itself_and_no_row_is_left_out(stored: Path) -> None:
    verdicts = compared(scored_run(), stored)
    pictures = {(subset, metric) for subset in ("front", "back", "360") for metric in ("psnr", "ssim", "lpips")}
    surfaces = {("geom", "cd"), ("geom", "f1@5"), ("geom", "f1@10")}
    assert verdicts.keys() == pictures | surfaces | {("all", "lpips"), ("all", "chamfer")}
    assert {verdict.state for verdict in verdicts.values()} == {"reproduced"}
    cd = verdicts["geom", "cd"]
    assert (cd.expected, cd.ours, cd.protocol) == (pytest.approx(1.2), pytest.approx(1.2), "corrected")
    assert cd.reference == "discs: discs geom cd"


@pytest.mark.parametrize("protocol", ["paper", "corrected"])
@pytest.mark.parametrize("metric", [*PICTURE_METRICS, *SURFACE_METRICS])
def test_every_metric_nudged_by_more_than_its_tolerance_is_off(metric: str, protocol: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    write_baseline(path, "discs", [scored_run(protocol=protocol)])
    row = next(row for row in read_baseline(path).runs[0].rows if row.metric == metric)
    for sign in (-1, 1):
        inside = replace(nudged(metric, sign * 0.9 * row.tolerance), protocol=protocol)
        outside = replace(nudged(metric, sign * 1.1 * row.tolerance), protocol=protocol)
        assert states(inside, path) == {"reproduced"}
        run = compare_to_baseline(outside, read_baseline(path))
        wrong = {verdict.reference.split()[-1] for verdict in run if verdict.state == "off"}
        assert wrong == {metric}


def test_the_tolerance_of_an_unscaled_row_is_unscaled_too(stored: Path) -> None:
    """`all lpips` shows the raw value, `front lpips` a hundred times it."""
    rows = {(row.subset, row.metric): row for row in read_baseline(stored).runs[0].rows}
    scaled, raw = rows["front", "lpips_squeeze"], rows["all", "lpips_squeeze"]
    assert scaled.tolerance == pytest.approx(100 * raw.tolerance)
    assert scaled.value == pytest.approx(100 * raw.value)


@pytest.mark.parametrize(("protocol", "averaged"), [("corrected", {"cd", "f1@5", "f1@10"}), ("paper", {"cd"})])
def test_tolerances_of_surfaces_shrink_with_the_root_of_the_items_where_these_are_averaged(
    protocol: str, averaged: set[str]
) -> None:
    few, many = (stored_run(scored_run(names, protocol=protocol)) for names in (("a/1",), ("a/1", "a/2", "a/3", "a/4")))
    ratios = {old.metric: old.tolerance / new.tolerance for old, new in zip(few.rows, many.rows)}
    assert {metric: ratio for metric, ratio in ratios.items() if ratio != 1} == dict.fromkeys(averaged, 2.0)


def test_the_files_tolerance_decides_not_the_programs(stored: Path) -> None:
    value = json.loads(stored.read_text())
    for row in value["runs"][0]["rows"]:
        row["tolerance"] = 5.0
    stored.write_text(json.dumps(value))
    assert states(nudged("psnr", 4.9), stored) == {"reproduced"}
    assert states(nudged("psnr", 5.1), stored) == {"reproduced", "off"}


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_agrees_with_the_same_only(odd: float, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    run = scored_run(scores=tuple(scores_of("a/one", psnr=odd)), items=("a/one",))
    write_baseline(path, "odd", [run])
    assert states(run, path) == {"reproduced"}
    for other in {math.inf, -math.inf, 20.0} - {odd}:
        changed = replace(run, scores=tuple(scores_of("a/one", psnr=other)))
        assert compared(changed, path)["front", "psnr"].state == "off"


# -- what cannot be compared ------------------------------------------------------------------------------------


def test_a_row_whose_network_is_absent_here_is_not_run_and_says_why(stored: Path) -> None:
    here = scored_run(
        scores=tuple(score for score in scored_run().scores if score.metric != "lpips_squeeze"),
        not_run=MISSING_CLIP | {"lpips_squeeze": NETWORK_ABSENT},
    )
    verdicts = compared(here, stored)
    not_run = {place: verdict for place, verdict in verdicts.items() if verdict.state == "not run"}
    assert not_run.keys() == {("front", "lpips"), ("back", "lpips"), ("360", "lpips"), ("all", "lpips")}
    assert {verdict.reason for verdict in not_run.values()} == {NETWORK_ABSENT}
    assert not_run["front", "lpips"].expected == pytest.approx(30)
    assert math.isnan(not_run["front", "lpips"].ours)
    assert len(verdicts) == 14


def test_another_network_leaves_its_own_rows_out_of_the_comparison_only(stored: Path) -> None:
    scores = [
        replace(score, metric="lpips_vgg") if score.metric == "lpips_squeeze" else score
        for score in scored_run().scores
    ]
    verdicts = compare_to_baseline(scored_run(lpips_network="vgg", scores=tuple(scores)), read_baseline(stored))
    by_state: dict[str, set[str]] = {}
    for verdict in verdicts:
        by_state.setdefault(verdict.state, set()).add(verdict.reference.split()[-1])
    assert by_state["not run"] == {"lpips_squeeze"}
    assert by_state["not comparable"] == {"lpips_vgg"}
    assert by_state["reproduced"] == {"psnr", "ssim", "cd", "f1@5", "f1@10"}


@pytest.mark.parametrize(
    "change",
    [{"protocol": "paper"}, {"method": "others"}, {"dataset": "rutileE"}, {"pictures": "unpasted"}],
    ids=lambda change: next(iter(change)),
)
def test_a_run_that_the_baseline_does_not_know_is_not_comparable(change: dict[str, str], stored: Path) -> None:
    run = scored_run(**change)
    verdicts = compared(run, stored)
    assert len(verdicts) == 14
    assert {verdict.state for verdict in verdicts.values()} == {"not comparable"}
    assert all("holds no run of" in verdict.reason for verdict in verdicts.values())
    assert verdicts["geom", "cd"].ours == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("items", "counts"),
    [
        (("a/one",), "2 items in the baseline, 1 here, 1 in both"),
        (("a/one", "a/two", "a/three"), "2 items in the baseline, 3 here, 2 in both"),
        (("a/two", "a/one"), "2 items in the baseline, 2 here, 2 in both, in another order"),
    ],
)
def test_other_items_are_not_comparable_and_counted(items: tuple[str, ...], counts: str, stored: Path) -> None:
    verdicts = compared(scored_run(items), stored)
    assert {(verdict.state, verdict.reason) for verdict in verdicts.values()} == {("not comparable", counts)}


def test_the_entry_with_the_same_items_is_taken(stored: Path) -> None:
    shorter = scored_run(("a/one",), scores=tuple(scores_of("a/one", psnr=25.0)))
    store_into(stored, "ignored", shorter)
    assert states(shorter, stored) == states(scored_run(), stored) == {"reproduced"}


@pytest.mark.parametrize("change", [{"sample_count": 400}, {"sample_seed": "run seed 1"}])
def test_surfaces_sampled_otherwise_are_not_comparable_and_pictures_are(change: dict, tmp_path: Path) -> None:
    stored = tmp_path / "seeded.json"
    write_baseline(stored, "seeded", [scored_run(sample_seed="run seed 0")])
    verdicts = compared(scored_run(**{"sample_seed": "run seed 0"} | change), stored)
    assert {place for place, verdict in verdicts.items() if verdict.state == "not comparable"} == {
        *(("geom", label) for label in ("cd", "f1@5", "f1@10")),
        ("all", "chamfer"),
    }
    assert verdicts["front", "psnr"].state == "reproduced"


def test_a_seed_of_another_kind_excuses_nothing(stored: Path) -> None:
    """Items seed the samples of `corrected`; a program that seeds them by the run has to show its numbers."""
    assert states(scored_run(sample_seed="run seed 0"), stored) == {"reproduced"}
    assert states(replace(nudged("cd", 1.0), sample_seed="run seed 0"), stored) == {"reproduced", "off"}


def test_an_item_that_lost_a_value_is_off_even_where_the_mean_is_the_same(stored: Path) -> None:
    lost = [s for s in scored_run().scores if (s.item, s.metric) != ("a/two", "cd")]
    verdict = compared(scored_run(scores=tuple(lost)), stored)["geom", "cd"]
    assert verdict.state == "off"
    assert verdict.ours == pytest.approx(verdict.expected)
    assert verdict.reason == "1 items have a value, 2 in the baseline"


def test_a_metric_without_any_value_is_off_unless_it_was_not_run(stored: Path) -> None:
    lost = [score for score in scored_run().scores if score.metric != "cd"]
    verdict = compared(scored_run(scores=tuple(lost)), stored)["geom", "cd"]
    assert verdict.state == "off"
    assert math.isnan(verdict.ours)


# -- files ------------------------------------------------------------------------------------------------------


def test_a_file_is_read_as_it_was_written_and_repeats_byte_for_byte(stored: Path, tmp_path: Path) -> None:
    assert read_baseline(stored).runs == (stored_run(scored_run()),)
    runs = [scored_run(), scored_run(protocol="paper"), scored_run(("a/one",))]
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    write_baseline(one, "all", runs)
    write_baseline(two, "all", runs[::-1])
    assert one.read_bytes() == two.read_bytes()
    assert json.loads(one.read_text())["format"] == "anime3d baseline"


def test_storing_a_run_replaces_its_own_entry_only(stored: Path) -> None:
    store_into(stored, "ignored", scored_run(protocol="paper"))
    store_into(stored, "ignored", nudged("psnr", 1.0))
    baseline = read_baseline(stored)
    assert (baseline.name, len(baseline.runs)) == ("discs", 2)
    assert states(nudged("psnr", 1.0), stored) == states(scored_run(protocol="paper"), stored) == {"reproduced"}
    assert compared(scored_run(), stored)["front", "psnr"].state == "off"


def test_nothing_is_stored_of_a_run_without_values(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a measured run with values to store, found none in discs on own"):
        write_baseline(tmp_path / "baseline.json", "empty", [scored_run(scores=())])
    with pytest.raises(InputError, match="at least one measured run"):
        write_baseline(tmp_path / "baseline.json", "empty", [])
    with pytest.raises(InputError, match="every run once"):
        write_baseline(tmp_path / "baseline.json", "twice", [scored_run(), scored_run()])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        (lambda value: value.update(format="published"), "format: expected 'anime3d baseline', found 'published'"),
        (lambda value: value.update(version=2), "version: expected 1, found 2"),
        (lambda value: value.update(runs=[]), "runs: expected a list"),
        (lambda value: value.update(runs=[3]), r"runs\[0\]: expected an object, found 3"),
        (lambda value: value["runs"][0].pop("method"), r"runs\[0\]\.method: expected a text, found None"),
        (lambda value: value["runs"][0].update(protocol="mine"), r"runs\[0\]\.protocol: expected paper or corrected"),
        (lambda value: value["runs"][0].update(items=[1]), r"runs\[0\]\.items: expected a list of item names"),
        (lambda value: value["runs"][0]["rows"][1].update(value=None), r"runs\[0\]\.rows\[1\]\.value"),
        (lambda value: value["runs"][0]["rows"][1].update(value=True), r"runs\[0\]\.rows\[1\]\.value"),
        (lambda value: value["runs"][0]["rows"][1].update(tolerance=0), r"rows\[1\]\.tolerance: expected a finite"),
        (lambda value: value["runs"][0]["rows"][1].update(n="2"), r"rows\[1\]\.n: expected a whole number above 0"),
        (lambda value: value["runs"][0]["rows"].append(value["runs"][0]["rows"][0]), "rows: expected every row once"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(damage: Callable[[dict], object], place: str, stored: Path) -> None:
    value = json.loads(stored.read_text())
    damage(value)
    stored.write_text(json.dumps(value))
    with pytest.raises(FormatError, match=r"baseline\.json: .*" + place):
        read_baseline(stored)


def test_a_missing_file_and_one_that_is_no_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"):
        read_baseline(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("psnr 20")
    with pytest.raises(FormatError, match=r"text\.json: expected JSON"):
        read_baseline(tmp_path / "text.json")
