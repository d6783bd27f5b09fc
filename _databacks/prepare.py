"""`prepare`: a folder of characters, or a published set's own files → pictures, lists and tables in the dataset layout.

Cached by the digests of file and settings, parallel over processes, and resumable: a character is finished when the
journal names its files with their digests, and all tables are rebuilt from records, so an interrupted run that is
started again ends in the same bytes as an undisturbed one. Source: spec/renderer.md §12.4, §12.5.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from _databacks.dataset import open_dataset
from _databacks.folder import Problem, SourceCharacter, characters_below
from _databacks.layout import DatasetLayout, SetFolder, find_root
from _databacks.names import ANIMERECON, OWN, VROID
from _databacks.prepare_character import (
    CharacterAnswer,
    CharacterTask,
    DrawSettings,
    character_work,
)
from _databacks.prepare_tables import remove_unlisted, write_tables
from _databacks.vrm import PAPER_POSES
from _databacks.vrm.limits import MAX_FILE_BYTES
from _exchange import atomic
from _exchange.camera import SPIN12
from _exchange.digest import sha256_of_file
from _exchange.errors import InputError
from _exchange.items import ItemId
from _exchange.journal import Journal, JournalEntry
from _exchange.progress import progress
from _exchange.protocol import protocol_named
from _exchange.workers import WorkerDied, available_cores, results_of
from _render.choose import Backend, renderer
from _render.kinds import KINDS
from _render.textures import Filter

_SPIN_SUFFIX = "_spin12"
_SPIN_VIEWS = tuple(f"{index:04d}" for index in SPIN12)
DEFAULT_KINDS: Mapping[str, tuple[str, ...]] = {
    OWN: ("ortho", "ortho_xyza", "rgb60_spin12", "xyza60_spin12"),
    VROID: ("ortho", "ortho_xyza", "rgb", "xyza"),
    ANIMERECON: ("ortho", "ortho_xyza", "rgb60", "xyza60"),
}
"""Kinds that each set is drawn in unless others are asked for; `own`: what measuring needs."""


@dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """How to prepare characters."""

    source: Path
    """Folder of .vrm and .glb files, searched with its subfolders; or a dataset whose raw/ holds the characters."""
    out: Path | None = None
    """Dataset root to write; default: the source where that is a dataset."""
    renderset: str = ""
    """Set to write: own, rutileE or daredemoE; default: the set whose list the source holds, else own."""
    kinds: tuple[str, ...] = ()
    """Kinds of pictures: ortho, ortho_xyza, rgb, xyza, rgb60, xyza60, rgb60_spin12, xyza60_spin12, or all;
    default: what measuring needs, or what the published set has."""
    shading: str = ""
    """paper or corrected; default: corrected for own characters, paper for published sets."""
    backend: Backend = "auto"
    """What draws: cpu, egl, or auto."""
    texture_filter: Filter = "trilinear"
    """Texture filter: trilinear, or mesa as the parity fixtures were drawn."""
    fit: bool = False
    """Shrink characters whose head is larger than the 0.7 m box into it."""
    head_position: tuple[float, float, float] | None = None
    """Head joint in metres for files without a humanoid skeleton (the character faces -z)."""
    workers: int = 0
    """Processes; 0 takes one per processor core."""
    limit: int = 0
    """Only the first so many characters; 0 takes all."""
    retry_failed: bool = False
    """Try again the characters that failed before."""


@dataclass(frozen=True)
class PrepareResult:
    """What a run of `prepare` did.

    Attributes:
        root: the dataset root.
        renderset: the set.
        back_end: one sentence: what drew, and why.
        total: characters looked at.
        drawn: characters drawn now.
        cached: characters whose pictures were there already.
        problems: files that failed, now or before, or were skipped.
    """

    root: Path
    renderset: str
    back_end: str
    total: int
    drawn: int
    cached: int
    problems: tuple[Problem, ...]

    @property
    def failed(self) -> int:
        """Number of characters that failed."""
        return sum(problem.status == "failed" for problem in self.problems)


@dataclass(frozen=True)
class _Plan:
    """What to do: the set, its sources, and what is known to be wrong before anything is drawn.

    `reads_copies`: the sources are the dataset's own copies, so none of them may be removed.
    """

    layout: DatasetLayout
    renderset: str
    characters: Sequence[SourceCharacter]
    problems: Sequence[Problem]
    reads_copies: bool = False

    @property
    def folder(self) -> SetFolder:
        return self.layout.render_set(self.renderset)


def prepare(config: PrepareConfig) -> PrepareResult:
    """Draw all characters that are not drawn yet and write the set's tables.

    A character that cannot be read or drawn is recorded in `failures.json` and stops nothing.

    Raises:
        InputError: the source or an option is wrong, or another `prepare` is writing this set.
        MissingComponent: the back end that was asked for is not there.
    """
    plan = _plan(config)
    settings, reason = _settings(config, plan.renderset)
    with _alone(plan.folder):
        atomic.remove_leftovers(plan.folder.path)
        atomic.remove_leftovers(plan.layout.root / "raw" / OWN)
        problems, drawn, cached = _draw_all(plan, settings, config)
        if plan.renderset == OWN:
            failed = [ItemId.parse(problem.item) for problem in problems if problem.status == "failed"]
            listed = [character.item for character in plan.characters]
            remove_unlisted(plan.layout, listed, failed, everything=not config.limit, keep_copies=plan.reads_copies)
        problems += plan.problems
        write_tables(plan.layout, plan.renderset, problems)
    total = len(plan.characters) + sum(problem.status == "failed" for problem in plan.problems)
    return PrepareResult(plan.layout.root, plan.renderset, reason, total, drawn, cached, tuple(problems))


# -- what to do -------------------------------------------------------------------------------------------------


def _plan(config: PrepareConfig) -> _Plan:
    if config.limit < 0 or config.workers < 0:
        raise InputError(f"Expected limit and workers of at least 0, found {config.limit} and {config.workers}.")
    dataset = _dataset_at(config.source)
    renderset = config.renderset or (_set_of(dataset, config) if dataset else OWN)
    if renderset not in DEFAULT_KINDS:
        raise InputError(f"Expected a set out of {', '.join(DEFAULT_KINDS)}, found {renderset!r}.")
    out = config.out or (dataset.root if dataset else None)
    if out is None:
        raise InputError("Expected a dataset folder to write, found none.", next_step="Give one with --out.")
    in_place = dataset is not None and dataset.root.resolve() == out.resolve()
    if renderset == OWN:
        plan = _own(config, DatasetLayout(out), in_place=in_place)
    elif dataset is None:
        raise InputError(
            f"Expected a dataset with a list and raw characters of {renderset} in {config.source}, found none.",
            next_step="Without --renderset any folder of VRM files can be prepared.",
        )
    elif not in_place:
        raise InputError(
            f"Expected to write {renderset} beside its list and raw characters in {dataset.root}, found {out}.",
            next_step="Leave out --out.",
        )
    else:
        plan = _published(dataset, renderset)
    if not plan.characters and not plan.problems:
        raise InputError(f"Expected .vrm or .glb files in {config.source}, found none.")
    return replace(plan, characters=plan.characters[: config.limit]) if config.limit else plan


def _dataset_at(source: Path) -> DatasetLayout | None:
    try:
        return find_root(source)
    except InputError:
        return None


def _set_of(dataset: DatasetLayout, config: PrepareConfig) -> str:
    """The set whose list a dataset holds; another folder to write means a user's own characters.

    So does a folder to write that has no list yet: a run that was interrupted before its tables.
    """
    if config.out is not None and config.out.resolve() != dataset.root.resolve():
        return OWN
    try:
        return open_dataset(dataset.root).renderset
    except InputError:
        if config.out is None:
            raise
        return OWN


def _own(config: PrepareConfig, layout: DatasetLayout, *, in_place: bool) -> _Plan:
    """A user's characters; those of a dataset that is prepared again are its own copies.

    Where the folder of characters is given as the dataset to write as well, its files outside the copies come first.
    """
    if not in_place or config.out is not None:
        characters, problems = characters_below(config.source, leave_out=(layout.root / "raw", layout.renders))
        if characters or not in_place:
            return _Plan(layout, OWN, characters, problems)
    characters, problems = characters_below(layout.root / "raw" / OWN)
    return _Plan(layout, OWN, characters, problems, reads_copies=True)


def _published(layout: DatasetLayout, renderset: str) -> _Plan:
    """Listed characters of a published set; those without a file are failures."""
    dataset = open_dataset(layout.root, renderset)
    characters, problems = [], []
    for item in dataset.items():
        path = dataset.character(item)
        file = path.relative_to(layout.root).as_posix()
        if path.is_file():
            characters.append(SourceCharacter(item, path, file))
        else:
            gap = next(gap for gap in dataset.missing_stages([item]) if gap.stage == "character")
            problems.append(Problem(str(item), file, "failed", str(gap)))
    return _Plan(layout, renderset, characters, problems)


def _settings(config: PrepareConfig, renderset: str) -> tuple[DrawSettings, str]:
    """What decides the pictures, and why the back end was chosen."""
    shading = config.shading or ("corrected" if renderset == OWN else "paper")
    drawing = renderer(config.backend)
    settings = DrawSettings(
        renderset=renderset,
        wanted=wanted_views(config.kinds or DEFAULT_KINDS[renderset]),
        shading=protocol_named(shading).shading,
        paper_pose=PAPER_POSES.get(renderset, PAPER_POSES[VROID]),
        back_end="egl" if drawing.name == "egl" else "cpu",
        fit=config.fit,
        head_position=config.head_position,
        texture_filter=config.texture_filter,
    )
    return settings, drawing.reason


def wanted_views(kinds: Sequence[str]) -> dict[str, tuple[str, ...] | None]:
    """View names by kind, None for all: ``rgb60_spin12`` asks for twelve views of `rgb60`, ``all`` for every kind.

    Raises:
        InputError: there is no such kind.
    """
    wanted: dict[str, tuple[str, ...] | None] = dict.fromkeys(KINDS) if "all" in kinds else {}
    for name in kinds:
        if name == "all":
            continue
        kind = name.removesuffix(_SPIN_SUFFIX)
        if kind not in KINDS or (kind != name and KINDS[kind].views != "cam60"):
            known = [*KINDS, *(k + _SPIN_SUFFIX for k in KINDS if KINDS[k].views == "cam60"), "all"]
            raise InputError(f"Expected kinds of pictures out of {', '.join(known)}, found {name!r}.")
        if kind == name:
            wanted[kind] = None
        else:
            wanted.setdefault(kind, _SPIN_VIEWS)
    return {kind: wanted[kind] for kind in KINDS if kind in wanted}


# -- doing it ---------------------------------------------------------------------------------------------------


def _draw_all(plan: _Plan, settings: DrawSettings, config: PrepareConfig) -> tuple[list[Problem], int, int]:
    """Draw what is not finished: failures, characters drawn now, characters that were there."""
    journal = Journal(plan.folder.journal)
    todo: list[CharacterTask] = []
    failures: dict[ItemId, Problem] = {}
    cached = 0
    with progress("look at what is there", len(plan.characters) if journal.entries() else 0) as shown:
        for character in plan.characters:
            shown.advance(str(character.item))
            try:
                task = _task(character)
            except OSError as error:
                failures[character.item] = _failed(character, f"The file cannot be read: {error.strerror}.")
                continue
            except InputError as error:
                failures[character.item] = _failed(character, str(error))
                continue
            entry = journal.finished(str(task.item), settings.key(task))
            if entry is None or (entry.status == "failed" and config.retry_failed):
                todo.append(task)
            elif entry.status == "failed":
                failures[task.item] = _failed(character, entry.reason)
            else:
                cached += 1
    drawn = 0
    by_item = {character.item: character for character in plan.characters}
    workers = min(config.workers or available_cores(), max(len(todo), 1))
    with progress(f"prepare {plan.renderset}", len(todo)) as shown:
        for task, answer in results_of(character_work, (plan.layout, settings), todo, workers):
            reason = answer.message if isinstance(answer, WorkerDied) else answer.reason
            if isinstance(answer, CharacterAnswer):
                status = "failed" if reason else "ok"
                journal.append(JournalEntry(str(task.item), settings.key(task), status, reason, dict(answer.files)))
            if reason:
                failures[task.item] = _failed(by_item[task.item], reason)
            drawn += not reason
            shown.advance(str(task.item), failed=bool(reason))
    return list(failures.values()), drawn, cached


def _task(character: SourceCharacter) -> CharacterTask:
    size = character.path.stat().st_size
    if size > MAX_FILE_BYTES:  # said before the file is read, copied and parsed
        raise InputError(f"Expected a file of at most {MAX_FILE_BYTES} bytes, found {size} bytes.")
    return CharacterTask(character.item, character.path, character.file, sha256_of_file(character.path))


def _failed(character: SourceCharacter, reason: str) -> Problem:
    return Problem(str(character.item), character.file, "failed", reason)


@contextmanager
def _alone(folder: SetFolder) -> Iterator[None]:
    """Hold the set's journal while the block runs, so that no second `prepare` writes the same files."""
    try:
        folder.journal.parent.mkdir(parents=True, exist_ok=True)
        held = open(folder.journal, "ab")  # noqa: SIM115 - closed by the next line
    except OSError as error:
        raise InputError(f"Expected to write {folder.path}, found: {error.strerror}.") from error
    with held as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"Expected to write {folder.path} alone, found another prepare at work there.") from error
        yield
