"""Running out of memory, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from _exchange.errors import SuiteError

_TELLTALES = ("not enough memory", "can't allocate memory", "out of memory")
"""What the allocators of torch write into a plain RuntimeError."""


@contextmanager
def memory_explained(lower: str) -> Iterator[None]:
    """Turn running out of memory inside the block into a sentence.

    Args:
        lower: the settings to lower, e.g. ``neural_rendering_resolution (96)``.

    Raises:
        SuiteError: the machine or the device ran out of memory.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _sentence(error, lower) from error
    except RuntimeError as error:
        if any(telltale in str(error) for telltale in _TELLTALES):
            raise _sentence(error, lower) from error
        raise


def _sentence(error: BaseException, lower: str) -> SuiteError:
    lines = str(error).strip().splitlines()
    found = f": {lines[0][:200]}" if lines else ""
    return SuiteError(f"Expected enough memory for this call, found too little{found}.", next_step=f"Lower {lower}.")
