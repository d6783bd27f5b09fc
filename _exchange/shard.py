"""The part of a list of work that one machine takes, so that several machines share one job without talking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from _exchange.errors import InputError

Piece = TypeVar("Piece")


@dataclass(frozen=True)
class Shard:
    """The part of the pieces that one machine works on: every `count`-th, starting with the `number`-th, from 1.

    Raises:
        InputError: not 1 ≤ number ≤ count.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise InputError(f"Expected a shard i/n with 1 ≤ i ≤ n, found {self.number}/{self.count}.")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard written ``i/n``."""
        number, separator, count = text.partition("/")
        if not (separator and number.isascii() and number.isdigit() and count.isascii() and count.isdigit()):
            raise InputError(f"Expected a shard such as 1/4, found {text!r}.")
        return cls(int(number), int(count))

    def of(self, pieces: Sequence[Piece]) -> list[Piece]:
        """This shard's pieces, in order.

        >>> Shard(2, 3).of("abcdefg")
        ['b', 'e']
        """
        return list(pieces[self.number - 1 :: self.count])
