"""How functions are compiled. All run in one thread and keep the order of sums, so every run gives the same bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

LEAF: dict[str, Any] = {"error_model": "numpy", "forceinline": True, "_nrt": False}
"""Options of functions that are copied into kernels. They make no arrays, so the reference counting of those they are
given is switched off: its atomic instructions would take five sixths of the time."""
CALLED_LEAF: dict[str, Any] = {**LEAF, "forceinline": False}
"""The same for functions that are too large to be copied into every caller."""


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that is called from Python; the result is kept on disk until a file of its folder changes.

    By itself numba watches the function's own file only, not those of the functions that are copied into it.
    """
    compiled: Any = njit(cache=True, error_model="numpy")(function)
    compiled._cache._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename).parent)
    return compiled


@cache
def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of every Python file of a folder."""
    files = ((path.name, path.stat()) for path in sorted(folder.glob("*.py")))
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in files)
