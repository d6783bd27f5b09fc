"""Random numbers of the generator: one stream per concern, so that a new concern changes no older one.

Stream `name` of character `seed` is PCG64 seeded with (seed, CRC-32 of the name). Only raw uniform doubles are drawn
and everything else is derived from them here, because NumPy may change its other distributions between versions.

Streams in use: ``palette``, ``face``, ``eyes``, ``mouth``, ``hair``, ``clothes``, ``accessory`` (all for `Traits`),
``strands`` (jitter of single locks) and ``streaks`` (noise of the hair texture).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Choice = TypeVar("Choice")


class Stream:
    """Uniform numbers of one concern of one character."""

    def __init__(self, seed: int, name: str) -> None:
        entropy = [seed, zlib.crc32(name.encode("ascii"))]
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """One number in [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def uniforms(self, count: int, low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
        """`count` numbers in [low, high)."""
        return low + (high - low) * self._generator.random(count)

    def jitter(self, size: float) -> float:
        """One number in [−size, size)."""
        return self.uniform(-size, size)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def choose(self, options: Sequence[Choice], weights: Sequence[float] | None = None) -> Choice:
        """One of the options, by weight where weights are given."""
        shares = [1.0] * len(options) if weights is None else list(weights)
        mark = self.uniform(0.0, sum(shares))
        for option, share in zip(options, shares):
            mark -= share
            if mark < 0:
                return option
        return options[-1]
