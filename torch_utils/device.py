"""Which device computes, and how exactly: choice by name with clear refusals, float32 without TF32, repeatable sums.

Nothing here is decided at import; a caller names a device and opens the contexts that it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from _exchange.errors import InputError, MissingComponent


def device_named(name: str) -> torch.device:
    """The device called ``cpu``, ``cuda`` or ``cuda:N``; ``cuda`` is the current CUDA device.

    Raises:
        InputError: the name is none of these, or there are fewer than N + 1 CUDA devices.
        MissingComponent: CUDA is asked for, and this torch has none or sees no device.
    """
    kind, colon, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (colon and (kind == "cpu" or not number.isdecimal())):
        raise InputError(f"Expected a device out of cpu, cuda, cuda:N, found {name!r}.")
    if kind == "cpu":
        return torch.device("cpu")
    if torch.version.cuda is None:
        raise MissingComponent(
            f"Expected a CUDA build of torch for device {name!r}, found torch {torch.__version__}.",
            next_step="Install one as https://pytorch.org/get-started shows, or choose the device cpu.",
        )
    if not torch.cuda.is_available():
        raise MissingComponent(
            f"Expected a CUDA device for {name!r}, found none.",
            next_step="Check that nvidia-smi lists one here, or choose the device cpu.",
        )
    if colon and int(number) >= torch.cuda.device_count():
        raise InputError(f"Expected a device below cuda:{torch.cuda.device_count()}, found {name!r}.")
    return torch.device("cuda", int(number) if colon else torch.cuda.current_device())


@contextmanager
def exact_float32() -> Iterator[None]:
    """Matrix products and convolutions of float32 keep all 24 bits inside the block: no TF32 on CUDA.

    The settings are those of each operator, which rule over both ``torch.backends.fp32_precision`` and the older
    ``allow_tf32``; reading the older ones inside the block is an error of torch.
    """
    cudnn: Any = torch.backends.cudnn
    settings: tuple[Any, ...] = torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn
    before = [setting.fp32_precision for setting in settings]
    try:
        for setting in settings:
            setting.fp32_precision = "ieee"
        yield
    finally:
        for setting, precision in zip(settings, before, strict=True):
            setting.fp32_precision = precision


@contextmanager
def repeatable_cuda() -> Iterator[None]:
    """cuDNN takes the same deterministic convolutions in every run inside the block, instead of timing candidates.

    cuBLAS repeats its sums by itself as long as one stream is used.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    try:
        cudnn.deterministic, cudnn.benchmark = True, False
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
