"""A measured run beside the published numbers: each row under each protocol gets a verdict. No torch.

What can be compared: the published set with all its items, the published protocol on reconstructions made in it,
pasted pictures, the published networks. The method is no condition. A published row with two columns (two cards) is
judged against the nearer one; as a tolerance is never below their spread, this is the interval from the lower column
less the tolerance to the upper one plus it. Source: spec/measure.md §7.1, §9, spec/systems.md §16.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from _exchange.digest import sha256_of_file
from _exchange.errors import InputError
from _exchange.protocol import Way
from _exchange.run_folder import RunFolder
from _measure.aggregate import Row
from _measure.published import Published, PublishedRow, Record, Tolerance
from _measure.scored_run import MEASURE_COMMAND, MEASURED_BEFORE, ScoredRun
from _measure.seeds import SeedStudy, seed_folder
from _measure.verdict import State, Verdict, judge
from _measure.verification import Verification
from _measure.weights import weight_file_named

WAYS: tuple[Way, ...] = get_args(Way)
_LPIPS_WEIGHTS = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
_LPIPS_NAMES = {"alexnet": "AlexNet", "vgg16": "VGG16", "squeezenet1_1": "SqueezeNet"}


def verify_published(
    run: RunFolder, published: Published | None = None, study: SeedStudy | None = None
) -> list[Verdict]:
    """Every published row that this suite can measure, under each protocol.

    Args:
        run: measured; scores under the protocol that its own are not in are taken from its variant of that name, where
            that scores the same predictions.
        published: default: the registry alone.
        study: repeats of ``paper`` with several seeds; its means and tolerances then stand for that protocol.

    Returns:
        All rows under ``paper``, then all under ``corrected``; none is left out.

    Raises:
        InputError: the run was not measured yet.
        FormatError: a file of the run is damaged.
    """
    registry = Published.read() if published is None else published
    scored, outdated = _protocols(run)
    if study is not None:
        scored = {**scored, "paper": study.scored}
    tables = {way: _Table(of_way, of_way.rows) for way, of_way in scored.items()}
    return [
        _verdict(row, registry, way, tables.get(way, _missing(way, outdated)), study if way == "paper" else None)
        for way in WAYS
        for row in registry.rows()
    ]


def published_verification(
    run: RunFolder, published: Published, study: SeedStudy | None = None, *, list_all: bool = False
) -> Verification:
    """The same with everything that is shown beside it; with `list_all` also numbers that no run can be held against.

    Raises:
        As `verify_published` does.
    """
    scored = study.scored if study is not None else ScoredRun.read(run)
    rows = published.rows()
    verdicts = verify_published(run, published, study)
    reasons = {record.id: _tolerance(row, published, study).why for row in rows for record in row.columns}
    whose = sorted({row.first.method for row in rows if not _same_name(row.first.method, scored.method)})
    notes = [f"published for {name}; this run is {scored.method or 'of an unnamed method'}" for name in whose]
    judged = {record.id for row in rows for record in row.columns}
    others = [_listed(record, published) for record in published.records if record.id not in judged]
    return Verification(
        against="published",
        method=scored.method,
        dataset=scored.dataset,
        verdicts=tuple(verdicts),
        rows={record.id: row for row in rows for record in row.columns},
        tolerance_why=reasons,
        notes=tuple(notes),
        listed=tuple(others) if list_all else (),
        not_obtained=published.not_obtained,
        study=study,
        seed_rows=tuple(row for row in rows if published.protocols[row.first.protocol].measured_as == "paper"),
    )


def measured_protocols(run: RunFolder) -> dict[Way, ScoredRun]:
    """Scores of a run by protocol: its own, and those of its variants ``paper`` and ``corrected``.

    Variants that score other predictions than the run's own table, or against another truth, are left out.

    Raises:
        InputError: the run was not measured, or a variant holds scores of another protocol than its name.
        FormatError: a file is damaged.
    """
    return _protocols(run)[0]


def judged_scores(run: RunFolder, study: SeedStudy | None = None) -> dict[str, str]:
    """SHA-256 of every file of scores that verdicts on a run rest on, its own first, by path below its folder.

    Raises:
        As `measured_protocols` does.
    """
    repeats = [] if study is None else [seed_folder(run, seed).scores for seed in range(study.count)]
    paths = [run.scores, *(scored.folder.scores for scored in measured_protocols(run).values()), *repeats]
    return {path.relative_to(run.path).as_posix(): sha256_of_file(path) for path in dict.fromkeys(paths)}


def _protocols(run: RunFolder) -> tuple[dict[Way, ScoredRun], frozenset[Way]]:
    """`measured_protocols`, and the protocols whose variants were left out."""
    own = ScoredRun.read(run)
    found: dict[Way, ScoredRun] = {}
    outdated = set[Way]()
    for way in WAYS:
        variant = run.variant(way)
        if own.protocol == way:
            found[way] = own
        elif variant.scores.is_file():
            scored = ScoredRun.read(variant)
            if scored.protocol != way:
                raise InputError(f"Expected scores under {way} in {variant.path}, found {scored.protocol}.")
            if scored.is_beside(own):
                found[way] = scored
            else:
                outdated.add(way)
    return found, frozenset(outdated)


def _missing(way: Way, outdated: frozenset[Way]) -> str:
    """Why there are no scores under a protocol, where there are none."""
    if way in outdated:
        return f"variant {way} {MEASURED_BEFORE}"
    return f"not measured under {way}: {MEASURE_COMMAND} RUN --variants"


@dataclass(frozen=True, eq=False)
class _Table:
    """Scores under one protocol with their rows, which take a while."""

    scored: ScoredRun
    rows: tuple[Row, ...]

    def row_of(self, record: Record) -> Row | None:
        """Our row of a published one; a metric may be named with its network, as ``lpips-squeeze``."""
        for row in self.rows:
            if row.plan.subset == record.subset and record.metric in (row.plan.label, row.plan.metric.label):
                return row
        return None


def _verdict(
    row: PublishedRow, published: Published, way: Way, table: _Table | str, study: SeedStudy | None
) -> Verdict:
    """The verdict of a row; instead of a table there may be the reason why there is none."""
    first = row.first
    ours = None if isinstance(table, str) else table.row_of(first)
    value = math.nan if ours is None or not ours.n else ours.value
    seeds = None if study is None else study.row(first.subset, first.metric)
    if seeds is not None:
        value = seeds.mean
    nearest = row.nearest(value)
    state, reason = _obstacle(row, published, way, table, ours)
    tolerance = math.nan
    if state is None:
        tolerance = _tolerance(row, published, study).value
        state = judge(value, nearest.number, tolerance)
        notes = ["" if study is None else f"mean of {study.count} seeds", "" if ours is None else ours.note]
        reason = "; ".join(note for note in notes if note)
    return Verdict(nearest.id, way, first.subset, first.metric, nearest.number, value, tolerance, state, reason)


def _obstacle(
    row: PublishedRow, published: Published, way: Way, table: _Table | str, ours: Row | None
) -> tuple[State | None, str]:
    """Why nothing is judged. Another protocol or dataset is another quantity, whether it was measured or not."""
    first = row.first
    protocol = published.protocols[first.protocol]
    wanted = published.datasets[first.dataset]
    reasons = [] if way == protocol.measured_as else [f"protocol {way}"]
    if isinstance(table, str):
        return ("not comparable", "; ".join([*reasons, table])) if reasons else ("not run", table)
    scored = table.scored
    if scored.dataset != wanted.renderset:
        known = wanted.renderset if wanted.renderset == first.dataset else f"{first.dataset} ({wanted.renderset})"
        reasons.append(f"dataset {scored.dataset or 'unknown'} instead of {known}")
    if ours is None:
        return "not comparable", "; ".join([*reasons, "no such row is measured by this suite"])
    if ours.not_run and not reasons:
        return "not run", ours.not_run
    if scored.generated_with not in ("", protocol.measured_as):
        reasons.append(f"reconstructed in protocol {scored.generated_with}")
    if scored.pictures != "pasted":
        reasons.append(f"{scored.pictures} pictures")
    if ours.not_run:
        reasons.append(f"not run: {ours.not_run}")
    else:
        reasons += [*_count_reason(scored, ours, wanted.items), *_network_reason(scored, ours, protocol.networks)]
    return ("not comparable", "; ".join(reasons)) if reasons else (None, "")


def _count_reason(scored: ScoredRun, ours: Row, items: int | None) -> list[str]:
    """All items must have a value, infinite or not. F1's last-item rows stand on the whole list as well."""
    wanted = len(scored.items) if items is None else items
    complete = len(scored.items) - ours.missing
    if len(scored.items) > wanted:
        return [f"{len(scored.items)} items instead of {wanted}"]
    return [] if complete == wanted else [f"{complete} of {wanted} items"]


