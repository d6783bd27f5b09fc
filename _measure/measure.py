"""`measure`: from what a person asks for to a measured run: which run, which data, which protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from _databacks.dataset import Dataset, open_dataset
from _exchange.errors import InputError, SuiteError
from _exchange.items import ItemId
from _exchange.measured_from import MeasuredFrom, predictions_of
from _exchange.original_layout import is_original_run
from _exchange.protocol import protocol_named
from _exchange.run_folder import RUNS, RunFolder, run_or_latest
from _exchange.run_record import RunRecord
from _exchange.shard import Shard
from _exchange.workers import Executor, available_cores
from _measure.bench import BenchReport, bench_measure
from _measure.integrity.sealing import seal_run
from _measure.predictions import has_unpasted_pictures, predictions_in
from _measure.protocols import PictureKind, Settings
from _measure.run import MeasureOptions, Target, Unfinished, measure_targets
from _measure.table import Table
from _measure.truth_cache import user_truth_cache
from _measure.variants.side_by_side import VariantPlan, plan_variants
from _measure.variants.tables import VariantTable, write_variant_tables

NOT_COMPARABLE = "own characters: the numbers are not comparable with published ones"


@dataclass(frozen=True, kw_only=True)
class MeasureConfig:
    """What to measure and how."""

    path: Path | None = None
    """Run folder, predictions in the original's layout, or where their results are; default: the latest below runs/."""
    out: Path | None = None
    """Folder for scores and tables; default: the run itself, or runs/NAME for predictions in the original's layout."""
    data: Path | None = None
    """Dataset root; default: where it was when the run was made, or measured before."""
    protocol: Literal["paper", "corrected"] | None = None
    """Which protocol; default: the run's own, or paper for predictions in the original's layout."""
    lpips_net: Literal["alex", "vgg", "squeeze"] | None = None
    """Network of LPIPS; default: squeeze, and alex in the protocol paper."""
    pictures: PictureKind = "pasted"
    """Pictures as the method gives them, or those without pixels of the portrait pasted in."""
    seed: int = 0
    """Seed of the surface samples where the protocol leaves it open (paper)."""
    limit: int = 0
    """Only the first so many items; 0 takes all."""
    device: str = "cpu"
    """Where LPIPS and CLIP run: cpu, cuda or cuda:N."""
    workers: int = 0
    """Processes; 0 takes one per processor core."""
    executor: Executor = "local"
    """Where the processes run: this machine, or a Ray cluster."""
    shard: str = "1/1"
    """Score only every n-th item from the i-th on, i/n; the shard that comes last writes scores and tables."""
    offline: bool = False
    """Never fetch weights, however small."""


@dataclass(frozen=True, eq=False)
class MeasuredRun:
    """What was measured.

    Attributes:
        table: of the protocol asked for.
        results: folder that got scores and tables.
        beside: variants side by side and switches, where these were asked for.
    """

    table: Table
    results: RunFolder
    beside: tuple[VariantTable, ...] = ()


@dataclass(frozen=True)
class _Subject:
    """What is measured, with which settings, and where results go.

    Attributes:
        run: holds the predictions.
        results: gets scores and tables.
        home: holds the journal and the seal: the run, also where results go to a folder inside of it.
    """

    run: RunFolder
    results: RunFolder
    home: RunFolder
    dataset: Dataset
    items: list[ItemId]
    method: str
    settings: Settings
    generated_with: str = ""
    note: str = ""

    @property
    def target(self) -> Target:
        return Target(self.results, predictions_in(self.run.path, self.settings.pictures), self.settings)

    @property
    def title(self) -> str:
        title = f"{self.method} on {self.dataset.renderset}"
        if self.dataset.default_protocol != "paper":
            title += f" ({NOT_COMPARABLE})"
        return f"{title}. {self.note}" if self.note else title


def measure(config: MeasureConfig) -> Table:
    """Score the run; write ``scores.jsonl``, the tables and the seal.

    Raises:
        InputError: there is no such run or dataset, options contradict one another, or only a shard is asked for while
            others have items left.
    """
    answer = measure_shard(config)
    if isinstance(answer, Unfinished):
        raise InputError(f"Expected every item to be scored, found {answer.sentence}")
    return answer.table


