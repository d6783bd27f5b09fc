"""Which back end draws, and why."""

from __future__ import annotations

from typing import Literal

from _exchange.errors import InputError, MissingComponent
from _render.rasterise_egl import EglRenderer
from _render.scene import Renderer
from _render.scene_cpu import CpuRenderer

Backend = Literal["auto", "cpu", "egl"]


def renderer(backend: Backend = "auto") -> Renderer:
    """A renderer whose `reason` says in one sentence what was chosen.

    `auto` takes a graphics card where EGL offers one, else the CPU rasteriser: it repeats bit for bit, and on software
    drivers of EGL it is no slower.

    Raises:
        InputError: there is no such back end.
        MissingComponent: `egl` was asked for and there is none; the message names the packages.
    """
    if backend == "cpu":
        return CpuRenderer()
    if backend not in ("auto", "egl"):
        raise InputError(f"Expected a back end out of auto, cpu, egl, found {backend!r}.")
    try:
        found = EglRenderer()
    except MissingComponent as error:
        if backend == "egl":
            raise
        return CpuRenderer(reason=f"the CPU rasteriser, because OpenGL is absent: {error.message}")
    if backend == "auto" and found.is_software:
        found.release()
        return CpuRenderer(reason=f"the CPU rasteriser, because EGL offers only the software driver {found.device}")
    return found
