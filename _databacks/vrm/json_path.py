"""A JSON value that knows its place: the path grows on the way down, so every error can name where it is.

>>> root = JsonValue({"nodes": [{"mesh": "body"}]})
>>> root["nodes"].entries()[0]["mesh"].integer()
Traceback (most recent call last):
...
_exchange.errors.FormatError: nodes[0].mesh: expected an integer, found the text 'body'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from _databacks.vrm.limits import MAX_ENTRIES, MAX_TEXT
from _exchange.errors import FormatError

_SHOWN = 48
_LARGEST = 3.4e38
"""Largest number that fits in float32."""


def describe(value: object) -> str:
    """What a JSON value is, in a few words on one line."""
    match value:
        case None:
            text = "null"
        case bool():
            text = str(value).lower()
        case str():
            text = f"the text {value[:_SHOWN]!r}{'…' if len(value) > _SHOWN else ''}"
        case list():
            text = f"an array of length {len(value)}"
        case dict():
            text = f"an object with {len(value)} keys"
        case int() if abs(value) >= 10**20:
            text = "an integer beyond 10^20"
        case _:
            text = repr(value)
    return text


@dataclass(frozen=True, slots=True)
class JsonValue:
    """One value of a JSON document and the path that leads to it.

    Attributes:
        value: what the parser returned.
        place: the path from the document's root, e.g. ``meshes[0].primitives[2].attributes.POSITION``.

    Every method raises `FormatError` with the place when the value is not what was asked for.
    """

    value: Any
    place: str = ""

    # -- down the tree ------------------------------------------------------------------------------------------

    def get(self, key: str) -> JsonValue | None:
        """The member `key` of an object, or None where the object has no such member."""
        members = self._as(dict, "an object")
        return JsonValue(members[key], self._place_of(key)) if key in members else None

    def __getitem__(self, key: str) -> JsonValue:
        """The member `key` of an object; its absence is an error."""
        member = self.get(key)
        if member is None:
            raise FormatError(self._place_of(key), "a value", "nothing")
        return member

    def members(self) -> Iterator[tuple[str, JsonValue]]:
        """The members of an object, in file order."""
        entries = self._as(dict, "an object")
        if len(entries) > MAX_ENTRIES:
            raise self.error(f"at most {MAX_ENTRIES} members", str(len(entries)))
        return ((key, JsonValue(value, self._place_of(key))) for key, value in entries.items())

    def entries(self) -> list[JsonValue]:
        """The entries of an array."""
        values = self._as(list, "an array")
        if len(values) > MAX_ENTRIES:
            raise self.error(f"at most {MAX_ENTRIES} entries", str(len(values)))
        return [JsonValue(value, f"{self.place}[{index}]") for index, value in enumerate(values)]

    def entries_of(self, key: str) -> list[JsonValue]:
        """The entries of the array that is the member `key`; none where it is absent."""
        member = self.get(key)
        return [] if member is None else member.entries()

    def member_indices(self, count: int, what: str) -> None:
        """Check that all members of an object are indices into the top-level array `what`."""
        values = self._as(dict, "an object").values()
        if not all(type(value) is int and 0 <= value < count for value in values):
            for _, member in self.members():
                member.index(count, what)

    # -- leaves -------------------------------------------------------------------------------------------------

    def text(self) -> str:
        """A text of bounded length in which every character can be written as UTF-8."""
        return str(self._as(str, "a text"))[:MAX_TEXT].encode("utf-8", "replace").decode("utf-8")

    def boolean(self) -> bool:
        """True or false."""
        return bool(self._as(bool, "true or false"))

    def integer(self, minimum: int = 0, maximum: int = 2**53) -> int:
        """An integer in minimum..maximum; JSON does not tell 3 from 3.0."""
        value = self.value
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error("an integer", describe(self.value))
        if not minimum <= value <= maximum:
            raise self.error(f"an integer in {minimum}..{maximum}", describe(self.value))
        return value

    def index(self, count: int, what: str) -> int:
        """An index into the top-level array `what`, which has `count` entries."""
        index = self.integer()
        if index >= count:
            raise self.error(f"an index into {what} (length {count})", describe(self.value))
        return index

    def indices(self, count: int, what: str) -> tuple[int, ...]:
        """An array of indices into the top-level array `what`; long ones are checked without a path each."""
        values = self._as(list, "an array")
        if all(type(value) is int and 0 <= value < count for value in values):
            return tuple(values)
        return tuple(entry.index(count, what) for entry in self.entries())

    def number(self) -> float:
        """A finite number that fits in float32."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error("a number", describe(value))
        if not abs(value) <= _LARGEST:  # NaN and integers of hundreds of digits fail this, too
            raise self.error("a finite number", describe(value))
        return float(value)

    def numbers(self, count: int) -> tuple[float, ...]:
        """An array of `count` finite numbers."""
        values = self._as(list, f"an array of {count} numbers")
        if len(values) != count:
            raise self.error(f"an array of {count} numbers", describe(values))
        return tuple(entry.number() for entry in self.entries())

    def error(self, expected: str, found: str) -> FormatError:
        """The error that this value is not what it should be."""
        return FormatError(self.place, expected, found)

    # -- inside -------------------------------------------------------------------------------------------------

    def _as(self, kind: type, name: str) -> Any:
        if not isinstance(self.value, kind):
            raise self.error(name, describe(self.value))
        return self.value

    def _place_of(self, key: str) -> str:
        shown = key if key.isidentifier() and len(key) <= _SHOWN else repr(key[:_SHOWN])
        return f"{self.place}.{shown}" if self.place else shown


def optional_integer(parent: JsonValue, key: str, default: int, minimum: int = 0, maximum: int = 2**53) -> int:
    """The integer member `key`, or `default` where it is absent."""
    member = parent.get(key)
    return default if member is None else member.integer(minimum, maximum)


def optional_index(parent: JsonValue, key: str, count: int, what: str) -> int | None:
    """The member `key` as an index into the top-level array `what`, or None where it is absent."""
    member = parent.get(key)
    return None if member is None else member.index(count, what)


def optional_indices(parent: JsonValue, key: str, count: int, what: str) -> tuple[int, ...]:
    """The array member `key` as indices into the top-level array `what`; empty where it is absent."""
    member = parent.get(key)
    return () if member is None else member.indices(count, what)


def optional_number(parent: JsonValue, key: str, default: float) -> float:
    """The number member `key`, or `default` where it is absent."""
    member = parent.get(key)
    return default if member is None else member.number()


def optional_boolean(parent: JsonValue, key: str) -> bool:
    """The boolean member `key`, or False where it is absent."""
    member = parent.get(key)
    return False if member is None else member.boolean()


def extension(parent: JsonValue, name: str) -> JsonValue | None:
    """The extension `name` of a glTF object, or None where it has none; an extension is always an object."""
    extensions = parent.get("extensions")
    found = None if extensions is None else extensions.get(name)
    if found is not None and not isinstance(found.value, dict):
        raise found.error("an object", describe(found.value))
    return found
