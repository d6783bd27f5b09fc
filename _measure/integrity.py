"""`seal.json`: SHA-256 of every file that a run's scores rest on, and the check that they are still the same.

A seal is written when a run has been measured. It covers, by path:

* ``run``: every file of the run's folder: record, journals, items with their status, scores, tables, variants;
* ``predictions``: what was scored, where that lies in another folder (the original's layout, or ``measure --out``);
* ``dataset``: list, alignment, portraits, masks, true pictures and characters of the run's items;
* ``weights``: the digests of all weights that took part. They are named, not looked for.

It does not cover itself by path, so it ends with the digest of its own content; nor ``report/`` and ``verify.json``,
which are made from sealed files afterwards and can be made again. Whoever changes a file can write a new seal: it finds
accidents and tells which run a signature is about; that a run is somebody's, only the signature says (`_measure.pack`).

``results`` is one digest over pictures, meshes, positions, scores and tables alone. It repeats on every machine with
the same library versions. The others do not: ``status.json`` holds seconds and memory, ``journal.jsonl`` and
``measured.jsonl`` the order in which workers finished, and ``run.json`` the machine and the dataset's folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from _databacks.dataset import Dataset
from _databacks.layout import find_root
from _exchange import atomic
from _exchange.digest import sha256_of_file, sha256_of_value
from _exchange.errors import FormatError, InputError
from _exchange.items import ItemId
from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _exchange.run_record import RunRecord

FORMAT, VERSION = "anime3d seal", 1
Section = Literal["run", "predictions", "dataset"]
SECTIONS: tuple[Section, ...] = get_args(Section)
LARGEST_SEAL = 2**26
"""Bytes; a hundred thousand files take about ten megabytes."""
_NEXT_STEP = "python3 -m _scripts.measure RUN writes a seal."
_READERS = 4
"""Threads that read files: hashing leaves the interpreter to the others."""


@dataclass(frozen=True)
class Seal:
    """What `seal.json` holds.

    Attributes:
        files: by section, SHA-256 by path relative to the section's folder, ``/`` as separator.
        folders: by section, where it was when the seal was made; empty for the run itself.
        weights: SHA-256 by name.
    """

    files: Mapping[Section, Mapping[str, str]]
    folders: Mapping[Section, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)

    @property
    def results(self) -> str:
        """Digest over results only."""
        results: dict[str, dict[str, str]] = {}
        for section in ("run", "predictions"):
            files = self.files[section]
            foreign = section == "predictions" and "run.json" not in files  # in the original's layout: results alone
            results[section] = {name: digest for name, digest in files.items() if foreign or is_result(name)}
        return sha256_of_value(results)

    @property
    def content(self) -> dict[str, Any]:
        """JSON values, with the digest of all others at the end."""
        value = {
            "format": FORMAT,
            "version": VERSION,
            "results": self.results,
            "weights": dict(sorted(self.weights.items())),
            "folders": dict(sorted(self.folders.items())),
            "files": {section: dict(sorted(self.files[section].items())) for section in SECTIONS},
        }
        return value | {"seal": sha256_of_value(value)}

    @property
    def text(self) -> str:
        """The file's text. File names that are no Unicode text are escaped."""
        return json.dumps(self.content, indent=1) + "\n"


def is_result(name: str) -> bool:
    """Whether a file below a run's folder must repeat byte for byte.

    >>> is_result("items/a/b/mesh.glb"), is_result("items/a/b/status.json"), is_result("variants/paper/scores.jsonl")
    (True, False, True)
    """
    last = name.rpartition("/")[2]
    if name.startswith("items/"):
        return last != "status.json"
    return name.startswith("variants/") or name in ("scores.jsonl", *(f"table.{form}" for form in TABLE_FORMATS))


# -- sealing ----------------------------------------------------------------------------------------------------


def seal_run(
    run: RunFolder, predicted_in: Path, items: Sequence[ItemId], dataset: Dataset, weights: Mapping[str, str]
) -> Seal:
    """Write the seal of a run that has just been measured.

    Args:
        run: where scores and tables are.
        predicted_in: the folder of the predictions, in either layout; may be the run's own.
        items: what was scored; the seal covers their part of the dataset.
        dataset: holds input and truth.
        weights: SHA-256 by file name of the metrics' networks; those of the method stand in the run's record.

    Raises:
        InputError: a file cannot be read.
    """
    own = predicted_in.resolve() == run.path.resolve()
    predicted = [] if own else _predicted_files(predicted_in, items)
    files: dict[Section, dict[str, str]] = {
        "run": digests_of(run.path, [run.path / name for name in sealed_files(run.path)]),
        "predictions": digests_of(predicted_in, predicted),
        "dataset": digests_of(dataset.root, dataset.files_behind(items)),
    }
    folders: dict[Section, str] = {"dataset": str(dataset.root)}
    if not own:
        folders["predictions"] = str(predicted_in)
    seal = Seal(files, folders, {**_weights_of_method(predicted_in), **weights})
    atomic.write_text(run.seal, seal.text)
    return seal


