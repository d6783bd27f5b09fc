"""What this machine can draw with, for `doctor`."""

from __future__ import annotations

from _exchange.errors import MissingComponent
from _exchange.findings import Finding
from _render.choose import renderer
from _render.rasterise_egl import EglRenderer


def drawing_findings() -> list[Finding]:
    """The OpenGL back end, and what `auto` chooses."""
    try:
        found = EglRenderer()
    except MissingComponent as error:
        opengl = Finding("OpenGL", False, False, error.message, error.next_step)
    else:
        opengl = Finding("OpenGL", True, False, found.reason)
        found.release()
    return [opengl, Finding("drawing", True, True, f"auto takes {renderer('auto').reason}")]
