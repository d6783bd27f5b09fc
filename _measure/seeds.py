"""How far chance reaches: a run measured several times under `paper`, whose surface samples follow no fixed seed.

Pictures are drawn once, when a run is generated, so rows of pictures do not change here; rows of surfaces do. Source:
spec/measure.md §6.3, §7.1, §8 (switch 8).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from _exchange.errors import InputError
from _exchange.run_folder import RunFolder, run_or_latest
from _measure.grid import Column, Grid
from _measure.published import PublishedRow, Record
from _measure.scored_run import ScoredRun
from _measure.statistics import mean, standard_error

if TYPE_CHECKING:
    from _measure.measure import MeasureConfig

NORMAL_95 = 1.96
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class SeedRow:
    """One row of the table, repeated.

    Attributes:
        subset, metric: first and second column.
        values: in order of the seeds, scaled as in the table.
    """

    subset: str
    metric: str
    values: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many seeds."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return mean(self.values)

    @property
    def deviation(self) -> float:
        """Sample standard deviation over seeds; NaN where a value is not finite."""
        return standard_error(self.values) * math.sqrt(self.count)

    @property
    def width_of_difference(self) -> float:
        """What a difference between one more run and the mean of these stays below, in 95 of 100 cases.

        The run varies by σ and the mean by σ/√k, so their difference by σ·√(1 + 1/k).

        >>> round(SeedRow("geom", "cd", (1.0, 3.0)).width_of_difference, 4)  # σ = √2, √(1 + 1/2)
        3.3948
        """
        return NORMAL_95 * self.deviation * math.sqrt(1 + 1 / self.count)

    @property
    def touched(self) -> bool:
        """Whether the seeds change it at all."""
        return len(set(map(repr, self.values))) > 1

    def below(self, value: float) -> int:
        """How many seeds gave less."""
        return sum(ours < value for ours in self.values)

    def holds(self, value: float) -> bool:
        """Whether it lies between the least and the largest of them."""
        return min(self.values) <= value <= max(self.values)


@dataclass(frozen=True, eq=False)
class SeedStudy:
    """Repeats of one run.

    Attributes:
        scored: the repeat with seed 0.
        rows: in the table's order; those without a value are left out.
        count: how many seeds, from 0 on.
    """

    scored: ScoredRun
    rows: tuple[SeedRow, ...]
    count: int

    def row(self, subset: str, metric: str) -> SeedRow | None:
        """A row, or None where it has no values."""
        return next((row for row in self.rows if (row.subset, row.metric) == (subset, metric)), None)


def measure_seeds(count: int, config: MeasureConfig) -> SeedStudy:
    """Measure a run under ``paper`` with the seeds 0 … `count` − 1, into its variants ``paper-seed-<s>``.

    Pictures are scored for the first seed alone: all seeds share the run's journal.

    Args:
        count: at least 2.
        config: path, data, items, workers and the like; protocol, seed and folder of results are set here.

    Raises:
        InputError: fewer than two seeds, or as `measure` does.
    """
    # Only where something is measured, so that reading verdicts loads little.
    from _measure.measure import measure, results_folder

    if count < 2:
        raise InputError(f"Expected at least two seeds to see how far chance reaches, found {count}.")
    run = run_or_latest(config.path)
    folders = [seed_folder(results_folder(run), seed) for seed in range(count)]
    for seed, folder in enumerate(folders):
        measure(replace(config, path=run.path, out=folder.path, protocol="paper", lpips_net="alex", seed=seed))
    return read_seeds([ScoredRun.read(folder) for folder in folders])


def seed_folder(run: RunFolder, seed: int) -> RunFolder:
    """Where the scores of one seed lie."""
    return run.variant(f"paper-seed-{seed}")


def read_seeds(repeats: list[ScoredRun]) -> SeedStudy:
    """Rows of all repeats, side by side; a row that one of them lacks is left out."""
    tables = [{(row.plan.subset, row.plan.label): row for row in scored.rows if row.n} for scored in repeats]
    common = [key for key in tables[0] if all(key in table for table in tables)]
    rows = [SeedRow(*key, tuple(table[key].value for table in tables)) for key in common]
    return SeedStudy(repeats[0], tuple(rows), len(repeats))


def seed_records(study: SeedStudy, published: Sequence[PublishedRow]) -> list[dict[str, Any]]:
    """JSON values: the distribution of each row, and where the published values fall in it."""
    return [
        {
            "subset": row.subset,
            "metric": row.metric,
            "seeds": row.count,
            "values": [value if math.isfinite(value) else str(value) for value in row.values],
            "mean": _finite(row.mean),
            "standard_deviation": _finite(row.deviation),
            "minimum": _finite(min(row.values)),
            "maximum": _finite(max(row.values)),
            "published": [
                {
                    "id": record.id,
                    "value": record.number,
                    "seeds_below": row.below(record.number),
                    "percentile": 100 * row.below(record.number) / row.count,
                    "inside": row.holds(record.number),
                }
                for record in _columns(row, published)
            ],
        }
        for row in study.rows
    ]


def seed_grid(study: SeedStudy, published: Sequence[PublishedRow]) -> Grid:
    """The same for people."""
    heads = ("subset", "metric", "mean", "sd", "least", "largest", "beside the published values")
    columns = tuple(Column(head, right=2 <= place < 6) for place, head in enumerate(heads))
    rows = []
    for row in study.rows:
        spread = (row.deviation, min(row.values), max(row.values)) if row.touched else ()
        numbers = [f"{value:.4f}" for value in (row.mean, *spread)]
        places = [_place(row, record.number) for record in _columns(row, published)]
        beside = "; ".join(places) if row.touched else "the seeds do not touch it"
        rows.append((row.subset, row.metric, *numbers, *[""] * (4 - len(numbers)), beside))
    return Grid(columns, tuple(rows), (f"protocol paper with the seeds 0 … {study.count - 1} of the surface samples",))


def _place(row: SeedRow, value: float) -> str:
    where = "inside" if row.holds(value) else "outside"
    return f"{value:.3f} {where}, {row.below(value)} of {row.count} seeds below it"


def _columns(row: SeedRow, published: Sequence[PublishedRow]) -> list[Record]:
    """Published columns of a row, of all methods."""
    same = [other for other in published if (other.first.subset, other.first.metric) == (row.subset, row.metric)]
    return [record for other in same for record in other.columns]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
