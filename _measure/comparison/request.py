"""`compare`: from run folders to every run against the first, a leaderboard, and the files that hold both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _exchange import atomic
from _exchange.protocol import Way
from _exchange.run_folder import TABLE_FORMATS
from _measure.comparison import compare as pairs
from _measure.comparison import leaderboard as boards
from _measure.comparison.chosen_runs import NamedRun, common_items, read_runs

SCHEMA_VERSION = 1
_COMPARISON_WRITERS = {
    "txt": pairs.comparisons_text,
    "csv": pairs.comparisons_csv,
    "md": pairs.comparisons_markdown,
    "tex": pairs.comparisons_latex,
    "json": lambda comparisons: _json(comparison_data(comparisons)),
}
_BOARD_WRITERS = {
    "txt": boards.leaderboard_text,
    "csv": boards.leaderboard_csv,
    "md": boards.leaderboard_markdown,
    "tex": boards.leaderboard_latex,
    "json": boards.leaderboard_json,
}


@dataclass(frozen=True)
class Compared:
    """Comparisons with the first run, and where there are more than two runs their leaderboard."""

    comparisons: tuple[pairs.Comparison, ...]
    board: boards.Leaderboard | None

    @property
    def text(self) -> str:
        """For people: the leaderboard first."""
        board = [] if self.board is None else [boards.leaderboard_text(self.board)]
        return "\n".join([*board, pairs.comparisons_text(self.comparisons)])

    @property
    def data(self) -> dict[str, Any]:
        """For programs: JSON values."""
        board = None if self.board is None else boards.leaderboard_data(self.board)
        return {**comparison_data(self.comparisons), "leaderboard": board}

    def write(self, folder: Path) -> None:
        """``comparison.*`` and, where there is one, ``leaderboard.*`` in every format of tables."""
        for name in TABLE_FORMATS:
            atomic.write_text(folder / f"comparison.{name}", _COMPARISON_WRITERS[name](self.comparisons))
            if self.board is not None:
                atomic.write_text(folder / f"leaderboard.{name}", _BOARD_WRITERS[name](self.board))


def compare_runs(paths: Sequence[Path], protocol: Way | None, *, only_common: bool) -> Compared:
    """Read measured runs and compare them; see `read_runs` for what is raised.

    Args:
        paths: run folders; the first is what the others are held against.
        protocol: whose scores to take; None takes what lies in the folders themselves.
        only_common: take in each row only the items of which every run has a value.
    """
    runs: tuple[NamedRun, ...] = read_runs(paths, protocol)
    common = common_items(runs) if only_common else None
    board = boards.leaderboard(runs, common) if len(runs) > 2 else None
    return Compared(pairs.compare_to_first(runs, common), board)


def comparison_data(comparisons: Sequence[pairs.Comparison]) -> dict[str, Any]:
    """JSON values of all comparisons."""
    return {"schema": SCHEMA_VERSION, "comparisons": pairs.comparisons_data(comparisons)}


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
