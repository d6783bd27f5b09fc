"""Score a whole run: items in worker processes, resumable at any moment, then scores and tables.

The parent alone writes. A line of ``measured.jsonl`` holds everything of one item and a key: the digest of every file
and setting that decides its scores. Items with a line of the wanted key are not scored again, so a killed run goes on,
going back to earlier settings costs nothing, and a changed picture, mesh, truth or setting is noticed. What the inputs
do not decide (a worker that died, a fault of ours) gets no line and is tried again by the next call. Neither order nor
number of workers shows in the results.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from _exchange import atomic
from _exchange.digest import sha256_of_file, sha256_of_value
from _exchange.errors import InputError, MissingComponent, SuiteError
from _exchange.items import ItemId, TruthFiles
from _exchange.progress import progress
from _exchange.run_folder import RunFolder
from _exchange.run_record import this_machine
from _exchange.scores import Score, write_scores
from _exchange.workers import WorkerDied, results_of
from _measure.aggregate import aggregate, plan_rows
from _measure.item_scores import ItemScores, Problem
from _measure.metrics.clip import CLIP
from _measure.metrics.description import lpips_metric
from _measure.predictions import Predictions
from _measure.protocols import Networks, Settings, score_item
from _measure.table import Table, write_tables
from _measure.weights import lpips_file

SCORING_VERSION = 2
"""Raised whenever the same inputs would give other scores; part of every key."""
CLIP_ABSENT = "no CLIP image encoder is part of this version of the suite"
_DEATH = "The worker process died while it scored this item: killed, out of memory, or crashed."
_DECISIVE_PACKAGES = ("python", "numpy", "torch", "pillow", "libigl")


@dataclass(frozen=True)
class MeasureOptions:
    """How to measure.

    Attributes:
        settings: what decides the scores.
        title, method, dataset, generated_with: as in `Table`.
        workers: processes; 1 works in this one.
        may_download: whether small weights may be fetched.
    """

    settings: Settings = field(default_factory=Settings)
    title: str = ""
    method: str = ""
    dataset: str = ""
    generated_with: str = ""
    workers: int = 1
    may_download: bool = True


@dataclass(frozen=True)
class _Piece:
    """One item to score, as it is sent to a worker."""

    item: ItemId
    truth: TruthFiles
    predictions: Predictions
    key: str


def measure_run(
    run: RunFolder,
    predictions: Predictions,
    items: Sequence[ItemId],
    truth_of: Callable[[ItemId], TruthFiles],
    options: MeasureOptions,
) -> Table:
    """Score every item, write ``scores.jsonl`` and the tables into `run`, and return the table.

    Args:
        run: where results are written; its journal of scores is used for resuming.
        predictions: what is scored.
        items: all items of the run in list order; none is dropped silently.
        truth_of: the truth of an item; a `SuiteError` makes that item missing.

    Raises:
        InputError: there are no items, an item stands twice, or a weight file has the wrong digest.
    """
    if not items:
        raise InputError("Expected at least one item to measure, found none.")
    if len(set(items)) < len(items):
        twice = next(item for item in items if items.count(item) > 1)
        raise InputError(f"Expected every item once, found {twice} more than once.")
    settings = options.settings
    lpips = lpips_metric(settings.lpips_network)
    not_run = {CLIP.id: CLIP_ABSENT}
    weights: dict[str, str] = {}
    try:
        file, _ = lpips_file(settings.lpips_network, may_download=options.may_download)
        weights[file.file_name] = file.sha256
    except MissingComponent as error:
        not_run[lpips.id] = str(error)
    versions = {name: version for name, version in this_machine("cpu").items() if name in _DECISIVE_PACKAGES}
    decisive = {"version": SCORING_VERSION, "settings": asdict(settings), "weights": weights, "packages": versions}
    known = _read_known(run.measured)
    done: dict[ItemId, ItemScores] = {}
    todo: list[_Piece] = []
    for item in items:
        try:
            truth = truth_of(item)
            key = item_key(item, truth, predictions, decisive)
        except (SuiteError, OSError) as error:
            done[item] = ItemScores((), (Problem(str(item), "", str(error)),))
            continue
        if (str(item), key) in known:
            done[item] = known[str(item), key]
        else:
            todo.append(_Piece(item, truth, predictions, key))
    done |= _score_all(run, todo, settings, options.workers, with_lpips=bool(weights))
    scores = [score for item in items for score in done[item].scores]
    write_scores(run.scores, scores)
    plans = plan_rows(lpips, settings.protocol.f1_aggregate)
    table = Table(
        title=options.title,
        protocol=settings.protocol.name,
        lpips_network=settings.lpips_network,
        items=tuple(map(str, items)),
        rows=aggregate(plans, scores, [str(item) for item in items], not_run),
        problems=tuple(problem for item in items for problem in done[item].problems),
        sample_count=settings.sample_count,
        sample_seed=f"run seed {settings.run_seed}" if settings.protocol.sample_seed == "run" else "seeded by item",
        weights=weights,
        versions=versions,
        method=options.method,
        dataset=options.dataset,
        generated_with=options.generated_with,
    )
    write_tables(run, table)
    return table


def item_key(item: ItemId, truth: TruthFiles, predictions: Predictions, decisive: Mapping[str, Any]) -> str:
    """Digest of everything that decides one item's scores: settings, truth and predictions, files by content."""
    pictures = {camera: _digest(path) for camera, path in truth.pictures.items()}
    facts = {k: v for k, v in asdict(truth).items() if k not in ("pictures", "character")}
    predicted = [[path.name, sha256_of_file(path)] for path in predictions.files(item)]
    truth_value = {**facts, "pictures": pictures, "character": _digest(truth.character)}
    failure = predictions.failure(item)
    return sha256_of_value(
        {**decisive, "item": str(item), "truth": truth_value, "predicted": predicted, "failure": failure}
    )


