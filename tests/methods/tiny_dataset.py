"""A dataset of a few drawn portraits, as small as `generate` can use; picklable, so that workers can read it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _exchange.items import Alignment, ItemId, MethodInput, Region


def portrait_of_disc(radius: float, color: tuple[int, int, int] = (200, 80, 40)) -> NDArray[np.uint8]:
    """(512, 512, 4) portrait: a disc around the picture's centre, its left half (small columns) black."""
    places = np.arange(512) + 0.5 - 256
    portrait = np.zeros((512, 512, 4), np.uint8)
    portrait[:, 256:, :3] = color
    portrait[..., 3] = 255 * (places[:, None] ** 2 + places**2 <= radius**2)
    return portrait


def method_input(portrait: NDArray[np.uint8], name: str = "made/disc") -> MethodInput:
    """What a method sees of a portrait that needed no alignment."""
    alignment = Alignment("drawn", np.eye(3), Region(0, 0, 512, 512), np.zeros((0, 3)))
    return MethodInput(ItemId.parse(name), portrait, alignment)


@dataclass(frozen=True)
class TinyDataset:
    """Discs of growing radius; the items named in `broken` cannot be read.

    From the item number `closed` on, reading waits until there is a file `gate`.
    """

    root: Path = Path("tiny")
    count: int = 3
    broken: tuple[str, ...] = ()
    closed: int = 1000
    gate: Path = Path("gate")
    renderset: str = "tiny"
    default_protocol: str = "corrected"

    def items(self) -> Sequence[ItemId]:
        return [ItemId("made", f"disc{number}") for number in range(self.count)]

    def method_input(self, item: ItemId) -> MethodInput:
        if str(item) in self.broken:
            raise InputError(f"Expected a portrait of {item}, found none.")
        number = int(item.idx[4:])
        while number >= self.closed and not self.gate.exists():
            time.sleep(0.01)
        return method_input(portrait_of_disc(60 + 20 * number), str(item))

    def digest(self, items: Sequence[ItemId] | None = None) -> str:
        wanted = self.items() if items is None else items
        return f"discs {[(str(item), str(item) in self.broken) for item in wanted]}"
