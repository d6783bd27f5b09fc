"""Which back end draws, and why."""

from __future__ import annotations

from typing import Literal

from _exchange.errors import InputError
from _render.scene import Renderer
from _render.scene_cpu import CpuRenderer

Backend = Literal["auto", "cpu"]


def renderer(backend: Backend = "auto") -> Renderer:
    """A renderer whose `reason` says in one sentence what was chosen.

    Raises:
        InputError: there is no such back end.
    """
    if backend in ("auto", "cpu"):
        return CpuRenderer()
    raise InputError(f"Expected a back end out of auto, cpu, found {backend!r}.")
