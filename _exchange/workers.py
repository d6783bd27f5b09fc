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
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, NoReturn, TypeVar

from _exchange.errors import SuiteError

Piece = TypeVar("Piece")
Result = TypeVar("Result")
Executor = Literal["local", "ray"]
"""Where workers run: processes of this machine, or those of a Ray cluster (see `ray_workers`)."""
_SECONDS_BETWEEN_LOOKS = 0.1


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
    executor: Executor = "local",
) -> Iterator[tuple[Piece, Result | WorkerDied]]:
    """Work on every piece; yields each with its result as soon as it is there.

    Args:
        prepare: module-level; called once per process with `arguments`, returns the function that does one piece.
            What that function raises ends the whole run, so it should answer failures as values.
        arguments: of `prepare`; sent to the workers by pickle, as pieces and results are.
        pieces: what to work on.
        workers: number of processes; with 1 and ``local``, everything runs in this process.
        executor: where they run.

    Raises:
        MissingComponent: ``ray`` is asked for and not installed.

    A worker that dies takes its siblings' work along (the pool of the standard library breaks); the few pieces in hand
    are then tried one at a time, only one whose own worker dies is answered with `WorkerDied`, and the others go on
    together.
    """
    if executor == "ray":
        from _exchange.ray_workers import results_of_actors  # Ray is loaded where it is chosen

        yield from results_of_actors(prepare, arguments, pieces, workers)
        return
    if workers <= 1:
        work = prepare(*arguments)
        for piece in pieces:
            yield piece, work(piece)
        return
    waiting = deque(pieces)
    while waiting:
        suspects = yield from _together(prepare, arguments, waiting, min(workers, len(waiting)))
        for piece in suspects:
            if (yield from _together(prepare, arguments, deque([piece]), 1)):
                yield piece, WorkerDied("The worker process ended without an answer.")


def _together(
    prepare: Callable[..., Callable[[Piece], Result]],
    arguments: tuple[object, ...],
    waiting: deque[Piece],
    workers: int,
) -> Generator[tuple[Piece, Result], None, list[Piece]]:
    """Results of one pool. Takes pieces off `waiting`; returns those that were in hand when the pool broke."""
    # Fresh processes, not forks: libraries with threads of their own do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(os.getpid(), prepare, arguments))
    in_hand: dict[Future[Result], Piece] = {}
    lost: list[Piece] = []
    try:
        while in_hand or (waiting and not lost):
            while waiting and not lost and len(in_hand) < workers + 1:  # one ready, so that no worker waits for us
                piece = waiting.popleft()
                try:
                    in_hand[_submit(pool, piece)] = piece
                except BrokenProcessPool:
                    lost.append(piece)
            done, _ = wait(in_hand, return_when=FIRST_COMPLETED)
            for future in done:
                piece = in_hand.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    lost.append(piece)
                    continue
                yield piece, result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return lost


def _submit(pool: ProcessPoolExecutor, piece: Any) -> Future[Any]:
    """Hand a piece to the pool, which may start processes; they are born deaf to Ctrl-C, also before `_begin`."""
    with _ctrl_c_waits():
        return pool.submit(_work_on, piece)


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Ctrl-C is heard after the block; processes that are started in it inherit the blocked signal.

    Blocking alone does not keep it from this process: a thread of a numerical library takes the signal, and Python
    raises KeyboardInterrupt in the main thread all the same, perhaps between a process and what it is told to do.
    """
    presses: list[int] = []
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    handler = signal.getsignal(signal.SIGINT)
    is_heard = callable(handler) and threading.current_thread() is threading.main_thread()
    try:
        if is_heard:
            signal.signal(signal.SIGINT, lambda number, _: presses.append(number))
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if is_heard:
            signal.signal(signal.SIGINT, handler)
        if presses:
            signal.raise_signal(signal.SIGINT)


# -- inside a worker --------------------------------------------------------------------------------------------

_work_of_this_process: list[Callable[..., Any]] = []
"""What `prepare` returned here: the pool of the standard library hands its initializer's result to nobody."""


def _begin(parent: int, prepare: Callable[..., Callable[..., Any]], arguments: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
    _work_of_this_process[:] = [ready_work(prepare, arguments)]


def ready_work(
    prepare: Callable[..., Callable[[Piece], Result]], arguments: tuple[object, ...]
) -> Callable[[Piece], Result]:
    """What `prepare` returns; where it fails, its error is raised by the first piece.

    So it reaches the parent: a process that cannot start would only be called broken.
    """
    try:
        return prepare(*arguments)
    except Exception as error:
        return partial(_refuse, error)


def _refuse(error: Exception, _: Any) -> NoReturn:
    raise error


def _work_on(piece: Any) -> Any:
    return _work_of_this_process[0](piece)


def end_with(parent: int) -> None:
    """End this process as soon as its parent is gone."""
    threading.Thread(target=_wait_and_end, args=(parent,), daemon=True).start()


def _wait_and_end(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)
