"""What can be downloaded, and what a person has to fetch: the one home of each address, size, digest and licence.

The entries stand in ``manifest.json`` beside this file. *Files* have a digest and mostly an address; *gated* things
are weights and data sets that a person has to get: where they are, under which terms, where they go.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from _exchange.digest import sha256_of_value
from _exchange.errors import FormatError, InputError
from _exchange.run_record import read_json_object

PATH = Path(__file__).with_name("manifest.json")
VERSION = 1
MOST_ON_FIRST_NEED_BYTES = 16 * 2**20
"""Larger files are never fetched without being asked for."""
_ROOM_FOR_ABOUT = 1.25
_LONGEST_NAME = 128
_FILE_KEYS = {"name", "what", "file_name", "sha256", "licence"}
_FILE_OPTIONS = {"url", "by_hand", "in_package", "bytes", "about_bytes", "on_first_need"}
_GATED_KEYS = {"name", "what", "terms", "where", "put", "check", "parts"}


@dataclass(frozen=True)
class Licence:
    """The licence of the project that publishes a file, as far as we have seen. Printed, it is its name.

    Attributes:
        name: as people call it.
        address: of its text, or of the project that states it.
        sentence: what it asks, in one sentence.
    """

    name: str
    address: str
    sentence: str

    def __str__(self) -> str:
        return self.name

    @property
    def digest(self) -> str:
        """SHA-256 of what is shown; when that changes, it is asked again."""
        return sha256_of_value([self.name, self.address, self.sentence])


@dataclass(frozen=True)
class ManifestFile:
    """A file that is recognised by its digest.

    Attributes:
        name: what the command line calls it.
        what: what it is and what it is for.
        file_name: its name in a folder.
        sha256: of its bytes.
        size: bytes.
        size_is_exact: False where the publisher states no size and nobody has counted.
        url: public address; empty for a file that is only found.
        by_hand: where it comes from instead; empty where there is an address.
        in_package: its place below the folder of installed packages, as ``package/path``; empty where there is none.
        licence: its terms.
        on_first_need: fetched without being asked for: small, and under a licence that asks nothing of who uses it.
    """

    name: str
    what: str
    file_name: str
    sha256: str
    size: int
    size_is_exact: bool
    url: str
    by_hand: str
    in_package: str
    licence: Licence
    on_first_need: bool

    @property
    def command(self) -> str:
        """What brings it."""
        return f"python3 -m _scripts.download {self.name}"

    @property
    def most_bytes(self) -> int:
        """More than this is refused before it is read."""
        return self.size if self.size_is_exact else int(self.size * _ROOM_FOR_ABOUT)


@dataclass(frozen=True)
class GatedPart:
    """One piece of a gated thing: there where any of the patterns, relative to the working folder, finds a file."""

    what: str
    any_of: tuple[str, ...]

    def find(self, folder: Path) -> Path | None:
        """The first file that is there; None where none is."""
        found = (path for pattern in self.any_of for path in folder.glob(pattern) if path.is_file())
        return next(found, None)


@dataclass(frozen=True)
class Gated:
    """Something that is not ours to hand out.

    Attributes:
        name: what the command line calls it.
        what: what it is.
        terms: under which it is given, in one sentence.
        where: a person gets it.
        put: where to put it, in one sentence.
        check: the command that looks at it.
        parts: what has to be there.
    """

    name: str
    what: str
    terms: str
    where: str
    put: str
    check: str
    parts: tuple[GatedPart, ...]

    @property
    def how_to_get(self) -> str:
        """What a person has to do, before `check`."""
        return f"{self.where}. {self.put}"


@dataclass(frozen=True)
class Manifest:
    """All entries; names are unique among both kinds."""

    files: tuple[ManifestFile, ...]
    gated: tuple[Gated, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of every entry."""
        return (*(file.name for file in self.files), *(thing.name for thing in self.gated))

    def entry(self, name: str) -> ManifestFile | Gated:
        """The entry called `name`.

        Raises:
            InputError: there is none.
        """
        entries: dict[str, ManifestFile | Gated] = {file.name: file for file in self.files}
        entries |= {thing.name: thing for thing in self.gated}
        if name not in entries:
            raise InputError(f"Expected names out of {', '.join(entries)}, found {name!r}.")
        return entries[name]

    def file(self, name: str) -> ManifestFile:
        """The file called `name`.

        Raises:
            InputError: there is no file of that name.
        """
        entry = self.entry(name)
        if isinstance(entry, Gated):
            raise InputError(f"Expected the name of a file, found {name!r}, which cannot be downloaded for you.")
        return entry


@functools.cache
def manifest() -> Manifest:
    """The entries of this version of the suite."""
    return read_manifest(PATH)


def read_manifest(path: Path) -> Manifest:
    """Entries of a manifest file, every field checked.

    Raises:
        InputError: the file cannot be read.
        FormatError: a field is missing, unknown or not what it should be; a name stands twice.
    """
    try:
        return _parse(read_json_object(path))
    except FormatError as error:
        raise error.in_file(path) from None


