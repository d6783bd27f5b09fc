"""The baselines of the suite: runs made anew agree with them, so a silent change of any metric, method or reader fails.

They were made on one machine; `baseline._TOLERANCES` says what others may differ by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from _measure.baseline import BASELINES, Baseline, compare_to_baseline, read_baseline
from _measure.scored_run import ScoredRun
from _measure.verdict import Verdict
from tests.measure.baseline_runs import (
    METHODS,
    PROTOCOLS,
    REAL_FOLDERS,
    REAL_PART,
    SAMPLE_PART,
    WHOLE_VARIABLE,
    environment,
    measured,
    prepared_real,
    prepared_sample,
    reconstructed,
    wants_whole_sets,
)
from tests.shared_data import ROOT

NETWORKS = ("lpips", "clip")
"""Rows that may be not run: their weights are nowhere."""
RUNS = [pytest.param(method, protocol, id=f"{method}-{protocol}") for method in METHODS for protocol in PROTOCOLS]


@pytest.fixture(scope="module", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(tmp_path_factory.mktemp("cache")).items():
            patch.setenv(name, value)
        yield


class Made:
    """Runs made when they are first asked for."""

    def __init__(self, prepare: Callable[[], Path]) -> None:
        self._prepare = prepare
        self._scored: dict[tuple[str, str], ScoredRun] = {}
        self._data: Path | None = None

    def run(self, method: str, protocol: str) -> ScoredRun:
        if self._data is None:
            self._data = self._prepare()
        if (method, protocol) not in self._scored:
            self._scored[method, protocol] = measured(reconstructed(self._data, method), protocol)
        return self._scored[method, protocol]


def check(scored: ScoredRun, baseline: Baseline) -> list[Verdict]:
    """All stored rows are there and agree; rows of absent networks are not run."""
    verdicts = compare_to_baseline(scored, baseline)
    wrong = [v for v in verdicts if v.state != "reproduced" and not (v.state == "not run" and v.metric in NETWORKS)]
    assert wrong == []
    there = {(v.subset, v.metric) for v in verdicts if v.state == "reproduced"}
    assert there >= {("front", "psnr"), ("360", "ssim")}
    return verdicts


# -- the sample set ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(lambda: prepared_sample(tmp_path_factory.mktemp("sample"), SAMPLE_PART))


@pytest.mark.parametrize(("method", "protocol"), RUNS)
def test_the_sample_set_agrees_with_its_baseline(sample: Made, method: str, protocol: str) -> None:
    verdicts = check(sample.run(method, protocol), read_baseline(BASELINES / "sample.json"))
    assert {v.metric for v in verdicts if v.subset == "geom" and v.state == "reproduced"} == {"cd", "f1@5", "f1@10"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_metric_off_by_more_than_its_tolerance_fails(sample: Made, protocol: str) -> None:
    """The check above can fail: each metric alone is moved, in raw scores, as a changed formula would."""
    baseline = read_baseline(BASELINES / "sample.json")
    scored = sample.run("inflate", protocol)
    for row in scored.rows:
        if not row.n:
            continue
        stored = next(v for v in compare_to_baseline(scored, baseline) if (v.subset, v.metric) == place_of(row))
        raw = 1.01 * (stored.tolerance + abs(stored.difference)) / row.plan.scale
        moved = [
            replace(score, value=score.value + raw) if score.metric == row.plan.metric.id else score
            for score in scored.scores
        ]
        verdicts = compare_to_baseline(replace(scored, scores=tuple(moved)), baseline)
        assert {v.state for v in verdicts if (v.subset, v.metric) == place_of(row)} == {"off"}


def place_of(row) -> tuple[str, str]:
    return row.plan.subset, row.plan.label


def test_a_character_left_out_makes_nothing_comparable(sample: Made) -> None:
    scored = sample.run("inflate", "corrected")
    fewer = replace(scored, items=scored.items[:-1])
    verdicts = compare_to_baseline(fewer, read_baseline(BASELINES / "sample.json"))
    assert {v.state for v in verdicts} == {"not comparable"}


# -- real characters --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    root = tmp_path_factory.mktemp("real")
    return {folder: Made(lambda f=folder: prepared_real(root, f, REAL_PART)) for folder in REAL_FOLDERS}


@pytest.mark.parametrize("folder", REAL_FOLDERS)
@pytest.mark.parametrize(("method", "protocol"), RUNS)
def test_real_characters_agree_with_their_baseline(
    real: dict[str, Made], method: str, protocol: str, folder: str
) -> None:
    if not (ROOT / folder).is_dir():
        pytest.skip(f"the shared data have no {folder}")
    scored, baseline = real[folder].run(method, protocol), read_baseline(BASELINES / "real.json")
    if scored.items not in {run.items for run in baseline.runs}:
        pytest.skip(f"the shared data hold other characters than the baseline: {', '.join(scored.items)}")
    check(scored, baseline)


@pytest.mark.skipif(not wants_whole_sets(), reason=f"minutes of work: {WHOLE_VARIABLE}=1 asks for it")
@pytest.mark.parametrize("name", ["sample", *REAL_FOLDERS])
def test_whole_sets_agree_with_their_baselines(name: str, tmp_path: Path) -> None:
    if name == "sample":
        data, baseline = prepared_sample(tmp_path, 0), read_baseline(BASELINES / "sample.json")
    elif not (ROOT / name).is_dir():
        pytest.skip(f"the shared data have no {name}")
    else:
        data, baseline = prepared_real(tmp_path, name, 0), read_baseline(BASELINES / "real.json")
    for method in METHODS:
        run = reconstructed(data, method)
        for protocol in PROTOCOLS:
            check(measured(run, protocol), baseline)


# -- the files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sample", "real"])
def test_every_method_and_protocol_is_stored_with_finite_values(name: str) -> None:
    baseline = read_baseline(BASELINES / f"{name}.json")
    sets = {run.items for run in baseline.runs}
    assert {(run.method, run.protocol, run.items) for run in baseline.runs} == {
        (method, protocol, items) for method in METHODS for protocol in PROTOCOLS for items in sets
    }
    for run in baseline.runs:
        assert all(math.isfinite(row.value) for row in run.rows)
        assert rows_with_lpips(run.rows) == (4 if run.lpips_network == "squeeze" else 0)


def rows_with_lpips(rows: Sequence) -> int:
    return sum(row.metric.startswith("lpips") for row in rows)
