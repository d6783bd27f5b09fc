"""What the page over several runs shows, as plain records. Paths are relative to its folder; texts are untrusted."""

from __future__ import annotations

from dataclasses import dataclass

from _measure.grid import Grid
from _measure.report.records import Download


@dataclass(frozen=True)
class ComparedRun:
    """One of several runs: its name beside the others, its own report, and what it is."""

    name: str
    page: str
    folder: str
    method: str
    dataset: str
    protocol: str
    note: str


@dataclass(frozen=True)
class Shown:
    """One character in one run, or its truth: front and back, and its page there."""

    name: str
    page: str
    front: str
    back: str


@dataclass(frozen=True)
class ComparedItem:
    """One character: its truth, then each run."""

    name: str
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Comparison:
    """Several runs.

    Attributes:
        runs: in the order given.
        board: their leaderboard; None where they cannot be ranked together.
        downloads: the leaderboard as files.
        items: all characters of all runs, in the order of the first list that has them.
        notices: what a reader must know, one sentence each.
    """

    runs: tuple[ComparedRun, ...]
    board: Grid | None
    downloads: tuple[Download, ...]
    items: tuple[ComparedItem, ...]
    notices: tuple[str, ...]
