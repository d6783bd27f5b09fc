"""Bitwise repeatable arithmetic on the CPU, and random numbers with an explicit source.

Whatever draws random numbers takes a `Draws` and names each draw; the numbers come from a generator, or from arrays
that somebody recorded. Names are those of the parity fixtures: the module path of a noise layer
(``backbone.synthesis.b8.conv0``), ``stratified_jitter``, ``importance_u``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from _exchange.errors import InputError


@contextmanager
def single_threaded() -> Iterator[None]:
    """Run torch in one thread inside the block, so that sums do not depend on the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Draws(ABC):
    """A source of random numbers; every method returns float32 on `device`."""

    @abstractmethod
    def normal(self, name: str, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """Standard normal numbers."""

    @abstractmethod
    def uniform(
        self, name: str, shape: Sequence[int], device: torch.device | str = "cpu", order: Sequence[int] | None = None
    ) -> Tensor:
        """Numbers in [0, 1). `order` lists the axes from slowest to fastest in which a generator fills them."""

    @abstractmethod
    def next_render(self) -> Draws:
        """The source for one more render of the same call (the mask renders of pasting)."""


class GeneratorDraws(Draws):
    """Numbers from a torch generator, in the order in which they are asked for.

    Args:
        generator: the source; its device decides the stream. None takes torch's global CPU generator.
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        self.generator = generator

    @classmethod
    def seeded(cls, seed: int, device: torch.device | str = "cpu") -> GeneratorDraws:
        """A new generator with this seed."""
        return cls(torch.Generator(device).manual_seed(seed))

    @property
    def _source(self) -> torch.device:
        return torch.device("cpu") if self.generator is None else self.generator.device

    def normal(self, name: str, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:  # noqa: ARG002
        """See `Draws.normal`; the name plays no part."""
        return torch.randn(tuple(shape), generator=self.generator, device=self._source).to(device)

    def uniform(
        self,
        name: str,  # noqa: ARG002
        shape: Sequence[int],
        device: torch.device | str = "cpu",
        order: Sequence[int] | None = None,
    ) -> Tensor:
        """See `Draws.uniform`; the name plays no part."""
        order = tuple(order or range(len(shape)))
        drawn = torch.rand([shape[axis] for axis in order], generator=self.generator, device=self._source)
        return drawn.permute([order.index(axis) for axis in range(len(shape))]).to(device)

    def next_render(self) -> Draws:
        """The same stream goes on."""
        return self


class RecordedDraws(Draws):
    """Recorded numbers by name, ``pass0/<name>`` for the first render of a call, ``pass1/…`` for the second, and so on.

    Args:
        arrays: float32 arrays by name; what is drawn is a copy.
        render: number of the render.

    Raises:
        InputError: at the draw, where nothing or something of another shape was recorded.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.float32]], render: int = 0) -> None:
        self.arrays = arrays
        self.render = render

    def _recorded(self, name: str, shape: Sequence[int], device: torch.device | str) -> Tensor:
        key = f"pass{self.render}/{name}"
        if key not in self.arrays:
            raise InputError(
                f"Expected recorded random numbers {key}, found {', '.join(sorted(self.arrays)) or 'none'}."
            )
        found = self.arrays[key]
        if found.shape != tuple(shape):
            raise InputError(f"Expected recorded random numbers {key} of shape {tuple(shape)}, found {found.shape}.")
        return torch.from_numpy(np.array(found, np.float32, order="C")).to(device)

    def normal(self, name: str, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """See `Draws.normal`."""
        return self._recorded(name, shape, device)

    def uniform(
        self,
        name: str,
        shape: Sequence[int],
        device: torch.device | str = "cpu",
        order: Sequence[int] | None = None,  # noqa: ARG002
    ) -> Tensor:
        """See `Draws.uniform`; the recorded array has its axes as asked for."""
        return self._recorded(name, shape, device)

    def next_render(self) -> Draws:
        """The arrays of the following render."""
        return RecordedDraws(self.arrays, self.render + 1)
