"""The worker processes of `results_of` on a Ray cluster: the one that RAY_ADDRESS names, or one started here.

A cluster that is started here listens on 127.0.0.1 only, reports nothing to anybody, keeps its files in a temporary
folder and ends with the work; the folder of a run that was killed is removed by the next one. On a cluster of several
machines the code, the data and the run folder must lie at the same paths everywhere (a shared file system), since
workers write the files of their pieces themselves.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from _exchange.errors import InputError, MissingComponent
from _exchange.scratch_folder import scratch_folder
from _exchange.workers import WorkerDied, available_cores, end_with, ready_work

Piece = TypeVar("Piece")
Result = TypeVar("Result")

INSTALLATION = ".venv/bin/python -m pip install -r _env/requirements-ray.txt"
_OBJECT_STORE_BYTES = 2**27
"""Pieces and answers are small; Ray would take a third of the memory."""
_SECONDS_FOR_AN_ANSWER = 10.0
_LONGEST_PLACE = 24
"""Bytes; names of sockets, which Ray puts 80 bytes below, must not be longer than 107."""
_SILENCE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # it prints what it says of dead workers on stdout, where results go
}
_OWN_CLUSTER = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # its name for: bind to 127.0.0.1, not to all networks
    "RAY_AUTH_MODE": "token",
}


def results_of_actors(
    prepare: Callable[..., Callable[[Piece], Result]],
    arguments: tuple[object, ...],
    pieces: Sequence[Piece],
    workers: int,
) -> Iterator[tuple[Piece, Result | WorkerDied]]:
    """`results_of` with one Ray actor per worker, each on one processor core; the same answers.

    Every actor has one piece in hand: one that waited at a busy actor could not go to an idle one. When an actor dies,
    another takes its place, and its piece is tried once more when all others are done, alone: it may have needed the
    memory that they took.

    Raises:
        MissingComponent: Ray is not installed.
        InputError: RAY_ADDRESS names no cluster, or its machines do not have the code and the working folder.
    """
    if not pieces:
        return
    workers = min(max(workers, 1), len(pieces))
    with cluster(workers) as ray:
        actors = _Actors(ray, prepare, arguments)
        suspects: list[Piece] = []
        try:
            yield from actors.work_together(deque(pieces), workers, suspects)
            for piece in suspects:
                died: list[Piece] = []
                yield from actors.work_together(deque([piece]), 1, died)
                if died:
                    yield piece, WorkerDied("The worker process ended without an answer.")
        finally:
            actors.end_all()


@dataclass(frozen=True)
class _Turn:
    """What one actor does now: a piece, or none while it starts."""

    actor: Any
    pieces: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _Actors:
    """Actors at work, by Ray's reference to the answer that each of them owes."""

    ray: Any
    prepare: Callable[..., Callable[..., Any]]
    arguments: tuple[object, ...]
    turns: dict[Any, _Turn] = field(default_factory=dict)

    def work_together(self, waiting: deque[Any], workers: int, lost: list[Any]) -> Iterator[tuple[Any, Any]]:
        """Results of `waiting` as they come; a piece whose actor died goes to `lost`, and another actor starts.

        An actor is given its first piece when it has started, since a busy cluster may start it late or never. One
        that dies before takes a waiting piece with it, so that a preparation that kills comes to an end too.
        """
        while waiting or self._busy():
            while len(self.turns) < min(workers, self._busy() + len(waiting)):
                self._start()
            (done, *_), _ = self.ray.wait(list(self.turns), num_returns=1)
            turn = self.turns.pop(done)
            try:
                answer = self._answer(done)
            except _ActorDied:
                lost += turn.pieces or ([waiting.popleft()] if waiting else [])
                continue
            if waiting:
                piece = waiting.popleft()
                self.turns[turn.actor.work.remote(piece)] = _Turn(turn.actor, (piece,))
            else:
                self.ray.kill(turn.actor)
            yield from ((piece, answer) for piece in turn.pieces)
        self.end_all()

    def end_all(self) -> None:
        """End the actors that are still there."""
        for turn in self.turns.values():
            self.ray.kill(turn.actor)
        self.turns.clear()

    def _busy(self) -> int:
        return sum(len(turn.pieces) for turn in self.turns.values())

    def _start(self) -> None:
        kind = self.ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Worker)
        settings = kind.options(runtime_env={"env_vars": _environment_of_workers()})
        actor = settings.remote(self.prepare, self.arguments, str(Path.cwd()))
        self.turns[actor.is_ready.remote()] = _Turn(actor)

    def _answer(self, reference: Any) -> Any:
        """The answer; raises what the work raised, `_ActorDied`, or InputError where no actor can start."""
        errors = self.ray.exceptions
        try:
            error, answer = self.ray.get(reference)
        except errors.RayActorError as died:
            if died.actor_init_failed:
                reason = str(died).strip().splitlines()[-1]
                raise InputError(
                    f"Expected the suite and the folder {Path.cwd()} on every machine of the Ray cluster, "
                    f"found: {reason}.",
                    next_step="Give the machines a shared file system with both at the same paths.",
                ) from died
            raise _ActorDied from died
        except (errors.OutOfMemoryError, errors.WorkerCrashedError, errors.NodeDiedError) as died:
            raise _ActorDied from died
        if error is not None:
            raise error
        return answer


