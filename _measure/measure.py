"""`measure`: from what a person asks for to a measured run: which run, which data, which protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from _databacks.dataset import Dataset, open_dataset
from _exchange.errors import InputError
from _exchange.items import ItemId
from _exchange.original_layout import is_original_run
from _exchange.protocol import Protocol, protocol_named
from _exchange.run_folder import RUNS, RunFolder, latest_run
from _exchange.run_record import RunRecord
from _exchange.workers import available_cores
from _measure.predictions import predictions_in
from _measure.protocols import Settings
from _measure.run import MeasureOptions, measure_run
from _measure.table import Table

NOT_COMPARABLE = "own characters: the numbers are not comparable with published ones"


@dataclass(frozen=True, kw_only=True)
class MeasureConfig:
    """What to measure and how."""

    path: Path | None = None
    """Run folder, or a folder of predictions in the original's layout; default: the latest run below runs/."""
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


def measure(config: MeasureConfig) -> Table:
    """Score the run and write ``scores.jsonl`` and the tables into its folder.

    Raises:
        InputError: there is no such run or dataset, or options contradict one another.
    """
    if config.limit < 0 or config.workers < 0:
        raise InputError(f"Expected limit and workers of at least 0, found {config.limit} and {config.workers}.")
    run = latest_run(RUNS) if config.path is None else RunFolder(config.path)
    dataset, items, protocol, method = _subject(run, config)
    items = items[: config.limit] if config.limit else items
    lpips = config.lpips_net or ("alex" if protocol.lpips_range == "unit" else "squeeze")
    title = f"{run.path}: {method} on {dataset.renderset}"
    if dataset.default_protocol != "paper":
        title += f" ({NOT_COMPARABLE})"
    options = MeasureOptions(
        settings=Settings(protocol=protocol, lpips_network=lpips, run_seed=config.seed),
        title=title,
        workers=config.workers or available_cores(),
        may_download=not config.offline,
    )
    return measure_run(run, predictions_in(run.path), items, dataset.truth, options)


def _subject(run: RunFolder, config: MeasureConfig) -> tuple[Dataset, list[ItemId], Protocol, str]:
    """Dataset, items, protocol and method of what is measured."""
    if run.record.is_file():
        record = RunRecord.read(run.record)
        dataset = open_dataset(config.data or Path(record.data_root), record.dataset)
        items = [ItemId.parse(name) for name in record.items]
        return dataset, items, protocol_named(config.protocol or record.protocol), record.method
    if not is_original_run(run.path):
        raise InputError(
            f"Expected a run in {run.path}, found none.", next_step="Run python3 -m _scripts.generate first."
        )
    if config.data is None:
        raise InputError(f"Expected --data DATASET for the predictions in {run.path}, found none.")
    dataset = open_dataset(config.data)
    return dataset, dataset.items(), protocol_named(config.protocol or dataset.default_protocol), run.path.parent.name
