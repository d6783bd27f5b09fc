"""The same predictions under other rules: the variants of a run side by side, and what each switch changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from _exchange.errors import FormatError, InputError
from _exchange.run_folder import RunFolder
from _exchange.run_record import read_json_object
from _measure.aggregate import Row
from _measure.grid import Column, Grid
from _measure.report.verdicts import shown_number
from _measure.scored_run import MEASURED_BEFORE, ScoredRun
from _measure.table import shown_value

SWITCHES = "variants/switches.json"
"""What `measure --variants` writes on switches, below the run's folder."""
OUTDATED_SWITCHES = f"The table of switches is not shown, {MEASURED_BEFORE}"
_SWITCH_HEADS = ("switch", "subset", "metric", "paper", "corrected alone", "difference")
_NO_ROW = ""


def variants_grid(own: ScoredRun, variants: Sequence[ScoredRun]) -> Grid | None:
    """A row per subset and metric and a column per variant, the run first unless it is one of them; None without any.

    Networks stand in the heads: numbers through different ones cannot be compared.
    """
    if not variants:
        return None
    runs = [*([] if _head(own) in map(_head, variants) else [own]), *variants]
    heads = [Column("subset"), Column("metric"), *(Column(_head(run), right=True) for run in runs)]
    tables = [_by_name(run) for run in runs]
    names = dict.fromkeys(name for table in tables for name in table)
    rows = tuple(
        (*name, *(shown_value(table[name]) if name in table else _NO_ROW for table in tables)) for name in names
    )
    return Grid(tuple(heads), rows)


def read_switches(run: RunFolder, own: ScoredRun | None) -> tuple[Grid | None, tuple[str, ...]]:
    """What each switch of the protocol changes where only it is corrected; None where nobody measured it.

    Args:
        run: its folder.
        own: its own scores; a table on other predictions or another truth than theirs is not shown.

    Returns:
        The table, and a notice where it cannot be read or is not shown.
    """
    path = run.path / SWITCHES
    if not path.is_file():
        return None, ()
    try:
        value = read_json_object(path)
        columns = tuple(Column(head, right=place > 2) for place, head in enumerate(_SWITCH_HEADS))
        footer = tuple(_sentence(switch) for switch in (*value["switches"], *value["elsewhere"]))
        grid = Grid(columns, tuple(map(_switch_row, value["rows"])), footer=footer)
        if own is not None and (value.get("predictions"), value.get("truths")) != (own.predictions, own.truths):
            return None, (OUTDATED_SWITCHES,)
        return grid, ()
    except (FormatError, InputError) as error:
        return None, (f"The table of switches cannot be read: {error}",)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return None, (f"The table of switches cannot be read: {path.name}: {type(error).__name__}: {error}",)


def _switch_row(record: Mapping[str, Any]) -> tuple[str, ...]:
    names = (str(record["switch"]), str(record["subset"]), str(record["metric"]))
    before, after = shown_number(record["paper"]), shown_number(record["corrected_alone"])
    return (*names, before, after, shown_number(record["difference"], "+"))


def _sentence(switch: Mapping[str, Any]) -> str:
    decided = "" if switch["decided"] == "measuring" else f", decided in {switch['decided']}"
    choice = f"paper: {switch['paper']}, corrected: {switch['corrected']}{decided}"
    return f"{switch['switch']} ({choice}): {switch['sentence']}"


def _head(run: ScoredRun) -> str:
    return f"{run.protocol}, {run.pictures}, lpips-{run.lpips_network}"


def _by_name(run: ScoredRun) -> Mapping[tuple[str, str], Row]:
    return {(row.plan.subset, row.plan.label): row for row in run.rows}
