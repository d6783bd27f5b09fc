"""The sample set: procedural characters of a pinned generator version, written as VRM files and prepared like any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from _databacks.characters import GENERATOR_VERSION
from _databacks.characters.sample_set import SAMPLE_SEEDS, sample_name, write_character
from _databacks.names import OWN
from _databacks.prepare import PrepareResult, prepare
from _databacks.prepare_plan import PrepareConfig
from _exchange import atomic
from _exchange.digest import sha256_of_file
from _exchange.errors import FormatError
from _exchange.file_lock import FileLock
from _exchange.progress import progress
from _exchange.run_record import read_json_object

GROUP = "sample"


def prepare_sample(config: PrepareConfig) -> PrepareResult:
    """Write the sample characters to `config.source` (where they are not there yet) and prepare them.

    Raises:
        InputError, MissingComponent: as `prepare`.
    """
    write_sample_characters(config.source, config.limit)
    return prepare(replace(config, renderset=OWN))


def write_sample_characters(folder: Path, limit: int = 0) -> None:
    """Write ``sample/character_….vrm`` below a folder; `limit` as in `PrepareConfig`.

    Files that this generator version wrote before are left as they are; those of other seeds are removed. Of several
    processes at once, the first writes, and the others wait and find the files.
    """
    with FileLock(folder / "manifest.lock") as lock:
        lock.wait("alone")
        _write_missing(folder, limit)


def _write_missing(folder: Path, limit: int) -> None:
    manifest = folder / "manifest.json"
    known = _files_of_this_version(manifest)
    names = {f"{GROUP}/{sample_name(seed)}.vrm": seed for seed in SAMPLE_SEEDS}
    for path in (folder / GROUP).glob("*.vrm"):
        if f"{GROUP}/{path.name}" not in names:
            path.unlink()
    wanted = list(names.items())[: limit or None]
    with progress("sample characters", len(wanted)) as shown:
        for name, seed in wanted:
            path = folder / name
            if not path.is_file() or sha256_of_file(path) != known.get(name):
                write_character(seed, path)
                known[name] = sha256_of_file(path)
            shown.advance(sample_name(seed))
    files = {name: known[name] for name in sorted(names) if name in known}
    atomic.write_json(manifest, {"generator_version": GENERATOR_VERSION, "files": files})


def _files_of_this_version(manifest: Path) -> dict[str, str]:
    """SHA-256 by file; empty where the manifest is missing, damaged, or of another generator version."""
    if not manifest.is_file():
        return {}
    try:
        value = read_json_object(manifest)
    except FormatError:
        return {}  # the characters are written anew, and the manifest with them
    files = value.get("files")
    return dict(files) if value.get("generator_version") == GENERATOR_VERSION and isinstance(files, dict) else {}
