"""`measured_from.json`: what the scores of a folder belong to, where the predictions lie in another folder."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from _exchange import atomic
from _exchange.errors import FormatError, InputError
from _exchange.original_layout import is_original_run
from _exchange.run_folder import RunFolder
from _exchange.run_record import read_json_object

FORMAT, VERSION = "anime3d measured from", 1
_TEXTS = ("predictions", "predictions_at", "data", "data_at", "dataset")


@dataclass(frozen=True)
class MeasuredFrom:
    """Where what was measured lies.

    Attributes:
        predictions, predictions_at: folder of the predictions, as given and absolute.
        data, data_at: dataset root, as given and absolute.
        dataset: render set, e.g. ``daredemoE``.
    """

    predictions: str
    predictions_at: str
    data: str
    data_at: str
    dataset: str

    @classmethod
    def of(cls, predictions: Path, data: Path, dataset: str) -> MeasuredFrom:
        """These folders, seen from the working folder."""
        places = (str(predictions), os.path.abspath(predictions), str(data), os.path.abspath(data))
        return cls(*places, dataset)

    @property
    def predictions_folder(self) -> Path:
        """Where the predictions are now: where they were, or else as they were given. Raises InputError if neither."""
        return _now(self.predictions_at, self.predictions, "the predictions", "Measure them where they are now.")

    @property
    def data_root(self) -> Path:
        """Where the dataset is now, likewise."""
        return _now(self.data_at, self.data, "the dataset", "Say where it is now with --data.")

    @property
    def _places(self) -> tuple[str, str, str]:
        return self.predictions_at, self.data_at, self.dataset

    def write(self, path: Path) -> None:
        """Write atomically, unless it names these folders already: a folder measured again is no newer run."""
        before = _read_or_none(path) if path.is_file() else None
        if before is None or before._places != self._places:
            atomic.write_json(path, {"format": FORMAT, "version": VERSION, **asdict(self)})

    @classmethod
    def read(cls, path: Path) -> MeasuredFrom:
        """Read and check.

        Raises:
            InputError: there is no such file.
            FormatError: it is none of this version.
        """
        value = read_json_object(path)
        for name, expected in (("format", FORMAT), ("version", VERSION)):
            if value.get(name) != expected:
                raise FormatError(name, repr(expected), f"{value.get(name)!r:.80}", file=path)
        for name in _TEXTS:
            text = value.get(name)
            if not isinstance(text, str) or not text or "\0" in text:
                raise FormatError(name, "a text", f"{text!r:.80}", file=path)
        return cls(**{name: value[name] for name in _TEXTS})


def predictions_of(results: RunFolder) -> RunFolder:
    """The folder that holds what the results in a folder belong to: itself, unless it says otherwise.

    Raises:
        InputError: it names a folder that is gone, or there are scores alone.
        FormatError: what it says is damaged.
    """
    if results.record.is_file():
        return results
    if not results.measured_from.is_file():
        if results.table("json").is_file() and not is_original_run(results.path):
            raise InputError(
                f"Expected {results.measured_from} beside the scores, found nothing that leads to the predictions.",
                next_step=f"Measure the predictions again with --out {results.path}.",
            )
        return results
    return RunFolder(MeasuredFrom.read(results.measured_from).predictions_folder)


def _read_or_none(path: Path) -> MeasuredFrom | None:
    try:
        return MeasuredFrom.read(path)
    except FormatError:
        return None  # damaged: it is written anew


def _now(absolute: str, given: str, what: str, next_step: str) -> Path:
    for place in (Path(absolute), Path(given)):
        if place.is_dir():
            return place
    raise InputError(f"Expected {what} in {absolute}, found no such folder.", next_step=next_step)
