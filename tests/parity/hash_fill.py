"""Weights defined by a formula ("hash fill"), for networks too large to ship: parity/linefill/README.md."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def hash_fill(number: int, shape: Sequence[int], amp: float, offset: float) -> NDArray[np.float32]:
    """Tensor `number`: uniform in offset ± amp, from a hash of the flat (row-major) index."""
    h = np.arange(int(np.prod(shape)), dtype=np.uint32)  # products wrap at 2³² by themselves
    h *= np.uint32(2654435761)
    h += np.uint32((number + 1) * 2246822519 % 2**32)
    h ^= h >> 15
    h *= np.uint32(2246822519)
    h ^= h >> 13
    h *= np.uint32(3266489917)
    h ^= h >> 16
    unit = h / 2.0**32
    return ((2 * unit - 1) * amp + offset).astype(np.float32).reshape(shape)
