"""Items × method → run folder: pictures, position maps, mesh and status of every item, resumable at any moment.

What decides the results stands in `run.json`; an item is finished when the journal's line for it carries the digests
of its files. The parent process alone writes the journal, so neither order nor number of workers shows in the results.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from _databacks.dataset import Dataset
from _exchange import atomic
from _exchange.camera import standard_camera
from _exchange.digest import sha256_of_bytes, sha256_of_value
from _exchange.errors import InputError, SuiteError
from _exchange.glb import mesh_glb
from _exchange.items import RENDERED_CAMERAS, ItemId
from _exchange.journal import Journal, JournalEntry
from _exchange.pictures import png_bytes
from _exchange.progress import progress
from _exchange.protocol import protocol_named
from _exchange.run_folder import TABLE_FORMATS, ItemFolder, RunFolder
from _exchange.run_record import ItemStatus, RunRecord, this_machine
from _exchange.shard import Shard
from _exchange.workers import Executor, WorkerDied, results_of
from _methods import registry
from _methods.interface import Method, MethodSettings, check_resolution
from _render.choose import renderer


@dataclass(frozen=True, kw_only=True)
class GenerateOptions:
    """How to run.

    Attributes:
        out: the run folder. Shards of one run share it.
        method: registry name.
        protocol: ``paper`` or ``corrected``; empty takes the dataset's own.
        settings: what the method is loaded with; its protocol is replaced by the run's.
        resolution: of the meshes, steps along the side of the cube; 0 takes the method's own.
        textured: whether every item gets a textured surface too.
        limit: only the first so many items; 0 takes all. A later run with more goes on.
        shard: which of these items.
        workers: processes; 1 works in this one, unless the executor is ``ray``.
        executor: where they run.
        existing: a run in `out` goes on, or is deleted first; with ``require`` none is started anew.
        retry_failed: try again what failed before.
    """

    out: Path
    method: str = "inflate"
    protocol: str = ""
    settings: MethodSettings = field(default_factory=MethodSettings)
    resolution: int = 0
    textured: bool = False
    limit: int = 0
    shard: Shard = field(default_factory=Shard)
    workers: int = 1
    executor: Executor = "local"
    existing: Literal["resume", "overwrite", "require"] = "resume"
    retry_failed: bool = False


@dataclass(frozen=True)
class GenerateSummary:
    """How a run ended.

    Attributes:
        run: its folder.
        record: what it is.
        made: items made now; failed ones do not count.
        kept: items that were made before.
        failed: reason by name of every item that failed, now or before.
        taken: a sentence about what was taken where nothing was asked for; empty where all was.
    """

    run: RunFolder
    record: RunRecord
    made: int
    kept: int
    failed: Mapping[str, str]
    taken: str = ""


class OtherRun(InputError):
    """The run folder holds a run of another configuration."""


def generate(dataset: Dataset, options: GenerateOptions) -> GenerateSummary:
    """Make (or finish) a run.

    One item that fails is recorded and stops nothing. Results are the same bytes whatever the workers, the shards and
    the number of interruptions.

    Raises:
        OtherRun: `out` holds a run of another configuration.
        InputError: unknown method or protocol, a limit below 0, a resolution that no mesh has, a method that cannot do
            what is asked, or something else that stands in `out`.
        MissingComponent: the method needs something that is not installed.
    """
    if options.limit < 0:
        raise InputError(f"Expected a limit of at least 0, found {options.limit}.")
    if options.shard.count > 1 and options.existing == "overwrite":
        raise InputError(
            "Expected a part of a run to go on, found --overwrite, which deletes the work of the other parts.",
            next_step="Choose another --out.",
        )
    if options.resolution:
        check_resolution(options.resolution)
    protocol = protocol_named(options.protocol or dataset.default_protocol)
    options = replace(options, settings=replace(_with_chosen_back_end(options.settings), protocol=protocol))
    method = registry.find(options.method).load(options.settings)
    if options.textured and not method.makes_textured:
        raise InputError(f"Expected a method that makes textured surfaces, such as panic3d, found {options.method}.")
    options = replace(options, resolution=options.resolution or method.default_resolution)
    items = list(dataset.items())
    planned = items[: options.limit] if options.limit else items
    if not planned:
        raise InputError(f"Expected items in the dataset {dataset.root}, found none.")
    run = RunFolder(options.out)
    record = _open_run(run, lambda listed: _record(dataset, options, method, listed), planned, options.existing)
    journal = Journal(run.journal)
    keys = {item: _item_key(record, dataset, item) for item in options.shard.of(planned)}
    finished = {item: journal.finished(str(item), key) for item, key in keys.items()}
    kept = {
        item: entry
        for item, entry in finished.items()
        if entry is not None and not (options.retry_failed and entry.status == "failed")
    }
    failed = {str(item): entry.reason for item, entry in kept.items() if entry.status == "failed"}
    todo, failed_before = [item for item in keys if item not in kept], len(failed)
    work = (dataset, options, run)
    with progress(f"generate {options.method}", len(todo)) as shown:
        for item, answer in results_of(_Work.load, work, todo, options.workers, options.executor):
            made = _answer_of_death(run.item(item)) if isinstance(answer, WorkerDied) else answer
            status = "failed" if made.reason else "ok"
            journal.append(JournalEntry(str(item), keys[item], status, made.reason, dict(made.files)))
            if made.reason:
                failed[str(item)] = made.reason
            shown.advance(str(item), failed=bool(made.reason))
    made_now = len(todo) - (len(failed) - failed_before)
    return GenerateSummary(run, record, made_now, len(kept) - failed_before, failed)


def _with_chosen_back_end(settings: MethodSettings) -> MethodSettings:
    """``auto`` replaced by what it means on this machine, so that the record and every worker say the same."""
    if settings.back_end != "auto":
        return settings
    return replace(settings, back_end="egl" if renderer("auto").name == "egl" else "cpu")


# -- the run folder ---------------------------------------------------------------------------------------------


def _record(dataset: Dataset, options: GenerateOptions, method: Method, planned: Sequence[ItemId]) -> RunRecord:
    settings, digests = options.settings, method.digests()
    return RunRecord(
        method=options.method,
        dataset=dataset.renderset,
        data_root=str(dataset.root),
        protocol=settings.protocol.name,
        seed=settings.seed,
        items=tuple(str(item) for item in planned),
        settings={
            "resolution": options.resolution,
            "back_end": settings.back_end,
            **({"textured": True} if options.textured else {}),
            # A file counts by its content, wherever it lies: its digest stands under the name of its option.
            **{name: value for name, value in settings.options.items() if name not in digests},
        },
        digests={"dataset": dataset.digest(planned), **digests},
        machine=this_machine(settings.device),
        note=method.note(),
    )


def _open_run(
    run: RunFolder,
    record_of: Callable[[Sequence[ItemId]], RunRecord],
    planned: Sequence[ItemId],
    existing: Literal["resume", "overwrite", "require"],
) -> RunRecord:
    """Make the folder, or check that this run may go on in it; writes the record and returns it.

    Of parts that start at once, one makes the run, and the others join it.
    """
    record = record_of(planned)
    if not run.record.exists() and existing != "require" and _is_unused_folder(run.path):
        try:
            record.write_new(run.record)
            return record
        except FileExistsError:
            existing = "resume"
    if run.record.exists():
        if existing == "overwrite":
            _delete_run(run)
        else:
            record = _joined(run, record_of, record)
        record.write(run.record)
        return record
    if existing == "require":
        raise InputError(f"Expected a run to go on with in {run.path}, found none.", next_step="Leave out --resume.")
    raise InputError(
        f"Expected a new or empty folder or a run in {run.path}, found something else.",
        next_step="Choose another --out.",
    )


def _is_unused_folder(path: Path) -> bool:
    """Whether a folder is not there, or holds nothing, or only what a killed start left."""
    if not path.exists():
        return True
    return path.is_dir() and all(entry.name.startswith(atomic.TEMPORARY_PREFIX) for entry in path.iterdir())


def _joined(run: RunFolder, record_of: Callable[[Sequence[ItemId]], RunRecord], wanted: RunRecord) -> RunRecord:
    """The record of a run that goes on: the list of items may grow, and a shorter one leaves it as it is."""
    found = RunRecord.read(run.record)
    grows = set(found.items) <= set(wanted.items)
    if grows or set(wanted.items) <= set(found.items):
        of_found_items = record_of([ItemId.parse(name) for name in found.items])
    else:
        of_found_items = wanted
    differing = _differing_fields(found.resolved, of_found_items.resolved)
    if differing:
        raise OtherRun(
            f"Expected the run in {run.path} to have the same configuration, found other values of "
            f"{', '.join(differing)}.",
            next_step="Choose another --out, or add --overwrite to delete that run first.",
        )
    return wanted if grows else of_found_items


def _differing_fields(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Names of differing fields, ``settings.resolution`` for what differs inside one."""
    names = []
    for name in sorted(found.keys() | wanted.keys()):
        old, new = found.get(name), wanted.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            names += [f"{name}.{inner}" for inner in _differing_fields(old, new)]
        elif old != new:
            names.append(name)
    return names


