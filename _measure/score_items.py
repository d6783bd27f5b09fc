"""Score items part by part, in worker processes, into the journal; what it holds already is not scored again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from _exchange.digest import sha256_of_file
from _exchange.errors import SuiteError
from _exchange.items import ItemId, TruthFiles
from _exchange.progress import progress
from _exchange.shard import Shard
from _exchange.workers import Executor, WorkerDied, results_of
from _measure.item_scores import ItemScores, Problem, joined
from _measure.network_choice import LoadedNetworks, NetworkNeeds
from _measure.picture_scores import ItemPictures
from _measure.predictions import Predictions
from _measure.protocols import Settings
from _measure.score_journal import Known, append_scores, read_journal
from _measure.scoring import ItemScorer, NetworkFacts, Part, PartKeys, pictures_reader

_DEATH = "The worker process died while it scored this item: killed, out of memory, or crashed."


@dataclass(frozen=True)
class WayOfScoring:
    """One way of scoring.

    Attributes:
        predictions, settings: what is scored, and how.
        facts: of the networks that run.
    """

    predictions: Predictions
    settings: Settings
    facts: NetworkFacts


@dataclass(frozen=True)
class Work:
    """How the work is done; nothing of it shows in the results, but for the device.

    Attributes:
        workers, executor, shard, device, truth_cache, folders: as in `MeasureOptions`.
        versions: of Python and the libraries, for keys.
    """

    workers: int = 1
    executor: Executor = "local"
    shard: Shard = field(default_factory=Shard)
    device: str = "cpu"
    truth_cache: Path | None = None
    folders: tuple[Path, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answers:
    """What is known of the items in one way of scoring.

    Attributes:
        scores: by item; one that another shard has yet to score is absent.
        truths: by item, the digest of its truth; items whose truth was not read are absent.
        predictions: by item, the digest of what was predicted; the same items.
    """

    scores: Mapping[ItemId, ItemScores]
    truths: Mapping[ItemId, str]
    predictions: Mapping[ItemId, str]


@dataclass(frozen=True)
class _Task:
    """One part of one item in one way (its place in the list)."""

    way: int
    part: Part
    key: str


@dataclass(frozen=True)
class _Piece:
    """One item to score, as it is sent to a worker."""

    item: ItemId
    truth: TruthFiles
    tasks: tuple[_Task, ...]


def score_items(
    journal: Path,
    ways: Sequence[WayOfScoring],
    items: Sequence[ItemId],
    truth_of: Callable[[ItemId], TruthFiles],
    work: Work,
) -> list[Answers]:
    """Score what the journal does not hold yet; the answers are in the order of the ways."""
    known = read_journal(journal)
    plan = _Plan.make(ways, items, truth_of, work.versions)
    pieces = plan.pieces(work.shard.of(items), known)
    faults = _score(journal, ways, pieces, known, work)
    if work.shard.count > 1:
        known |= read_journal(journal)  # what the other shards added meanwhile
    by_way = [plan.answers(way, known, faults) for way in range(len(ways))]
    return [
        Answers(
            {item: scored.without_folders(work.folders) for item, scored in answers.items()}, plan.digests, predicted
        )
        for answers, predicted in zip(by_way, plan.predicted)
    ]


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is wanted: by way and item the keys of its parts, or why it has none; digests of truths and predictions."""

    truths: Mapping[ItemId, TruthFiles]
    digests: Mapping[ItemId, str]
    predicted: Sequence[Mapping[ItemId, str]]
    keys: Sequence[Mapping[ItemId, Mapping[Part, str]]]
    missing: Sequence[Mapping[ItemId, ItemScores]]

    @classmethod
    def make(
        cls,
        ways: Sequence[WayOfScoring],
        items: Sequence[ItemId],
        truth_of: Callable[[ItemId], TruthFiles],
        versions: Mapping[str, str],
    ) -> _Plan:
        digest_of = cache(sha256_of_file)  # several ways look at the same files
        makers = [PartKeys(way.predictions, way.settings, way.facts, versions, digest_of) for way in ways]
        truths: dict[ItemId, TruthFiles] = {}
        digests: dict[ItemId, str] = {}
        predicted: list[dict[ItemId, str]] = [{} for _ in ways]
        keys: list[dict[ItemId, Mapping[Part, str]]] = [{} for _ in ways]
        missing: list[dict[ItemId, ItemScores]] = [{} for _ in ways]
        for item in items:
            for place, maker in enumerate(makers):
                try:
                    failure = maker.predictions.failure(item)
                    if not failure:
                        truths[item] = truths.get(item) or truth_of(item)
                        keys[place][item] = maker.of(item, truths[item])
                        digests[item] = digests.get(item) or maker.of_truth(truths[item])
                        predicted[place][item] = maker.of_predictions(item)
                except SuiteError as error:
                    failure = str(error)
                except OSError as error:
                    failure = f"Expected to read {error.filename}, found: {error.strerror}."
                if failure:
                    missing[place][item] = _nothing(item, failure)
        return cls(truths, digests, predicted, keys, missing)

    def pieces(self, items: Sequence[ItemId], known: Known) -> list[_Piece]:
        """What of these items is not known yet, each part once however many ways share it."""
        pieces = []
        for item in items:
            tasks: dict[tuple[Part, str], _Task] = {}
            for way, keys in enumerate(self.keys):
                for part, key in keys.get(item, {}).items():
                    if (str(item), part, key) not in known:
                        tasks.setdefault((part, key), _Task(way, part, key))
            if tasks:
                pieces.append(_Piece(item, self.truths[item], tuple(tasks.values())))
        return pieces

    def answers(self, way: int, known: Known, faults: Mapping[ItemId, ItemScores]) -> dict[ItemId, ItemScores]:
        """What is known of one way."""
        answers = dict(self.missing[way])
        for item, keys in self.keys[way].items():
            found = [known.get((str(item), part, key)) for part, key in keys.items()]
            parts = [scored for scored in found if scored is not None]
            if len(parts) == len(found):
                answers[item] = joined(parts)
            elif item in faults:
                answers[item] = faults[item]
        return answers


