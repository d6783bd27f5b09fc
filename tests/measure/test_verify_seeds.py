"""How far chance reaches: distribution over seeds, where published values fall in it, and the tolerance it makes."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pytest

from _exchange.errors import InputError
from _measure.grid import grid_text
from _measure.measure import MeasureConfig
from _measure.published import Published
from _measure.scored_run import ScoredRun
from _measure.seeds import SeedRow, SeedStudy, measure_seeds, read_seeds, seed_folder, seed_grid, seed_records
from _measure.verification import verification_data, verification_text
from _measure.verify import published_verification
from tests.measure.published_runs import CARDS, FLOORS, published_column, write_published_run

FIRST, SECOND = (published_column(card) for card in CARDS)
CD = ("geom", "cd")


def study_of(tmp_path: Path, cds: list[float], **facts: object) -> SeedStudy:
    """Repeats that differ in one row alone."""
    runs = [write_published_run(tmp_path / f"seed {seed}", {**FIRST, CD: cd}, **facts) for seed, cd in enumerate(cds)]
    return read_seeds([ScoredRun.read(run) for run in runs])


def verdict_of(tmp_path: Path, study: SeedStudy, row: tuple[str, str]):
    run = write_published_run(tmp_path / "run", FIRST, protocol="corrected")
    verification = published_verification(run, Published.read(), study)
    return next(v for v in verification.verdicts if (v.protocol, v.subset, v.metric) == ("paper", *row))


def test_mean_deviation_and_width_agree_with_pythons_statistics() -> None:
    values = (1.31, 1.35, 1.33, 1.30)
    row = SeedRow("geom", "cd", values)
    assert row.mean == pytest.approx(statistics.mean(values), rel=1e-12)
    assert row.deviation == pytest.approx(statistics.stdev(values), rel=1e-12)
    assert row.width_of_difference == pytest.approx(1.96 * statistics.stdev(values) * math.sqrt(1.25), rel=1e-12)


def test_the_width_holds_one_more_run_in_about_95_of_100_cases() -> None:
    """Normal draws: with 20 seeds Student's factor is 2.09, so 1.96 covers 93.5 %; 2,000 cases, 3 standard errors."""
    import numpy as np

    generator = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        *seeds, further = generator.normal(size=21)
        row = SeedRow("geom", "cd", tuple(map(float, seeds)))
        inside += abs(further - row.mean) <= row.width_of_difference
    assert 0.935 - 0.017 < inside / 2000 < 0.935 + 0.017


def test_ranks_of_published_values(tmp_path: Path) -> None:
    study = study_of(tmp_path, [1.30, 1.32, 1.3285, 1.34])
    rows = [row for row in Published.read().rows() if (row.first.subset, row.first.metric) == CD]
    record = next(entry for entry in seed_records(study, rows) if entry["metric"] == "cd")
    assert record["seeds"] == 4
    assert record["minimum"] == pytest.approx(1.30)
    assert record["maximum"] == pytest.approx(1.34)
    below = [2 if value < 1.3285 else 3 for value in (FIRST[CD], SECOND[CD])]
    assert [column["seeds_below"] for column in record["published"]] == below
    assert [column["percentile"] for column in record["published"]] == [25.0 * count for count in below]
    assert all(column["inside"] for column in record["published"])


def test_outside_is_said(tmp_path: Path) -> None:
    study = study_of(tmp_path, [1.40, 1.42])
    rows = [row for row in Published.read().rows() if (row.first.subset, row.first.metric) == CD]
    text = grid_text(seed_grid(study, rows))
    assert "outside, 0 of 2 seeds below it" in text
    assert "the seeds do not touch it" in text


def test_the_tolerance_of_a_touched_row_is_that_of_its_seeds_and_ours_their_mean(tmp_path: Path) -> None:
    cds = [1.30, 1.40]
    verdict = verdict_of(tmp_path, study_of(tmp_path, cds), CD)
    assert verdict.ours == pytest.approx(1.35)
    assert verdict.tolerance == pytest.approx(1.96 * statistics.stdev(cds) * math.sqrt(1.5))
    assert verdict.state == "reproduced"
    assert "mean of 2 seeds" in verdict.reason


def test_seeds_that_agree_make_a_narrow_tolerance_but_never_below_the_cards(tmp_path: Path) -> None:
    study = study_of(tmp_path, [1.3320, 1.3321])
    verdict = verdict_of(tmp_path, study, CD)
    assert verdict.tolerance == pytest.approx(abs(FIRST[CD] - SECOND[CD]))
    assert verdict.state == "off", "a spread of 1 µm does not explain 30 µm"


def test_rows_that_seeds_do_not_touch_keep_the_floor(tmp_path: Path) -> None:
    study = study_of(tmp_path, [1.30, 1.36])
    run = write_published_run(tmp_path / "run", FIRST, protocol="corrected")
    verification = published_verification(run, Published.read(), study)
    by_row = {(v.subset, v.metric): v for v in verification.verdicts if v.protocol == "paper"}
    for row, verdict in by_row.items():
        if row != CD:
            assert verdict.tolerance == FLOORS[row[1]]
            assert "do not touch" in verification.tolerance_why[verdict.reference]
    assert "1.96" in verification.tolerance_why[by_row[CD].reference]


def test_seeds_of_a_part_of_the_items_are_not_comparable(tmp_path: Path) -> None:
    study = study_of(tmp_path, [1.30, 1.36], without={"cd": 1})
    verdict = verdict_of(tmp_path, study, CD)
    assert (verdict.state, verdict.reason) == ("not comparable", "67 of 68 items")


def test_the_study_is_written_and_shown(tmp_path: Path) -> None:
    study = study_of(tmp_path, [1.30, 1.36])
    run = write_published_run(tmp_path / "run", FIRST)
    verification = published_verification(run, Published.read(), study)
    data = verification_data(verification)
    assert [entry["metric"] for entry in data["seeds"]].count("cd") == 1
    assert "seeds 0 … 1" in verification_text(verification)


@pytest.mark.parametrize("odd", [math.inf, math.nan])
def test_a_seed_without_a_finite_value_is_off_and_shown(tmp_path: Path, odd: float) -> None:
    study = study_of(tmp_path, [FIRST[CD], odd])
    verdict = verdict_of(tmp_path, study, CD)
    assert verdict.state == "off"
    row = study.row(*CD)
    assert row is not None
    assert row.touched
    assert str(odd) in grid_text(seed_grid(study, []))


def test_rows_that_one_seed_lacks_are_left_out(tmp_path: Path) -> None:
    first = write_published_run(tmp_path / "a", FIRST)
    second = write_published_run(tmp_path / "b", FIRST, without={"cd": 68})
    study = read_seeds([ScoredRun.read(first), ScoredRun.read(second)])
    assert study.row(*CD) is None
    assert study.row("front", "psnr") is not None


def test_fewer_than_two_seeds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two seeds"):
        measure_seeds(1, MeasureConfig(path=tmp_path))


def test_seeds_lie_in_variants_of_their_own(tmp_path: Path) -> None:
    run = write_published_run(tmp_path, FIRST)
    assert seed_folder(run, 3).path == tmp_path / "variants" / "paper-seed-3"
