"""What the first page shows beside the table: verdicts, variants, downloads; and neighbours by score on every page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _exchange import atomic
from _exchange.items import SCORED_CAMERAS
from _exchange.pictures import png_bytes, write_png
from _exchange.run_folder import RunFolder
from _exchange.run_record import RunRecord
from _exchange.scores import read_scores, write_scores
from _measure.report.write import write_report
from tests.measure.report.markup import Markup
from tests.measure.report.small_run import (
    COLOUR,
    FAILED,
    HOSTILE,
    ODD,
    OTHER_COLOUR,
    PLAIN,
    SmallRun,
    disc,
)


def first_page(small: SmallRun) -> Markup:
    return Markup(write_report(small.run))


def page(small: SmallRun, item: object) -> Markup:
    return Markup(small.run.report.parent / "items" / f"{item}.html")


# -- verdicts ---------------------------------------------------------------------------------------------------


def verdict(state: str, **changes: Any) -> dict[str, Any]:
    """One record as `verify` writes it."""
    record = {
        "reference": "panic3d/front/psnr",
        "protocol": "paper",
        "subset": "front",
        "metric": "psnr",
        "expected": 16.91,
        "published": [],
        "ours": 17.0,
        "difference": 0.09,
        "tolerance": 0.05,
        "state": state,
        "shown": state,
        "reason": "",
    }
    return {**record, **changes}


def write_verdicts(small: SmallRun, *records: dict[str, Any], **changes: Any) -> None:
    counts = {record["state"]: 1 for record in records}
    value = {"against": "published", "counts": counts, "verdicts": list(records), "notes": ["a note"]}
    judged = {"scores": {"scores.jsonl": sha256(small.run.scores.read_bytes()).hexdigest()}}
    small.run.verdicts.write_text(json.dumps({**value, **judged, **changes}))


@pytest.mark.parametrize(
    ("state", "looks"),
    [("reproduced", "ok"), ("off", "failed"), ("not run", "open"), ("not comparable", "open"), ("splendid", "open")],
)
def test_only_what_was_reproduced_is_green(copy: SmallRun, state: str, looks: str) -> None:
    write_verdicts(copy, verdict(state))
    statuses = [at["class"] for at in first_page(copy).all("span") if at.get("class", "").startswith("status")]
    assert f"status {looks}" in statuses
    assert ("status ok" in statuses) == (state == "reproduced")


def test_a_verdict_stands_with_all_its_numbers(copy: SmallRun) -> None:
    columns = [{"id": "a", "hardware": "x", "value": 16.914}, {"id": "b", "hardware": "y", "value": 16.91}]
    write_verdicts(copy, verdict("off", published=columns, shown="off by +0.090"), verdict("not run", ours=None))
    text = first_page(copy).text
    assert "Verdicts against published" in text
    assert "front psnr 16.914 / 16.910 17.000 +0.09 0.05 off by +0.090" in text
    assert "front psnr 16.910 – +0.09 0.05 not run" in text
    assert "2 rows: 1 off, 1 not run." in text
    assert "a note" in text


def test_reasons_are_numbered_and_stand_once_below_the_table(copy: SmallRun) -> None:
    rows = [
        verdict("not run", metric=m, reason=r) for m, r in (("psnr", "no such"), ("clip", "else"), ("cd", "no such"))
    ]
    write_verdicts(copy, *rows, verdict("reproduced"))
    markup = first_page(copy)
    for metric, number in (("psnr", 1), ("clip", 2), ("cd", 1)):
        assert f"front {metric} 16.910 17.000 +0.09 0.05 not run ({number})" in markup.text
    assert markup.text.count("no such") == 1


def test_a_baseline_is_called_stored(copy: SmallRun) -> None:
    write_verdicts(copy, verdict("reproduced"), against="sample.json")
    text = first_page(copy).text
    assert "Verdicts against sample.json" in text
    assert "stored ours difference" in text


def test_numbers_that_no_run_is_held_against_stand_in_lists(copy: SmallRun) -> None:
    listed = verdict("human study", reference="nova3d/votes", metric="votes", expected=61.5, reason="of 30 people")
    unread = {"work": "Some Work", "tables": ["ablation", "user study"], "why": "never seen"}
    write_verdicts(copy, verdict("off"), listed=[listed], not_obtained=[unread])
    text = first_page(copy).text
    assert "1 published numbers that no run is held against human study front votes 61.500 nova3d/votes of 30" in text
    assert "Some Work ablation, user study: never seen" in text


def test_the_spread_over_seeds_stands_with_the_place_of_the_published_values(copy: SmallRun) -> None:
    seeds = {"subset": "geom", "metric": "cd", "seeds": 5, "mean": 1.329, "standard_deviation": 0.25}
    place = {"id": "a", "value": 1.328, "seeds_below": 2, "percentile": 40.0, "inside": True}
    write_verdicts(copy, verdict("off"), seeds=[{**seeds, "minimum": 1.25, "maximum": 1.5, "published": [place]}])
    assert "geom cd 1.329 0.250 1.250 1.500 1.328: 2 of 5" in first_page(copy).text


def test_values_in_pairs_are_named_by_their_hardware(copy: SmallRun) -> None:
    columns = [{"id": "a", "hardware": "x", "value": 16.914}, {"id": "b", "hardware": "y", "value": 16.91}]
    write_verdicts(copy, verdict("off", published=columns), verdict("off", published=columns[:1]))
    assert "paper: as printed, on x / y." in first_page(copy).text


def test_hostile_verdicts_make_no_element(copy: SmallRun) -> None:
    write_verdicts(copy, verdict(HOSTILE, shown=HOSTILE, reason=HOSTILE, metric=HOSTILE), against=HOSTILE)
    markup = first_page(copy)
    assert markup.text.count(HOSTILE) >= 4
    assert all(script.get("src") for script in markup.all("script"))


def scores_of_variants(judged: str) -> dict[str, str]:
    return {"scores.jsonl": judged, "variants/paper/scores.jsonl": judged}


@pytest.mark.parametrize("judged", [None, {}, {"scores.jsonl": "00"}, scores_of_variants("00"), "scores.jsonl"])
def test_verdicts_on_other_scores_are_a_notice(copy: SmallRun, judged: object) -> None:
    write_verdicts(copy, verdict("reproduced"), scores=judged)
    text = first_page(copy).text
    assert "Verdicts against" not in text
    assert "the scores changed after they were found: python3 -m _scripts.verify RUN" in text
    assert not (copy.run.report.parent / "downloads" / "verify.json").exists()


@pytest.mark.parametrize("content", ["[]", "{", "{}", '{"against": 1, "counts": {}, "verdicts": [{}], "notes": []}'])
def test_damaged_verdicts_are_a_notice(copy: SmallRun, content: str) -> None:
    copy.run.verdicts.write_text(content)
    assert "The verdicts cannot be read:" in first_page(copy).text


# -- variants ---------------------------------------------------------------------------------------------------


def write_variant(small: SmallRun, name: str, factor: float, **changes: Any) -> RunFolder:
    """The run's scores times a factor, under other rules."""
    variant = small.run.variant(name)
    table = json.loads(small.run.table("json").read_text())
    atomic.write_text(variant.table("json"), json.dumps({**table, **changes}))
    scores = [replace(score, value=score.value * factor) for score in read_scores(small.run.scores)]
    write_scores(variant.scores, scores)
    return variant