def _delete_run(run: RunFolder) -> None:
    """Delete what a run consists of, but its record, which is replaced, and nothing else that lies in its folder."""
    for folder in (run.path / "items", run.path / "variants", run.report.parent):
        shutil.rmtree(folder, ignore_errors=True)
    files = [run.journal, run.measured, run.scores, run.verdicts, run.seal, *map(run.table, TABLE_FORMATS)]
    for path in files:
        path.unlink(missing_ok=True)


def _item_key(record: RunRecord, dataset: Dataset, item: ItemId) -> str:
    """Digest of everything that decides one item's results: the record without what is about other items."""
    decisive = {name: value for name, value in record.resolved.items() if name != "items"}
    digests = {**record.digests, "dataset": dataset.digest([item])}
    return sha256_of_value({**decisive, "digests": digests, "item": str(item)})


# -- one item, in a worker --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Made:
    """What a worker answers: digests by path relative to the run folder, or the reason of a failure."""

    files: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class _Work:
    """The work of one process: called with an item, it makes everything of it."""

    dataset: Dataset
    method: Method
    options: GenerateOptions
    run: RunFolder

    @classmethod
    def load(cls, dataset: Dataset, options: GenerateOptions, run: RunFolder) -> _Work:
        """Load the method, once per process."""
        return cls(dataset, registry.find(options.method).load(options.settings), options, run)

    def __call__(self, item: ItemId) -> _Made:
        """Everything is computed before the first file is written. Failures are answers, not errors."""
        folder = self.run.item(item)
        started = time.monotonic()
        try:
            contents, reason = _contents(self, item, folder), ""
        except SuiteError as error:
            contents, reason = {}, str(error) or f"{type(error).__name__} without a message."
        except Exception as error:  # a fault of a method, ours or another's, must not stop the other items
            contents, reason = {}, f"Unexpected {type(error).__name__}: {error}."
        files = _write(folder, contents, self.run.path)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        seconds = round(time.monotonic() - started, 3)
        ItemStatus("failed" if reason else "ok", reason, seconds, round(peak, 1)).write(folder.status)
        return _Made(files, reason)


