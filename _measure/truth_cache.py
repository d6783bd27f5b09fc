"""Visible true surfaces kept between calls: winding numbers are most of what a true surface costs (0.2–0.4 CPU-s).

One file per character, pose and version of code and libraries, named by the digest of all of them; its first line
is the digest of the rest, and a file that does not match it is made anew. What is kept is the surface before the cuts
to box and region, so every protocol of one pose shares it. Writes are atomic; a folder that cannot be read or written
keeps nothing and stops nothing. When the folder grows beyond `MAX_BYTES`, what was used longest ago goes.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from _databacks.vrm import TrueSurface
from _databacks.weight_folders import user_cache
from _exchange import atomic
from _exchange.digest import sha256_of_bytes

MAX_BYTES = 512 * 2**20
"""Of all files together: about a thousand characters."""
_SUFFIX = ".surface"
_DIGEST_SIGNS = 64


def user_truth_cache() -> Path:
    """The user's folder for them, beside that of the weights."""
    return user_cache() / "truth"


def cached_surface(folder: Path, key: str, build: Callable[[], TrueSurface]) -> TrueSurface:
    """The surface kept under `key` (a digest of all that decides it), or a newly built one, which is then kept.

    Raises:
        Whatever `build` raises; the cache itself raises nothing.
    """
    path = folder / f"{key}{_SUFFIX}"
    found = _read(path)
    if found is not None:
        return found
    surface = build()
    with suppress(OSError):  # a read-only place, or a full disk: the surface is here, only not kept
        atomic.write_bytes(path, _packed(surface))
        _make_room(folder)
    return surface


def _packed(surface: TrueSurface) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, verts=surface.verts, faces=surface.faces, loc_origin=np.asarray(surface.loc_origin))
    content = stream.getvalue()
    return sha256_of_bytes(content).encode() + b"\n" + content


def _read(path: Path) -> TrueSurface | None:
    """The surface in a file; None where there is none, or where its content is not what its digest says."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
        if len(digest) != _DIGEST_SIGNS or sha256_of_bytes(content).encode() != digest:
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            surface = TrueSurface(arrays["verts"], arrays["faces"], arrays["loc_origin"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    with suppress(OSError):  # a read-only place keeps its own times
        os.utime(path)  # used now: the last to go
    return surface


def _make_room(folder: Path) -> None:
    """Delete the files used longest ago until the rest fits; files that a killed process left unfinished count too."""
    files = []
    for path in [*folder.glob(f"*{_SUFFIX}"), *folder.glob(f"{atomic.TEMPORARY_PREFIX}*")]:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # another process made room
        files.append((status.st_mtime_ns, status.st_size, path))
    excess = sum(size for _, size, _ in files) - MAX_BYTES
    for _, size, path in sorted(files):
        if excess <= 0:
            return
        path.unlink(missing_ok=True)
        excess -= size
