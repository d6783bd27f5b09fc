"""The published numbers: read from their one home, `published.json`, or added by a user from a CSV. No torch.

A record is one printed number. Records that differ in their hardware alone are columns of one row. Sources of the
numbers: spec/measure.md §9–§10, spec/systems.md §3.9, §4.7, §5–§10, §16.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from _exchange.errors import FormatError, InputError
from _exchange.protocol import Way
from _exchange.run_record import read_json_object

PUBLISHED_JSON = Path(__file__).with_name("published.json")
SCHEMA_VERSION = 1
Evidence = Literal["code", "paper", "re-report", "secondary"]
Kind = Literal["checkable", "not comparable", "human study", "re-report"]
Direction = Literal["higher", "lower"]
MeasuredAs = Literal["", Way]


@dataclass(frozen=True)
class PublishedSet:
    """A list of items that numbers were published for.

    Attributes:
        renderset: its name in this suite, e.g. ``daredemoE``; empty where the suite cannot read it.
        items: how many it has; None where that is not known.
        notes: what else a reader must know; may be empty.
    """

    renderset: str
    items: int | None
    notes: str = ""


@dataclass(frozen=True)
class PublishedProtocol:
    """How numbers were taken.

    Attributes:
        text: in a sentence.
        measured_as: the protocol of this suite that takes the same numbers; empty where none does.
        networks: by metric, the name of the weights (of the manifest) that it needs.
        tolerance_floor: by metric, the smallest tolerance before seeds are measured.
    """

    text: str
    measured_as: MeasuredAs
    networks: Mapping[str, str]
    tolerance_floor: Mapping[str, float]


@dataclass(frozen=True)
class Record:
    """One published number.

    Attributes:
        id: unique, ``method/dataset/subset/metric`` and what else distinguishes it.
        method: that it was published for.
        dataset: key of `Published.datasets`.
        subset, metric: as in the table of the source.
        value: as printed, or the two ends of a printed range.
        unit: of the value, in words.
        direction: which direction is an improvement.
        protocol: key of `Published.protocols`.
        source, table: where it stands.
        evidence: read in the authors' code or its README, in their paper, in a later paper, or second-hand.
        hardware: that it was computed on; None where nobody says.
        tolerance: largest difference that counts as reproduced; None where it follows from its row, or is not known.
        tolerance_why: where the tolerance comes from, or why there is none.
        state: whether it can be checked at all.
        notes: what else a reader must know; may be empty.
    """

    id: str
    method: str
    dataset: str
    subset: str
    metric: str
    value: float | tuple[float, float]
    unit: str
    direction: Direction
    protocol: str
    source: str
    table: str
    evidence: Evidence
    hardware: str | None
    tolerance: float | None
    tolerance_why: str
    state: Kind
    notes: str

    @property
    def number(self) -> float:
        """The value, or the middle of its range."""
        return self.value if isinstance(self.value, float) else math.fsum(self.value) / 2

    @property
    def shown(self) -> str:
        """The value as text, ``2–3`` for a range."""
        ends = (self.value,) if isinstance(self.value, float) else self.value
        return "–".join(f"{end:.6g}" for end in ends)


@dataclass(frozen=True)
class NotObtained:
    """Published tables whose numbers nobody here has read."""

    work: str
    tables: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Tolerance:
    """A limit, and why it is what it is."""

    value: float
    why: str


@dataclass(frozen=True)
class PublishedRow:
    """Records that differ in their hardware alone: the columns of one row, in the registry's order."""

    columns: tuple[Record, ...]

    @property
    def first(self) -> Record:
        """What all columns share, and the first value."""
        return self.columns[0]

    @property
    def spread(self) -> float:
        """Largest difference between two columns."""
        numbers = [record.number for record in self.columns]
        return max(numbers) - min(numbers)

    def nearest(self, ours: float) -> Record:
        """The column whose value lies nearest to `ours`; the first one where `ours` is no number."""
        return min(self.columns, key=lambda record: abs(record.number - ours)) if math.isfinite(ours) else self.first


