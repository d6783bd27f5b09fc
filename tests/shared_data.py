"""Where the shared real data lie (characters, broken files, portraits); tests that need them skip with a reason."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROOT = Path(os.environ.get("SHARED_DATA_ROOT", REPOSITORY.parent / "shared" / "data"))


def discover(pattern: str) -> list:
    """Pytest parameters for all files below the root that match; one skipped parameter where none does."""
    found = sorted(ROOT.glob(pattern))
    if found:
        return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in found]
    reason = f"no file {pattern} in the shared data" if ROOT.is_dir() else "the shared data folder is absent"
    return [pytest.param(None, id=pattern, marks=pytest.mark.skip(reason=reason))]


def manifest(folder: str) -> list[dict[str, Any]]:
    """Entries of a folder's manifest; empty where the folder is absent."""
    path = ROOT / folder / "manifest.json"
    if not path.exists():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    return next(value for value in content.values() if isinstance(value, list))


def require(relative: str) -> Path:
    """The path of a shared file, or a skip with the reason."""
    path = ROOT / relative
    if not path.exists():
        pytest.skip(f"the shared data have no {relative}")
    return path
