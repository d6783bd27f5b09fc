"""Worker processes: every piece is answered once, and one that takes its process along does not take the others."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from _exchange.errors import InputError, MissingComponent
from _exchange.workers import WorkerDied, available_cores, results_of


def multiplier(factor: int) -> Callable[[int], int]:
    """Multiplies; kills its process at 13, and raises at 17."""

    def work(piece: int) -> int:
        if piece == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        if piece == 17:
            raise InputError("Expected another number than 17.")
        return piece * factor

    return work


def process_id(_: int) -> Callable[[int], int]:
    """Answers with the process that works."""
    return lambda _piece: os.getpid()


def refuses_to_start() -> Callable[[int], int]:
    """Cannot be prepared."""
    raise MissingComponent("No weights.", next_step="Download them.")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_piece_is_answered_once(workers):
    answers = list(results_of(multiplier, (10,), [1, 2, 3, 4, 5], workers))
    assert sorted(answers) == [(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]


def test_one_worker_is_this_process_and_several_are_others():
    assert {answer for _, answer in results_of(process_id, (0,), [1, 2], 1)} == {os.getpid()}
    others = {answer for _, answer in results_of(process_id, (0,), [1, 2], 2)}
    assert os.getpid() not in others


def test_no_pieces_start_no_process():
    assert list(results_of(refuses_to_start, (), [], 2)) == []


def test_a_worker_that_dies_is_the_answer_of_its_piece_alone():
    answers = dict(results_of(multiplier, (10,), [1, 13, 2, 3], 2))
    assert isinstance(answers.pop(13), WorkerDied)
    assert answers == {1: 10, 2: 20, 3: 30}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_work_raises_ends_the_run(workers):
    with pytest.raises(InputError, match="than 17"):
        list(results_of(multiplier, (10,), [17], workers))


def test_what_the_preparation_raises_reaches_the_parent_with_its_next_step():
    with pytest.raises(MissingComponent, match="No weights") as caught:
        list(results_of(refuses_to_start, (), [1, 2], 2))
    assert caught.value.next_step == "Download them."


def test_there_is_a_core():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
