"""Shading: a character's parts as an ordered list of draws, in one of two ways.

`paper` is the original's unlit alpha test; `corrected` takes materials as the file means them. Every back end draws
the same `Plan`. Source: spec/renderer.md §5 and §12.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from _exchange.errors import InputError
from _exchange.mesh import Cull, HeadMesh, Material, Texture
from _exchange.protocol import Way

PAPER_CUTOFF = 0.5
"""`paper` drops fragments whose alpha is below this."""


@dataclass(frozen=True, eq=False)
class Draw:
    """One part, and the rules its fragments follow.

    Attributes:
        part: index of the part whose triangles are drawn.
        color_factor: multiplies texture values in 0..1.
        texture: image and sampler as this shading obeys it; None is white.
        cutoff: fragments with alpha below it are dropped; 0 keeps all.
        keeps_alpha: write the fragment's alpha; else 1.
        cull: faces that are left out.
        blends: composite over what is there (pass 2) instead of replacing it (pass 1).
        writes_depth: hide later fragments behind this one; blended draws do so only where alpha > 0.
    """

    part: int
    color_factor: tuple[float, float, float, float]
    texture: Texture | None
    cutoff: float
    keeps_alpha: bool
    cull: Cull
    blends: bool
    writes_depth: bool


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything a back end has to know about one character's look.

    Attributes:
        draws: in drawing order: pass 1, then the blended ones.
        ties: which fragment wins at equal depth: the `first` (depth test less) or the `last` (less or equal).
        outside: fragments outside the working cube: a `hole` (depth and colour with alpha 0), or `drop`.
    """

    draws: tuple[Draw, ...]
    ties: Literal["first", "last"]
    outside: Literal["hole", "drop"]


def plan(head_mesh: HeadMesh, shading: Way) -> Plan:
    """The draws of a character in one shading.

    Raises:
        InputError: there is no such shading.
    """
    if shading == "paper":
        return paper_plan(head_mesh)
    if shading == "corrected":
        return corrected_plan(head_mesh)
    raise InputError(f"Expected the shading paper or corrected, found {shading!r}.")


def paper_plan(head_mesh: HeadMesh) -> Plan:
    """Parts with a texture in file order: always repeated, double-sided, alpha kept where it is at least ½."""
    draws = [
        Draw(
            part=index,
            color_factor=part.material.color_factor,
            texture=replace(
                part.material.texture, wrap_u="repeat", wrap_v="repeat", magnify="linear", minify="trilinear"
            ),
            cutoff=PAPER_CUTOFF,
            keeps_alpha=True,
            cull="none",
            blends=False,
            writes_depth=True,
        )
        for index, part in enumerate(head_mesh.parts)
        if part.material.texture is not None
    ]
    return Plan(tuple(draws), ties="first", outside="hole")


def corrected_plan(head_mesh: HeadMesh) -> Plan:
    """OPAQUE, then MASK in file order; then BLEND by (render queue, file order)."""
    draws = [_corrected_draw(index, part.material) for index, part in enumerate(head_mesh.parts)]
    return Plan(tuple(_in_passes(draws, head_mesh)), ties="last", outside="drop")


def colored_plan() -> Plan:
    """One double-sided draw of vertex colours; vertices with alpha below ½ cut holes, the rest is opaque."""
    draw = Draw(0, (1.0, 1.0, 1.0, 1.0), None, PAPER_CUTOFF, False, "none", blends=False, writes_depth=True)
    return Plan((draw,), ties="last", outside="drop")


def _corrected_draw(part: int, material: Material) -> Draw:
    blends = material.alpha_mode == "BLEND"
    return Draw(
        part=part,
        color_factor=material.color_factor,
        texture=material.texture,
        cutoff=material.alpha_cutoff if material.alpha_mode == "MASK" else 0.0,
        keeps_alpha=blends,
        cull=material.cull,
        blends=blends,
        writes_depth=not blends or material.writes_depth_when_blended,
    )


def _in_passes(draws: Sequence[Draw], head_mesh: HeadMesh) -> list[Draw]:
    def rank(draw: Draw) -> tuple[int, int, int]:
        material = head_mesh.parts[draw.part].material
        if draw.blends:
            return 2, material.render_queue, draw.part
        return int(material.alpha_mode == "MASK"), 0, draw.part

    return sorted(draws, key=rank)
