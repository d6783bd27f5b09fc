"""`write_many`: one page over the reports of several runs: their leaderboard, and every character side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from _exchange.errors import FormatError, InputError
from _exchange.items import ItemId
from _exchange.run_folder import RunFolder
from _exchange.run_record import RunRecord
from _measure.comparison.chosen_runs import names_apart, read_runs
from _measure.comparison.leaderboard import (
    Leaderboard,
    leaderboard,
    leaderboard_csv,
    leaderboard_grid,
    leaderboard_json,
    leaderboard_latex,
    leaderboard_markdown,
)
from _measure.report.gather import FORMS, size_text
from _measure.report.many_records import ComparedItem, ComparedRun, Comparison, Shown
from _measure.report.pages import ASSETS, asset, many_page
from _measure.report.records import Download
from _measure.report.subject import subject_of
from _measure.report.write import remove_others, write_changed, write_report
from _measure.sentences import without_folders

_REPORTS = "reports"
_VIEWS = ("ortho_front", "ortho_back")
_WRITERS = {
    "csv": leaderboard_csv,
    "tex": leaderboard_latex,
    "md": leaderboard_markdown,
    "json": leaderboard_json,
}


def write_many(runs: Sequence[RunFolder], out: Path, *, workers: int = 1, truth_cache: Path | None = None) -> Path:
    """Write the report of every run, take a copy of each into `out`, and write the page above them.

    Runs that cannot be ranked together are shown without a leaderboard, and the page says why.

    Args:
        runs: at least two, each once.
        out: folder of the page; it holds everything that the page leads to.
        workers, truth_cache: as for `write_report`.

    Returns:
        The page.

    Raises:
        InputError: there are fewer than two runs, one stands twice, or one is no run.
        FormatError: a run's record is damaged.
    """
    resolved = [run.path.resolve() for run in runs]
    if len(set(resolved)) < max(len(runs), 2):
        raise InputError(f"Expected at least two different runs, found {', '.join(map(str, resolved)) or 'none'}.")
    names = names_apart(resolved)
    records = [subject_of(run).record for run in runs]
    compared = []
    for name, run, record in zip(names, runs, records):
        write_report(run, workers=workers, truth_cache=truth_cache)
        folder = f"{_REPORTS}/{name}"
        _copy(run.report.parent, out / folder)
        compared.append(_compared_run(name, folder, record))
    board, notices = _board(resolved)
    items = dict.fromkeys(item for record in records for item in record.items)
    comparison = Comparison(
        runs=tuple(compared),
        board=None if board is None else leaderboard_grid(board),
        downloads=_write_downloads(out, board),
        items=tuple(_item(out, ItemId.parse(item), compared, records) for item in items),
        notices=tuple(without_folders(notice, resolved) for notice in notices),
    )
    for name in ASSETS:
        write_changed(out / "assets" / name, asset(name).encode("utf-8"))
    page = out / "index.html"
    write_changed(page, many_page(comparison).encode("utf-8", "replace"))
    return page


def _compared_run(name: str, folder: str, record: RunRecord) -> ComparedRun:
    return ComparedRun(
        name, f"{folder}/index.html", folder, record.method, record.dataset, record.protocol, record.note
    )


def _board(paths: Sequence[Path]) -> tuple[Leaderboard | None, tuple[str, ...]]:
    """The leaderboard, or why there is none."""
    try:
        return leaderboard(read_runs(paths, None)), ()
    except (InputError, FormatError) as error:
        return None, (f"These runs have no leaderboard: {error}",)


def _write_downloads(out: Path, board: Leaderboard | None) -> tuple[Download, ...]:
    """The leaderboard as files; those of an earlier page go where there is none."""
    downloads = []
    for form, write in _WRITERS.items():
        relative = f"downloads/leaderboard.{form}"
        if board is None:
            (out / relative).unlink(missing_ok=True)
        else:
            content = write(board).encode("utf-8", "replace")
            write_changed(out / relative, content)
            downloads.append(Download(relative, f"leaderboard, {FORMS[form]}", size_text(len(content))))
    return tuple(downloads)


def _item(out: Path, item: ItemId, runs: Sequence[ComparedRun], records: Sequence[RunRecord]) -> ComparedItem:
    """Front and back of one character in every run; the truth is taken from the first report that has it."""
    pictures = [f"{run.folder}/pictures/{item}" for run in runs]
    shown = []
    for run, record, folder in zip(runs, records, pictures):
        page = f"{run.folder}/items/{item}.html" if str(item) in record.items else ""
        shown.append(Shown(run.name, page, *(_existing(out, [f"{folder}/ours-{view}.webp"]) for view in _VIEWS)))
    truth = [_existing(out, [f"{folder}/truth-{view}.webp" for folder in pictures]) for view in _VIEWS]
    return ComparedItem(str(item), (Shown("truth", "", *truth), *shown))


def _existing(out: Path, paths: Sequence[str]) -> str:
    return next((path for path in paths if (out / path).is_file()), "")


def _copy(source: Path, target: Path) -> None:
    """Copy a report; what lay in its folders before and belongs to it no more goes."""
    files = {path.relative_to(source).as_posix(): path for path in sorted(source.rglob("*")) if path.is_file()}
    for relative, path in files.items():
        write_changed(target / relative, path.read_bytes())
    remove_others(target, set(files))
