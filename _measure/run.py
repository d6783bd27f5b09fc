"""Score whole runs: items in worker processes, resumable at any moment, then scores and tables.

The parent alone writes. A line of the journal holds one part of one item and a key: the digest of every file and
setting that decides it. Parts with a line of the wanted key are not scored again, so a killed run goes on, going back
to earlier settings costs nothing, other settings score only the parts that they touch, and a changed picture, mesh,
truth or setting is noticed. What the inputs do not decide (a worker that died, a fault of ours) gets no line and is
tried again by the next call. Neither order nor number of workers or machines shows in the results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from _exchange.errors import InputError
from _exchange.items import ItemId, TruthFiles
from _exchange.run_folder import RunFolder
from _exchange.run_record import this_machine
from _exchange.scores import write_scores
from _exchange.shard import Shard
from _exchange.workers import Executor
from _measure.aggregate import aggregate, plan_rows
from _measure.metrics.description import lpips_metric
from _measure.network_choice import ChosenNetworks, choose_networks
from _measure.predictions import Predictions
from _measure.protocols import Settings
from _measure.score_items import Answers, WayOfScoring, Work, score_items
from _measure.table import Table, write_tables

_DECISIVE_PACKAGES = ("python", "numpy", "torch", "pillow", "libigl")


@dataclass(frozen=True)
class MeasureOptions:
    """What stands above the tables, and how the work is done.

    Attributes:
        title, method, dataset, generated_with: as in `Table`.
        workers: processes; 1 works in this one.
        executor: where they run.
        shard: the part of the items that is scored by this call.
        device: where networks run: ``cpu``, ``cuda`` or ``cuda:N``.
        may_download: whether small weights may be fetched.
        truth_cache: folder of visible true surfaces; None keeps none.
        folders: of run and dataset; results name the files in them by their place below these.
    """

    title: str = ""
    method: str = ""
    dataset: str = ""
    generated_with: str = ""
    workers: int = 1
    executor: Executor = "local"
    shard: Shard = field(default_factory=Shard)
    device: str = "cpu"
    may_download: bool = True
    truth_cache: Path | None = None
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Target:
    """One way of scoring a run, and where its results go.

    Attributes:
        folder: gets scores and tables; with None nothing is written.
        predictions: what is scored.
        settings: what decides the scores.
    """

    folder: RunFolder | None
    predictions: Predictions
    settings: Settings


@dataclass(frozen=True)
class Unfinished:
    """A run of which other shards have yet to score items.

    Attributes:
        scored, items: how many of how many items are scored.
    """

    scored: int
    items: int

    @property
    def sentence(self) -> str:
        """For people."""
        return (
            f"{self.scored} of {self.items} items scored; the shard that scores the last ones writes scores and tables."
        )


def measure_targets(
    journal: Path,
    targets: Sequence[Target],
    items: Sequence[ItemId],
    truth_of: Callable[[ItemId], TruthFiles],
    options: MeasureOptions,
) -> list[Table] | Unfinished:
    """Score every item in every way, write ``scores.jsonl`` and the tables of each, and return the tables in order.

    Where a shard is asked for and others have items left, nothing but the journal is written.

    Args:
        journal: what is scored already, and where new scores are added.
        targets: ways of scoring, each with its folder.
        items: all items of the run in list order; none is dropped silently.
        truth_of: the truth of an item; a `SuiteError` makes that item missing.

    Raises:
        InputError: there are no items, an item stands twice, a weight file has the wrong digest, or there is no such
            device.
        MissingComponent: CUDA or Ray is asked for and not there.
    """
    if not items:
        raise InputError("Expected at least one item to measure, found none.")
    if len(set(items)) < len(items):
        twice = next(item for item in items if items.count(item) > 1)
        raise InputError(f"Expected every item once, found {twice} more than once.")
    chosen = [choose_networks(t.settings, options.device, may_download=options.may_download) for t in targets]
    ways = [WayOfScoring(t.predictions, t.settings, networks.facts) for t, networks in zip(targets, chosen)]
    work = Work(
        workers=options.workers,
        executor=options.executor,
        shard=options.shard,
        device=options.device,
        truth_cache=options.truth_cache,
        folders=options.folders,
        versions=_versions(),
    )
    answers = score_items(journal, ways, items, truth_of, work)
    scored = [item for item in items if all(item in answer.scores for answer in answers)]
    if len(scored) < len(items):
        return Unfinished(len(scored), len(items))
    return [
        _write(target, networks, items, answer, options) for target, networks, answer in zip(targets, chosen, answers)
    ]


def _write(
    target: Target,
    networks: ChosenNetworks,
    items: Sequence[ItemId],
    answers: Answers,
    options: MeasureOptions,
) -> Table:
    """The table of one target; its scores and tables are written where it has a folder."""
    settings, done = target.settings, answers.scores
    names = tuple(map(str, items))
    scores = [score for item in items for score in done[item].scores]
    plans = plan_rows(lpips_metric(settings.lpips_network), settings.protocol.f1_aggregate)
    table = Table(
        title=options.title,
        protocol=settings.protocol.name,
        lpips_network=settings.lpips_network,
        items=names,
        rows=aggregate(plans, scores, names, networks.not_run),
        problems=tuple(problem for item in items for problem in done[item].problems),
        sample_count=settings.sample_count,
        sample_seed=f"run seed {settings.run_seed}" if settings.protocol.sample_seed == "run" else "seeded by item",
        weights=networks.weights,
        versions=_versions(),
        method=options.method,
        dataset=options.dataset,
        generated_with=options.generated_with,
        pictures=settings.pictures,
        device=networks.facts.device,
        truths={str(item): answers.truths[item] for item in items if item in answers.truths},
        predictions={str(item): answers.predictions[item] for item in items if item in answers.predictions},
    )
    if target.folder is not None:
        write_scores(target.folder.scores, scores)
        write_tables(target.folder, table)
    return table


@cache
def _versions() -> Mapping[str, str]:
    """Of Python and the libraries that decide results."""
    return {name: version for name, version in this_machine("cpu").items() if name in _DECISIVE_PACKAGES}
