"""Worker processes: every piece is answered once, and one that takes its process along does not take the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from _exchange.errors import InputError, MissingComponent
from _exchange.workers import WorkerDied, available_cores, results_of

REPOSITORY = Path(__file__).resolve().parents[2]


def multiplier(factor: int) -> Callable[[int], int]:
    """Multiplies; kills its process at 13, and raises at 17."""

    def work(piece: int) -> int:
        if piece == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        if piece == 17:
            raise InputError("Expected another number than 17.")
        return piece * factor

    return work


def recorder() -> Callable[[int], int]:
    """Answers with the process that works; dies at 13."""

    def work(piece: int) -> int:
        if piece == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    return work


def dies_at_thirteen() -> Callable[[tuple[int, int]], int]:
    """Dies at every piece that begins with 13."""
    multiply = multiplier(1)
    return lambda piece: multiply(piece[0])


def measurer() -> Callable[[np.ndarray], int]:
    """The length of an array."""
    return len


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


def test_after_a_death_only_the_pieces_in_hand_are_tried_alone():
    pieces = [13, *range(100, 130)]
    answers = dict(results_of(recorder, (), pieces, 2))
    assert isinstance(answers.pop(13), WorkerDied)
    assert sorted(answers) == pieces[1:]
    # the first pool, at most three alone, and two for all the others: far from a process for each piece
    assert len(set(answers.values())) <= 6


def test_several_deaths_are_each_answered():
    deadly = [(13, number) for number in range(3)]
    pieces = [deadly[0], (1, 0), deadly[1], deadly[2], (2, 0)]
    answers = dict(results_of(dies_at_thirteen, (), pieces, 2))
    assert {piece for piece, answer in answers.items() if isinstance(answer, WorkerDied)} == set(deadly)
    assert len(answers) == len(pieces)


def test_pieces_need_not_be_comparable():
    pieces = [np.arange(3), np.arange(4)]
    assert sorted(answer for _, answer in results_of(measurer, (), pieces, 2)) == [3, 4]


INTERRUPTED = """
import multiprocessing.util, os, signal, threading, time
from _exchange.workers import results_of
from tests.exchange.test_workers import process_id

start = multiprocessing.util.spawnv_passfds

def start_and_press(path, arguments, handles):
    started = start(path, arguments, handles)
    if "spawn_main" in str(arguments):  # a worker, which has not been told yet what to do
        os.killpg(0, signal.SIGINT)
        time.sleep(0.2)
    return started

multiprocessing.util.spawnv_passfds = start_and_press
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background of a shell are born deaf to it
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
try:
    list(results_of(process_id, (0,), list(range(5000)), 2))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_while_workers_start_is_heard_by_the_parent_alone():
    """Also where another thread takes the signal, as those of numerical libraries do."""
    parent = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.communicate(timeout=60) == ("interrupted\n", "")


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
