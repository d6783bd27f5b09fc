"""What a checkpoint holds, as a table for people and as data for programs."""

from __future__ import annotations

from typing import Any

from torch_utils.checkpoint.errors import one_line
from torch_utils.checkpoint.record import Checkpoint

_COLUMNS = ("module", "class", "tensors", "numbers", "bytes")


def summary(checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """One row per module: its name and class, and how many tensors, numbers and bytes it has."""
    rows = []
    for name, module in checkpoint.modules.items():
        sources = module.sources.values()
        counts = (len(sources), sum(source.count for source in sources), sum(source.nbytes for source in sources))
        rows.append(dict(zip(_COLUMNS, (name, module.class_name, *counts))))
    return rows


def summary_text(checkpoint: Checkpoint) -> str:
    """`summary` in columns."""
    rows = [
        (one_line(row["module"]), one_line(row["class"]) or "-", *(f"{row[column]:,}" for column in _COLUMNS[2:]))
        for row in summary(checkpoint)
    ]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows)]
    aligned = [
        [cell.ljust(width) if index < 2 else cell.rjust(width) for index, (cell, width) in enumerate(zip(row, widths))]
        for row in (_COLUMNS, *rows)
    ]
    return "\n".join("  ".join(cells).rstrip() for cells in aligned)
