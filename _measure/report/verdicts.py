"""What `verify` wrote, ready to be shown. A state that is unknown here is shown as it is, and never as a success."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from _exchange.digest import sha256_of_file
from _exchange.errors import FormatError, InputError
from _exchange.run_folder import RunFolder
from _exchange.run_record import read_json_object
from _measure.grid import Column, Grid, number_text
from _measure.report.records import Fact, ShownVerdict, Verdicts

OUTDATED = "Verdicts are not shown, since the scores changed after they were found: python3 -m _scripts.verify RUN"
_SEED_HEADS = ("subset", "metric", "mean", "standard deviation", "least", "largest", "published: seeds below it")


def read_verdicts(run: RunFolder) -> tuple[Verdicts | None, tuple[str, ...]]:
    """The verdicts of a run, None where it was not verified, and a notice where they cannot be read.

    Verdicts on other scores than those of the run are none: a notice stands in their place.
    """
    if not run.verdicts.is_file():
        return None, ()
    try:
        value = read_json_object(run.verdicts)
        verdicts = _verdicts(value)
        return (verdicts, ()) if _is_of_these_scores(run, value.get("scores")) else (None, (OUTDATED,))
    except (FormatError, InputError) as error:
        return None, (f"The verdicts cannot be read: {error}",)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return None, (f"The verdicts cannot be read: {run.verdicts.name}: {type(error).__name__}: {error}",)


def _is_of_these_scores(run: RunFolder, judged: Any) -> bool:
    """Whether every file of scores that was judged is still as it was; older files of verdicts do not say."""
    if not isinstance(judged, dict) or run.scores.name not in judged:
        return False
    paths = {run.path / name: digest for name, digest in judged.items()}
    return all(path.is_file() and sha256_of_file(path) == digest for path, digest in paths.items())


def _verdicts(value: Mapping[str, Any]) -> Verdicts:
    counts = {str(state): int(count) for state, count in value["counts"].items()}
    against = str(value["against"])
    return Verdicts(
        against=against,
        expected_head="paper" if against == "published" else "stored",
        columns=_columns(value["verdicts"]),
        summary=", ".join(f"{count} {state}" for state, count in counts.items()),
        rows=tuple(map(_row, value["verdicts"])),
        notes=tuple(map(str, value["notes"])),
        seeds=_seeds(value.get("seeds", [])),
        listed=tuple(map(_row, value.get("listed", []))),
        absent=tuple(map(_absent, value.get("not_obtained", []))),
    )


def _columns(records: Sequence[Mapping[str, Any]]) -> str:
    """``RTX 3080 Ti / GTX 1080 Ti`` where published values stand in pairs."""
    found = {tuple(str(column["hardware"]) for column in record["published"]) for record in records}
    several = sorted(names for names in found if len(names) > 1 and all(names))
    return "; ".join(" / ".join(names) for names in several)


def _absent(record: Mapping[str, Any]) -> Fact:
    return Fact(str(record["work"]), f"{', '.join(map(str, record['tables']))}: {record['why']}")


def _seeds(records: Sequence[Mapping[str, Any]]) -> Grid | None:
    """The spread of each row over the seeds; None without any."""
    if not records:
        return None
    columns = tuple(Column(head, right=2 <= place < 6) for place, head in enumerate(_SEED_HEADS))
    return Grid(columns, tuple(map(_seed_row, records)))


def _seed_row(record: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = [record[name] for name in ("mean", "standard_deviation", "minimum", "maximum")]
    places = [
        f"{shown_number(column['value'])}: {int(column['seeds_below'])} of {int(record['seeds'])}"
        for column in record["published"]
    ]
    return (str(record["subset"]), str(record["metric"]), *map(shown_number, numbers), "; ".join(places))


def _row(record: Mapping[str, Any]) -> ShownVerdict:
    state = str(record["state"])
    columns = [shown_number(column["value"]) for column in record["published"]]
    return ShownVerdict(
        reference=str(record["reference"]),
        protocol=str(record["protocol"]),
        subset=str(record["subset"]),
        metric=str(record["metric"]),
        expected=" / ".join(columns) or shown_number(record["expected"]),
        ours=shown_number(record["ours"]),
        difference=shown_number(record["difference"], "+"),
        tolerance=shown_number(record["tolerance"]),
        verdict=str(record["shown"]),
        kind="reproduced" if state == "reproduced" else "off" if state == "off" else "open",
        reason=str(record["reason"]),
    )


def shown_number(number: float | str | None, sign: str = "") -> str:
    """A number of a JSON file, which writes infinity as a text and an absent number as null."""
    return number_text(math.nan if number is None else float(number), sign)
