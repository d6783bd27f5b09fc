"""The sample set: procedural characters of a pinned generator version, written as VRM files and prepared like any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from _databacks.characters import GENERATOR_VERSION
from _databacks.characters.sample_set import SAMPLE_SEEDS, sample_name, write_character
from _databacks.prepare import PrepareConfig, PrepareResult, prepare
from _exchange import atomic
from _exchange.digest import sha256_of_file
from _exchange.progress import progress
from _exchange.run_record import read_json_object

GROUP = "sample"


def prepare_sample(config: PrepareConfig, seeds: Sequence[int] = SAMPLE_SEEDS) -> PrepareResult:
    """Write the sample characters to `config.source` (where they are not there yet) and prepare them.

    Raises:
        InputError, MissingComponent: as `prepare`.
    """
    write_sample_characters(config.source, seeds[: config.limit] if config.limit else seeds)
    return prepare(replace(config, renderset="own"))


def write_sample_characters(folder: Path, seeds: Sequence[int] = SAMPLE_SEEDS) -> None:
    """Write ``sample/character_….vrm`` below a folder, leaving files that this generator version wrote before."""
    manifest = folder / "manifest.json"
    known = _files_of_this_version(manifest)
    with progress("sample characters", len(seeds)) as shown:
        for seed in seeds:
            name = f"{GROUP}/{sample_name(seed)}.vrm"
            path = folder / name
            if not path.is_file() or sha256_of_file(path) != known.get(name):
                write_character(seed, path)
                known[name] = sha256_of_file(path)
            shown.advance(sample_name(seed))
    atomic.write_json(manifest, {"generator_version": GENERATOR_VERSION, "files": dict(sorted(known.items()))})


def _files_of_this_version(manifest: Path) -> dict[str, str]:
    """SHA-256 by file; empty where the manifest is missing or of another generator version."""
    if not manifest.is_file():
        return {}
    value = read_json_object(manifest)
    files = value.get("files")
    return dict(files) if value.get("generator_version") == GENERATOR_VERSION and isinstance(files, dict) else {}
