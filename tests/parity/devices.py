"""The devices on which networks are compared with recordings: the CPU, and a GPU where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from torch_utils.device import exact_float32, repeatable_cuda

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")]
    ),
]


@contextmanager
def exact() -> Iterator[None]:
    """float32 without shortcuts, on every device."""
    with exact_float32(), repeatable_cuda():
        yield
