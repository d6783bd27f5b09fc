"""`measure`: from what a person asks for to a measured run: which run, which data, which protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from _databacks.dataset import Dataset, open_dataset
from _exchange.errors import InputError
from _exchange.items import ItemId
from _exchange.original_layout import is_original_run
from _exchange.protocol import protocol_named
from _exchange.run_folder import RUNS, RunFolder, run_or_latest
from _exchange.run_record import RunRecord
from _exchange.workers import available_cores
from _measure.bench import BenchReport, bench_measure
from _measure.predictions import Predictions, predictions_in
from _measure.protocols import Settings
from _measure.run import MeasureOptions, Target, measure_run
from _measure.table import Table
from _measure.truth_cache import user_truth_cache

NOT_COMPARABLE = "own characters: the numbers are not comparable with published ones"


@dataclass(frozen=True, kw_only=True)
class MeasureConfig:
    """What to measure and how."""

    path: Path | None = None
    """Run folder, or a folder of predictions in the original's layout; default: the latest run below runs/."""
    out: Path | None = None
    """Folder for scores and tables; default: the run itself, or runs/NAME for predictions in the original's layout."""
    data: Path | None = None
    """Dataset root; default: where the run's record says it was."""
    protocol: Literal["paper", "corrected"] | None = None
    """Which protocol; default: the run's own, or paper for predictions in the original's layout."""
    lpips_net: Literal["alex", "vgg", "squeeze"] | None = None
    """Network of LPIPS; default: squeeze, and alex in the protocol paper."""
    seed: int = 0
    """Seed of the surface samples where the protocol leaves it open (paper)."""
    limit: int = 0
    """Only the first so many items; 0 takes all."""
    workers: int = 0
    """Processes; 0 takes one per processor core."""
    offline: bool = False
    """Never fetch weights, however small."""


@dataclass(frozen=True)
class _Subject:
    """What is measured, with which settings, and where results go."""

    predictions: Predictions
    results: RunFolder
    dataset: Dataset
    items: list[ItemId]
    method: str
    settings: Settings
    generated_with: str = ""
    note: str = ""


def measure(config: MeasureConfig) -> Table:
    """Score the run and write ``scores.jsonl`` and the tables.

    Raises:
        InputError: there is no such run or dataset, or options contradict one another.
    """
    subject = _subject(config)
    title = f"{subject.method} on {subject.dataset.renderset}"
    if subject.dataset.default_protocol != "paper":
        title += f" ({NOT_COMPARABLE})"
    if subject.note:
        title += f". {subject.note}"
    options = MeasureOptions(
        title=title,
        method=subject.method,
        dataset=subject.dataset.renderset,
        generated_with=subject.generated_with,
        workers=config.workers or available_cores(),
        may_download=not config.offline,
        truth_cache=user_truth_cache(),
    )
    target = Target(subject.results, subject.predictions, subject.settings)
    return measure_run(target, subject.items, subject.dataset.truth, options)


def bench(config: MeasureConfig) -> BenchReport:
    """Time the stages of measuring the run, and write nothing; raises as `measure` does."""
    subject = _subject(config)
    return bench_measure(subject.items, subject.dataset.truth, subject.predictions, subject.settings)


def _subject(config: MeasureConfig) -> _Subject:
    if config.limit < 0 or config.workers < 0:
        raise InputError(f"Expected limit and workers of at least 0, found {config.limit} and {config.workers}.")
    run = run_or_latest(config.path)
    if run.record.is_file():
        record = RunRecord.read(run.record)
        dataset = open_dataset(config.data or Path(record.data_root), record.dataset)
        items = [ItemId.parse(name) for name in record.items]
        protocol = protocol_named(config.protocol or record.protocol)
        method, generated_with, note = record.method, record.protocol, record.note
        results = run
    elif not is_original_run(run.path):
        raise InputError(
            f"Expected a run in {run.path}, found none.", next_step="Run python3 -m _scripts.generate first."
        )
    elif config.data is None:
        raise InputError(f"Expected --data DATASET for the predictions in {run.path}, found none.")
    else:
        dataset = open_dataset(config.data)
        items = dataset.items()
        protocol = protocol_named(config.protocol or dataset.default_protocol)
        method, generated_with, note = run.path.resolve().parent.name, "", ""
        results = RunFolder(RUNS / method)
    lpips = config.lpips_net or ("alex" if protocol.lpips_range == "unit" else "squeeze")
    settings = Settings(protocol=protocol, lpips_network=lpips, run_seed=config.seed)
    kept = items[: config.limit] if config.limit else items
    if len(kept) < len(items):
        note = f"{note + ' ' if note else ''}The first {len(kept)} of {len(items)} items."
    results = results if config.out is None else RunFolder(config.out)
    return _Subject(predictions_in(run.path), results, dataset, kept, method, settings, generated_with, note)