@dataclass(frozen=True)
class Published:
    """All published numbers, with what they refer to."""

    datasets: Mapping[str, PublishedSet]
    protocols: Mapping[str, PublishedProtocol]
    records: tuple[Record, ...]
    not_obtained: tuple[NotObtained, ...]

    @classmethod
    def read(cls, path: Path = PUBLISHED_JSON) -> Published:
        """Read and check.

        Raises:
            InputError: there is no such file.
            FormatError: it is not as described here; the error names the record and the field.
        """
        try:
            return _published(read_json_object(path))
        except FormatError as error:
            raise error if error.file else error.in_file(path) from error

    def by_id(self, record_id: str) -> Record:
        """The record of that id. Raises InputError where there is none."""
        for record in self.records:
            if record.id == record_id:
                return record
        raise InputError(f"Expected the id of a published number, found {record_id!r}.")

    def of(self, dataset: str, protocol: str) -> tuple[Record, ...]:
        """All records of a dataset and a protocol, in order; may be none."""
        return tuple(r for r in self.records if (r.dataset, r.protocol) == (dataset, protocol))

    def rows(self) -> tuple[PublishedRow, ...]:
        """Records that can be checked by measuring a run with this suite, gathered into rows, in order."""
        gathered: dict[tuple[str, ...], list[Record]] = {}
        for record in self.records:
            if record.state == "checkable" and self.protocols[record.protocol].measured_as:
                same = (record.method, record.dataset, record.protocol, record.source, record.subset, record.metric)
                gathered.setdefault(same, []).append(record)
        return tuple(PublishedRow(tuple(records)) for records in gathered.values())

    def tolerance(self, row: PublishedRow) -> Tolerance:
        """The largest of: spread of its columns, floor of its protocol, tolerances that its records state."""
        first = row.first
        stated = [record for record in row.columns if record.tolerance is not None]
        reasons = [Tolerance(record.tolerance or 0.0, record.tolerance_why or "as stated") for record in stated]
        floor = self.protocols[first.protocol].tolerance_floor.get(first.metric)
        if floor is not None:
            reasons.append(Tolerance(floor, "smallest tolerance before seeds are measured"))
        if len(row.columns) > 1:
            cards = " and ".join(record.hardware or "?" for record in row.columns)
            reasons.append(Tolerance(row.spread, f"difference between {cards}"))
        return max(reasons, key=lambda reason: reason.value)

    def with_records(self, records: Sequence[Record], datasets: Mapping[str, PublishedSet]) -> Published:
        """The same with a user's rows behind them. Raises FormatError where an id collides."""
        both = replace(self, datasets={**datasets, **self.datasets}, records=(*self.records, *records))
        _check_whole(both)
        return both


# -- checks -----------------------------------------------------------------------------------------------------

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "direction": get_args(Direction),
    "evidence": get_args(Evidence),
    "state": get_args(Kind),
}
_MAY_BE_EMPTY = ("table", "notes", "tolerance_why", "unit")


def parse_record(value: Mapping[str, Any], place: str) -> Record:
    """One record out of JSON values.

    Raises:
        FormatError: a key is missing or unknown, or a value is of the wrong kind; `place` and the field are named.
    """
    if isinstance(value, dict) and isinstance(value.get("id"), str):
        place = f"{place} ({value['id']})"
    _check_keys(value, Record, place)
    checked = dict(value)
    for name, entry in value.items():
        where = f"{place}.{name}"
        if name == "value":
            ends = entry if isinstance(entry, list) else [entry]
            numbers = [_number(end, where) for end in ends]
            if len(numbers) not in (1, 2) or numbers != sorted(numbers):
                raise FormatError(where, "a number, or the lower and the upper end of a range", f"{entry!r:.80}")
            checked[name] = numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])
        elif name == "tolerance":
            checked[name] = None if entry is None else _not_negative(entry, where)
        elif name != "hardware" or entry is not None:
            _text(entry, where, may_be_empty=name in _MAY_BE_EMPTY)
        if name in _CHOICES and entry not in _CHOICES[name]:
            raise FormatError(where, f"one of {', '.join(_CHOICES[name])}", f"{entry!r:.80}")
    return Record(**checked)


def _published(value: Mapping[str, Any]) -> Published:
    keys = ("schema", "about", "datasets", "protocols", "records", "not_obtained")
    if sorted(value) != sorted(keys):
        raise FormatError("", f"the keys {', '.join(keys)}", ", ".join(map(str, value)) or "none")
    if value["schema"] != SCHEMA_VERSION:
        raise FormatError("schema", str(SCHEMA_VERSION), repr(value["schema"]))
    _text(value["about"], "about")
    protocols, absent = _object(value, "protocols"), _list(value, "not_obtained")
    whole = Published(
        datasets={name: _set(entry, f"datasets[{name}]") for name, entry in _object(value, "datasets").items()},
        protocols={name: _protocol(entry, f"protocols[{name}]") for name, entry in protocols.items()},
        records=tuple(parse_record(entry, f"records[{n}]") for n, entry in enumerate(_list(value, "records"))),
        not_obtained=tuple(_absent(entry, f"not_obtained[{n}]") for n, entry in enumerate(absent)),
    )
    _check_whole(whole)
    return whole


