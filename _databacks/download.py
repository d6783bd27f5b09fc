"""Downloads one file of the manifest: resumed by range, checked by SHA-256, patient with busy servers.

A connection that breaks leaves a partial file that the next attempt goes on with, in this run or a later one
(`partial_file`); a wrong digest leaves nothing. Pauses double from one second; a server's Retry-After is obeyed.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from _databacks.http_source import Answer, Final, NoRange, Passing, ask, proxy_for
from _databacks.manifest import ManifestFile
from _databacks.partial_file import PartialFile, held_partial_file
from _databacks.weight_folders import FOLDERS_VARIABLE, require_digest
from _exchange.errors import InputError, MissingComponent
from _exchange.progress import progress

_READ = 2**18
_PIECE = 2**20


@dataclass(frozen=True)
class Conditions:
    """How patient a download is, and what it knows of the world.

    Attributes:
        timeout_seconds: for connecting, and for every wait on bytes.
        tries: connections in a row that bring less than a mebibyte, before it gives up.
        first_pause_seconds: between the first two tries; doubled every time.
        longest_pause_seconds: no pause is longer; a server that asks for a longer one is left alone.
        sleep: waits so many seconds.
        now: seconds since 1970.
        free_bytes: free bytes on the disk of a folder.
    """

    timeout_seconds: float = 20.0
    tries: int = 6
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free


USUAL = Conditions()


def download(file: ManifestFile, folder: Path, conditions: Conditions = USUAL) -> Path:
    """Fetch `file` from its address into `folder` and return its path; a file that is there already is kept.

    Raises:
        InputError: what came is not the file (digest, size), a file of its name is another one, or the folder cannot
            be written or has no room.
        MissingComponent: the file has no address, or the address cannot be reached.
    """
    if not file.url:
        raise MissingComponent(f"Expected {file.file_name} in a folder, found none.", next_step=file.by_hand)
    target = folder / file.file_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with held_partial_file(file, folder) as partial:
            if target.is_file():
                require_digest(file, target)
            else:
                _fill(partial, file, folder, conditions)
                partial.finish(target)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise InputError(
            f"Expected to write {file.file_name} into {folder}, found: {error.strerror or error}.",
            next_step="Choose another folder with --to" + (", or make room; what came is kept" if full else ""),
        ) from error
    return target


class _Patience:
    """Counts tries in a row that brought little, and pauses between them."""

    def __init__(self, partial: PartialFile, file: ManifestFile, conditions: Conditions) -> None:
        self.partial, self.file, self.conditions = partial, file, conditions
        self.tries, self.most, self.in_contact = 0, partial.size, False

    def try_again_after(self, problem: Passing) -> None:
        """Wait as long as the server asks, or else twice as long as the last time.

        Raises:
            MissingComponent: it has been tried often enough, nobody answers here, or the wait would be too long.
        """
        grown = self.partial.size - self.most
        self.most = max(self.most, self.partial.size)
        self.in_contact |= grown > 0 or not problem.no_contact
        self.tries = 1 if grown >= _PIECE else self.tries + 1
        if self.tries >= self.conditions.tries or not self.in_contact:
            raise _no_way(self.partial, self.file, problem.reason) from problem
        first, longest = self.conditions.first_pause_seconds, self.conditions.longest_pause_seconds
        doubled = min(first * 2.0 ** (self.tries - 1), longest)
        seconds = doubled if problem.wait_seconds is None else max(problem.wait_seconds, first)
        if seconds > longest:
            reason = f"{problem.reason}; the server asks to come back in {seconds:.0f} s"
            raise _no_way(self.partial, self.file, reason) from problem
        with progress(f"waiting {seconds:.0f} s: {problem.reason}", 1) as shown:
            self.conditions.sleep(seconds)
            shown.advance()


def _fill(partial: PartialFile, file: ManifestFile, folder: Path, conditions: Conditions) -> None:
    """Ask again and again until the partial file is the whole file.

    Pieces may be of two versions of the file, or a server may answer with others than asked for: then it is fetched
    once more in one piece, and only once.
    """
    patience, may_restart = _Patience(partial, file, conditions), True
    while True:
        try:
            if not (file.size_is_exact and partial.size == file.size):
                _one_connection(partial, file, folder, conditions)
        except Passing as problem:
            patience.try_again_after(problem)
            continue
        except Final as problem:
            raise _no_way(partial, file, str(problem)) from problem
        except NoRange as problem:
            whole = problem.total == partial.size
            if not whole and not may_restart:
                raise _no_way(partial, file, "other bytes than asked for") from problem
        else:
            whole = True
        found, pieced = partial.sha256, partial.is_pieced
        if whole and found == file.sha256:
            return
        partial.restart()
        if whole and not (pieced and may_restart):
            raise InputError(f"Expected SHA-256 {file.sha256} from {file.url}, found {found}; the file was not kept.")
        may_restart = False


def _one_connection(partial: PartialFile, file: ManifestFile, folder: Path, conditions: Conditions) -> None:
    """Append what one connection brings, to the end of the file.

    Raises:
        Passing: the end was not reached; what came is kept.
        Final, NoRange: as `ask`.
        InputError: the file is not as large as it should be, or the disk is too full for it.
    """
    start = partial.size
    answer = ask(file.url, start, partial.validator_of(file.url), conditions.timeout_seconds, conditions.now())
    with closing(answer.body):
        if answer.start == 0:
            partial.restart()
            partial.note_source(file.url, answer.validator)
        else:
            partial.is_pieced = True
        whole = _announced_size(partial, file, answer)
        _refuse_full_disk(whole - partial.size, file, folder, conditions)
        _copy(answer, partial, file, whole)
    if (answer.total is not None or file.size_is_exact) and partial.size < whole:
        raise Passing(f"the connection broke after {partial.size} of {whole} bytes")


def _copy(answer: Answer, partial: PartialFile, file: ManifestFile, whole: int) -> None:
    """Read the body to its end; `whole` is the expected size of the file."""
    limit = whole if answer.total is not None else file.most_bytes
    pieces = -(-(whole - partial.size) // _PIECE)
    first, told = partial.size, 0
    with progress(f"downloading {file.file_name} ({file.licence})", pieces) as shown:
        while content := answer.read(_READ):
            if partial.size + len(content) > limit:
                partial.restart()
                raise _wrong_size(file, f"more than {limit} bytes")
            partial.append(content)
            while told < (partial.size - first) // _PIECE:
                shown.advance()
                told += 1
        if partial.size == whole and told < pieces:
            shown.advance()


def _announced_size(partial: PartialFile, file: ManifestFile, answer: Answer) -> int:
    """Size of the whole file: as announced, or else as in the manifest."""
    if answer.total is None:
        return file.size
    if answer.total > file.most_bytes or (file.size_is_exact and answer.total != file.size):
        partial.restart()
        raise _wrong_size(file, f"{answer.total} bytes")
    return answer.total


def _wrong_size(file: ManifestFile, found: str) -> InputError:
    about = "" if file.size_is_exact else "about "
    return InputError(f"Expected {about}{file.size} bytes from {file.url}, found {found}; the file was not kept.")


def _refuse_full_disk(needed: int, file: ManifestFile, folder: Path, conditions: Conditions) -> None:
    free = conditions.free_bytes(folder)
    if needed > free:
        raise InputError(
            f"Expected room for {needed} bytes of {file.file_name} in {folder}, found {free}.",
            next_step="Choose another folder with --to, or make room here",
        )


def _no_way(partial: PartialFile, file: ManifestFile, reason: str) -> MissingComponent:
    proxy = proxy_for(file.url)
    through = f" through the proxy {proxy}, which the environment names" if proxy else ""
    kept = f" {partial.size} bytes are kept; the same command goes on with them." if partial.size else ""
    return MissingComponent(
        f"Expected to download {file.url}, found no way to it ({reason}){through}.{kept}",
        next_step=f"Run {file.command} where there is a network. "
        f"Or: Put {file.file_name} into a folder named in {FOLDERS_VARIABLE}.",
    )
