"""CPU and wall seconds by stage, for the benches of all rooms."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Stage:
    """Cost of one stage: seconds of CPU time over all threads of the process, and of the clock."""

    name: str
    cpu_seconds: float
    wall_seconds: float


class StageClock:
    """Adds up seconds by stage; of stages inside one another the outer keeps what the inner leaves."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}
        self._inner = [(0.0, 0.0)]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block."""
        cpu, wall = time.process_time(), time.perf_counter()
        self._inner.append((0.0, 0.0))
        yield
        whole = time.process_time() - cpu, time.perf_counter() - wall
        inner_cpu, inner_wall = self._inner.pop()
        self._spent[name] = _sum(self._spent.get(name, (0.0, 0.0)), (whole[0] - inner_cpu, whole[1] - inner_wall))
        self._inner[-1] = _sum(self._inner[-1], whole)

    def time(self, name: str, step: Callable[[], Result]) -> Result:
        """Time a call, and return what it returns."""
        with self.stage(name):
            return step()

    def stages(self) -> tuple[Stage, ...]:
        """In the order in which they were first left."""
        return tuple(Stage(name, *spent) for name, spent in self._spent.items())


def median_stages(clocks: Sequence[StageClock]) -> tuple[Stage, ...]:
    """Medians by stage over the clocks that know it; stages in the order of the first clock that does."""
    by_name: dict[str, list[Stage]] = {}
    for clock in clocks:
        for stage in clock.stages():
            by_name.setdefault(stage.name, []).append(stage)
    return tuple(
        Stage(name, statistics.median(s.cpu_seconds for s in same), statistics.median(s.wall_seconds for s in same))
        for name, same in by_name.items()
    )


def _sum(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    return first[0] + second[0], first[1] + second[1]
