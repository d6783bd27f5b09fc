"""Compiled functions are kept on disk, and compiled again when a file that they include changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_INNER = """
from numba import njit
from _render.compiling import LEAF
@njit(**LEAF)
def inner(x):
    return x + {added}
"""
_OUTER = """
from _render.compiling import kernel
from inner import inner
@kernel
def outer(x):
    return inner(x)
"""
_CALL = "from outer import outer; print(outer(1), sum(outer.stats.cache_hits.values()))"


def called(folder: Path) -> tuple[int, int]:
    """Result of the compiled function in a fresh process, and how often it was found on disk."""
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}"}
    command = [sys.executable, "-c", _CALL]
    result, hits = subprocess.check_output(command, env=environment, cwd=folder, text=True).split()
    return int(result), int(hits)


def test_a_change_of_an_included_file_is_seen(tmp_path: Path) -> None:
    (tmp_path / "outer.py").write_text(_OUTER)
    (tmp_path / "inner.py").write_text(_INNER.format(added=1))
    assert called(tmp_path) == (2, 0)
    assert called(tmp_path) == (2, 1)
    (tmp_path / "inner.py").write_text(_INNER.format(added=10))
    assert called(tmp_path) == (11, 0)