def _check_whole(whole: Published) -> None:
    """What no record can say alone: ids are unique, names refer to something, what is checked has a tolerance."""
    seen: set[str] = set()
    for record in whole.records:
        if record.id in seen:
            raise FormatError(f"{record.id}.id", "an id that occurs once", "a second record of it")
        seen.add(record.id)
        for name, known in (("dataset", whole.datasets), ("protocol", whole.protocols)):
            if getattr(record, name) not in known:
                raise FormatError(f"{record.id}.{name}", f"one of {', '.join(known)}", repr(getattr(record, name)))
        fault = fault_of_judged(record, whole.protocols[record.protocol])
        if fault is not None:
            raise FormatError(f"{record.id}.{fault[0]}", *fault[1:])


def fault_of_judged(record: Record, protocol: PublishedProtocol) -> tuple[str, str, str] | None:
    """What a record that runs are held against lacks: field, what is expected, what is found; None for nothing."""
    if record.state != "checkable" or not protocol.measured_as:
        return None
    if not isinstance(record.value, float):
        return "value", "one number, as it is checkable", record.shown
    if record.tolerance is None and record.metric not in protocol.tolerance_floor:
        return "tolerance", f"a number, as {record.protocol} has no smallest one for {record.metric}", "nothing"
    return None


def _set(value: Any, place: str) -> PublishedSet:
    _check_keys(value, PublishedSet, place)
    _text(value["renderset"], f"{place}.renderset", may_be_empty=True)
    _text(value["notes"], f"{place}.notes", may_be_empty=True)
    items = value["items"]
    if items is not None and (type(items) is not int or items < 1):
        raise FormatError(f"{place}.items", "a count, or null", f"{items!r:.80}")
    return PublishedSet(**value)


def _protocol(value: Any, place: str) -> PublishedProtocol:
    _check_keys(value, PublishedProtocol, place)
    _text(value["text"], f"{place}.text")
    if value["measured_as"] not in ("", *get_args(Way)):
        raise FormatError(f"{place}.measured_as", f"{', '.join(get_args(Way))} or nothing", repr(value["measured_as"]))
    for metric, network in _object(value, "networks", place).items():
        _text(network, f"{place}.networks[{metric}]")
    floors = _object(value, "tolerance_floor", place)
    floor = {metric: _not_negative(entry, f"{place}.tolerance_floor[{metric}]") for metric, entry in floors.items()}
    return PublishedProtocol(value["text"], value["measured_as"], value["networks"], floor)


def _absent(value: Any, place: str) -> NotObtained:
    _check_keys(value, NotObtained, place)
    tables = _list(value, "tables", place)
    for name, entry in (("work", value["work"]), ("why", value["why"]), *(("tables", table) for table in tables)):
        _text(entry, f"{place}.{name}")
    return NotObtained(value["work"], tuple(tables), value["why"])


def _check_keys(value: Any, kind: type, place: str) -> None:
    wanted = {field.name for field in fields(kind)}
    if not isinstance(value, dict):
        raise FormatError(place, "an object", type(value).__name__)
    for name in sorted(wanted - value.keys()):
        raise FormatError(f"{place}.{name}", "a value", "none")
    for name in sorted(value.keys() - wanted):
        raise FormatError(f"{place}.{name}", f"none but the keys {', '.join(sorted(wanted))}", "this key")


def _object(value: Mapping[str, Any], name: str, place: str = "") -> dict[str, Any]:
    if not isinstance(value[name], dict):
        raise FormatError(f"{place}.{name}".lstrip("."), "an object", type(value[name]).__name__)
    return value[name]


def _list(value: Mapping[str, Any], name: str, place: str = "") -> list[Any]:
    if not isinstance(value[name], list):
        raise FormatError(f"{place}.{name}".lstrip("."), "a list", type(value[name]).__name__)
    return value[name]


def _text(value: Any, place: str, *, may_be_empty: bool = False) -> None:
    if not isinstance(value, str) or not (value.strip() or may_be_empty):
        raise FormatError(place, "a text", f"{value!r:.80}")


def _number(value: Any, place: str) -> float:
    # Comparison before conversion: a whole number of thousands of digits has no float.
    if type(value) not in (int, float) or not -1e300 < value < 1e300:
        raise FormatError(place, "a finite number", f"{value!r:.80}")
    return float(value)


def _not_negative(value: Any, place: str) -> float:
    number = _number(value, place)
    if number < 0:
        raise FormatError(place, "a number of at least 0", f"{value!r:.80}")
    return number
