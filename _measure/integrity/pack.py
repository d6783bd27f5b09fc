"""One run as one archive that can be signed and checked elsewhere.

A plain ``.tar`` whose bytes follow from the run's files alone: the seal first, then the files that it names by section
and name (``run/…``, ``predictions/…``, ``dataset/…``), all with the same owner, time and mode. `check_pack` takes only
archives of exactly this form: it makes each header anew from name and size and compares the bytes, so links, devices,
names that leave the folder, foreign headers and hidden bytes between files are refused before anything is believed, and
it computes all digests while it reads; nothing is unpacked.

Files of the dataset are left out unless asked for: they stay under their own terms. So are verdicts and report, which
come with the seals that they have of their own.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from _databacks.layout import find_root
from _exchange import atomic
from _exchange.digest import sha256_of_file
from _exchange.errors import CheckFailed, FormatError, InputError
from _exchange.run_folder import RunFolder
from _measure.integrity.check import (
    SealReport,
    beside_journal,
    check_seal,
    checked_below,
    compared,
    section_folders,
    with_unknown,
)
from _measure.integrity.seal import (
    LARGEST_SEAL,
    SECTIONS,
    Seal,
    is_plain_name,
    later_seal,
    read_seal,
    seal_of,
    sealed_names,
)
from _measure.integrity.sealing import files_below

SEAL_NAME = "run/seal.json"
LARGEST_FILE = 2**32
"""Bytes. Characters and pictures have a few megabytes."""
MOST_FILES = 10**6
_JOURNAL = RunFolder(Path()).journal.name
_BLOCK = 512
_PIECE = 2**20
_LARGEST_EXTENSION = 2**14
_END = bytes(2 * _BLOCK)
DATA_TERMS = (
    "The archive holds files of the dataset. They stay under their own licences (attribution.csv names them): check "
    "that these allow passing them on, and name the authors."
)


@dataclass(frozen=True)
class Pack:
    """An archive that was written.

    Attributes:
        path: the archive.
        sha256: of its bytes.
        files: how many it holds.
        bytes: its size.
        with_data: whether files of the dataset are in it.
    """

    path: Path
    sha256: str
    files: int
    bytes: int
    with_data: bool

    @property
    def text(self) -> str:
        """What was written, and how to sign and check it."""
        path = shlex.quote(str(self.path))
        lines = [
            f"{self.path}: {self.files} files, {self.bytes} bytes",
            f"SHA-256 {self.sha256}",
            "",
            "Sign it with one of",
            f"  ssh-keygen -Y sign -f ~/.ssh/id_ed25519 -n anime3d {path}",
            f"  gpg --detach-sign --armor {path}",
            "Check it anywhere with",
            f"  python3 -m _scripts.verify {path} --integrity",
            "and its signature with one of",
            f"  ssh-keygen -Y verify -f allowed_signers -I SIGNER -n anime3d -s {path}.sig < {path}",
            f"  gpg --verify {path}.asc {path}",
        ]
        return "\n".join([*lines, "", DATA_TERMS] if self.with_data else lines)


# -- writing ----------------------------------------------------------------------------------------------------


def pack_run(
    run: Path, target: Path, *, with_report: bool = False, with_data: bool = False, data: Path | None = None
) -> Pack:
    """Write a run's archive, atomically; equal runs give equal bytes.

    Args:
        run: a sealed run.
        target: the file to write, ``*.tar``, outside the run.
        with_report: also the report and ``verify.json``, with their seals.
        with_data: also the files of the dataset that the scores rest on.
        data: the dataset; default: where it was when the run was sealed.

    Raises:
        InputError: the run has no seal, the target is no archive outside the run, or the dataset is not here.
        CheckFailed: a file is not as it was sealed, or was changed meanwhile.
    """
    if target.suffix != ".tar" or target.resolve().is_relative_to(run.resolve()):
        raise InputError(f"Expected a file *.tar outside the run to write, found {target}.")
    report = check_seal(run, data=data)
    if report.first in report.not_generated:
        raise CheckFailed(
            f"Expected what generate wrote, found {report.first} sealed with another digest than its journal has.",
            next_step="python3 -m _scripts.generate makes such items anew; then measure again.",
        )
    if not report.intact:
        raise CheckFailed(
            f"Expected a run as it was sealed, found {report.first} changed.",
            next_step=f"python3 -m _scripts.verify {run} --integrity says more; "
            "measure, verify and report make and seal their parts anew.",
        )
    wanted = {SEAL_NAME: RunFolder(run).seal, **_sealed_paths(run, data, with_data=with_data)}
    if with_report:
        wanted |= {f"run/{name}": run / name for name in files_below(run) if later_seal(name)}
    with _replacing(target) as stream:
        for name, path in wanted.items():
            _add(stream, name, path)
        stream.write(_END)
        stream.flush()
        packed = check_pack(Path(stream.name), data=data)
        if not packed.intact:
            raise CheckFailed(
                f"Expected files that stay as they are while they are packed, found {packed.first} changed."
            )
    return Pack(target, sha256_of_file(target), len(wanted), target.stat().st_size, with_data)


def _sealed_paths(run: Path, data: Path | None, *, with_data: bool) -> dict[str, Path]:
    """Files by name in the archive, in the seal's order."""
    seal = read_seal(RunFolder(run).seal)
    paths: dict[str, Path] = {}
    for section, folder in section_folders(seal, run, data).items():
        if section == "dataset" and not with_data:
            continue
        if folder is None:
            known = seal.folders.get(section, "")
            raise InputError(f"Expected the {section} of the run to pack in {known}, found no such folder.")
        paths |= {f"{section}/{name}": folder / name for name in seal.files[section]}
    return paths


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """A file that takes the target's place once everything is in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{atomic.TEMPORARY_PREFIX}{os.getpid()}-pack")
    try:
        with open(temporary, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _add(stream: IO[bytes], name: str, path: Path) -> None:
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise InputError(f"Expected files of at most {LARGEST_FILE} bytes to pack, found {path} with {size}.")
    stream.write(header_of(name, size))
    with open(path, "rb") as source:
        written = 0
        while piece := source.read(_PIECE):
            stream.write(piece)
            written += len(piece)
    if written != size:
        raise InputError(f"Expected {size} bytes in {path}, found {written}: it is being written.")
    stream.write(bytes(-size % _BLOCK))


def header_of(name: str, size: int) -> bytes:
    """The one header that a file of this name and size has in an archive.

    Raises:
        InputError: the name is no Unicode text.
    """
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"Expected file names that are Unicode text to pack, found {name!a}.") from error
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, 0
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


# -- checking ---------------------------------------------------------------------------------------------------


def check_pack(path: Path, *, data: Path | None = None) -> SealReport:
    """Recompute every digest of an archive while it is read; nothing is written.

    Args:
        path: an archive that `pack_run` wrote.
        data: the dataset, to check its files where the archive leaves them out.

    Raises:
        InputError: there is no such file.
        FormatError: it is no archive of this form, is cut short, or its seal was changed.
    """
    try:
        with open(path, "rb") as stream:
            return _checked(stream, path, data)
    except FileNotFoundError as error:
        raise InputError(f"Expected the archive {path}, found none.") from error
    except FormatError as error:
        raise error.in_file(path) from error


def _checked(stream: IO[bytes], path: Path, data: Path | None) -> SealReport:
    members = _members(stream)
    first = next(members, None)
    if first is None or first.name != SEAL_NAME or first.size > LARGEST_SEAL:
        what = "no file" if first is None else f"{first.name!r:.80} with {first.size} bytes"
        raise FormatError("", f"{SEAL_NAME} as the first file, of at most {LARGEST_SEAL} bytes", what)
    seal = seal_of(b"".join(first.pieces))
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    later: dict[str, Seal] = {}
    journals: dict[str, list[str]] = {}
    for member in members:
        section, _, name = member.name.partition("/")
        if section == "run" and later_seal(name) == name:
            later[name] = _seal_of_member(member)
            continue
        digest, lines = hashlib.sha256(), bytearray()
        is_journal = name == _JOURNAL and member.size <= LARGEST_SEAL  # a larger one is kept in nobody's memory
        for piece in member.pieces:
            digest.update(piece)
            if is_journal:
                lines += piece
        if is_journal:
            journals[section] = lines.decode("utf-8", "replace").split("\n")[:-1]
        found[section][name] = digest.hexdigest()
    report = SealReport(str(path), seal.results)
    for section, names in sealed_names(seal, later).items():
        if section == "dataset" and not found[section] and names:
            report = _with_data(report, names, data)
            continue
        report = compared(report, section, names, found[section])
        report = beside_journal(report, section, seal, journals.get(section, ()))
        unknown = [name for name in found[section] if name not in names]
        if section == "run":
            report = with_unknown(report, unknown)
        else:
            report = replace(report, extra=(*report.extra, *(f"{section}/{name}" for name in unknown)))
    return report


def _seal_of_member(member: _Member) -> Seal:
    if member.size > LARGEST_SEAL:
        raise FormatError(member.name, f"a seal of at most {LARGEST_SEAL} bytes", f"{member.size}")
    try:
        return seal_of(b"".join(member.pieces))
    except FormatError as error:
        place = f"{member.name}: {error.place}" if error.place else member.name
        raise FormatError(place, error.expected, error.found) from error


def _with_data(report: SealReport, names: Mapping[str, str], data: Path | None) -> SealReport:
    """The dataset's files, from a folder beside the archive where one is named."""
    if data is None:
        return replace(report, unchecked={"dataset": len(names)})
    return checked_below(report, "dataset", names, find_root(data).root)