def _score(
    journal: Path, ways: Sequence[WayOfScoring], pieces: Sequence[_Piece], known: Known, work: Work
) -> dict[ItemId, ItemScores]:
    """Score the pieces into the journal and into `known`; returns what could not be scored for no fault of the data."""
    faults: dict[ItemId, ItemScores] = {}
    if not pieces:
        return faults
    plain_ways = tuple((way.predictions, way.settings) for way in ways)
    arguments = (plain_ways, _needs(ways, pieces, work.device), work.truth_cache)
    with progress("measure", len(pieces)) as shown:
        for piece, answer in results_of(_Scorer.load, arguments, pieces, work.workers, work.executor):
            if isinstance(answer, (WorkerDied, _Fault)):
                faults[piece.item] = _nothing(piece.item, _DEATH if isinstance(answer, WorkerDied) else answer.reason)
                shown.advance(str(piece.item), failed=True)
                continue
            for task, with_folders in zip(piece.tasks, answer):
                scored = with_folders.without_folders(work.folders)
                append_scores(journal, str(piece.item), task.part, task.key, scored)
                known[str(piece.item), task.part, task.key] = scored
            shown.advance(str(piece.item), failed=any(scored.problems for scored in answer))
    return faults


def _needs(ways: Sequence[WayOfScoring], pieces: Sequence[_Piece], device: str) -> NetworkNeeds:
    """The networks that the tasks run through, and no others."""
    tasks = [task for piece in pieces for task in piece.tasks]
    lpips = {ways[task.way].settings.lpips_network for task in tasks if task.part == "lpips"}
    clip = {ways[task.way].settings.protocol.clip_precision for task in tasks if task.part == "clip"}
    return NetworkNeeds(tuple(sorted(lpips)), tuple(sorted(clip)), device)


def _nothing(item: ItemId, reason: str) -> ItemScores:
    return ItemScores((), (Problem(str(item), "", reason),))


# -- one item, in a worker --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fault:
    """Why an item was not scored, where its inputs do not decide that: nothing to keep for the next call."""

    reason: str


@dataclass(frozen=True, eq=False)
class _Scorer:
    """The work of one process."""

    ways: tuple[tuple[Predictions, Settings], ...]
    networks: LoadedNetworks
    truth_cache: Path | None

    @classmethod
    def load(
        cls, ways: tuple[tuple[Predictions, Settings], ...], needs: NetworkNeeds, truth_cache: Path | None
    ) -> _Scorer:
        """Load the networks, once per process."""
        return cls(ways, LoadedNetworks.load(needs), truth_cache)

    def __call__(self, piece: _Piece) -> list[ItemScores] | _Fault:
        """Scores by task; failures are answers, not errors."""
        try:
            with self.networks.repeatable():
                pictures_of = pictures_reader(piece.item, piece.truth)
                return [self._scorer(piece, task.way, pictures_of).score(task.part) for task in piece.tasks]
        except Exception as error:  # a fault in one item, ours or a library's, must not stop the others
            return _Fault(f"Unexpected {type(error).__name__}: {error}.")

    def _scorer(self, piece: _Piece, way: int, pictures_of: Callable[[Predictions], ItemPictures]) -> ItemScorer:
        predictions, settings = self.ways[way]
        networks = self.networks.of(settings)
        return ItemScorer(piece.item, piece.truth, predictions, settings, networks, pictures_of, self.truth_cache)
