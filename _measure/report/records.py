"""What the pages show, as plain records: text, numbers and relative paths, ready for any writer.

Paths are relative to the report's folder, with ``/``; an empty path means that there is nothing to show. Texts may
come from file names, characters and error messages: they are untrusted, and only templates turn them into markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower"]


@dataclass(frozen=True)
class Fact:
    """A label with its value; `link` is an address from a licence or author field, or empty."""

    label: str
    value: str
    link: str = ""


@dataclass(frozen=True)
class TableRow:
    """One row of the run's table, formatted.

    Attributes:
        subset, metric: what the row is called.
        value: scaled value, ``not run``, or a dash.
        standard_error: of the mean, formatted; empty where there is none.
        interval: 95 % interval of the value, formatted; empty where there is none.
        n, missing: items with and without a value.
        better: which direction is an improvement.
        is_core: one of the twelve rows of the published table.
        remark: why it did not run, or what else a reader must know.
    """

    subset: str
    metric: str
    value: str
    standard_error: str
    interval: str
    n: int
    missing: int
    better: Direction
    is_core: bool
    remark: str = ""


@dataclass(frozen=True)
class ScoreTable:
    """The run's table; without rows where the run is not measured yet."""

    protocol: str = ""
    network: str = ""
    item_count: int = 0
    missing_count: int = 0
    facts: tuple[Fact, ...] = ()
    rows: tuple[TableRow, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column of the per-item scores; `mean` is over all items with a value, formatted."""

    subset: str
    metric: str
    better: Direction
    mean: str


@dataclass(frozen=True)
class Cell:
    """One value.

    Attributes:
        text: as it is shown.
        number: to sort by; may be infinite, None where there is none.
        rank: 0 for the best item of the column up to 1 for the worst; None where nothing can be compared.
    """

    text: str
    number: float | None = None
    rank: float | None = None


@dataclass(frozen=True)
class Box:
    """A rectangle in a picture, as shares of its side."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Drawn:
    """One scored picture of ours.

    Attributes:
        picture: the picture itself; empty where there is none.
        error: its error map.
        mean_error: mean absolute difference over the whole picture in per cent; empty where there is no pair.
        scores: metric and value.
    """

    picture: str = ""
    error: str = ""
    mean_error: str = ""
    scores: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class View:
    """One scored picture beside its truth.

    Attributes:
        camera: ``ortho_front``, ``rgb60_0042``, …
        title: for people.
        truth: the true picture.
        ours: as it is scored.
        unpasted: without pixels of the portrait; None where the method pastes none.
        box: what is scored; None where the region is unknown.
        problem: why something is missing; empty where nothing is.
    """

    camera: str
    title: str
    truth: str = ""
    ours: Drawn = Drawn()
    unpasted: Drawn | None = None
    box: Box | None = None
    problem: str = ""


@dataclass(frozen=True)
class Surface:
    """One surface that the viewer can show.

    Attributes:
        name: ``ours``, ``distance`` or ``truth``.
        title: of its button.
        hint: one sentence on what is seen.
        script: the file that holds it for the viewer.
    """

    name: str
    title: str
    hint: str
    script: str


@dataclass(frozen=True)
class Model:
    """The reconstructed surface.

    Attributes:
        surfaces: what the viewer can show, the first one at once; empty where there is nothing.
        file_name: what a download is called.
        size: of the GLB, for people.
        remark: what the download lacks of the run's file; empty where it is the same.
        problem: why there is none.
    """

    surfaces: tuple[Surface, ...] = ()
    file_name: str = ""
    size: str = ""
    remark: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Item:
    """One character.

    Attributes:
        name: ``franch/idx``.
        page: its page.
        status: ``ok``, ``failed``, ``skipped`` or ``missing``.
        reason: one sentence where it is not ``ok``.
        portrait, truth, ours: input, and the front view of both sides.
        prepared: the input as the method took it, such as line-filled; empty where it took the portrait.
        turntable: animated picture of the reconstruction.
        views: the scored views in their order.
        model: the surface.
        cells: its scores in the order of `Report.columns`.
        attribution: who made the character and under which terms.
        facts: seconds, memory, files.
        problems: what could not be scored or shown, one sentence each.
    """

    name: str
    page: str
    status: Literal["ok", "failed", "skipped", "missing"]
    reason: str = ""
    portrait: str = ""
    prepared: str = ""
    truth: str = ""
    ours: str = ""
    turntable: str = ""
    views: tuple[View, ...] = ()
    model: Model = Model()
    cells: tuple[Cell, ...] = ()
    attribution: tuple[Fact, ...] = ()
    facts: tuple[Fact, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """One run.

    Attributes:
        title: name of the run.
        facts: method, dataset, protocol, seed, settings.
        machine: versions and device.
        table: the scores.
        columns: of the per-item scores.
        items: in list order.
        note: what must stand beside every number of this run; empty for nothing.
        notices: what else a reader must know before reading numbers, one sentence each.
    """

    title: str
    facts: tuple[Fact, ...]
    machine: tuple[Fact, ...]
    table: ScoreTable
    columns: tuple[Column, ...]
    items: tuple[Item, ...]
    note: str
    notices: tuple[str, ...]

    @property
    def failures(self) -> tuple[Item, ...]:
        """Items that did not come out."""
        return tuple(item for item in self.items if item.status != "ok")

    @property
    def incomplete(self) -> tuple[Item, ...]:
        """Items that came out but lack a score or a picture."""
        return tuple(item for item in self.items if item.status == "ok" and item.problems)