@dataclass(frozen=True)
class _Member:
    """One file of an archive; its pieces have to be taken before the next one is asked for."""

    name: str
    size: int
    pieces: Iterator[bytes]


def _members(stream: IO[bytes]) -> Iterator[_Member]:
    """The files of an archive, each under a plain name of a section, each once."""
    seen: set[str] = set()
    while True:
        start = stream.tell()
        place = f"byte {start}"
        block = _exactly(stream, _BLOCK, place)
        if block == bytes(_BLOCK):
            if stream.read(_BLOCK + 1) != bytes(_BLOCK):
                raise FormatError(place, "the two empty blocks that end an archive, and nothing more", "something else")
            return
        name, size = _name_and_size(stream, block, place)
        section, _, below = name.partition("/")
        if section not in SECTIONS or not is_plain_name(below):
            raise FormatError(place, f"a file below {', '.join(SECTIONS)}", f"{name!r:.80}")
        if name in seen:
            raise FormatError(place, "every file once", f"{name!r:.80} again")
        if len(seen) >= MOST_FILES:
            raise FormatError(place, f"at most {MOST_FILES} files", f"one more, {name!r:.80}")
        seen.add(name)
        yield _Member(name, size, _pieces(stream, size, name))
        if _exactly(stream, -size % _BLOCK, place).strip(b"\0"):
            raise FormatError(place, "zeros after the file", "something else")


