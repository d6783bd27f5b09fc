"""Stored baselines: tables of runs kept in a file, so that a silent change of any metric is seen.

A baseline is a JSON file with one entry per run and protocol. Every row carries its own tolerance, so a file decides
alone what agrees with it. How to renew one: make the runs anew, measure them, ``python3 -m _scripts.verify RUN
--store FILE`` (it replaces the entries of the same run), and look at the difference in git. Those of
the suite, `BASELINES`, are renewed by ``python3 -m tests.measure.baseline_runs FOLDER`` (sample set and real
characters) and ``python3 -m tests.measure.switch_set`` (the set on which every switch of the protocol shows).

Tolerances of rows that are stored now are those of `tolerance_of`: above what arithmetic does and far below what a
change of a metric's definition does (`_TOLERANCES` has the measurements).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from _exchange import atomic
from _exchange.errors import FormatError, InputError
from _exchange.protocol import Way, protocol_named
from _exchange.run_record import read_json_object
from _measure.aggregate import Row, RowPlan
from _measure.scored_run import ScoredRun
from _measure.verdict import State, Verdict, judge

FORMAT, VERSION = "anime3d baseline", 1
BASELINES = Path(__file__).with_name("baselines")
"""Where the baselines that come with the suite lie."""
_TOLERANCES: Mapping[Way, Mapping[str, float]] = {
    "corrected": {"psnr": 2e-3, "ssim": 5e-3, "lpips": 2e-2, "clip": 5e-3, "cd": 1e-2, "f1": 0.3},
    "paper": {"psnr": 2e-3, "ssim": 5e-3, "lpips": 2e-2, "clip": 5e-2, "cd": 1e-2, "f1": 0.3},
}
"""By metric, in the table's scale; those of surfaces for one item (see `tolerance_of`).

