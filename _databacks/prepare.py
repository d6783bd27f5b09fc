"""`prepare`: a folder of characters, or a published set's own files → pictures, lists and tables in the dataset layout.

Cached by the digests of file and settings, parallel over processes and machines, and resumable: a character is finished
when the journal names its files with their digests, and all tables are rebuilt from records, so an interrupted run that
is started again ends in the same bytes as an undisturbed one, and so do parts that were prepared at the same time.
Source: spec/renderer.md §12.4, §12.5.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from _databacks.folder import Problem, SourceCharacter
from _databacks.names import OWN
from _databacks.prepare_character import CharacterTask, DrawSettings, character_work
from _databacks.prepare_plan import Plan, PrepareConfig, plan_of, settings_of
from _databacks.prepare_tables import remove_unlisted, write_tables
from _databacks.vrm.limits import MAX_FILE_BYTES
from _exchange import atomic
from _exchange.digest import sha256_of_file
from _exchange.errors import InputError
from _exchange.file_lock import FileLock
from _exchange.items import ItemId
from _exchange.journal import Journal, JournalEntry
from _exchange.progress import progress
from _exchange.shard import Shard
from _exchange.workers import WorkerDied, available_cores, results_of

_PATIENCE_S = 10.0
"""How long a part waits for another one that writes the tables."""
_TRIED = "tried: "
"""Before the key of a character whose worker died: the next run looks for the key itself, and tries again."""


@dataclass(frozen=True)
class PrepareResult:
    """What a run of `prepare` did.

    Attributes:
        root: the dataset root.
        renderset: the set.
        back_end: one sentence: what drew, and why.
        total: characters looked at; of a part, its own.
        drawn: characters drawn now.
        cached: characters whose pictures were there already.
        problems: files that failed, now or before, or were skipped.
        so_far: characters of the whole set that are drawn or have failed.
        whole: characters of the whole set.
        complete: whether the tables are written: by the only part, or by the one that ended last.
    """

    root: Path
    renderset: str
    back_end: str
    total: int
    drawn: int
    cached: int
    problems: tuple[Problem, ...]
    so_far: int
    whole: int
    complete: bool

    @property
    def so_far_sentence(self) -> str:
        """What is said while other parts are not through."""
        return (
            f"{self.so_far} of {self.whole} characters of the set so far: "
            "the part that ends last writes its lists and tables."
        )

    @property
    def failed(self) -> int:
        """Number of characters that failed."""
        return sum(problem.status == "failed" for problem in self.problems)


class SetInUse(InputError):
    """Another `prepare` is writing the set."""


def prepare(config: PrepareConfig) -> PrepareResult:
    """Draw all characters that are not drawn yet and write the set's tables.

    A character that cannot be read or drawn is recorded in `failures.json` and stops nothing. Parts of one set may be
    prepared at the same time; each leaves the others' files alone, and the one that ends last writes the tables.

    Raises:
        SetInUse: another `prepare` is writing this set, and the two are not parts of it.
        InputError: the source or an option is wrong.
        MissingComponent: the back end or the executor that was asked for is not there.
    """
    plan, shard = plan_of(config), Shard.parse(config.shard)
    settings, reason = settings_of(config, plan.renderset)
    is_part = shard.count > 1
    with _lock(plan, is_part=is_part) as lock:
        if not is_part:
            _remove_leftovers(plan)
        ours = _look_at(shard.of(plan.characters))
        journal = Journal(plan.folder.journal)
        todo, cached = _unfinished(ours, journal, settings, retry_failed=config.retry_failed)
        drawn = _draw(plan, todo, journal, settings, config)
        every = ours | _look_at([c for c in plan.characters if c.item not in ours])
        if is_part:
            lock.let_go()  # first: of two parts that end together, the one that asks later finds nobody
        is_last = not is_part or lock.take("alone")
        journal = Journal(plan.folder.journal)
        failed, missing = _outcome(every, journal, settings)
        complete = is_last and not missing
        if complete:
            if is_part:
                _remove_leftovers(plan)
            _write_tables(plan, failed, everything=not config.limit)
    total = len(ours) + sum(problem.status == "failed" for problem in plan.problems)
    problems = [*(problem for item, problem in failed.items() if item in ours), *plan.problems]
    return PrepareResult(
        root=plan.layout.root,
        renderset=plan.renderset,
        back_end=reason,
        total=total,
        drawn=drawn,
        cached=cached,
        problems=tuple(problems),
        so_far=len(every) - missing,
        whole=len(every),
        complete=complete,
    )


_Looked = Mapping[ItemId, CharacterTask | Problem]
"""What there is to do for every character, or why its file cannot be read."""


def _look_at(characters: Sequence[SourceCharacter]) -> dict[ItemId, CharacterTask | Problem]:
    looked: dict[ItemId, CharacterTask | Problem] = {}
    with progress("read the characters", len(characters)) as shown:
        for character in characters:
            try:
                looked[character.item] = _task(character)
            except OSError as error:
                looked[character.item] = _failed(character, f"The file cannot be read: {error.strerror}.")
            except InputError as error:
                looked[character.item] = _failed(character, str(error))
            shown.advance(str(character.item), failed=isinstance(looked[character.item], Problem))
    return looked


def _task(character: SourceCharacter) -> CharacterTask:
    size = character.path.stat().st_size
    if size > MAX_FILE_BYTES:  # said before the file is read, copied and parsed
        raise InputError(f"Expected a file of at most {MAX_FILE_BYTES} bytes, found {size} bytes.")
    return CharacterTask(character.item, character.path, character.file, sha256_of_file(character.path))


def _failed(character: SourceCharacter | CharacterTask, reason: str) -> Problem:
    return Problem(str(character.item), character.file, "failed", reason)


def _unfinished(
    looked: _Looked, journal: Journal, settings: DrawSettings, *, retry_failed: bool
) -> tuple[list[CharacterTask], int]:
    """What has to be drawn, and how many characters are drawn already."""
    todo: list[CharacterTask] = []
    cached = 0
    with progress("look at what is there", len(looked) if journal.entries() else 0) as shown:
        for item, task in looked.items():
            shown.advance(str(item))
            if isinstance(task, Problem):
                continue
            entry = journal.finished(str(item), settings.key(task))
            if entry is None or (entry.status == "failed" and retry_failed):
                todo.append(task)
            else:
                cached += entry.status == "ok"
    return todo, cached


def _draw(
    plan: Plan, todo: Sequence[CharacterTask], journal: Journal, settings: DrawSettings, config: PrepareConfig
) -> int:
    """Draw, and journal how it went; the number of characters that did not fail."""
    drawn = 0
    workers = min(config.workers or available_cores(), max(len(todo), 1))
    arguments = (plan.layout, settings)
    with progress(f"prepare {plan.renderset}", len(todo)) as shown:
        for task, answer in results_of(character_work, arguments, todo, workers, config.executor):
            key = settings.key(task)
            if isinstance(answer, WorkerDied):
                entry = JournalEntry(str(task.item), _TRIED + key, "failed", answer.message)
            else:
                status = "failed" if answer.reason else "ok"
                entry = JournalEntry(str(task.item), key, status, answer.reason, dict(answer.files))
            journal.append(entry)
            drawn += entry.status == "ok"
            shown.advance(str(task.item), failed=entry.status == "failed")
    return drawn


def _outcome(looked: _Looked, journal: Journal, settings: DrawSettings) -> tuple[dict[ItemId, Problem], int]:
    """Failed characters, and the number of those that nobody has drawn or tried yet."""
    entries = {entry.item: entry for entry in journal.entries()}
    failed: dict[ItemId, Problem] = {}
    missing = 0
    for item, task in looked.items():
        if isinstance(task, Problem):
            failed[item] = task
            continue
        key, entry = settings.key(task), entries.get(str(item))
        if entry is None or entry.key not in (key, _TRIED + key):
            missing += 1
        elif entry.status == "failed":
            failed[item] = _failed(task, entry.reason)
    return failed, missing


def _write_tables(plan: Plan, failed: Mapping[ItemId, Problem], *, everything: bool) -> None:
    if plan.renderset == OWN:
        listed = [character.item for character in plan.characters]
        remove_unlisted(plan.layout, listed, failed, everything=everything, keep_copies=plan.reads_copies)
    write_tables(plan.layout, plan.renderset, [*failed.values(), *plan.problems])


def _remove_leftovers(plan: Plan) -> None:
    """Of killed processes; only while no other part is at work."""
    atomic.remove_leftovers(plan.folder.path)
    atomic.remove_leftovers(plan.layout.root / "raw" / OWN)


@contextmanager
def _lock(plan: Plan, *, is_part: bool) -> Iterator[FileLock]:
    """The set's lock, held alone, or by parts together, while the block runs.

    Parts wait a moment, since another one may be writing the tables.
    """
    try:
        lock = FileLock(plan.folder.lock)
    except OSError as error:
        raise InputError(f"Expected to write {plan.folder.path}, found: {error.strerror}.") from error
    with lock:
        deadline = time.monotonic() + (_PATIENCE_S if is_part else 0)
        while not lock.take("shared" if is_part else "alone"):
            if time.monotonic() > deadline:
                raise _in_use(plan, is_part=is_part)
            time.sleep(0.1)
        yield lock


def _in_use(plan: Plan, *, is_part: bool) -> SetInUse:
    if is_part:
        return SetInUse(
            f"Expected only other parts at work in {plan.folder.path}, found a prepare that works there alone.",
            next_step="Start this part again when that one has ended.",
        )
    return SetInUse(
        f"Expected to write {plan.folder.path} alone, found another prepare at work there.",
        next_step="Wait until it has ended, or choose another folder with --out.",
    )
