"""`run.json` and `status.json`: typed, versioned, the same shape in memory and on disk.

A run record has two halves: `resolved` decides the results and must be equal for a run to be resumed; `machine` says
where it ran and takes no part in comparisons.
"""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from _exchange import atomic
from _exchange.errors import FormatError, InputError

SCHEMA_VERSION = 1
_REPORTED_PACKAGES = ("numpy", "scipy", "torch", "pillow", "scikit-image", "libigl", "numba")


@dataclass(frozen=True)
class RunRecord:
    """What a run is.

    Attributes:
        method: registry name of the method.
        dataset: render set, e.g. ``daredemoE`` or ``own``.
        data_root: folder of the dataset, as given.
        protocol: ``paper`` or ``corrected``.
        seed: root seed; every item's seed is derived from it and the item's name.
        items: names of all items of the run, in list order.
        settings: method settings that change results.
        digests: SHA-256 by what it is of (weights, item list, …).
        machine: versions, device: no part of `resolved`.
        schema: version of this record's format.
        note: what must stand beside every number of this run; empty for nothing.
    """

    method: str
    dataset: str
    data_root: str
    protocol: str
    seed: int
    items: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA_VERSION
    note: str = ""

    @property
    def resolved(self) -> dict[str, Any]:
        """Everything that decides the results, as JSON values. The folder's path does not: its digests do."""
        return json.loads(json.dumps({k: v for k, v in asdict(self).items() if k not in ("machine", "data_root")}))

    def write(self, path: Path) -> None:
        """Write atomically."""
        atomic.write_json(path, asdict(self))

    def write_new(self, path: Path) -> None:
        """Write atomically where there is no record yet. Raises FileExistsError where there is one."""
        atomic.write_new_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> RunRecord:
        """Read and check.

        Raises:
            InputError: there is no such file.
            FormatError: it is no run record of this version.
        """
        value = read_json_object(path)
        found = value.get("schema")
        if found != SCHEMA_VERSION:
            raise FormatError("schema", str(SCHEMA_VERSION), repr(found), file=path)
        required = {f.name: f for f in fields(cls) if f.name != "note"}
        missing = sorted(required.keys() - value.keys())
        if missing:
            raise FormatError("", f"the keys {sorted(required)}", f"none of {missing}", file=path)
        items = value["items"]
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise FormatError("items", "a list of item names", type(items).__name__, file=path)
        for name in ("method", "dataset", "data_root", "protocol"):
            _check(isinstance(value[name], str), name, "a text", value[name], path)
        _check(type(value["seed"]) is int, "seed", "a whole number", value["seed"], path)
        _check(isinstance(value["settings"], dict), "settings", "an object", value["settings"], path)
        for name in ("digests", "machine"):
            texts = isinstance(value[name], dict) and all(isinstance(text, str) for text in value[name].values())
            _check(texts, name, "an object of texts", value[name], path)
        known = {name: value[name] for name in required if name != "items"}
        note = value.get("note", "")
        _check(isinstance(note, str), "note", "a text", note, path)
        return cls(items=tuple(items), note=note, **known)


def this_machine(device: str) -> dict[str, str]:
    """The `machine` half of a record: Python, packages, processor and the device in use."""
    versions = {}
    for package in _REPORTED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "absent"
    return {"python": platform.python_version(), "platform": platform.platform(), "device": device, **versions}


@dataclass(frozen=True)
class ItemStatus:
    """How an item ended.

    Attributes:
        status: ``ok``, ``failed`` (this item's fault) or ``skipped`` (not asked for).
        reason: one sentence; empty for ``ok``.
        seconds: wall time.
        peak_memory_mb: of the process, mebibytes.
    """

    status: Literal["ok", "failed", "skipped"]
    reason: str = ""
    seconds: float = 0.0
    peak_memory_mb: float = 0.0

    def write(self, path: Path) -> None:
        """Write atomically."""
        atomic.write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> ItemStatus:
        """Read and check; raises as `RunRecord.read` does."""
        value = read_json_object(path)
        if value.get("status") not in ("ok", "failed", "skipped"):
            raise FormatError("status", "ok, failed or skipped", repr(value.get("status")), file=path)
        status = cls(**{f.name: value[f.name] for f in fields(cls) if f.name in value})
        _check(isinstance(status.reason, str), "reason", "a text", status.reason, path)
        for name, number in (("seconds", status.seconds), ("peak_memory_mb", status.peak_memory_mb)):
            _check(type(number) in (int, float), name, "a number", number, path)
        return status


def _check(holds: bool, place: str, expected: str, found: object, path: Path) -> None:
    if not holds:
        raise FormatError(place, expected, f"{found!r:.80}", file=path)


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON file whose top level is an object.

    Raises:
        InputError: there is no such file, or it cannot be read.
        FormatError: it is no UTF-8 JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"Expected the file {path}, found none.") from error
    except OSError as error:
        raise InputError(f"Expected a readable file {path}, found: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # text that is no UTF-8, no JSON, or a number without end
        raise FormatError("", "JSON", str(error), file=path) from error
    if not isinstance(value, dict):
        raise FormatError("", "a JSON object", type(value).__name__, file=path)
    return value