def test_variants_stand_beside_the_run(copy: SmallRun) -> None:
    write_variant(copy, "corrected-unpasted", 2.0, pictures="unpasted")
    text = first_page(copy).text
    assert "subset metric corrected, pasted, lpips-squeeze corrected, unpasted, lpips-squeeze" in text
    assert "geom cd 2.000 4.000" in text


def test_a_damaged_variant_is_a_notice(copy: SmallRun) -> None:
    write_variant(copy, "paper", 1.0).table("json").write_text("{}")
    assert "The variant paper cannot be read:" in first_page(copy).text


def test_a_variant_that_is_the_run_itself_stands_once(copy: SmallRun) -> None:
    write_variant(copy, "corrected", 1.0)
    assert "subset metric corrected, pasted, lpips-squeeze front" in first_page(copy).text


def test_repeats_with_other_seeds_are_no_variants(copy: SmallRun) -> None:
    write_variant(copy, "paper-seed-0", 1.0)
    assert "The same predictions under other rules" not in first_page(copy).text


@pytest.mark.parametrize("changes", [{"predictions": {"a/one": "00"}}, {"truths": {"a/one": "00"}}])
def test_variants_of_other_predictions_or_truths_are_a_notice(copy: SmallRun, changes: dict[str, Any]) -> None:
    write_variant(copy, "paper", 2.0, protocol="paper", **changes)
    write_switches(copy, **changes)
    atomic.write_text(copy.run.path / "variants" / "switches.csv", "switch\n")
    markup = first_page(copy)
    assert "psnr_peak" not in markup.text
    assert "paper, pasted" not in markup.text
    command = "measured before the run changed: python3 -m _scripts.measure RUN --variants"
    assert f"Variants are not shown (paper), {command}" in markup.text
    assert f"The table of switches is not shown, {command}" in markup.text
    assert not (copy.run.report.parent / "downloads" / "switches.csv").exists()


def write_switches(small: SmallRun, **changes: Any) -> None:
    row = {"switch": "psnr_peak", "subset": "front", "metric": "psnr", "paper": 16.5, "corrected_alone": 17.25}
    facts = {"switch": "psnr_peak", "decided": "measuring", "paper": "target", "corrected": "one", "sentence": HOSTILE}
    value = {"rows": [{**row, "difference": 0.75}], "switches": [facts], "elsewhere": [{**facts, "decided": "drawing"}]}
    value |= {"predictions": {}, "truths": {}}
    atomic.write_text(small.run.path / "variants" / "switches.json", json.dumps({**value, **changes}))