def _network_reason(scored: ScoredRun, ours: Row, networks: Mapping[str, str]) -> list[str]:
    wanted = networks.get(ours.plan.label)
    if wanted is None:
        return []
    if wanted in _LPIPS_NAMES and _LPIPS_WEIGHTS[scored.lpips_network] != wanted:
        return [f"LPIPS-{scored.lpips_network} instead of LPIPS-{_LPIPS_NAMES[wanted]}"]
    file = weight_file_named(wanted)
    digest = scored.weights.get(file.file_name, "")
    if not digest:
        return [f"other weights: no digest of {file.file_name} was recorded"]
    return [] if digest == file.sha256 else [f"other weights: {file.file_name} has the SHA-256 {digest[:12]}…"]


def _tolerance(row: PublishedRow, published: Published, study: SeedStudy | None) -> Tolerance:
    seeds = None if study is None else study.row(row.first.subset, row.first.metric)
    unmeasured = published.tolerance(row)
    if study is None:
        return unmeasured
    if seeds is None or not seeds.touched:
        return Tolerance(unmeasured.value, f"{unmeasured.why}; the seeds do not touch this row")
    width = seeds.width_of_difference
    if width > row.spread:
        return Tolerance(
            width, f"1.96 standard deviations of one run's difference from the mean of {seeds.count} seeds"
        )
    return Tolerance(row.spread, "difference between the published columns, above that of the seeds")


def _listed(record: Record, published: Published) -> Verdict:
    """A number that no run is held against."""
    protocol = published.protocols[record.protocol]
    state: State = "not run" if record.state == "checkable" else record.state
    why = f"nothing of this suite measures it yet: {protocol.text}" if state == "not run" else record.tolerance_why
    printed = "" if isinstance(record.value, float) else f"printed as {record.shown}"
    reason = "; ".join(part for part in (printed, why, record.notes) if part)
    place = (record.subset, record.metric)
    return Verdict(record.id, "", *place, record.number, math.nan, math.nan, state, reason)


def _same_name(published: str, ours: str) -> bool:
    """``PAniC-3D`` is ``panic3d``."""
    first, second = ("".join(filter(str.isalnum, name)).lower() for name in (published, ours))
    return first == second
