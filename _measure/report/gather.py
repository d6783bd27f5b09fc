"""A run folder, and its dataset where it is still there, to the records of its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _databacks.dataset import Dataset, open_dataset
from _databacks.names import ANIMERECON
from _databacks.vrm import read_attribution
from _exchange.camera import standard_camera
from _exchange.errors import SuiteError
from _exchange.frames import IMAGE_SIZE
from _exchange.items import SCORED_CAMERAS, ItemId, Region, TruthFiles
from _exchange.run_folder import RunFolder
from _exchange.run_record import ItemStatus, RunRecord
from _measure.crops import box_of_region
from _measure.protocols import GEOMETRY, subset_of_camera
from _measure.report.pages import fact_with_link
from _measure.report.pictures import Made
from _measure.report.plots import plot_of
from _measure.report.records import Box, Download, Drawn, Fact, Item, Model, Report, Surface, View
from _measure.report.scored import Scored, columns_of, view_scores
from _measure.report.subject import Subject, status_of
from _measure.report.variants import OUTDATED_SWITCHES, read_switches, variants_grid
from _measure.report.verdicts import OUTDATED, read_verdicts
from _measure.sentences import without_folders

_NOT_COMPARABLE = (
    "These characters are not the published benchmark: no number on this page can be compared with published ones."
)
_COMPARE_WITH_VERIFY = (
    "Published numbers belong to one protocol, one item list and one set of networks: "
    "python3 -m _scripts.verify compares what can be compared."
)


FORMS = {"csv": "CSV", "tex": "LaTeX", "md": "Markdown", "json": "JSON"}
"""What the forms of a table are called."""
_VARIANT_TABLES = {"side_by_side": "variants", "switches": "switches"}
_SURFACES = (
    ("ours", "Ours", "The reconstruction in its own colours."),
    ("distance", "Ours, distance", "The scored part of the reconstruction, coloured by its distance to the truth."),
    (
        "truth",
        "Truth, distance",
        "The scored part of the true surface, coloured by its distance to the reconstruction.",
    ),
)
"""Name, title and hint of what the viewer can show."""
_NAMED = frozenset((*SCORED_CAMERAS, GEOMETRY))


@dataclass(frozen=True, eq=False)
class Source:
    """Everything of one item that the dataset still knows.

    Attributes:
        truth: None where the dataset has none.
        illustration: where the input comes from; empty where there is none.
        attribution: who made the character and under which terms.
        problems: why something is absent.
    """

    truth: TruthFiles | None = None
    illustration: str = ""
    attribution: tuple[Fact, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Known:
    """One item: what its dataset knows, and the files made for its page."""

    source: Source
    made: Made


# -- the dataset ------------------------------------------------------------------------------------------------


def open_run_dataset(record: RunRecord) -> tuple[Dataset, frozenset[ItemId]]:
    """The dataset that a run was made from, and its items; raises `InputError` where it is gone."""
    dataset = open_dataset(Path(record.data_root), record.dataset)
    return dataset, frozenset(dataset.items())


def source_of(
    dataset: Dataset | None, known: frozenset[ItemId], item: ItemId
) -> tuple[Source, NDArray[np.uint8] | None]:
    """What the dataset knows of an item, and its (512, 512, 4) portrait; what is absent becomes a problem."""
    if dataset is None:
        return Source(), None
    if item not in known:
        return Source(problems=("The dataset has no such item any more.",)), None
    problems = []
    truth, method_input = None, None
    try:
        truth = dataset.truth(item)
    except SuiteError as error:
        problems.append(f"Truth: {error}")
    try:
        method_input = dataset.method_input(item)
    except SuiteError as error:
        problems.append(f"Input: {error}")
    illustration = method_input.alignment.source if method_input else ""
    source = Source(truth, illustration, _attribution(truth), tuple(problems))
    return source, method_input.portrait if method_input else None


# -- records ----------------------------------------------------------------------------------------------------


def item_record(subject: Subject, item: ItemId, known: Known, scored: Scored) -> Item:
    """Everything that the pages show of one item, without its cells."""
    source, made = known.source, known.made
    status = status_of(subject, item)
    files, name = made.files, str(item)
    folders = subject.folders
    problems = _problems(name, status, known, scored)
    shown = {view: without_folders(reason, folders) for view, reason in problems.items()}
    region = source.truth.region if source.truth else None
    views = [_view(camera, name, made, region, scored) for camera in SCORED_CAMERAS]
    return Item(
        name=name,
        page=f"items/{name}.html",
        status=status.status if status else "missing",
        reason=without_folders(status.reason, folders) if status else "The run has not come to this item.",
        portrait=files.get("portrait", ""),
        prepared=files.get("prepared", ""),
        truth=files.get("truth/ortho_front", ""),
        ours=files.get("ours/ortho_front", ""),
        turntable=files.get("turntable", ""),
        views=tuple(replace(view, problem=shown.get(view.camera, "")) for view in views),
        model=Model(
            surfaces=tuple(
                Surface(shown_as, title, hint, files[f"model/{shown_as}"])
                for shown_as, title, hint in _SURFACES
                if f"model/{shown_as}" in files
            ),
            download=files.get("mesh", ""),
            size=size_text(made.model_bytes),
            remark=made.model_remark,
            problem=shown.get(GEOMETRY, ""),
        ),
        attribution=source.attribution,
        facts=_item_facts(status, source),
        problems=tuple(f"{view}: {reason}" if view in _NAMED else reason for view, reason in shown.items()),
    )


def _problems(item: str, status: ItemStatus | None, known: Known, scored: Scored) -> dict[str, str]:
    """One reason by view. What a failed item lacks follows from its failure, which is said already."""
    reasons = {f"dataset {place}": reason for place, reason in enumerate(known.source.problems)}
    if status is None or status.status != "ok":
        return reasons
    for view, reason in (*scored.problems.get(item, ()), *known.made.problems.items()):
        reasons.setdefault(view, reason)
    return reasons


def report_record(
    subject: Subject,
    scored: Scored,
    items: Sequence[Item],
    notices: Sequence[str],
) -> Report:
    """The whole report from its parts."""
    run, record = subject.run, subject.record
    is_benchmark = record.dataset == ANIMERECON
    failed = sum(item.status != "ok" for item in items)
    incomplete = sum(item.standing == "incomplete" for item in items)
    facts = [
        Fact("method", str(record.method)),
        Fact("dataset", str(record.dataset)),
        Fact("protocol", scored.table.protocol or str(record.protocol)),
        Fact("LPIPS network", scored.table.network or "–"),
        Fact("items", str(len(items))),
        Fact("failed or missing / incomplete", f"{failed} / {incomplete}"),
        *(() if subject.is_original else (Fact("seed", str(record.seed)),)),
    ]
    settings = [Fact(f"setting {name}", str(value)) for name, value in sorted(dict(record.settings).items())]
    digests = [Fact(f"SHA-256 of {name}", str(value)) for name, value in sorted(dict(record.digests).items())]
    machine = [Fact(str(name), str(value)) for name, value in sorted(dict(record.machine).items())]
    verdicts, verdict_notices = read_verdicts(run)
    switches, switch_notices = read_switches(run, scored.run)
    pages = {item.name: item.page for item in items}
    plots = [plot_of(plan, values, pages) for plan, values in zip(scored.plans, scored.rows)]
    found = (*scored.notices, *verdict_notices, *switch_notices, *notices)
    return Report(
        title=run.path.resolve().name,
        facts=tuple(facts),
        machine=(*settings, *digests, *machine),
        table=scored.table,
        columns=columns_of(scored),
        items=tuple(items),
        note=str(record.note),
        notices=(
            _COMPARE_WITH_VERIFY if is_benchmark else _NOT_COMPARABLE,
            *(without_folders(notice, subject.folders) for notice in found),
        ),
        plots=tuple(plot for plot in plots if plot is not None),
        variants=None if scored.run is None else variants_grid(scored.run, scored.variants),
        switches=switches,
        verdicts=verdicts,
        downloads=tuple(
            Download(f"downloads/{path.name}", title, size_text(path.stat().st_size))
            for path, title in downloads_of(run).items()
            if path not in _outdated(run, found)
        ),
    )


def downloads_of(run: RunFolder) -> dict[Path, str]:
    """Files of the run that its report can take along, with what they are."""
    wanted = {run.table(form): f"table, {name}" for form, name in FORMS.items()}
    wanted |= {run.scores: "all scores", run.verdicts: "verdicts"}
    for stem, what in _VARIANT_TABLES.items():
        wanted |= {run.path / "variants" / f"{stem}.{form}": f"{what}, {FORMS[form]}" for form in ("csv", "tex", "md")}
    return {path: title for path, title in wanted.items() if path.is_file()}


def _outdated(run: RunFolder, notices: Sequence[str]) -> set[Path]:
    """Files that notices say are not shown; the two tables of variants are written in one call."""
    variants = {path for path in downloads_of(run) if path.parent.name == "variants"}
    return ({run.verdicts} if OUTDATED in notices else set()) | (variants if OUTDATED_SWITCHES in notices else set())


def _view(camera: str, item: str, made: Made, region: Region | None, scored: Scored) -> View:
    unpasted = None
    if f"unpasted/{camera}" in made.files:
        unpasted = _drawn("unpasted", camera, made, view_scores(scored.plans, scored.unpasted, item, camera))
    return View(
        camera=camera,
        title=_view_title(camera),
        truth=made.files.get(f"truth/{camera}", ""),
        ours=_drawn("ours", camera, made, view_scores(scored.plans, scored.values, item, camera)),
        unpasted=unpasted,
        box=None if region is None else _share_of_picture(region, camera),
    )


def _drawn(side: str, camera: str, made: Made, scores: tuple[Fact, ...]) -> Drawn:
    mean_error = made.mean_errors.get(f"{side}/{camera}")
    return Drawn(
        picture=made.files.get(f"{side}/{camera}", ""),
        error=made.files.get(f"error-of-{side}/{camera}", ""),
        mean_error="" if mean_error is None else f"{100 * mean_error:.2f} %",
        scores=scores,
    )


def _view_title(camera: str) -> str:
    kind, _, view = camera.partition("_")
    return view.capitalize() if kind == "ortho" else f"{standard_camera(camera).azim % 360:.0f}°"


def _share_of_picture(region: Region, camera: str) -> Box:
    """The scored box as shares of the picture's side; what reaches beyond the border is left out."""
    box = box_of_region(region, subset_of_camera(camera))
    left, top = max(box.col, 0), max(box.row, 0)
    right, bottom = min(box.col + box.width, IMAGE_SIZE), min(box.row + box.height, IMAGE_SIZE)
    width, height = max(right - left, 0), max(bottom - top, 0)
    return Box(left / IMAGE_SIZE, top / IMAGE_SIZE, width / IMAGE_SIZE, height / IMAGE_SIZE)


def _attribution(truth: TruthFiles | None) -> tuple[Fact, ...]:
    """Who made the character; nothing where its file is gone or says nothing."""
    if truth is None or not truth.character.is_file():
        return ()
    try:
        texts = read_attribution(truth.character)
    except SuiteError as error:
        return (Fact("character", f"Its meta block cannot be read: {error}"),)
    return tuple(fact_with_link(str(label), str(text)) for label, text in texts.items() if str(text).strip())


def _item_facts(status: ItemStatus | None, source: Source) -> tuple[Fact, ...]:
    facts = []
    if status is not None and isinstance(status.seconds, (int, float)) and status.seconds:
        facts.append(Fact("seconds", f"{status.seconds:.1f}"))
    if status is not None and isinstance(status.peak_memory_mb, (int, float)) and status.peak_memory_mb:
        facts.append(Fact("peak memory", f"{status.peak_memory_mb:.0f} MiB"))
    if source.truth is not None:
        facts.append(Fact("true character", source.truth.character.name))
    if source.illustration:
        facts.append(fact_with_link("illustration", source.illustration))
    return tuple(facts)


def size_text(size: int) -> str:
    """A number of bytes as people read it."""
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"