def test_what_each_switch_changes_stands_below_the_variants(copy: SmallRun) -> None:
    write_variant(copy, "paper", 2.0, protocol="paper")
    write_switches(copy)
    markup = first_page(copy)
    assert "psnr_peak front psnr 16.500 17.250 +0.750" in markup.text
    assert f"psnr_peak (paper: target, corrected: one, decided in drawing): {HOSTILE}" in markup.text
    assert all(script.get("src") for script in markup.all("script"))


@pytest.mark.parametrize("content", ["{", "{}", '{"rows": [1], "switches": [], "elsewhere": []}'])
def test_a_damaged_table_of_switches_is_a_notice(copy: SmallRun, content: str) -> None:
    atomic.write_text(copy.run.path / "variants" / "switches.json", content)
    assert "The table of switches cannot be read:" in first_page(copy).text


# -- pictures without pasted pixels, prepared input -------------------------------------------------------------


def test_unpasted_twins_stand_beside_with_errors_and_scores_of_their_own(copy: SmallRun) -> None:
    for camera in SCORED_CAMERAS:
        atomic.write_bytes(copy.run.item(PLAIN).unpasted_render(camera), png_bytes(disc(OTHER_COLOUR)))
    write_variant(copy, "corrected-unpasted", 2.0, pictures="unpasted")
    first_page(copy)
    shown = page(copy, PLAIN)
    pasting = [at["data-paste"] for at in shown.all("figure") if "data-paste" in at]
    assert pasting == ["with", "with", "without", "without"] * len(SCORED_CAMERAS)
    assert [at["value"] for at in shown.all("input") if at.get("name") == "paste"] == ["with", "without"]
    inside = (disc(COLOUR)[..., 3] > 0).mean()
    difference = sum(abs(a - b) for a, b in zip(COLOUR, OTHER_COLOUR)) / 3 / 255
    assert "not pasted lpips-squeeze 50.000" in shown.text  # 100 × 2 × 0.25
    assert f"mean error {100 * inside * difference:.2f} %" in shown.text
    assert not [at for at in page(copy, ODD).all("input") if at.get("name") == "paste"]


def test_a_prepared_input_is_shown_where_there_is_one(copy: SmallRun) -> None:
    write_png(copy.run.item(PLAIN).prepared_input, disc((0, 0, 255)))
    first_page(copy)
    assert "line-filled" in page(copy, PLAIN).text
    assert "line-filled" not in page(copy, ODD).text
    assert (copy.run.report.parent / "pictures" / str(PLAIN) / "prepared.webp").is_file()


# -- downloads and neighbours -----------------------------------------------------------------------------------


def test_downloads_are_the_files_of_the_run(reported: SmallRun) -> None:
    links = [Path(at["href"]).name for at in Markup(reported.run.report).all("a") if "download" in at]
    assert links == ["table.csv", "table.tex", "table.md", "table.json", "scores.jsonl"]
    for name in links:
        copied = reported.run.report.parent / "downloads" / name
        assert copied.read_bytes() == (reported.run.path / name).read_bytes()


def test_a_page_leads_to_the_next_better_and_worse_character(reported: SmallRun) -> None:
    by_score = {
        item: {at["data-rel"] for at in page(reported, item).all("a") if "data-rel" in at}
        for item in (PLAIN, ODD, FAILED)
    }
    assert by_score == {PLAIN: {"worse"}, ODD: {"better"}, FAILED: set()}
    assert "1 of 2 by all lpips" in page(reported, PLAIN).text
    assert "2 of 2 by all lpips" in page(reported, ODD).text


def test_scores_of_an_item_stand_beside_the_mean(reported: SmallRun) -> None:
    assert "geom cd ↓ 1.000 mean 2.000" in page(reported, PLAIN).text


def test_plots_link_every_character_with_a_readable_title(reported: SmallRun) -> None:
    markup = Markup(reported.run.report)
    titles = [at["aria-label"] for at in markup.all("a") if "data-name" in at]
    assert f"{PLAIN}: 1.000" in titles
    assert f"{ODD}: 3.000" in titles
    groups = [at["aria-label"] for at in markup.all("svg")]
    assert "geom cd of 2 characters, mean 2.000" in groups


def test_a_large_model_is_thinned_and_says_so(copy: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_measure.report.pictures._WHOLE_BYTES", 1000)
    replace(RunRecord.read(copy.run.record), items=(str(PLAIN),)).write(copy.run.record)
    atomic.write_bytes(copy.run.item(PLAIN).render("ortho_front"), png_bytes(np.zeros((512, 512, 4), np.uint8)))
    monkeypatch.setattr("_measure.report.surfaces.MOST_VERTS", 100)
    monkeypatch.setattr("_measure.report.surfaces.thinned.__defaults__", (100,))
    first_page(copy)
    shown = page(copy, PLAIN)
    (counts,) = re.findall(r"The view shows (\d+) of 441 vertices, the download all\.", shown.text)
    assert 50 < int(counts) <= 100
    (link,) = [at["href"] for at in shown.all("a") if at["href"].endswith("/albedo.glb")]
    assert (shown.path.parent / link).read_bytes() == copy.run.item(PLAIN).mesh.read_bytes()
