"""Where parity fixtures lie, and how tests discover them: by folder and pattern, never by a list of names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
IS_OTHER_ROOT = "PARITY_ROOT" in os.environ
ROOT = Path(os.environ.get("PARITY_ROOT", REPOSITORY.parent / "shared" / "parity"))


def discover(pattern: str) -> list:
    """Pytest parameters for all files or folders below the root that match; one skipped parameter where none does."""
    found = sorted(ROOT.glob(pattern))
    if found:
        return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in found]
    reason = f"no parity fixture {pattern} below PARITY_ROOT" if ROOT.is_dir() else "PARITY_ROOT is absent"
    return [pytest.param(None, id=pattern, marks=pytest.mark.skip(reason=f"{reason} ({ROOT.name}/)"))]


def measure_files(pattern: str) -> list:
    """`discover` in the folder `measure`, e.g. ``measure_files("psnr*.npz")``."""
    return discover(f"measure/{pattern}")
