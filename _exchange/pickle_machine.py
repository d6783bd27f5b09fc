"""The machine that reads pickles without unpickling: it executes opcodes and can only build what is on a list.

The policy: opcodes build plain containers and literals. A global is looked up by name in a dictionary of builders that
the caller gives; it is never imported. What is not in the dictionary, and every opcode that no data file needs
(persistent ids, extensions, out-of-band buffers, sets, instance creation of the first protocols), is refused by name.
`Allowances` switches sets and persistent ids on where a format has them. Keys of mappings are plain scalars, and whole
numbers among them short, so that no hash can be made expensive. What calls and states build may take no more than a few
times the room of the file: a file cannot unfold in memory. Nothing but text is ever printed, hashed or compared by
value: containers that share their parts can take forever.
"""

from __future__ import annotations

import pickletools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from _exchange.errors import FormatError

MAX_OPERATIONS = 5_000_000
MAX_DEPTH = 100
MAX_GROWTH = 4
"""Bytes that calls and states may build per byte of the file; protocols 0 to 2 need two."""
SMALL_CHANGE = 1 << 20
"""Bytes that calls and states may build in any case."""
_BYTES_PER_ENTRY = 8
_BYTES_PER_OBJECT = 200
"""What a call or a set takes at least, however few bytes of the file ask for it."""
_KEY_LIMIT = 1 << 60
"""Whole numbers as keys stay below Python's hash modulus 2⁶¹ − 1: larger ones can be made to collide."""
_LONGEST_FOUND = 200
_LONGEST_NAME = 120
_NEWEST_PROTOCOL = 5
_SCALARS = (str, bytes, int, float, bool, type(None))
_MARK = object()
_LITERALS = {
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
    *("FLOAT", "BINFLOAT", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "STRING", "BINSTRING", "SHORT_BINSTRING"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}

Builder = Callable[..., Any]


class UnlistedGlobal(FormatError):
    """A pickle names a global that is not on the list."""


class _Unlisted(ValueError):
    """`UnlistedGlobal`, before it is known where."""


class Record(ABC):
    """Base of values that a builder makes and that are finished by state given later (opcode BUILD)."""

    nbytes = 0
    """Bytes that the value has taken."""

    def set_state(self, state: Any) -> None:
        """Take the state; raise `ValueError` with what was wrong."""
        raise ValueError(f"state of type {type(state).__name__} for {type(self).__name__}")

    @abstractmethod
    def result(self) -> Any:
        """The finished plain value."""


class AttributedMapping(dict):
    """A mapping whose pickled state is attributes of the object, not entries; they are kept apart."""

    attributes: Any = None

    def set_state(self, state: Any) -> None:
        """Keep the attributes."""
        self.attributes = state


class ByteStream(Protocol):
    """Where `load_next` reads; long pieces may be memory views."""

    def read(self, size: int, /) -> bytes | memoryview: ...
    def readline(self) -> bytes: ...
    def tell(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Allowances:
    """What a caller allows beyond plain containers and calls.

    Attributes:
        sets: opcodes of sets, of plain scalars.
        persistent: makes the value of a persistent id; None refuses them.
        max_operations: opcodes that one pickle may have.
    """

    sets: bool = False
    persistent: Builder | None = None
    max_operations: int = MAX_OPERATIONS


def load_next(stream: ByteStream, entries: Mapping[str, Builder], *, room: int, allowances: Allowances) -> Any:
    """The value of the pickle at the stream's position, which is behind it afterwards.

    Args:
        stream: the file; a byte string of the pickle is what its `read` gives.
        entries: builder by ``module.name``; called with the arguments that the pickle gives.
        room: bytes that calls and states may build.
        allowances: what is allowed beyond plain data.

    Raises:
        UnlistedGlobal: it names a global that is not on the list.
        FormatError: it is damaged, too large, or asks for something else that is not allowed.
    """
    machine = _Machine(entries, room, allowances)
    position = 0
    try:
        for count, (opcode, argument, offset) in enumerate(pickletools.genops(stream)):  # type: ignore[arg-type]
            position = offset or 0
            if count >= allowances.max_operations:
                raise ValueError(f"more than {allowances.max_operations} operations")
            if opcode.name == "STOP":
                return machine.finish()
            machine.step(opcode.name, argument)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError) as error:
        found = str(error)[:_LONGEST_FOUND] or type(error).__name__
        kind = UnlistedGlobal if isinstance(error, _Unlisted) else FormatError
        raise kind(f"byte {position}", "a pickle of plain data", found) from error
    raise FormatError(f"byte {stream.tell()}", "the end of the pickle", "nothing")


def builder_of(value: Any) -> Builder:
    """The builder of an allowed global that a pickle gives as an argument.

    Raises:
        ValueError: the value is something else.
    """
    if not isinstance(value, _Global):
        raise ValueError(f"a {type(value).__name__} where a class belongs")
    return value.builder


class _Machine:
    """The stack machine; `step` executes one opcode."""

    def __init__(self, entries: Mapping[str, Builder], room: int, allowances: Allowances) -> None:
        self.entries = entries
        self.room = room
        self.allowances = allowances
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(_CONSTANTS.get(name, argument))
            return
        handler = _HANDLERS.get(name)
        if handler is None:
            raise ValueError(f"the opcode {name}, which is not allowed")
        handler(self, argument)

    def finish(self) -> Any:
        if len(self.stack) != 1:
            raise ValueError(f"{len(self.stack)} values at the end")
        return _finished(self.stack[0], {}, 0)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value belongs")
        return value

    def pop_to_mark(self) -> list[Any]:
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def spend(self, size: int) -> None:
        self.room -= size
        if self.room < 0:
            raise ValueError(f"calls that build more than {MAX_GROWTH} times the bytes of the file")

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise ValueError(f"a value that is no {kind.__name__}")
        return self.stack[-1]

    def memo_put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def memo_get(self, index: int) -> None:
        if index not in self.memo:
            raise ValueError(f"entry {index} of the memo, which is empty")
        self.stack.append(self.memo[index])

    def set_items(self, target: dict, flat: list[Any]) -> None:
        if len(flat) % 2:
            raise ValueError("a key without a value")
        for key, value in zip(flat[::2], flat[1::2]):
            _check_key(key)
            target[key] = value

    def add_items(self) -> None:
        values = self.pop_to_mark()
        for value in values:
            _check_key(value)
        self.top(set).update(values)

    def empty_set(self) -> None:
        if not self.allowances.sets:
            raise ValueError("the opcode EMPTY_SET, which is not allowed")
        self.spend(_BYTES_PER_OBJECT)
        self.stack.append(set())

    def persistent(self) -> None:
        if self.allowances.persistent is None:
            raise ValueError("the opcode BINPERSID, which is not allowed")
        self.stack.append(self.allowances.persistent(self.pop()))

    def look_up(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):  # other values can take forever to print
            raise ValueError("the name of a global that is no text")
        full = f"{module}.{name}"
        if full not in self.entries or "." in name:
            raise _Unlisted(f"the global {full[:_LONGEST_NAME]}, which is not on the list of allowed names")
        self.stack.append(_Global(full, self.entries[full]))

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise ValueError("a call of something that is no allowed global")
        self.spend(_BYTES_PER_OBJECT + _BYTES_PER_ENTRY * len(arguments))
        try:
            value = function.builder(*arguments)
        except TypeError as error:
            raise ValueError(f"a call of {function.name} with arguments that it does not take") from error
        self.spend(len(value) if isinstance(value, bytes) else getattr(value, "nbytes", 0))
        self.stack.append(value)

    def build(self) -> None:
        state = self.pop()
        target = self.stack[-1]
        if isinstance(target, AttributedMapping):
            target.set_state(state)
        elif isinstance(target, dict) and isinstance(state, dict):
            self.spend(_BYTES_PER_ENTRY * len(state))
            target.update(state)
        elif isinstance(target, Record):
            target.set_state(state)
            self.spend(target.nbytes)
        else:
            raise ValueError(f"state for a {type(target).__name__}")


def _check_key(key: Any) -> None:
    if not isinstance(key, _SCALARS):
        raise ValueError(f"a mapping key of type {type(key).__name__}")
    if isinstance(key, int) and abs(key) >= _KEY_LIMIT:
        raise ValueError("a whole number of more than 60 bits as a mapping key")


class _Global:
    """An allowed global on the stack; nothing but a call can use it."""

    def __init__(self, name: str, builder: Builder) -> None:
        self.name = name
        self.builder = builder


def _list_of(machine: _Machine) -> None:
    machine.stack.append(machine.pop_to_mark())


def _dict_of(machine: _Machine) -> None:
    target: dict = {}
    machine.set_items(target, machine.pop_to_mark())
    machine.stack.append(target)


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, _argument: Any) -> None:
        values = [machine.pop() for _ in range(count)][::-1]
        machine.stack.append(tuple(values))

    return step