def _score_all(
    run: RunFolder, todo: Sequence[_Piece], settings: Settings, workers: int, *, with_lpips: bool
) -> dict[ItemId, ItemScores]:
    if not todo:
        return {}
    done = {}
    with progress("measure", len(todo)) as shown:
        for piece, answer in results_of(_Scorer.load, (settings, with_lpips), todo, workers):
            if isinstance(answer, ItemScores):
                scored = answer
                atomic.append_line(run.measured, _line(piece, scored))
            else:
                reason = _DEATH if isinstance(answer, WorkerDied) else answer.reason
                scored = ItemScores((), (Problem(str(piece.item), "", reason),))
            done[piece.item] = scored
            shown.advance(str(piece.item), failed=bool(scored.problems))
    return done


# -- one item, in a worker --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fault:
    """Why an item was not scored, where its inputs do not decide that: nothing to keep for the next call."""

    reason: str


@dataclass(frozen=True)
class _Scorer:
    """The work of one process."""

    settings: Settings
    networks: Networks

    @classmethod
    def load(cls, settings: Settings, with_lpips: bool) -> _Scorer:
        """Load the networks, once per process."""
        return cls(settings, load_networks(settings) if with_lpips else Networks())

    def __call__(self, piece: _Piece) -> ItemScores | _Fault:
        """All scores of one item; failures are answers, not errors."""
        try:
            with _one_torch_thread(self.networks):
                return score_item(piece.item, piece.truth, piece.predictions, self.settings, self.networks)
        except Exception as error:  # a fault in one item, ours or a library's, must not stop the others
            return _Fault(f"Unexpected {type(error).__name__}: {error}.")


def load_networks(settings: Settings) -> Networks:
    """The networks that the settings ask for; raises as `lpips_weights` does."""
    from _measure.metrics.lpips import LpipsNetwork  # torch: only where a network runs
    from _measure.network_weights import lpips_weights

    weights = lpips_weights(settings.lpips_network)
    return Networks(lpips=LpipsNetwork(settings.lpips_network, weights.tensors))


def _one_torch_thread(networks: Networks) -> AbstractContextManager[None]:
    """Torch is imported only where a network runs."""
    if networks.lpips is None:
        return nullcontext()
    from torch_utils.determinism import single_threaded

    return single_threaded()


# -- the journal of scores --------------------------------------------------------------------------------------


def _line(piece: _Piece, scored: ItemScores) -> str:
    scores = [
        [score.metric, score.view, score.value if math.isfinite(score.value) else str(score.value)]
        for score in scored.scores
    ]
    problems = [[problem.view, problem.reason] for problem in scored.problems]
    value = {"item": str(piece.item), "key": piece.key, "scores": scores, "problems": problems}
    return json.dumps(value, ensure_ascii=False)


def _read_known(path: Path) -> dict[tuple[str, str], ItemScores]:
    """Scores by item and key; a line that a kill tore, or that is none, counts as absent."""
    known = {}
    for line in atomic.read_lines(path):
        try:
            value = json.loads(line)
            item = value["item"]
            scores = tuple(Score(item, metric, view, float(number)) for metric, view, number in value["scores"])
            problems = tuple(Problem(item, view, reason) for view, reason in value["problems"])
            known[item, value["key"]] = ItemScores(scores, problems)
        except (json.JSONDecodeError, KeyError, TypeError, ValueError):
            continue
    return known


def _digest(path: Path) -> str:
    return sha256_of_file(path) if path.is_file() else "absent"
