"""Running `prepare` on small folders of tiny characters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from _databacks.prepare import PrepareConfig, PrepareResult, prepare

SMALL = ("ortho",)


def run(source: Path, out: Path, **options: Any) -> PrepareResult:
    """Prepare one cheap kind on the CPU in this process, unless options say otherwise."""
    settings = {"kinds": SMALL, "backend": "cpu", "workers": 1} | options
    return prepare(PrepareConfig(source=source, out=out, **settings))


def own(root: Path) -> Path:
    """The folder of the set `own`."""
    return root / "renders" / "own"
