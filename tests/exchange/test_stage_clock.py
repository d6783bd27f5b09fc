"""Seconds by stage, with a clock that is turned by hand."""

from __future__ import annotations

import pytest

from _exchange import stage_clock
from _exchange.stage_clock import Stage, StageClock, median_stages


class HandTurned:
    """Stands for the module `time`: the processor works half of the time."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.now / 2


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> HandTurned:
    turned = HandTurned()
    monkeypatch.setattr(stage_clock, "time", turned)
    return turned


def test_the_outer_stage_keeps_what_the_inner_leaves(hands: HandTurned) -> None:
    clock = StageClock()
    with clock.stage("outer"):
        hands.now += 10
        with clock.stage("inner"):
            hands.now += 4
            with clock.stage("innermost"):
                hands.now += 2
        hands.now += 1
    assert clock.stages() == (Stage("innermost", 1, 2), Stage("inner", 2, 4), Stage("outer", 5.5, 11))


def test_a_stage_that_comes_again_is_added_and_a_call_gives_its_result(hands: HandTurned) -> None:
    clock = StageClock()

    def step() -> str:
        hands.now += 3
        return "made"

    assert [clock.time("step", step), clock.time("step", step)] == ["made", "made"]
    assert clock.stages() == (Stage("step", 3, 6),)


def test_medians_are_taken_by_stage_over_the_clocks_that_know_it(hands: HandTurned) -> None:
    clocks = [StageClock() for _ in range(3)]
    for clock, seconds in zip(clocks, (2, 10, 4)):
        with clock.stage("always"):
            hands.now += seconds
    with clocks[2].stage("once"):
        hands.now += 8
    assert median_stages(clocks) == (Stage("always", 2, 4), Stage("once", 4, 8))