def _append(machine: _Machine, _argument: Any) -> None:
    value = machine.pop()
    machine.top(list).append(value)


def _appends(machine: _Machine, _argument: Any) -> None:
    values = machine.pop_to_mark()
    machine.top(list).extend(values)


def _set_item(machine: _Machine, _argument: Any) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items(machine.top(dict), [key, value])


def _set_items(machine: _Machine, _argument: Any) -> None:
    flat = machine.pop_to_mark()
    machine.set_items(machine.top(dict), flat)


def _stack_global(machine: _Machine, _argument: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.look_up(module, name)


def _check_protocol(version: int) -> None:
    if version > _NEWEST_PROTOCOL:
        raise ValueError(f"pickle protocol {version}")


_HANDLERS: dict[str, Callable[[_Machine, Any], object]] = {
    "PROTO": lambda _, version: _check_protocol(version),
    "FRAME": lambda _machine, _size: None,
    "MARK": lambda machine, _: machine.stack.append(_MARK),
    "POP": lambda machine, _: machine.stack.pop(),
    "POP_MARK": lambda machine, _: machine.pop_to_mark(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "LIST": lambda machine, _: _list_of(machine),
    "DICT": lambda machine, _: _dict_of(machine),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_to_mark())),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "APPEND": _append,
    "APPENDS": _appends,
    "EMPTY_SET": lambda machine, _: machine.empty_set(),
    "ADDITEMS": lambda machine, _: machine.add_items(),
    "BINPERSID": lambda machine, _: machine.persistent(),
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "PUT": lambda machine, index: machine.memo_put(index),
    "BINPUT": lambda machine, index: machine.memo_put(index),
    "LONG_BINPUT": lambda machine, index: machine.memo_put(index),
    "MEMOIZE": lambda machine, _: machine.memo_put(len(machine.memo)),
    "GET": lambda machine, index: machine.memo_get(index),
    "BINGET": lambda machine, index: machine.memo_get(index),
    "LONG_BINGET": lambda machine, index: machine.memo_get(index),
    "GLOBAL": lambda machine, text: machine.look_up(*text.split(" ", 1)),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": lambda machine, _: machine.call(),
    "NEWOBJ": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}


def _finished(value: Any, done: dict[int, Any], depth: int) -> Any:
    """Replace records by their results; shared values stay shared, so nested sharing costs nothing."""
    if isinstance(value, _Global) or value is _MARK:
        raise ValueError("a global where data belongs")
    if not isinstance(value, (dict, list, tuple, Record)):
        return value
    if id(value) in done:
        return done[id(value)]
    if depth > MAX_DEPTH:
        raise ValueError(f"data nested deeper than {MAX_DEPTH}")
    if isinstance(value, Record):
        done[id(value)] = value.result()
    elif isinstance(value, tuple):
        done[id(value)] = tuple(_finished(entry, done, depth + 1) for entry in value)
    elif isinstance(value, list):
        done[id(value)] = value
        value[:] = [_finished(entry, done, depth + 1) for entry in value]
    else:
        done[id(value)] = value
        for key in value:
            value[key] = _finished(value[key], done, depth + 1)
    return done[id(value)]