def _contents(work: _Work, item: ItemId, folder: ItemFolder) -> dict[Path, bytes]:
    """The item's result files by path."""
    work.method.set_item(work.dataset.method_input(item))
    contents = {}
    for name in RENDERED_CAMERAS:
        rendering = work.method.render(standard_camera(name))
        contents[folder.render(name)] = png_bytes(rendering.rgba())
        contents[folder.position(name)] = png_bytes(rendering.position_map())
        if rendering.unpasted is not None:
            contents[folder.unpasted_render(name)] = png_bytes(rendering.unpasted)
    prepared = work.method.prepared_input()
    if prepared is not None:
        contents[folder.prepared_input] = png_bytes(prepared)
    contents[folder.mesh] = mesh_glb(work.method.mesh(work.options.resolution))
    if work.options.textured:
        contents[folder.textured_mesh] = work.method.textured_glb()
    return contents


def _write(folder: ItemFolder, contents: Mapping[Path, bytes], root: Path) -> dict[str, str]:
    """Write the files, delete what an earlier attempt left, and return the digests."""
    atomic.remove_leftovers(folder.path)
    for path, content in contents.items():
        atomic.write_bytes(path, content)
    for path in folder.result_files():
        if path not in contents:
            path.unlink()
    return {path.relative_to(root).as_posix(): sha256_of_bytes(content) for path, content in contents.items()}


def _answer_of_death(folder: ItemFolder) -> _Made:
    """What is recorded for an item whose worker process died."""
    reason = "The worker process died while it worked on this item: killed, out of memory, or crashed."
    _write(folder, {}, folder.path)
    ItemStatus("failed", reason).write(folder.status)
    return _Made({}, reason)
