"""Numbers, text and containers of a pickle as JSON values, and the budget that keeps a small file small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from _exchange.pickle_machine import MAX_GROWTH, SMALL_CHANGE

MAX_NODES = 200_000
MAX_DEPTH = 40
_LONGEST_INTEGER = 1024
_NOT_PLAIN = object()


class Budget:
    """What may still be made of one file: references are cheap to write, so each use of a value counts anew.

    The rule: tensors of all modules together take at most `MAX_GROWTH` times the bytes of the file plus
    `SMALL_CHANGE`, texts of the configuration likewise, and there are at most `MAX_NODES` names and values.

    Args:
        file_bytes: size of the file.
    """

    def __init__(self, file_bytes: int) -> None:
        self.room = self.text_room = MAX_GROWTH * file_bytes + SMALL_CHANGE
        self.nodes = MAX_NODES

    def take_bytes(self, count: int) -> None:
        """Raise `ValueError` once tensors outgrow the file."""
        self.room -= count
        if self.room < 0:
            raise ValueError(f"tensors of more than {MAX_GROWTH} times the bytes of the file")

    def take_node(self, text: str = "") -> None:
        """`take_nodes` of one name or value with this text."""
        self.text_room -= len(text)
        self.take_nodes(1)

    def take_nodes(self, count: int) -> None:
        """Raise `ValueError` once there are too many names and values, or too much text."""
        self.nodes -= count
        if self.nodes < 0 or self.text_room < 0:
            raise ValueError(f"more than {MAX_NODES} names and values, or more text than the file can hold")


def plain(values: Mapping[Any, Any], what: str, budget: Budget) -> dict[str, Any]:
    """The mapping as JSON has it: tuples become lists, NumPy scalars numbers, keys text.

    Args:
        values: what is converted.
        what: its name, for errors.
        budget: of the file.

    Raises:
        ValueError: it holds something that is no plain data, or is too large.
    """
    converted = _plain(values, budget, 0)
    if converted is _NOT_PLAIN:
        raise ValueError(f"{what} that are not made of numbers, text and containers")
    return converted


def plain_entries(values: Mapping[Any, Any], budget: Budget) -> dict[str, Any]:
    """`plain` of every entry that is plain data; the others are left out.

    Raises:
        ValueError: it is too large.
    """
    converted = {name: _plain(value, budget, 0) for name, value in values.items() if isinstance(name, str)}
    return {name: value for name, value in converted.items() if value is not _NOT_PLAIN}


def _plain(value: Any, budget: Budget, depth: int) -> Any:
    budget.take_node(value if isinstance(value, str) else "")
    if depth > MAX_DEPTH:
        raise ValueError(f"a configuration nested deeper than {MAX_DEPTH}")
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        value = value.item()
    if value is None or isinstance(value, (bool, str, float)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _LONGEST_INTEGER else _NOT_PLAIN
    if isinstance(value, dict):
        budget.take_nodes(len(value))
        if not all(isinstance(name, (str, int)) for name in value):
            return _NOT_PLAIN
        pairs = {_key(name, budget): _plain(entry, budget, depth + 1) for name, entry in value.items()}
        return _NOT_PLAIN if any(entry is _NOT_PLAIN for entry in pairs.values()) else pairs
    if isinstance(value, (list, tuple)):
        entries = [_plain(entry, budget, depth + 1) for entry in value]
        return _NOT_PLAIN if any(entry is _NOT_PLAIN for entry in entries) else entries
    return _NOT_PLAIN


def _key(name: Any, budget: Budget) -> str:
    text = str(name)
    budget.text_room -= len(text)
    return text
