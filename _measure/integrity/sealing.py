"""Sealing: digests of the files of a measured run, of its verdicts, of its report. See `_measure.integrity.seal`."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _databacks.dataset import Dataset
from _exchange import atomic
from _exchange.digest import sha256_of_file
from _exchange.errors import InputError
from _exchange.items import ItemId
from _exchange.run_folder import RunFolder
from _exchange.run_record import RunRecord
from _measure.integrity.seal import Seal, Section, is_made_later, is_result

_READERS = 4
"""Threads that read files: hashing leaves the interpreter to the others."""
_ATTEMPTS = 3
"""Seals of a run that others keep writing into; after these, the seal of whoever writes last is the one that holds."""
_NO_SUCH_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


def seal_run(
    run: RunFolder, predicted_in: Path, items: Sequence[ItemId], dataset: Dataset, weights: Mapping[str, str]
) -> Seal:
    """Write the seal of a run that has just been measured.

    Where another process writes into the folders meanwhile, such as a second `measure` of the same run, sealing is
    repeated: of several processes, the last to seal has seen what all of them wrote.

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
    folders: dict[Section, str] = {"dataset": os.path.abspath(dataset.root)}
    if not own:
        folders["predictions"] = os.path.abspath(predicted_in)
    for _ in range(_ATTEMPTS):
        paths: dict[Section, list[Path]] = {
            "run": [run.path / name for name in sealed_files(run.path)],
            "predictions": [] if own else _predicted_files(predicted_in, items),
            "dataset": dataset.files_behind(items),
        }
        before = _states(paths)
        files: dict[Section, dict[str, str]] = {
            "run": digests_of(run.path, paths["run"]),
            "predictions": digests_of(predicted_in, paths["predictions"]),
            "dataset": digests_of(dataset.root, paths["dataset"]),
        }
        seal = Seal(files, folders, {**_weights_of_method(predicted_in), **weights})
        atomic.write_text(run.seal, seal.text)
        if _states(paths) == before and len(sealed_files(run.path)) == len(paths["run"]):
            break
    return seal


def seal_verdicts(run: RunFolder) -> None:
    """Seal `verify.json`, which has just been written. Raises InputError where it cannot be read."""
    _seal_beside(run.verdicts_seal, [run.verdicts])


def seal_report(run: RunFolder) -> None:
    """Seal every file of the report, which has just been written. Raises InputError where one cannot be read."""
    folder = run.report.parent
    _seal_beside(run.report_seal, [folder / name for name in files_below(folder)])


def _seal_beside(seal: Path, paths: Sequence[Path]) -> None:
    """Write a seal of files below its own folder, unless it is there."""
    files = digests_of(seal.parent, paths)
    text = Seal({"run": files, "predictions": {}, "dataset": {}}).text
    if not seal.is_file() or seal.read_bytes() != text.encode("utf-8"):
        atomic.write_text(seal, text)


def _states(paths: Mapping[Section, Sequence[Path]]) -> list[tuple[Path, int, int, int]]:
    """What tells whether a file was written or replaced; files that are gone are left out."""
    found = []
    for path in (path for section in paths.values() for path in section):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found.append((path, state.st_ino, state.st_size, state.st_mtime_ns))
    return found


def _predicted_files(folder: Path, items: Sequence[ItemId]) -> list[Path]:
    """Files of a run of ours that are no scores, or those of the items in every kind of the original's layout."""
    if RunFolder(folder).record.is_file():
        return [folder / name for name in sealed_files(folder) if not _is_score(name)]
    kinds = [kind for kind in folder.iterdir() if kind.is_dir()]
    of_items = [kind / item.franch / item.idx for kind in kinds for item in items]
    return [path for place in of_items if place.is_dir() for path in place.iterdir() if path.is_file()]


def sealed_files(folder: Path) -> list[str]:
    """Names of all files of a run's folder that its seal covers, sorted."""
    return [name for name in files_below(folder) if not is_made_later(name)]


def files_below(folder: Path) -> list[str]:
    """Names of all files below a folder but temporary ones, sorted; links are followed, each folder once.

    What is no file (a pipe, a device, a link to nothing) is left out: it has no bytes that could be kept.

    Raises:
        InputError: a folder cannot be looked into.
    """
    seen: set[Path] = set()
    names = []
    for place, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        real = Path(place).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        below = Path(place).relative_to(folder)
        lasting = [Path(place) / name for name in files if not name.startswith(atomic.TEMPORARY_PREFIX)]
        names += [(below / path.name).as_posix() for path in lasting if is_there(path)]
    return sorted(names)


def _refuse(error: OSError) -> None:
    """What `os.walk` does with a folder that it cannot list: a seal without its files would look complete."""
    if error.errno not in _NO_SUCH_FILE:
        raise InputError(f"Expected a folder {error.filename} that can be read, found: {error.strerror}.") from error


def is_there(path: Path) -> bool:
    """Whether there is a file; not a folder, a pipe or a device, nor a name that no file can have.

    Raises:
        InputError: its folder cannot be looked into.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except ValueError:  # a NUL, or half a surrogate pair
        return False
    except OSError as error:
        if error.errno in _NO_SUCH_FILE:
            return False
        raise InputError(f"Expected a folder {path.parent} that can be read, found: {error.strerror}.") from error


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


def _is_score(name: str) -> bool:
    """Whether a file of a run's folder is a result of measuring, not a prediction."""
    return name.startswith("variants/") or name == "measured.jsonl" or ("/" not in name and is_result(name))


def _weights_of_method(folder: Path) -> dict[str, str]:
    record = RunFolder(folder).record
    digests = RunRecord.read(record).digests if record.is_file() else {}
    return {f"{name} (method)": digest for name, digest in digests.items() if name != "dataset"}