def _parse(root: dict[str, Any]) -> Manifest:
    _only_keys(root, {"version", "licences", "files", "gated"}, set(), "")
    if root["version"] != VERSION:
        raise FormatError("version", str(VERSION), repr(root["version"]))
    licences = {key: _licence(value, f"licences.{key}") for key, value in _object(root, "licences").items()}
    files = tuple(_file(value, licences, f"files[{i}]") for i, value in enumerate(_list(root, "files")))
    gated = tuple(_gated(value, f"gated[{i}]") for i, value in enumerate(_list(root, "gated")))
    found = Manifest(files, gated)
    for of_what, names in (("name", found.names), ("file_name", tuple(file.file_name for file in files))):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise FormatError(of_what, "every one once", f"{twice!r} more than once")
    return found


def _licence(value: Any, place: str) -> Licence:
    _only_keys(value, {"name", "address", "sentence"}, set(), place)
    address = _text(value, "address", place, _is_https, "an https address")
    return Licence(_text(value, "name", place), address, _text(value, "sentence", place))


def _file(value: Any, licences: dict[str, Licence], place: str) -> ManifestFile:
    _only_keys(value, _FILE_KEYS, _FILE_OPTIONS, place)
    if ("url" in value) == ("by_hand" in value):
        raise FormatError(place, "either url or by_hand", "both" if "url" in value else "neither")
    if ("bytes" in value) == ("about_bytes" in value):
        raise FormatError(place, "either bytes or about_bytes", "both" if "bytes" in value else "neither")
    exact = "bytes" in value
    size = value["bytes" if exact else "about_bytes"]
    if type(size) is not int or size <= 0:
        raise FormatError(f"{place}.{'bytes' if exact else 'about_bytes'}", "a positive whole number", repr(size))
    on_first_need = value.get("on_first_need", False)
    if type(on_first_need) is not bool or (on_first_need and not ("url" in value and size <= MOST_ON_FIRST_NEED_BYTES)):
        wanted = f"true only with an address and at most {MOST_ON_FIRST_NEED_BYTES} bytes"
        raise FormatError(f"{place}.on_first_need", wanted, repr(on_first_need))
    licence = _text(value, "licence", place, licences.__contains__, f"one of {', '.join(licences)}")
    return ManifestFile(
        name=_text(value, "name", place, _is_plain_name, "a plain name"),
        what=_text(value, "what", place),
        file_name=_text(value, "file_name", place, _is_plain_name, "a plain file name"),
        sha256=_text(value, "sha256", place, _is_sha256, "64 hexadecimal digits"),
        size=size,
        size_is_exact=exact,
        url=_text(value, "url", place, _is_https, "an https address") if "url" in value else "",
        by_hand=_text(value, "by_hand", place) if "by_hand" in value else "",
        in_package=_text(value, "in_package", place, _is_inside, "package/path") if "in_package" in value else "",
        licence=licences[licence],
        on_first_need=on_first_need,
    )


def _gated(value: Any, place: str) -> Gated:
    _only_keys(value, _GATED_KEYS, set(), place)
    texts = {key: _text(value, key, place) for key in ("what", "terms", "where", "put", "check")}
    parts = []
    for number, part in enumerate(_list(value, "parts", place)):
        at = f"{place}.parts[{number}]"
        _only_keys(part, {"what", "any_of"}, set(), at)
        patterns = tuple(_list(part, "any_of", at))
        if not patterns or not all(isinstance(pattern, str) and _is_inside(pattern) for pattern in patterns):
            raise FormatError(f"{at}.any_of", "patterns below the working folder", repr(patterns))
        parts.append(GatedPart(_text(part, "what", at), patterns))
    if not parts:
        raise FormatError(f"{place}.parts", "at least one", "none")
    return Gated(name=_text(value, "name", place, _is_plain_name, "a plain name"), parts=tuple(parts), **texts)


def _is_sha256(text: str) -> bool:
    """Whether `text` is a digest in lower case."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def _is_https(text: str) -> bool:
    """Whether `text` is an https address with a host and without a password."""
    parts = urlsplit(text)
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc and text.isascii()


def _is_plain_name(text: str) -> bool:
    """Whether `text` can be a file name everywhere: letters, digits, dot, minus, underscore; not hidden."""
    return len(text) <= _LONGEST_NAME and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", text) is not None


def _is_inside(text: str) -> bool:
    path = PurePosixPath(text)
    return not path.is_absolute() and ".." not in path.parts and len(path.parts) > 1


def _only_keys(value: Any, needed: set[str], optional: set[str], place: str) -> None:
    if not isinstance(value, dict):
        raise FormatError(place, "an object", type(value).__name__)
    if missing := sorted(needed - set(value)):
        raise FormatError(place, f"the key {missing[0]!r}", "none")
    if unknown := sorted(set(value) - needed - optional):
        raise FormatError(place, f"keys out of {', '.join(sorted(needed | optional))}", repr(unknown[0]))


def _text(
    value: dict[str, Any], key: str, place: str, holds: Callable[[str], bool] = bool, wanted: str = "a text"
) -> str:
    text = value[key]
    if not isinstance(text, str) or not text.strip() or not holds(text):
        raise FormatError(f"{place}.{key}", wanted, repr(text))
    return text


def _list(value: dict[str, Any], key: str, place: str = "") -> list[Any]:
    found = value[key]
    if not isinstance(found, list):
        raise FormatError(f"{place}.{key}".lstrip("."), "a list", type(found).__name__)
    return found


def _object(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value[key]
    if not isinstance(found, dict):
        raise FormatError(key, "an object", type(found).__name__)
    return found