def _predicted_files(folder: Path, items: Sequence[ItemId]) -> list[Path]:
    """Files of a run of ours that are no scores, or those of the items in every kind of the original's layout."""
    if RunFolder(folder).record.is_file():
        return [folder / name for name in sealed_files(folder) if not _is_score(name)]
    kinds = [kind for kind in folder.iterdir() if kind.is_dir()]
    of_items = [kind / item.franch / item.idx for kind in kinds for item in items]
    return [path for place in of_items if place.is_dir() for path in place.iterdir() if path.is_file()]


def sealed_files(folder: Path) -> list[str]:
    """Names of all files of a run's folder that a seal covers, sorted; links are followed, each folder once."""
    seen: set[Path] = set()
    names = []
    for place, folders, files in os.walk(folder, followlinks=True):
        real = Path(place).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        below = Path(place).relative_to(folder)
        names += [(below / name).as_posix() for name in files if not name.startswith(atomic.TEMPORARY_PREFIX)]
    return sorted(name for name in names if not is_made_later(name))


def digests_of(root: Path, paths: Sequence[Path]) -> dict[str, str]:
    """SHA-256 by path relative to `root`, sorted.

    Raises:
        InputError: a file cannot be read, or does not lie below `root`.
    """
    named = {_name_below(root, path): path for path in paths}
    with ThreadPoolExecutor(_READERS) as readers:
        return dict(zip(sorted(named), readers.map(_digest, [named[name] for name in sorted(named)])))


def _name_below(root: Path, path: Path) -> str:
    if not path.is_relative_to(root):
        raise InputError(f"Expected a file below {root}, found {path}.")
    return path.relative_to(root).as_posix()


def _digest(path: Path) -> str:
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise InputError(f"Expected a readable file {path}, found: {error.strerror}.") from error


def is_made_later(name: str) -> bool:
    """Whether a file of a run's folder is made from sealed ones, or is the seal itself."""
    return name in ("seal.json", "verify.json") or name.startswith("report/")


def _is_score(name: str) -> bool:
    """Whether a file of a run's folder is a result of measuring, not a prediction."""
    return name.startswith("variants/") or name == "measured.jsonl" or ("/" not in name and is_result(name))


def _weights_of_method(folder: Path) -> dict[str, str]:
    record = RunFolder(folder).record
    digests = RunRecord.read(record).digests if record.is_file() else {}
    return {f"{name} (method)": digest for name, digest in digests.items() if name != "dataset"}


# -- reading ----------------------------------------------------------------------------------------------------


def read_seal(path: Path) -> Seal:
    """Read a seal and check the digest that it ends with.

    Raises:
        InputError: there is no such file.
        FormatError: it is no seal, or it was changed.
    """
    if not path.is_file():
        raise InputError(f"Expected the seal {path}, found none.", next_step=_NEXT_STEP)
    if path.stat().st_size > LARGEST_SEAL:
        raise FormatError("", f"a seal of at most {LARGEST_SEAL} bytes", f"{path.stat().st_size}", file=path)
    try:
        return seal_of(path.read_bytes())
    except FormatError as error:
        raise error.in_file(path) from error


