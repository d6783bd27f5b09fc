"""What the pages show, as plain records: text, numbers and relative paths, ready for any writer.

Paths are relative to the report's folder, with ``/``; an empty path means that there is nothing to show. Texts may
come from file names, characters and error messages: they are untrusted, and only templates turn them into markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from _measure.grid import Grid

Direction = Literal["higher", "lower"]
_HEADLINES = (("all", "lpips"), ("geom", "cd"))


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

    @property
    def is_known(self) -> bool:
        """Whether there is anything to show or to say."""
        return bool(self.truth or self.ours.picture or self.unpasted or self.problem)


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
        download: the run's own GLB, called as the character.
        size: of that GLB, for people.
        remark: what the viewer shows less of; empty where it shows that file.
        problem: why there is none.
    """

    surfaces: tuple[Surface, ...] = ()
    download: str = ""
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

    @property
    def standing(self) -> str:
        """What its badge says: its status, and ``incomplete`` where it came out but something of it is not there."""
        return "incomplete" if self.status == "ok" and self.problems else self.status


@dataclass(frozen=True)
class Dot:
    """One character in a plot: `left` in per cent of the width, `top` in pixels."""

    name: str
    page: str
    value: str
    left: float
    top: int


@dataclass(frozen=True)
class Tick:
    """A number on the axis; `left` in per cent of the width."""

    left: float
    text: str


@dataclass(frozen=True)
class Plot:
    """The scores of all characters in one row of the table.

    Attributes:
        subset, metric, better: the row.
        dots: the characters, from left to right.
        ticks: numbers on the axis.
        mean: over these characters, formatted.
        mean_left: where it stands.
        interval: 95 % interval of the mean, formatted; empty where there is none.
        interval_left, interval_width: where it stands.
        remark: which values are not drawn; empty where all are.
    """

    subset: str
    metric: str
    better: Direction
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    mean: str
    mean_left: float
    interval: str = ""
    interval_left: float = 0.0
    interval_width: float = 0.0
    remark: str = ""


@dataclass(frozen=True)
class ShownVerdict:
    """One verdict, formatted; `kind` is ``open`` for all that is neither reproduced nor off."""

    reference: str
    protocol: str
    subset: str
    metric: str
    expected: str
    ours: str
    difference: str
    tolerance: str
    verdict: str
    kind: Literal["reproduced", "off", "open"]
    reason: str


@dataclass(frozen=True)
class Verdicts:
    """What `verify` found.

    Attributes:
        against: ``published`` or the name of a baseline.
        expected_head: what the expected values are: ``paper`` or ``stored``.
        columns: what each of several expected values of a row was computed on; empty where they are single.
        summary: number of rows by state.
        rows: in order of the table, protocol by protocol.
        notes: what else a reader must know.
        seeds: how far chance reaches; None where no seeds were tried.
        listed: published numbers that no run is held against.
        absent: published tables that nobody here has read, by work.
    """

    against: str
    expected_head: str
    columns: str
    summary: str
    rows: tuple[ShownVerdict, ...]
    notes: tuple[str, ...]
    seeds: Grid | None = None
    listed: tuple[ShownVerdict, ...] = ()
    absent: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Download:
    """A file of the run that lies in the report too."""

    path: str
    title: str
    size: str


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
        plots: one per row that two characters or more have a value in.
        variants: the table beside those of the same predictions under other rules.
        switches: what each switch of the protocol changes alone.
        verdicts: what `verify` found.
        downloads: tables and scores.
    """

    title: str
    facts: tuple[Fact, ...]
    machine: tuple[Fact, ...]
    table: ScoreTable
    columns: tuple[Column, ...]
    items: tuple[Item, ...]
    note: str
    notices: tuple[str, ...]
    plots: tuple[Plot, ...] = ()
    variants: Grid | None = None
    switches: Grid | None = None
    verdicts: Verdicts | None = None
    downloads: tuple[Download, ...] = ()

    @property
    def headline(self) -> int | None:
        """The column that characters are ordered by: ``all lpips``, else ``geom cd``, else the first one."""
        names = [(column.subset, column.metric) for column in self.columns]
        wanted = [name for name in _HEADLINES if name in names]
        return names.index(wanted[0]) if wanted else 0 if names else None

    @property
    def ranking(self) -> tuple[Item, ...]:
        """Items with a value in the headline column, the best first; equals in list order."""
        place = self.headline
        if place is None:
            return ()
        ranked = [item for item in self.items if item.cells[place].number is not None]
        sign = -1 if self.columns[place].better == "higher" else 1
        return tuple(sorted(ranked, key=lambda item: sign * (item.cells[place].number or 0.0)))

    @property
    def failures(self) -> tuple[Item, ...]:
        """Items that did not come out."""
        return tuple(item for item in self.items if item.status != "ok")

    @property
    def incomplete(self) -> tuple[Item, ...]:
        """Items that came out but lack a score or a picture."""
        return tuple(item for item in self.items if item.standing == "incomplete")
