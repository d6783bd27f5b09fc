"""Where files of the manifest are looked for.

Order: a place inside an installed package, the folders in `ANIME3D_WEIGHTS` (separated as `PATH` is), the user's
cache. In a folder, a file counts by its name and its SHA-256; a file under another name counts by its SHA-256 alone,
so that a browser's ``weights (1).pth`` is as good. A wrong digest under the right name is refused, never used.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from _databacks.manifest import ManifestFile
from _exchange.digest import sha256_of_file
from _exchange.errors import InputError

FOLDERS_VARIABLE = "ANIME3D_WEIGHTS"


def user_cache() -> Path:
    """The suite's folder in the user's cache (XDG base directories, which ignore paths that are not absolute)."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(given) if os.path.isabs(given) else Path(os.path.expanduser("~"), ".cache")
    return base / "anime3d"


def cache_folder() -> Path:
    """The user's cache of weights."""
    return user_cache() / "weights"


def search_folders() -> tuple[Path, ...]:
    """Where weights are looked for, in order; folders need not exist."""
    given = os.environ.get(FOLDERS_VARIABLE, "")
    return (*(Path(folder) for folder in given.split(os.pathsep) if folder), cache_folder())


def find_file(file: ManifestFile, folders: Sequence[Path]) -> Path | None:
    """Where a file lies: in its package, or in the first of `folders` that holds it; None where it is nowhere.

    Raises:
        InputError: in that folder, a file of its name has another digest, or the folder or a file cannot be read.
    """
    packaged = _in_package(file)
    if packaged is not None:
        return packaged
    for folder in folders:
        try:
            path = _in_folder(file, folder)
        except OSError as error:
            raise InputError(
                f"Expected to look for {file.file_name} in {folder}, found: {error.strerror or error}.",
                next_step="Make the folder and its files readable, or do not name it",
            ) from error
        if path is not None:
            return path
    return None


def require_digest(file: ManifestFile, path: Path) -> None:
    """See that the file at `path` is the manifest's.

    Raises:
        InputError: it has another digest.
        OSError: it cannot be read.
    """
    digest = sha256_of_file(path)
    if digest != file.sha256:
        raise InputError(
            f"Expected SHA-256 {file.sha256} of {path}, found {digest}.", next_step="Replace or remove that file"
        )


def _in_folder(file: ManifestFile, folder: Path) -> Path | None:
    path = folder / file.file_name
    if path.is_file():
        require_digest(file, path)
        return path
    return _under_another_name(file, folder)


def _in_package(file: ManifestFile) -> Path | None:
    """Its place inside an installed package, found without importing the package."""
    package, _, inside = file.in_package.partition("/")
    spec = importlib.util.find_spec(package) if package else None
    for root in (spec.submodule_search_locations or []) if spec else []:
        path = Path(root) / inside
        if path.is_file() and sha256_of_file(path) == file.sha256:
            return path
    return None


def _under_another_name(file: ManifestFile, folder: Path) -> Path | None:
    """A file of the right suffix, size and digest; only sizes that fit are read."""
    if not folder.is_dir():
        return None
    least = file.size if file.size_is_exact else 1
    for path in sorted(folder.glob(f"*{Path(file.file_name).suffix}")):
        fits = path.is_file() and least <= path.stat().st_size <= file.most_bytes
        if fits and sha256_of_file(path) == file.sha256:
            return path
    return None