def seal_of(content: bytes) -> Seal:
    """The seal of a file's content.

    Raises:
        FormatError: it is no seal, or a byte of it was changed.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FormatError("", "JSON", str(error)) from error
    if not isinstance(value, dict):
        raise FormatError("", "a JSON object", type(value).__name__)
    for key, expected in (("format", FORMAT), ("version", VERSION)):
        if value.get(key) != expected:
            raise FormatError(key, repr(expected), f"{value.get(key)!r:.80}")
    files = value.get("files")
    if not isinstance(files, dict) or files.keys() != set(SECTIONS):
        raise FormatError("files", f"the sections {', '.join(SECTIONS)}", f"{files!r:.80}")
    read: dict[Section, dict[str, str]] = {section: _texts(files[section], f"files.{section}") for section in SECTIONS}
    for section in SECTIONS:
        for name in read[section]:
            if not is_plain_name(name):
                raise FormatError(f"files.{section}", "paths below the section's folder", f"{name!r:.80}")
    folders = _texts(value.get("folders"), "folders")
    seal = Seal(read, {s: folders[s] for s in SECTIONS if s in folders}, _texts(value.get("weights"), "weights"))
    if content != seal.text.encode("utf-8"):
        stated, found = f"{value.get('seal')!r:.80}", seal.content["seal"]
        expected = f"the text that a seal of this content has, with the digest {found}"
        raise FormatError("seal", expected, f"another, with {stated}")
    return seal


def is_plain_name(name: str) -> bool:
    """Whether a path stays below its folder on every system.

    >>> [is_plain_name(name) for name in ("items/a.png", "../a", "/a", "a//b", "a/./b", "", "a\\0")]
    [True, False, False, False, False, False, False]
    """
    return "\0" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


def _texts(value: Any, place: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise FormatError(place, "an object of texts", f"{value!r:.80}")
    return value


# -- checking ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SealReport:
    """What a check found. Names start with their section: ``run/items/…``, ``dataset/renders/…``.

    Attributes:
        subject: what was checked.
        results: digest over results, as the seal has it.
        checked: files with the digest of the seal.
        differ: files with another digest, in the seal's order.
        missing: files that are not there.
        extra: files below ``items/`` and ``variants/`` of which the seal knows nothing.
        unchecked: by section, how many files were not looked at, since the section is not here.
        unsealed: files elsewhere in the run that were added after sealing, such as the report.
    """

    subject: str
    results: str
    checked: int = 0
    differ: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unchecked: Mapping[str, int] = field(default_factory=dict)
    unsealed: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        """Whether everything that was looked at is as it was sealed."""
        return not (self.differ or self.missing or self.extra)

    @property
    def first(self) -> str:
        """The first file that is not as it was sealed; empty where all are."""
        order = {f"{section}/": place for place, section in enumerate(SECTIONS)}
        wrong = [*self.differ, *self.missing, *self.extra]
        return min(wrong, key=lambda name: (order[name.partition("/")[0] + "/"], name), default="")

    @property
    def text(self) -> str:
        """For people."""
        lines = [f"{self.subject}: {self.checked} files are as they were sealed (results {self.results[:16]}…)."]
        if not self.intact:
            counts = [
                f"{len(names)} {word}"
                for names, word in ((self.differ, "differ"), (self.missing, "missing"), (self.extra, "added"))
                if names
            ]
            lines.append(f"The first file that is not: {self.first} ({', '.join(counts)}).")
        for section, count in self.unchecked.items():
            how = " Name its folder with --data." if section == "dataset" else ""
            lines.append(f"Not checked: {count} files of the {section}, which is not here.{how}")
        if self.unsealed:
            lines.append(f"Not sealed: {len(self.unsealed)} files made afterwards, such as {self.unsealed[0]}.")
        return "\n".join(lines)

    @property
    def data(self) -> dict[str, Any]:
        """For programs."""
        lists = {name: list(getattr(self, name)) for name in ("differ", "missing", "extra", "unsealed")}
        facts = {"subject": self.subject, "results": self.results, "intact": self.intact, "first": self.first}
        return {**facts, "checked": self.checked, **lists, "unchecked": dict(self.unchecked)}


def check_seal(run: Path, *, data: Path | None = None) -> SealReport:
    """Recompute the digest of every sealed file of a run.

    Args:
        run: its folder.
        data: the dataset; default: where it was when the run was sealed. Where it is not, its files are counted as
            unchecked.

    Raises:
        InputError: the run has no seal, or `data` is no dataset.
        FormatError: the seal was changed.
    """
    folder = RunFolder(run)
    seal = read_seal(folder.seal)
    report = SealReport(str(run), seal.results)
    for section, root in section_folders(seal, run, data).items():
        names = seal.files[section]
        if root is None:
            report = replace(report, unchecked={**report.unchecked, section: len(names)})
            continue
        present = [name for name in names if (root / name).is_file()]
        found = digests_of(root, [root / name for name in present])
        report = compared(report, section, names, found)
    unknown = [name for name in sealed_files(run) if name not in seal.files["run"]]
    return replace(
        report,
        extra=tuple(f"run/{name}" for name in unknown if _holds_results(name)),
        unsealed=tuple(f"run/{name}" for name in [*unknown, *_made_later(run)] if not _holds_results(name)),
    )


def section_folders(seal: Seal, run: Path, data: Path | None) -> dict[Section, Path | None]:
    """Where the sections of a seal lie now; None for those that are not here. Empty sections are left out."""
    folders: dict[Section, Path | None] = {"run": run}
    for section in SECTIONS[1:]:
        known = seal.folders.get(section, "")
        there = known != "" and Path(known).is_dir()
        folders[section] = Path(known) if there else None
    if data is not None:
        folders["dataset"] = find_root(data).root
    return {section: root for section, root in folders.items() if seal.files[section]}


def compared(report: SealReport, section: Section, names: Mapping[str, str], found: Mapping[str, str]) -> SealReport:
    """The report with one section more: sealed digests beside those found."""
    right = [name for name, digest in names.items() if found.get(name) == digest]
    differ = [f"{section}/{name}" for name, digest in names.items() if name in found and found[name] != digest]
    missing = [f"{section}/{name}" for name in names if name not in found]
    return replace(
        report,
        checked=report.checked + len(right),
        differ=(*report.differ, *differ),
        missing=(*report.missing, *missing),
    )


def _holds_results(name: str) -> bool:
    return name.startswith(("items/", "variants/"))


def _made_later(run: Path) -> Iterator[str]:
    """Files that no seal covers, except the seal itself."""
    folder = RunFolder(run)
    if folder.verdicts.is_file():
        yield folder.verdicts.name
    report = folder.report.parent
    yield from sorted(path.relative_to(run).as_posix() for path in report.rglob("*") if path.is_file())