class _ActorDied(Exception):
    """The process or the machine of an actor is gone."""


def _environment_of_workers() -> dict[str, str]:
    """What the processes of this machine would inherit: where modules are found, settings, number of threads.

    Ray alone would allow one thread per worker, and sums of floats may depend on that number.
    """
    ours = {name: value for name, value in os.environ.items() if name.startswith("ANIME3D_")}
    threads = os.environ.get("OMP_NUM_THREADS", str(available_cores()))
    path = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)
    return {**ours, "PYTHONPATH": path, "OMP_NUM_THREADS": threads}


class _Worker:
    """One actor. Errors are answers too, since Ray would dress those that it carries in classes of its own."""

    def __init__(self, prepare: Callable[..., Callable[..., Any]], arguments: tuple[object, ...], folder: str) -> None:
        end_with(os.getppid())  # a cluster that was killed; Ray would take seconds to notice
        os.chdir(folder)
        self._prepare, self._arguments = prepare, arguments
        self._work: Callable[..., Any] | None = None

    def is_ready(self) -> tuple[Exception | None, None]:
        """Prepare; the first answer."""
        self._work = ready_work(self._prepare, self._arguments)
        return None, None

    def work(self, piece: Any) -> tuple[Exception | None, Any]:
        """What the work raised, or its answer."""
        try:
            return None, self._work(piece)  # type: ignore[misc]
        except Exception as error:
            return error, None


# -- the cluster ------------------------------------------------------------------------------------------------


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """Ray's module, connected while the block runs; calls of `results_of` inside the block share the connection.

    Args:
        workers: processor cores of a cluster that is started here.

    Raises:
        MissingComponent, InputError: as `results_of_actors`.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    ray = _loaded(_SILENCE if address else _SILENCE | _OWN_CLUSTER | {"RAY_AUTH_TOKEN": secrets.token_hex(32)})
    if ray.is_initialized():  # whoever started it ends it
        yield ray
        return
    if address:
        _check_that_somebody_answers(address)
    place = tempfile.gettempdir() if len(tempfile.gettempdir()) <= _LONGEST_PLACE else "/tmp"
    with scratch_folder(Path(place), "ray-") as folder:
        try:
            if address:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            else:
                ray.init(
                    address="local",
                    num_cpus=workers,
                    object_store_memory=_OBJECT_STORE_BYTES,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="ERROR",
                    _temp_dir=str(folder),
                )
        except ConnectionError as error:
            raise _no_cluster(address) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def _check_that_somebody_answers(address: str) -> None:
    """Ray itself would try for minutes; addresses without a port, such as ``auto``, are left to it."""
    host, separator, port = address.rpartition("//")[2].rpartition(":")
    if not (separator and port.isascii() and port.isdigit()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_FOR_AN_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address) from error


def _no_cluster(address: str) -> InputError:
    return InputError(
        f"Expected a Ray cluster at {address}, found none.", next_step="Unset RAY_ADDRESS to start one here."
    )


def _loaded(settings: Mapping[str, str]) -> Any:
    """The module of Ray, which reads its settings once, when it is imported; those of the user come first."""
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingComponent(
            "The executor ray needs Ray, which is not installed.",
            next_step=f"Run {INSTALLATION}.",
        ) from error
    return ray
