"""Measured runs that are set side by side: found, named so that they can be told apart, refused where they differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from _exchange.errors import InputError
from _exchange.protocol import Way
from _exchange.run_folder import RunFolder
from _measure.aggregate import RowPlan
from _measure.scored_run import MEASURED_BEFORE, ScoredRun, measure_command

_MUST_AGREE = {"dataset": "dataset", "protocol": "protocol", "lpips_network": "LPIPS network", "pictures": "pictures"}
"""Fields of `ScoredRun` without whose agreement values mean different things, in words."""
_SHOULD_AGREE = ("sample_count", "sample_seed", "generated_with", "device")
"""Fields that move values a little; a difference is stated."""


@dataclass(frozen=True)
class NamedRun:
    """A measured run and what it is called beside the others."""

    name: str
    scored: ScoredRun

    def values(self, plan: RowPlan) -> dict[str, float]:
        """Scaled value of a row by item, in list order; items without a number are left out."""
        return {item: value for item, value in self.scored.values(plan).items() if not math.isnan(value)}

    def not_run(self, plan: RowPlan) -> str:
        """Why a row's metric was not computed in this run; empty where it was."""
        reason = self.scored.not_run.get(plan.metric.id, "")
        return "" if any(score.metric == plan.metric.id for score in self.scored.scores) else reason


def read_runs(paths: Sequence[Path], protocol: Way | None) -> tuple[NamedRun, ...]:
    """At least two measured runs that can be compared.

    Args:
        paths: run folders, each once.
        protocol: whose scores to take: the folder's own, or its variant of that name; None takes the folder's own.

    Raises:
        InputError: there are fewer than two, one stands twice, one was not measured, or they cannot be compared.
        FormatError: a file is damaged.
    """
    if len(paths) < 2:
        raise InputError(f"Expected at least two runs to compare, found {len(paths)}.")
    resolved = [path.resolve() for path in paths]
    for place, path in enumerate(resolved):
        if path in resolved[:place]:
            raise InputError(f"Expected every run once, found {paths[place]} twice.")
    scored = [_scored(RunFolder(path), protocol) for path in paths]
    runs = tuple(NamedRun(name, run) for name, run in zip(names_apart(resolved), scored))
    require_comparable(runs)
    return runs


def names_apart(paths: Sequence[Path]) -> list[str]:
    """Name of each folder; where names collide, with as many of its parents as tell them apart.

    Bytes that are no UTF-8 are shown as escapes, so that every name can be written.

    >>> names_apart([Path("/a/x/run"), Path("/a/y/run"), Path("/b/other")])
    ['x/run', 'y/run', 'other']
    """
    names = []
    for path in paths:
        depth = 1
        while depth < len(path.parts) and any(
            other != path and other.parts[-depth:] == path.parts[-depth:] for other in paths
        ):
            depth += 1
        name = "/".join(part.strip("/") for part in path.parts[-depth:])
        names.append(name.encode("utf-8", "backslashreplace").decode("utf-8"))
    return names


def require_comparable(runs: Sequence[NamedRun]) -> None:
    """Refuse runs whose values mean different things.

    Raises:
        InputError: they differ in dataset, protocol, LPIPS network, pictures, a network's weights or the truth of an
            item, or have no item in common.
    """
    first = runs[0]
    for other in runs[1:]:
        for field, word in _MUST_AGREE.items():
            _require_same(word, first, other, getattr(first.scored, field), getattr(other.scored, field))
        for file in sorted(first.scored.weights.keys() & other.scored.weights.keys()):
            _require_same(f"weights {file}", first, other, first.scored.weights[file], other.scored.weights[file])
        if not set(first.scored.items) & set(other.scored.items):
            raise InputError(f"Expected items that {first.name} and {other.name} have in common, found none.")
    for place, run in enumerate(runs):
        for other in runs[:place]:
            _require_same_truth(other, run)


