"""Worker processes for pieces of work that do not depend on one another, and survive each other's end.

Results come in the order in which they are done; whoever needs an order sorts. Workers leave Ctrl-C to their parent
and end by themselves when the parent is gone, also after a SIGKILL, so a killed run leaves nothing behind that writes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, NoReturn, TypeVar

from _exchange.errors import SuiteError

Piece = TypeVar("Piece")
Result = TypeVar("Result")
_SECONDS_BETWEEN_LOOKS = 0.5


class WorkerDied(SuiteError):
    """The process that worked on one piece ended without an answer: killed, out of memory, or crashed."""


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def results_of(
    prepare: Callable[..., Callable[[Piece], Result]],
    arguments: tuple[object, ...],
    pieces: Sequence[Piece],
    workers: int,
) -> Iterator[tuple[Piece, Result | WorkerDied]]:
    """Work on every piece; yields each with its result as soon as it is there.

    Args:
        prepare: module-level; called once per process with `arguments`, returns the function that does one piece.
            What that function raises ends the whole run, so it should answer failures as values.
        arguments: of `prepare`; sent to the workers by pickle, as pieces and results are.
        pieces: what to work on.
        workers: number of processes; with 1, everything runs in this process.

    A worker that dies takes its siblings' work along (the pool of the standard library breaks); the pieces left over
    are then tried one at a time, and only one whose own worker dies is answered with `WorkerDied`.
    """
    if workers <= 1:
        work = prepare(*arguments)
        for piece in pieces:
            yield piece, work(piece)
        return
    left = list(pieces)
    for piece, result in _together(prepare, arguments, left, min(workers, len(left))):
        left.remove(piece)
        yield piece, result
    for piece in left:
        answers = [result for _, result in _together(prepare, arguments, [piece], 1)]
        yield piece, answers[0] if answers else WorkerDied("The worker process ended without an answer.")


def _together(
    prepare: Callable[..., Callable[[Piece], Result]],
    arguments: tuple[object, ...],
    pieces: Sequence[Piece],
    workers: int,
) -> Iterator[tuple[Piece, Result]]:
    """Results of one pool; fewer than pieces where it broke."""
    if not pieces:
        return
    # Fresh processes, not forks: libraries with threads of their own do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(os.getpid(), prepare, arguments))
    try:
        futures = {pool.submit(_work_on, piece): piece for piece in pieces}
        for future in as_completed(futures):
            try:
                result = future.result()
            except BrokenProcessPool:
                continue
            yield futures[future], result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


# -- inside a worker --------------------------------------------------------------------------------------------

_work_of_this_process: list[Callable[..., Any]] = []
"""What `prepare` returned here: the pool of the standard library hands its initializer's result to nobody."""


def _begin(parent: int, prepare: Callable[..., Callable[..., Any]], arguments: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        work = prepare(*arguments)
    except Exception as error:  # handed to the parent with the first piece; a pool would only say that it is broken
        work = partial(_refuse, error)
    _work_of_this_process[:] = [work]


def _refuse(error: Exception, _: Any) -> NoReturn:
    raise error


def _work_on(piece: Any) -> Any:
    return _work_of_this_process[0](piece)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)
