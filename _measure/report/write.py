"""`write_report`: gather, make pictures in worker processes, write pages; what has not changed is not written again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from _databacks.dataset import Dataset
from _exchange import atomic
from _exchange.errors import SuiteError
from _exchange.items import ItemId
from _exchange.progress import progress
from _exchange.protocol import Protocol, protocol_named
from _exchange.run_folder import RunFolder
from _exchange.workers import WorkerDied, results_of
from _measure.integrity.sealing import seal_report
from _measure.report.colour_map import legend_picture
from _measure.report.gather import (
    Known,
    Source,
    downloads_of,
    item_record,
    open_run_dataset,
    report_record,
    source_of,
)
from _measure.report.pages import ASSETS, asset, index_page, item_page
from _measure.report.pictures import SIDE, Job, Made, make_files, webp
from _measure.report.records import Report
from _measure.report.scored import cells_of, read_scored
from _measure.report.subject import Subject, subject_of

_OWN_FOLDERS = ("assets", "downloads", "items", "models", "pictures")


def write_report(run: RunFolder, *, workers: int = 1, truth_cache: Path | None = None) -> Path:
    """Write the report of a run and return the path of its first page.

    The same run and dataset give the same bytes. Missing scores, a missing dataset, failed items and damaged files are
    said on the pages; they stop nothing.

    Args:
        run: the run; its folder gets `report/`.
        workers: processes that make pictures.
        truth_cache: folder of visible true surfaces (see `_measure.truth_cache`); None keeps none.

    Raises:
        InputError: the folder is no run and holds no results, its predictions are gone, or it names an impossible item
            or protocol.
        FormatError: its record is damaged.
    """
    subject = subject_of(run)
    record = subject.record
    items = [ItemId.parse(name) for name in record.items]
    notices = []
    try:
        open_run_dataset(record)
    except SuiteError as error:
        notices.append(f"The dataset of this run is not there: {error} The pages show the reconstruction alone.")
    scored = read_scored(run)
    protocol = protocol_named(scored.table.protocol or record.protocol)
    prepared = _prepare_all((run, protocol, truth_cache), items, workers)
    cells = cells_of(scored, [str(item) for item in items])
    records = [replace(item_record(subject, item, prepared[item], scored), cells=cells[str(item)]) for item in items]
    report = report_record(subject, scored, records, notices)
    _write_pages(run, report, [known.made for known in prepared.values()])
    seal_report(run)
    return run.report


@dataclass(frozen=True, eq=False)
class _Maker:
    """The work of one process: what the dataset knows of an item, and the files of its page."""

    subject: Subject
    protocol: Protocol
    truth_cache: Path | None
    dataset: Dataset | None
    known: frozenset[ItemId]

    @classmethod
    def load(cls, run: RunFolder, protocol: Protocol, truth_cache: Path | None) -> _Maker:
        """Open the dataset once per process."""
        subject = subject_of(run)
        try:
            return cls(subject, protocol, truth_cache, *open_run_dataset(subject.record))
        except SuiteError:  # said on the first page already
            return cls(subject, protocol, truth_cache, None, frozenset())

    def __call__(self, item: ItemId) -> Known:
        source, portrait = source_of(self.dataset, self.known, item)
        job = Job(
            item=item,
            report=self.subject.run.report.parent,
            home=self.subject.made.path,
            predictions=self.subject.predictions,
            ours=self.subject.made.item(item),
            truth=source.truth,
            portrait=portrait,
            protocol=self.protocol,
            truth_cache=self.truth_cache,
        )
        return Known(source, make_files(job))


def _prepare_all(
    shared: tuple[RunFolder, Protocol, Path | None], items: Sequence[ItemId], workers: int
) -> dict[ItemId, Known]:
    prepared: dict[ItemId, Known] = {}
    with progress("report", len(items)) as shown:
        for item, answer in results_of(_Maker.load, shared, items, workers):
            if isinstance(answer, WorkerDied):
                prepared[item] = Known(Source(), Made(problems={"": f"No pictures: {answer}"}))
            else:
                prepared[item] = answer
            shown.advance(str(item), failed=bool(prepared[item].made.problems))
    return prepared


def _write_pages(run: RunFolder, report: Report, made: Sequence[Made]) -> None:
    """Everything but the files of items; the first page last, so that it never links to what is not there yet."""
    folder = run.report.parent
    files = {f"assets/{name}": asset(name).encode("utf-8") for name in ASSETS}
    files["assets/legend.webp"] = webp(legend_picture(SIDE, 12))
    linked = {download.path for download in report.downloads}
    downloads = {f"downloads/{path.name}": path for path in downloads_of(run)}
    files |= {name: path.read_bytes() for name, path in downloads.items() if name in linked}
    files |= {item.page: item_page(report, item).encode("utf-8", "replace") for item in report.items}
    files["index.html"] = index_page(report).encode("utf-8", "replace")
    for relative, content in files.items():
        write_changed(folder / relative, content)
    wanted = {path for known in made for path in known.files.values()}
    wanted |= {f"pictures/{item.name}/made.json" for item in report.items}
    remove_others(folder, wanted | files.keys())


def write_changed(path: Path, content: bytes) -> None:
    """Write a file unless it holds these bytes already."""
    if not path.is_file() or path.read_bytes() != content:
        atomic.write_bytes(path, content)


def remove_others(folder: Path, wanted: set[str]) -> None:
    """Delete what earlier reports left in the folders that every report has; nothing else in `folder` is touched."""
    for name in _OWN_FOLDERS:
        for path in sorted((folder / name).rglob("*"), reverse=True):
            if path.is_file() and path.relative_to(folder).as_posix() not in wanted:
                path.unlink()
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()
