"""Progress on everything longer than a second: a bar on a terminal, plain lines elsewhere, or silence.

`ANIME3D_PROGRESS` = ``bar``, ``plain`` or ``off`` overrides the choice. Everything goes to stderr, so results on
stdout stay clean.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol, get_args

Manner = Literal["bar", "plain", "off"]
_SECONDS_BETWEEN_LINES = 5.0


class Progress(Protocol):
    """What the work reports to."""

    def advance(self, name: str = "", *, failed: bool = False) -> None:
        """One piece is done; `name` is shown, failures are counted."""


def choose_manner() -> Manner:
    """The manner for this process: the environment's wish, else a bar on a terminal and plain lines elsewhere."""
    wish = os.environ.get("ANIME3D_PROGRESS", "")
    for manner in get_args(Manner):
        if wish == manner:
            return manner
    return "bar" if sys.stderr.isatty() else "plain"


@contextmanager
def progress(description: str, total: int, manner: Manner | None = None) -> Iterator[Progress]:
    """Show progress over `total` pieces while the block runs."""
    manner = manner or choose_manner()
    if manner == "off" or total == 0:
        yield _Silent()
    elif manner == "plain":
        lines = _Lines(description, total)
        yield lines
        lines.close()
    else:
        with _bar(description, total) as bar:
            yield bar


class _Silent:
    def advance(self, name: str = "", *, failed: bool = False) -> None:
        """Nothing to show."""


class _Lines:
    """At most one line every few seconds, and one at the end."""

    def __init__(self, description: str, total: int) -> None:
        self.description, self.total = description, total
        self.done = self.failed = 0
        self.started = self.written = time.monotonic()

    def advance(self, name: str = "", *, failed: bool = False) -> None:
        self.done += 1
        self.failed += failed
        if time.monotonic() - self.written >= _SECONDS_BETWEEN_LINES and self.done < self.total:
            self._write(name)

    def close(self) -> None:
        self._write("")

    def _write(self, name: str) -> None:
        self.written = time.monotonic()
        failures = f", {self.failed} failed" if self.failed else ""
        seconds = self.written - self.started
        line = f"{self.description}: {self.done}/{self.total}{failures}, {seconds:.0f} s {name}"
        sys.stderr.write(line.rstrip() + "\n")
        sys.stderr.flush()


@contextmanager
def _bar(description: str, total: int) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as rich_progress:
        yield _Bar(rich_progress, rich_progress.add_task(description, total=total, note=""))


class _Bar:
    def __init__(self, rich_progress, task) -> None:  # type: ignore[no-untyped-def]
        self.rich_progress, self.task, self.failed = rich_progress, task, 0

    def advance(self, name: str = "", *, failed: bool = False) -> None:
        from rich.markup import escape  # names may hold brackets

        self.failed += failed
        note = f"[red]{self.failed} failed[/] {escape(name)}" if self.failed else escape(name)
        self.rich_progress.update(self.task, advance=1, note=note)
