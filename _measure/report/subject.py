"""What a report is about: a run, or results of predictions that lie in another folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from _exchange.errors import FormatError, InputError
from _exchange.items import SCORED_CAMERAS, ItemId
from _exchange.measured_from import MeasuredFrom, predictions_of
from _exchange.run_folder import RunFolder
from _exchange.run_record import ItemStatus, RunRecord
from _measure.measure import results_folder
from _measure.predictions import OriginalPredictions, Predictions, RunPredictions, predictions_in
from _measure.scored_run import ScoredRun, measure_command

_ORIGINAL = "The predictions lie in the original's layout, which records neither seed nor settings."


@dataclass(frozen=True)
class Subject:
    """What a report is about.

    Attributes:
        run: has the scores and gets ``report/``.
        made: folder of the predictions, often the same.
        record: what the run says of itself, or for predictions in the original's layout what their table says.
        predictions: pictures and surfaces.
    """

    run: RunFolder
    made: RunFolder
    record: RunRecord
    predictions: Predictions

    @property
    def is_original(self) -> bool:
        """Whether the predictions are in the original's layout: no record, no status of items."""
        return isinstance(self.predictions, OriginalPredictions)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders whose place no page names."""
        return self.run.path, self.made.path, Path(self.record.data_root)


def subject_of(run: RunFolder) -> Subject:
    """What the report of a folder is about.

    Raises:
        InputError: the folder is no run and holds no results, or its predictions are gone.
        FormatError: a record is damaged.
    """
    made = predictions_of(run)
    if run.record.is_file() or not run.measured_from.is_file():
        return Subject(run, run, RunRecord.read(run.record), RunPredictions(run))
    place = MeasuredFrom.read(run.measured_from)
    data = _data_of(place)
    if made.record.is_file():
        return Subject(run, made, replace(RunRecord.read(made.record), data_root=data), RunPredictions(made))
    scored = ScoredRun.read(run)
    record = RunRecord(scored.method, place.dataset, data, scored.protocol, 0, scored.items, note=_ORIGINAL)
    return Subject(run, made, record, predictions_in(made.path))


def results_of(given: RunFolder) -> RunFolder:
    """The folder whose report is meant: the one given, or where predictions in the original's layout were measured.

    Raises:
        InputError: they were not measured, or their results went to a folder of another name.
    """
    results = results_folder(given)
    if results == given:
        return given
    if results.measured_from.is_file():
        found = MeasuredFrom.read(results.measured_from).predictions_folder
        if found.resolve() == given.path.resolve():
            return results
    raise InputError(
        f"Expected results of {given.path} in {results.path}, found none.",
        next_step=f"Run {measure_command(given)} --data DATASET first, or give the folder that --out named.",
    )


def status_of(subject: Subject, item: ItemId) -> ItemStatus | None:
    """How an item ended; None where the run has not come to it, or where nothing was predicted."""
    if subject.is_original:
        predictions = subject.predictions
        pictures = (predictions.picture(item, camera) for camera in SCORED_CAMERAS)
        there = predictions.mesh_files(item) or any(path.is_file() for path in pictures)
        return ItemStatus("ok") if there else None
    path = subject.made.item(item).status
    if not path.is_file():
        return None
    try:
        return ItemStatus.read(path)
    except FormatError as error:
        return ItemStatus("failed", f"Its status cannot be read: {error}")


def _data_of(place: MeasuredFrom) -> str:
    """The dataset's root; where it is gone, where it was: the report says that it is not there."""
    try:
        return str(place.data_root)
    except InputError:
        return place.data_at
