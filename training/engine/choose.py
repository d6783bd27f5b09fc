"""Engines by name."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

import torch

from _exchange.errors import InputError, MissingComponent
from training.engine.interface import Engine
from training.engine.plain import PlainEngine

EngineName = Literal["plain", "fast"]
ENGINES: tuple[EngineName, ...] = ("plain", "fast")


def engine_named(name: EngineName, device: torch.device | str = "cpu") -> Engine:
    """The engine called `name` for tensors on `device`; what it needs is loaded now.

    Raises:
        InputError: there is no such engine, or no fast one for that device.
        MissingComponent: the fast engine of that device needs a package that is absent.
    """
    if name not in ENGINES:
        raise InputError(f"Expected an engine out of {', '.join(ENGINES)}, found {name!r}.")
    if name == "plain":
        return PlainEngine()
    kind = torch.device(device).type
    if kind == "cpu":
        from training.engine.cpu import CpuEngine

        return CpuEngine()
    if kind == "cuda":
        return _cuda_engine()
    raise InputError(
        f"Expected the device cpu or cuda for the fast engine, found {kind}.", next_step="Use plain there."
    )


def _cuda_engine() -> Engine:
    if find_spec("triton") is None:
        raise MissingComponent(
            "Expected the package triton for the fast engine on cuda, found none.",
            next_step="Run python3 -m pip install triton, or use the plain engine.",
        )
    from training.engine.cuda import CudaEngine

    return CudaEngine()