def measure_shard(config: MeasureConfig, *, with_variants: bool = False) -> MeasuredRun | Unfinished:
    """`measure` of the shard asked for, which may leave the run unfinished.

    Args:
        with_variants: whether to measure and write all variants and switches too.
    """
    subject = _subject(config)
    plan = _variants(subject) if with_variants else None
    targets = [subject.target, *(plan.targets if plan else ())]
    options = MeasureOptions(
        title=subject.title,
        method=subject.method,
        dataset=subject.dataset.renderset,
        generated_with=subject.generated_with,
        workers=config.workers or available_cores(),
        executor=config.executor,
        shard=Shard.parse(config.shard),
        device=config.device,
        may_download=not config.offline,
        truth_cache=user_truth_cache(),
        folders=(subject.run.path, subject.dataset.root),
    )
    if not subject.run.record.is_file() or subject.home.path.resolve() != subject.run.path.resolve():
        place = MeasuredFrom.of(subject.run.path, subject.dataset.root, subject.dataset.renderset)
        place.write(subject.home.measured_from)
    tables = measure_targets(subject.home.measured, targets, subject.items, subject.dataset.truth, options)
    if isinstance(tables, Unfinished):
        return tables
    beside: tuple[VariantTable, ...] = ()
    if plan is not None:
        measured = plan.found(tables[1:], subject.generated_with, _shading(subject))
        beside = write_variant_tables(subject.results, measured)
    weights = {name: digest for table in tables for name, digest in table.weights.items()}
    seal_run(subject.home, subject.run.path, subject.items, subject.dataset, weights)
    return MeasuredRun(tables[0], subject.results, beside)


def results_folder(run: RunFolder) -> RunFolder:
    """Where results go: the run itself, or runs/NAME for predictions in the original's layout."""
    is_foreign = not (run.record.is_file() or run.measured_from.is_file()) and is_original_run(run.path)
    return RunFolder(RUNS / run.path.resolve().parent.name) if is_foreign else run


def bench(config: MeasureConfig, repeats: int = 1) -> BenchReport:
    """Time the stages of measuring the run, and write nothing; raises as `measure` does."""
    subject = _subject(config)
    predictions = predictions_in(subject.run.path, subject.settings.pictures)
    return bench_measure(subject.items, subject.dataset.truth, predictions, subject.settings, repeats)


def _subject(config: MeasureConfig) -> _Subject:
    if config.limit < 0 or config.workers < 0:
        raise InputError(f"Expected limit and workers of at least 0, found {config.limit} and {config.workers}.")
    given = run_or_latest(config.path)
    run = predictions_of(given)
    if run.record.is_file():
        record = RunRecord.read(run.record)
        dataset = open_dataset(config.data or Path(record.data_root), record.dataset)
        items = [ItemId.parse(name) for name in record.items]
        protocol = protocol_named(config.protocol or record.protocol)
        method, generated_with, note = record.method, record.protocol, record.note
        home = given
    elif not is_original_run(run.path):
        raise InputError(
            f"Expected a run in {run.path}, found none.", next_step="Run python3 -m _scripts.generate first."
        )
    else:
        home = results_folder(given)
        dataset = _dataset_of_foreign(run, home, config.data)
        items = dataset.items()
        protocol = protocol_named(config.protocol or dataset.default_protocol)
        method, generated_with, note = run.path.resolve().parent.name, "", ""
        if config.out is None and home.record.is_file():
            raise InputError(
                f"Expected {home.path} to be free for the results of {run.path}, found a run of ours.",
                next_step="Choose another folder with --out",
            )
    lpips = config.lpips_net or ("alex" if protocol.lpips_range == "unit" else "squeeze")
    settings = Settings(protocol=protocol, lpips_network=lpips, run_seed=config.seed, pictures=config.pictures)
    kept = items[: config.limit] if config.limit else items
    if len(kept) < len(items):
        note = f"{note + ' ' if note else ''}The first {len(kept)} of {len(items)} items."
    results = home if config.out is None else RunFolder(config.out)
    if not results.path.resolve().is_relative_to(home.path.resolve()):
        home = results  # a run whose results go elsewhere is left as it is
    return _Subject(run, results, home, dataset, kept, method, settings, generated_with, note)


def _dataset_of_foreign(run: RunFolder, home: RunFolder, data: Path | None) -> Dataset:
    """The dataset asked for, or the one that these predictions were measured with before."""
    if data is not None:
        return open_dataset(data)
    if home.measured_from.is_file():
        before = MeasuredFrom.read(home.measured_from)
        if before.predictions_folder.resolve() == run.path.resolve():
            return open_dataset(before.data_root, before.dataset)
    raise InputError(f"Expected --data DATASET for the predictions in {run.path}, found none.")


def _variants(subject: _Subject) -> VariantPlan:
    """All variants of a run; LPIPS of `corrected` is the one asked for, or squeeze where `paper` is asked for."""
    settings = subject.settings
    if settings.protocol.lpips_range == "unit":
        settings = replace(settings, protocol=protocol_named("corrected"), lpips_network="squeeze")
    path = subject.run.path
    unpasted = predictions_in(path, "unpasted") if has_unpasted_pictures(path) else None
    return plan_variants(subject.results, predictions_in(path), unpasted, settings)


def _shading(subject: _Subject) -> str:
    """How the true pictures were drawn, from the first item that has a truth; empty where none has."""
    for item in subject.items:
        try:
            return subject.dataset.truth(item).shading
        except SuiteError:
            continue  # named in the table as missing
    return ""