def remarks_on(runs: Sequence[NamedRun]) -> list[str]:
    """What differs between runs that can be compared all the same, one sentence each."""
    first, lines = runs[0], []
    for other in runs[1:]:
        mine, theirs = _moving_facts(first.scored), _moving_facts(other.scored)
        lines += [
            f"{name} differs: {mine.get(name) or 'unknown'} in {first.name}, "
            f"{theirs.get(name) or 'unknown'} in {other.name}"
            for name in dict.fromkeys([*mine, *theirs])
            if mine.get(name) != theirs.get(name)
        ]
    return lines


def reasons_not_run(plan: RowPlan, runs: Sequence[NamedRun]) -> list[str]:
    """Why a row was not run, each reason once with the names of its runs before it; none where all ran it.

    Where there are several runs and one reason for all, they are called ``any run``.
    """
    names: dict[str, list[str]] = {}
    for run in runs:
        names.setdefault(run.not_run(plan), []).append(run.name)
    whose = {reason: "any run" if 1 < len(those) == len(runs) else ", ".join(those) for reason, those in names.items()}
    return [f"{those}: {reason}" for reason, those in whose.items() if reason]


def common_items(runs: Sequence[NamedRun]) -> dict[RowPlan, frozenset[str]]:
    """By row, the items of which every run has a value; runs in which the row was not run do not count."""
    common = {}
    for plan in runs[0].scored.plans:
        known = [frozenset(run.values(plan)) for run in runs if not run.not_run(plan)]
        common[plan] = frozenset.intersection(*known) if known else frozenset()
    return common


def common_line(common: Mapping[RowPlan, frozenset[str]], runs: Sequence[NamedRun]) -> str:
    """How many items the common subset holds, in words."""
    counts = [len(items) for plan, items in common.items() if not all(run.not_run(plan) for run in runs)]
    shown = "no" if not counts else str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    total = len(all_items(runs))
    return f"common subset: in each row only items that all {len(runs)} runs have complete, {shown} of {total} items"


def all_items(runs: Sequence[NamedRun]) -> list[str]:
    """Items of all runs, each once, in list order."""
    return list(dict.fromkeys(item for run in runs for item in run.scored.items))


def _scored(folder: RunFolder, protocol: Way | None) -> ScoredRun:
    if not folder.path.is_dir():
        raise InputError(f"Expected a run folder {folder.path}, found none.")
    if protocol is None:
        return ScoredRun.read(folder)
    found: list[str] = []
    own: ScoredRun | None = None
    for place in (folder, folder.variant(protocol)):
        if place.table("json").is_file():
            scored = ScoredRun.read(place)
            own = own or scored
            if scored.protocol != protocol:
                found.append(scored.protocol)
            elif scored is own or scored.is_beside(own):
                return scored
            else:
                found.append(f"{protocol} {MEASURED_BEFORE.partition(':')[0]}")
    raise InputError(
        f"Expected scores of {folder.path} under the protocol {protocol}, found {' and '.join(found) or 'none'}.",
        next_step=f"Run {measure_command(folder)} --variants first.",
    )


def _moving_facts(scored: ScoredRun) -> dict[str, str]:
    return {name: str(getattr(scored, name)) for name in _SHOULD_AGREE} | dict(scored.versions)


def _require_same_truth(first: NamedRun, other: NamedRun) -> None:
    """Items of one name are one character; where a table does not say, nothing can be told."""
    mine, theirs = first.scored.truths, other.scored.truths
    common = [item for item in mine if item in theirs]
    differing = [item for item in common if mine[item] != theirs[item]]
    if differing:
        raise InputError(
            f"Expected items of one name to be one character, found that the true pictures or characters of "
            f"{len(differing)} of {len(common)} items differ between {first.name} and {other.name}, "
            f"first {differing[0]}.",
            next_step="Measure both against one dataset: --data.",
        )


def _require_same(word: str, first: NamedRun, other: NamedRun, mine: str, theirs: str) -> None:
    if mine != theirs:
        found = f"{mine!r:.80} in {first.name} and {theirs!r:.80} in {other.name}"
        hint = "Choose one with --protocol, or measure them alike." if word == "protocol" else "Measure them alike."
        raise InputError(f"Expected runs with the same {word}, found {found}.", next_step=hint)
