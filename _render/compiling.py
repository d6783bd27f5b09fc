"""Options of compiled functions. All run in one thread and keep the order of sums, so every run gives the same bits."""

from __future__ import annotations

from typing import Any

KERNEL: dict[str, Any] = {"cache": True, "error_model": "numpy"}
"""Functions called from Python."""
LEAF: dict[str, Any] = {**KERNEL, "forceinline": True, "_nrt": False}
"""Functions called per pixel. They make no arrays, so the reference counting of those they are given is switched off:
its atomic instructions would take five sixths of the time."""
CALLED_LEAF: dict[str, Any] = {**LEAF, "forceinline": False}
"""The same for functions that are too large to be copied into every caller."""