def _name_and_size(stream: IO[bytes], block: bytes, place: str) -> tuple[str, int]:
    """Name and size of a header whose every byte is as `header_of` makes it."""
    header, expected = block, "the header of a plain file as pack writes it"
    try:
        raw = block[:100].rstrip(b"\0")
        if block[156:157] == b"x":  # a name that is long or not ASCII stands in an extension of its own
            length = int(block[124:135], 8)
            if length > _LARGEST_EXTENSION:
                raise FormatError(place, f"a name of at most {_LARGEST_EXTENSION} bytes", f"{length}")
            extension = _exactly(stream, length + -length % _BLOCK, place)
            block = _exactly(stream, _BLOCK, place)
            header += extension + block
            raw = extension[:length].partition(b" path=")[2].removesuffix(b"\n")
        name, size = raw.decode("utf-8"), int(block[124:135], 8)
    except ValueError as error:
        raise FormatError(place, expected, "other bytes") from error
    if size < 0 or size > LARGEST_FILE:
        raise FormatError(place, f"a file of at most {LARGEST_FILE} bytes", f"{size}")
    if header != header_of(name, size):
        raise FormatError(place, expected, f"another one for {name!r:.80}")
    return name, size


def _pieces(stream: IO[bytes], size: int, name: str) -> Iterator[bytes]:
    left = size
    while left:
        piece = _exactly(stream, min(left, _PIECE), name)
        left -= len(piece)
        yield piece


def _exactly(stream: IO[bytes], count: int, place: str) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise FormatError(place, f"{count} more bytes", f"{len(content)}: the archive is cut short")
    return content