One machine repeats every row to the bit, whatever the number of processes. What other processors and library versions
may do was tried on two methods and three sample characters: another convolution library (oneDNN off) moved lpips by
5e-7; one byte in a thousand off by one in all pictures moved psnr by 2e-5, ssim by 1.3e-3, lpips by 8e-3; vertices off
by 1e-6 m moved cd by 5e-4 and f1 by 7e-3, of one item by 0.02; ten triangles decided otherwise, after which every later
sample lies elsewhere, moved cd by 2e-3 and f1 by 0.05, of one item by 0.23. CLIP in half precision is known to 0.05
(spec/measure.md §5.1).
"""
_TEXTS = ("method", "dataset", "generated_with", "pictures", "protocol", "lpips_network", "sample_seed")
_SURFACES = "geom"
_CHOSEN_SEED = "run seed"
"""How `Table.sample_seed` begins where ``--seed`` decided it."""
_NOT_JSON = ("inf", "-inf", "nan")


@dataclass(frozen=True)
class BaselineRow:
    """One stored row.

    Attributes:
        subset: first column of the table.
        metric: id, e.g. ``lpips_squeeze``; with `subset` it names the row.
        value: in the table's scale; may be infinite or NaN.
        n: items that entered it.
        tolerance: largest difference that agrees, in the table's scale.
    """

    subset: str
    metric: str
    value: float
    n: int
    tolerance: float


@dataclass(frozen=True)
class BaselineRun:
    """The stored rows of one run under one protocol.

    Attributes:
        method, dataset, generated_with, pictures, protocol, lpips_network, sample_count, sample_seed: as in `Table`.
        items: names in list order.
        rows: those that had a value.
        versions: of Python and libraries, for information only.
    """

    method: str
    dataset: str
    generated_with: str
    pictures: str
    protocol: str
    lpips_network: str
    sample_count: int
    sample_seed: str
    items: tuple[str, ...]
    rows: tuple[BaselineRow, ...]
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        """What must agree before anything is compared; the items must too, and are counted where they do not."""
        return self.method, self.dataset, self.generated_with, self.pictures, self.protocol


@dataclass(frozen=True)
class Baseline:
    """A named set of stored runs."""

    name: str
    runs: tuple[BaselineRun, ...]


def tolerance_of(plan: RowPlan, protocol: Way, n: int) -> float:
    """Largest difference of a row, in the table's scale, that arithmetic alone may cause.

    Samples that lie elsewhere move each item's surface scores by chance, so the mean of `n` moves by √n less.
    """
    name = plan.metric.id.partition("_")[0].partition("@")[0]
    averaged = n if plan.views == _SURFACES and plan.aggregate == "mean" else 1
    tolerance = _TOLERANCES[protocol][name] * plan.scale / plan.metric.table_scale / math.sqrt(averaged)
    return float(f"{tolerance:.2g}")


# -- storing ----------------------------------------------------------------------------------------------------


def stored_run(scored: ScoredRun) -> BaselineRun:
    """What is kept of a measured run: all rows with a value."""
    way = protocol_named(scored.protocol).name
    rows = [
        BaselineRow(row.plan.subset, row.plan.metric.id, row.value, row.n, tolerance_of(row.plan, way, row.n))
        for row in scored.rows
        if row.n
    ]
    return BaselineRun(
        **{name: getattr(scored, name) for name in _TEXTS},
        sample_count=scored.sample_count,
        items=scored.items,
        rows=tuple(rows),
        versions=dict(scored.versions),
    )


def write_baseline(path: Path, name: str, scored_runs: Sequence[ScoredRun]) -> None:
    """Write a baseline of these runs, atomically; equal runs give equal bytes.

    Raises:
        InputError: there is no run, a run has no row with a value, or two entries would be the same run.
    """
    runs = [stored_run(scored) for scored in scored_runs]
    if not runs:
        raise InputError("Expected at least one measured run to store, found none.")
    _write(path, Baseline(name, tuple(runs)))


def store_into(path: Path, name: str, scored: ScoredRun) -> None:
    """Put one run into a baseline file: its entry is replaced where it has one, all others stay.

    Raises:
        InputError: the run has no row with a value.
        FormatError: the file is there and is no baseline.
    """
    known = read_baseline(path) if path.is_file() else Baseline(name, ())
    run = stored_run(scored)
    others = [other for other in known.runs if (other.key, other.items) != (run.key, run.items)]
    _write(path, Baseline(known.name, (*others, run)))


def _write(path: Path, baseline: Baseline) -> None:
    seen = set()
    for run in baseline.runs:
        if not run.rows:
            raise InputError(f"Expected a measured run with values to store, found none in {_title(run)}.")
        if (run.key, run.items) in seen:
            raise InputError(f"Expected every run once in a baseline, found {_title(run)} more than once.")
        seen.add((run.key, run.items))
    runs = [_run_value(run) for run in sorted(baseline.runs, key=lambda run: (run.key, len(run.items), run.items))]
    atomic.write_text(path, _json_text({"format": FORMAT, "version": VERSION, "name": baseline.name, "runs": runs}))


def _run_value(run: BaselineRun) -> dict[str, Any]:
    rows = [asdict(row) | {"value": row.value if math.isfinite(row.value) else str(row.value)} for row in run.rows]
    return asdict(run) | {"rows": rows}


def _json_text(value: dict[str, Any]) -> str:
    """Indented JSON with one row of a table per line, so that a difference in git is a row."""
    lines = json.dumps(value | {"runs": []}, indent=1, ensure_ascii=False, allow_nan=False).splitlines()[:-2]
    runs = []
    for run in value["runs"]:
        head = [f"   {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}," for k, v in run.items() if k != "rows"]
        rows = [f"    {json.dumps(row, ensure_ascii=False, allow_nan=False)}" for row in run["rows"]]
        runs.append("\n".join(["  {", *head, '   "rows": [', ",\n".join(rows), "   ]", "  }"]))
    return "\n".join([*lines, ' "runs": [', ",\n".join(runs), " ]", "}"]) + "\n"


# -- reading ----------------------------------------------------------------------------------------------------


def read_baseline(path: Path) -> Baseline:
    """Read and check a baseline.

    Raises:
        InputError: there is no such file.
        FormatError: it is no baseline of this version, or something in it is wrong.
    """
    value = read_json_object(path)
    try:
        _expect(value.get("format") == FORMAT, "format", repr(FORMAT), value.get("format"))
        _expect(value.get("version") == VERSION, "version", str(VERSION), value.get("version"))
        _expect(isinstance(value.get("name"), str), "name", "a text", value.get("name"))
        _expect(isinstance(value.get("runs"), list) and bool(value["runs"]), "runs", "a list", value.get("runs"))
        return Baseline(value["name"], tuple(_read_run(run, f"runs[{i}]") for i, run in enumerate(value["runs"])))
    except FormatError as error:
        raise error.in_file(path) from error


def _read_run(value: Any, place: str) -> BaselineRun:
    _expect(isinstance(value, dict), place, "an object", value)
    for name in _TEXTS:
        _expect(isinstance(value.get(name), str), f"{place}.{name}", "a text", value.get(name))
    _expect(value["protocol"] in _TOLERANCES, f"{place}.protocol", "paper or corrected", value["protocol"])
    items, rows, versions = value.get("items"), value.get("rows"), value.get("versions", {})
    _expect(_is_list_of(items, str) and bool(items), f"{place}.items", "a list of item names", items)
    _expect(isinstance(rows, list) and bool(rows), f"{place}.rows", "a list of rows", rows)
    count = value.get("sample_count")
    _expect(type(count) is int and count >= 0, f"{place}.sample_count", "a whole number", count)
    texts = isinstance(versions, dict) and _is_list_of(list(versions.values()), str)
    _expect(texts, f"{place}.versions", "an object of texts", versions)
    read = tuple(_read_row(row, f"{place}.rows[{i}]") for i, row in enumerate(rows))
    names = [(row.subset, row.metric) for row in read]
    _expect(len(set(names)) == len(names), f"{place}.rows", "every row once", names)
    known = {name: value[name] for name in _TEXTS}
    return BaselineRun(**known, sample_count=count, items=tuple(items), rows=read, versions=versions)


def _read_row(value: Any, place: str) -> BaselineRow:
    _expect(isinstance(value, dict), place, "an object", value)
    for name in ("subset", "metric"):
        _expect(isinstance(value.get(name), str), f"{place}.{name}", "a text", value.get(name))
    number, n, tolerance = value.get("value"), value.get("n"), value.get("tolerance")
    named = isinstance(number, str) and number in _NOT_JSON
    _expect(named or type(number) in (int, float), f"{place}.value", "a number", number)
    _expect(type(n) is int and n > 0, f"{place}.n", "a whole number above 0", n)
    positive = type(tolerance) in (int, float) and math.isfinite(tolerance) and tolerance > 0
    _expect(positive, f"{place}.tolerance", "a finite number above 0", tolerance)
    return BaselineRow(value["subset"], value["metric"], float(number), n, float(tolerance))


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(entry, kind) for entry in value)


def _expect(holds: bool, place: str, expected: str, found: object) -> None:
    if not holds:
        raise FormatError(place, expected, f"{found!r:.80}")


# -- comparing --------------------------------------------------------------------------------------------------


def compare_to_baseline(scored: ScoredRun, baseline: Baseline) -> list[Verdict]:
    """Every row of a run beside its stored value.

    Rows that were not run here read ``not run``; a run that the baseline does not hold, other items, or surfaces
    sampled otherwise read ``not comparable``. A stored row is never left out, nor is a row of ours with a value.

    Returns:
        Stored rows in their order, then rows of ours that the baseline lacks.
    """
    same = [run for run in baseline.runs if run.key == stored_key(scored)]
    ours = {(row.plan.subset, row.plan.metric.id): row for row in scored.rows}
    if not same:
        reason = f"the baseline {baseline.name} holds no run of {_title(scored)}"
        return [_unknown(scored, baseline, row, reason) for row in ours.values() if row.n]
    run = max(same, key=lambda known: (known.items == scored.items, len(set(known.items) & set(scored.items))))
    verdicts = [_verdict(scored, baseline, run, row, ours.get((row.subset, row.metric))) for row in run.rows]
    stored = {(row.subset, row.metric) for row in run.rows}
    new = [row for key, row in ours.items() if key not in stored and row.n]
    return verdicts + [_unknown(scored, baseline, row, "the baseline holds no value of this row") for row in new]


def stored_key(scored: ScoredRun) -> tuple[str, ...]:
    """`BaselineRun.key` of a measured run."""
    return scored.method, scored.dataset, scored.generated_with, scored.pictures, scored.protocol


def _verdict(scored: ScoredRun, baseline: Baseline, run: BaselineRun, row: BaselineRow, ours: Row | None) -> Verdict:
    value = math.nan if ours is None or not ours.n else ours.value
    label = row.metric if ours is None else ours.plan.label
    state, reason = _state(scored, run, row, ours)
    reference = f"{baseline.name}: {run.method} {row.subset} {row.metric}"
    compared = state in ("reproduced", "off")
    tolerance = row.tolerance if compared else math.nan
    return Verdict(reference, scored.protocol, row.subset, label, row.value, value, tolerance, state, reason)


def _state(scored: ScoredRun, run: BaselineRun, row: BaselineRow, ours: Row | None) -> tuple[State, str]:
    if run.items != scored.items:
        common = len(set(run.items) & set(scored.items))
        order = ", in another order" if common == len(run.items) == len(scored.items) else ""
        counts = f"{len(run.items)} items in the baseline, {len(scored.items)} here, {common} in both{order}"
        return "not comparable", counts
    if ours is None:
        return "not run", f"this run was measured with LPIPS through {scored.lpips_network}"
    if ours.not_run:
        return "not run", ours.not_run
    if ours.plan.views == _SURFACES and _sampled_otherwise(scored, run):
        stored, here = (f"{each.sample_count}, {each.sample_seed}" for each in (run, scored))
        return "not comparable", f"{stored} in the baseline, {here} here"
    if ours.n != row.n:
        return "off", f"{ours.n} items have a value, {row.n} in the baseline"
    return _agreement(ours.value, row), ""


def _sampled_otherwise(scored: ScoredRun, run: BaselineRun) -> bool:
    """Whether somebody chose other samples. Seeds that differ in kind, which nobody can choose, are compared."""
    seeds = (scored.sample_seed, run.sample_seed)
    chosen = all(seed.startswith(_CHOSEN_SEED) for seed in seeds) and seeds[0] != seeds[1]
    return chosen or scored.sample_count != run.sample_count


def _agreement(ours: float, row: BaselineRow) -> State:
    if not math.isfinite(row.value):  # nothing is near infinity but infinity
        return "reproduced" if str(ours) == str(row.value) else "off"
    return judge(ours, row.value, row.tolerance)


def _unknown(scored: ScoredRun, baseline: Baseline, row: Row, reason: str) -> Verdict:
    reference = f"{baseline.name}: {scored.method} {row.plan.subset} {row.plan.metric.id}"
    place = (row.plan.subset, row.plan.label)
    return Verdict(reference, scored.protocol, *place, math.nan, row.value, math.nan, "not comparable", reason)


def _title(run: BaselineRun | ScoredRun) -> str:
    made = f", made in {run.generated_with}" if run.generated_with else ""
    return f"{run.method or 'an unnamed method'} on {run.dataset} under {run.protocol} ({run.pictures} pictures{made})"
