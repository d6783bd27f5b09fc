"""What all lists of allowed names share: objects without behaviour, plain numbers, and how much one pickle may ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from _exchange.pickle_machine import Record
from _exchange.restricted_pickle import NUMPY_ENTRIES, shown

MAX_OPERATIONS = 1_000_000
"""Opcodes of one pickle; the published snapshot has some tens of thousands."""
_BYTES_PER_ATTRIBUTE = 8
_NUMBERS = ("?", "b", "i", "u", "f")
_WIDTHS = ("1", "2", "4", "8")


class InertModule(Record):
    """A module that is only its instance dictionary."""

    def __init__(self, class_name: str, *arguments: Any) -> None:
        if arguments:
            raise ValueError(f"a {class_name} with arguments")
        self.class_name = class_name
        self.module_src = ""
        self.state: Mapping[str, Any] = {}

    def set_state(self, state: Any) -> None:
        """Take the instance dictionary."""
        if self.state or not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
            raise ValueError(f"a {self.class_name} whose state is no dictionary of attributes, or comes twice")
        self.state = state
        self.nbytes = _BYTES_PER_ATTRIBUTE * len(state)

    def result(self) -> InertModule:
        """Itself: its attributes are read when the module is."""
        return self


def numeric_dtype(code: Any, *flags: Any) -> Any:
    """`numpy.dtype` of plain numbers only; long doubles are another type on every machine."""
    kind, width = (code.lstrip("<>=|")[:1], code.lstrip("<>=|")[1:]) if isinstance(code, str) else ("", "")
    if kind not in _NUMBERS or width not in ("", *_WIDTHS):
        raise ValueError(f"the array type {shown(code)}; allowed are plain numbers of at most 8 bytes")
    return NUMPY_ENTRIES["numpy.dtype"](code, *flags)
