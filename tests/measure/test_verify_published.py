"""Verdicts of measured runs against the published rows: when they are comparable, and where the limits lie."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from _exchange.errors import InputError
from _exchange.run_folder import RunFolder
from _exchange.scores import Score, read_scores, write_scores
from _measure.published import Published
from _measure.verdict import Verdict, judge
from _measure.verification import WRITERS, Verification, verification_data, verification_text, write_verification
from _measure.verify import published_verification, verify_published
from tests.measure.published_runs import (
    ALEXNET,
    CARDS,
    CLIP,
    FLOORS,
    ITEMS,
    published_column,
    write_published_run,
)

FIRST, SECOND = (published_column(card) for card in CARDS)
ROWS = list(FIRST)


def verdicts_of(run: RunFolder, protocol: str = "paper") -> dict[tuple[str, str], Verdict]:
    verdicts = [verdict for verdict in verify_published(run) if verdict.protocol == protocol]
    by_row = {(verdict.subset, verdict.metric): verdict for verdict in verdicts}
    assert list(by_row) == ROWS, "every row gets one verdict, in the order of the table"
    assert len(verdicts) == 12
    return by_row


def states(run: RunFolder, protocol: str = "paper") -> set[str]:
    return {verdict.state for verdict in verdicts_of(run, protocol).values()}


def reasons(run: RunFolder, protocol: str = "paper") -> dict[tuple[str, str], str]:
    return {row: verdict.reason for row, verdict in verdicts_of(run, protocol).items()}


# -- comparable runs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("card", CARDS)
def test_the_values_of_either_card_are_reproduced(tmp_path: Path, card: str) -> None:
    column = published_column(card)
    run = write_published_run(tmp_path, column, apart=0.5)
    for row, verdict in verdicts_of(run).items():
        assert verdict.state == "reproduced", verdict
        assert verdict.ours == pytest.approx(column[row], abs=1e-9)
        assert verdict.difference == pytest.approx(0, abs=1e-9)
        assert verdict.reference.endswith(card.lower().replace(" ", "-"))


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("card", CARDS)
def test_twice_the_tolerance_away_is_off(tmp_path: Path, side: int, card: str) -> None:
    rows = {row: value + side * 2 * FLOORS[row[1]] for row, value in published_column(card).items()}
    verdicts = verdicts_of(write_published_run(tmp_path, rows))
    assert {verdict.state for verdict in verdicts.values()} == {"off"}
    assert all(verdict.difference * side > 0 for verdict in verdicts.values())


def test_tolerances_are_the_floors_as_the_cards_differ_by_less(tmp_path: Path) -> None:
    for row, verdict in verdicts_of(write_published_run(tmp_path, FIRST)).items():
        assert verdict.tolerance == FLOORS[row[1]]
        assert abs(FIRST[row] - SECOND[row]) < verdict.tolerance


@pytest.mark.parametrize(("beyond", "state"), [(0.0, "reproduced"), (1e-6, "off")])
def test_the_tolerance_itself_is_inside_beyond_either_column(tmp_path: Path, beyond: float, state: str) -> None:
    above = {row: max(FIRST[row], SECOND[row]) + FLOORS[row[1]] + beyond for row in ROWS}
    below = {row: min(FIRST[row], SECOND[row]) - FLOORS[row[1]] - beyond for row in ROWS}
    assert states(write_published_run(tmp_path / "above", above)) == {state}
    assert states(write_published_run(tmp_path / "below", below)) == {state}


def test_between_the_columns_is_reproduced(tmp_path: Path) -> None:
    assert states(write_published_run(tmp_path, {row: (FIRST[row] + SECOND[row]) / 2 for row in ROWS})) == {
        "reproduced"
    }


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(0, 11), st.floats(-3, 3))
def test_reproduced_is_the_interval_of_both_columns_widened_by_the_tolerance(place: int, away: float) -> None:
    registry = Published.read()
    row = registry.rows()[place]
    ends = [FIRST[ROWS[place]], SECOND[ROWS[place]]]
    tolerance = FLOORS[ROWS[place][1]]
    ours = ends[0] + away * tolerance
    assume(abs(abs(ours - min(ends)) - tolerance) > 1e-6)
    assume(abs(abs(ours - max(ends)) - tolerance) > 1e-6)
    state = judge(ours, row.nearest(ours).number, registry.tolerance(row).value)
    assert (state == "reproduced") == (min(ends) - tolerance < ours < max(ends) + tolerance)


def test_nudged_scores_count_and_not_the_table_beside_them(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, {row: value + 20 for row, value in FIRST.items()})
    assert states(run) == {"off"}
    right = write_published_run(tmp_path / "right", FIRST)
    run.scores.write_bytes(right.scores.read_bytes())
    assert states(run) == {"reproduced"}


def test_one_row_that_is_off_makes_the_verification_fail(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, {**FIRST, ("geom", "cd"): FIRST["geom", "cd"] + 0.02})
    verification = published_verification(run, Published.read())
    assert not verification.holds
    assert verification.counts == {"reproduced": 11, "off": 1, "not comparable": 12}
    line = next(line for line in verification_text(verification).splitlines() if "geom" in line and "cd" in line)
    assert "off by +0.020" in line


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan])
def test_a_row_that_is_no_number_is_never_reproduced(tmp_path: Path, odd: float) -> None:
    run = write_published_run(tmp_path, FIRST)
    scores = read_scores(run.scores)
    place = (ITEMS[0], "psnr", "ortho_front")
    write_scores(run.scores, [Score(*place, odd) if (s.item, s.metric, s.view) == place else s for s in scores])
    verdict = verdicts_of(run)["front", "psnr"]
    assert verdict.state == "off"
    assert ITEMS[0] in verdict.reason
    data = json.dumps(verification_data(published_verification(run, Published.read())), allow_nan=False)
    assert "NaN" not in data


# -- what is not comparable -------------------------------------------------------------------------------------


def test_corrected_is_not_comparable_whatever_its_values(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST, protocol="corrected")
    assert states(run, "corrected") == {"not comparable"}
    assert all("protocol corrected" in reason for reason in reasons(run, "corrected").values())
    assert states(run, "paper") == {"not run"}
    assert all("measure RUN --variants" in reason for reason in reasons(run, "paper").values())


def test_a_variant_brings_the_protocol_that_the_run_has_not(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST, protocol="corrected", network="squeeze")
    write_published_run(run.variant("paper").path, SECOND)
    assert states(run, "paper") == {"reproduced"}
    assert "LPIPS-squeeze instead of LPIPS-AlexNet" in reasons(run, "corrected")["front", "lpips"]


def test_a_variant_of_another_protocol_than_its_name_is_refused(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST, protocol="corrected")
    write_published_run(run.variant("paper").path, SECOND, protocol="corrected")
    with pytest.raises(InputError, match="paper"):
        verify_published(run)


def test_one_item_without_a_value_makes_its_rows_not_comparable(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST, without={"cd": 1, "f1@5": 1, "psnr": 2})
    for row, verdict in verdicts_of(run).items():
        short = {"cd": "67 of 68 items", "f1@5": "67 of 68 items", "psnr": "66 of 68 items"}.get(row[1], "")
        assert verdict.state == ("not comparable" if short else "reproduced"), verdict
        assert short in verdict.reason
    assert "not comparable (67 of 68 items)" in verification_text(published_verification(run, Published.read()))


def test_the_first_twelve_items_are_not_comparable(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST, items=ITEMS[:12])
    assert set(reasons(run).values()) == {"12 of 68 items"}
    assert states(run) == {"not comparable"}


def test_a_longer_list_is_not_comparable(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST, items=(*ITEMS, "one/more"))
    assert set(reasons(run).values()) == {"69 items instead of 68"}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"dataset": "own"}, "dataset own instead of AnimeRecon (daredemoE)"),
        ({"dataset": ""}, "dataset unknown instead of AnimeRecon (daredemoE)"),
        ({"generated_with": "corrected"}, "reconstructed in protocol corrected"),
        ({"pictures": "unpasted"}, "unpasted pictures"),
    ],
)
def test_other_facts_of_the_run_are_reasons(tmp_path: Path, facts: dict, reason: str) -> None:
    run = write_published_run(tmp_path, FIRST, **facts)
    assert states(run) == {"not comparable"}
    assert set(reasons(run).values()) == {reason}


def test_reconstructions_made_in_paper_are_comparable(tmp_path: Path) -> None:
    assert states(write_published_run(tmp_path, FIRST, generated_with="paper")) == {"reproduced"}


@pytest.mark.parametrize(
    ("weights", "metric"),
    [
        (CLIP, "lpips"),
        (ALEXNET, "clip"),
        (CLIP | dict.fromkeys(ALEXNET, "0" * 64), "lpips"),
        (ALEXNET | dict.fromkeys(CLIP, "0" * 64), "clip"),
    ],
)
def test_other_weights_are_not_comparable(tmp_path: Path, weights: dict[str, str], metric: str) -> None:
    run = write_published_run(tmp_path, FIRST, weights=weights)
    for row, verdict in verdicts_of(run).items():
        other = row[1] == metric
        assert verdict.state == ("not comparable" if other else "reproduced")
        assert verdict.reason.startswith("other weights") == other


def test_a_metric_that_did_not_run_says_why(tmp_path: Path) -> None:
    rows = {row: value for row, value in FIRST.items() if row[1] != "clip"}
    run = write_published_run(tmp_path, rows, not_run={"clip": "no weights. Run the command."}, weights=ALEXNET)
    verification = published_verification(run, Published.read())
    for row, verdict in verdicts_of(run).items():
        assert verdict.state == ("not run" if row[1] == "clip" else "reproduced")
    assert verification.holds
    assert verification.counts["not run"] == 3
    text = verification_text(verification)
    assert "clip: no weights. Run the command.\n" in text


def test_a_value_of_ours_is_shown_whatever_its_state(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, SECOND, items=ITEMS[-12:])
    verdict = verdicts_of(run)["back", "psnr"]
    assert verdict.state == "not comparable"
    assert math.isfinite(verdict.ours)
    assert math.isfinite(verdict.difference)


def test_an_unmeasured_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="measure"):
        verify_published(RunFolder(tmp_path))


# -- what is written --------------------------------------------------------------------------------------------


def test_text_shows_both_columns_and_who_they_were_published_for(tmp_path: Path) -> None:
    text = verification_text(published_verification(write_published_run(tmp_path, FIRST), Published.read()))
    first, second = FIRST["back", "clip"], SECOND["back", "clip"]
    assert f"{first:.3f} / {second:.3f}" in text
    assert "published for PAniC-3D; this run is invented" in text
    assert "not obtained: PAniC-3D, arXiv 2303.14587" in text
    assert "last item alone" in text


def test_what_is_true_of_all_rows_is_said_once(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST, dataset="own", without={"cd": 1}, network="vgg")
    text = verification_text(published_verification(run, Published.read()))
    paper = text.partition("protocol corrected")[0]
    assert "all rows: dataset own instead of AnimeRecon (daredemoE)\n" in paper
    assert paper.count("dataset own instead") == 1
    assert "\nlpips: LPIPS-vgg instead of LPIPS-AlexNet\n" in paper
    assert "not comparable (67 of 68 items)" in paper


def test_a_row_is_named_with_its_subset_where_others_of_its_metric_differ(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST)
    first = (ITEMS[0], "psnr", "ortho_front")
    odd = [replace(s, value=math.inf) if (s.item, s.metric, s.view) == first else s for s in read_scores(run.scores)]
    write_scores(run.scores, odd)
    text = verification_text(published_verification(run, Published.read()))
    assert f"\nfront psnr: {ITEMS[0]} is inf\n" in text


def test_text_says_where_the_tolerances_of_judged_rows_come_from(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST)
    text = verification_text(published_verification(run, Published.read()))
    line = "tolerance of clip, lpips, psnr, cd, f1@5, f1@10: smallest tolerance before seeds are measured"
    assert text.count("tolerance of ") == 1
    assert line in text


def test_works_that_were_not_obtained_are_explained_where_all_numbers_are_listed(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST)
    text = verification_text(published_verification(run, Published.read(), list_all=True))
    assert "not obtained: CharacterGen, arXiv 2402.17214: 2D and 3D comparison, user study (only the" in text


def test_nothing_to_compare_is_shown_in_every_format() -> None:
    nothing = Verification("stored", "mine", "own", ())
    for write in WRITERS.values():
        assert "off" not in write(nothing)
    assert "0 rows: nothing to compare" in verification_text(nothing)


def test_a_run_of_the_method_itself_has_no_note(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST, method="panic3d")
    assert published_verification(run, Published.read()).notes == ()


def test_json_has_every_verdict_with_its_columns_and_is_repeatable(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST)
    write_verification(run, published_verification(run, Published.read()))
    first = run.verdicts.read_bytes()
    write_verification(run, published_verification(run, Published.read()))
    assert run.verdicts.read_bytes() == first
    data = json.loads(first)
    assert data["holds"] is True
    assert len(data["verdicts"]) == 24
    cd = next(entry for entry in data["verdicts"] if (entry["protocol"], entry["metric"]) == ("paper", "cd"))
    assert [column["hardware"] for column in cd["published"]] == list(CARDS)
    assert [column["value"] for column in cd["published"]] == [FIRST["geom", "cd"], SECOND["geom", "cd"]]
    assert cd["tolerance"] == 0.01
    assert "smallest tolerance" in cd["tolerance_why"]
    assert str(tmp_path) not in first.decode()


def test_other_numbers_are_listed_on_demand_with_their_states(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST)
    registry = Published.read()
    assert published_verification(run, registry).listed == ()
    listed = published_verification(run, registry, list_all=True).listed
    assert len(listed) == len(registry.records) - 24
    assert {verdict.state for verdict in listed} == {"not run", "not comparable", "human study", "re-report"}
    template = [verdict for verdict in listed if verdict.reference.startswith("panic-3d-first-readme/")]
    assert [verdict.state for verdict in template] == ["not comparable"] * 2
    assert "exponent lost" in template[1].reason
    assert [
        verdict.reason.partition(";")[0] for verdict in listed if verdict.reference.endswith("3d-reconstruction")
    ] == ["printed as 2–3"]


def test_a_reason_of_many_listed_numbers_stands_once_below_them(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST)
    text = verification_text(published_verification(run, Published.read(), list_all=True))
    listed = text.partition("numbers that no run can be held against")[2].splitlines()
    reasons_below = [line for line in listed if re.match(r"\(\d+\) ", line)]
    assert [line.partition(" ")[0] for line in reasons_below] == [f"({n + 1})" for n in range(len(reasons_below))]
    assert len({line.partition(" ")[2] for line in reasons_below}) == len(reasons_below)
    assert any(re.search(r"^ eisai/\S+ +95\.15  not comparable +\(\d+\)$", line) for line in listed)


def test_numbers_of_several_methods_stand_in_tables_of_their_own(tmp_path: Path) -> None:
    registry = Published.read()
    other = replace(registry.by_id("panic-3d/animerecon/geom/cd/rtx-3080-ti"), id="mine/cd", method="Mine", value=9.0)
    run = write_published_run(tmp_path, FIRST)
    text = verification_text(published_verification(run, registry.with_records([other], {})))
    heads = [line for line in text.splitlines() if line.startswith("invented on daredemoE against")]
    assert heads == [
        f"invented on daredemoE against published ({method}), protocol {protocol}"
        for protocol in ("paper", "corrected")
        for method in ("PAniC-3D", "Mine")
    ]
    mine = text.partition("(Mine), protocol paper")[2].partition("invented on")[0]
    assert "off by -7.671" in mine
    assert "psnr" not in mine
