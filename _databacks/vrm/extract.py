"""From a file to what others ask for: the drawn character, the surface that is measured, the attribution.

Source: spec/renderer.md §2-3, §12.1-12.2; spec/measure.md §6.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from _databacks.vrm.corrected import corrected_head_mesh
from _databacks.vrm.document import naming, read_document
from _databacks.vrm.paper import bind_surface, paper_head_mesh, paper_loc_origin
from _exchange.errors import InputError
from _exchange.mesh import HeadMesh, Mesh

PAPER_POSES: Mapping[str, float] = MappingProxyType({"rutileE": 60.0, "daredemoE": 15.0})
"""Degrees by which the original turns the upper arms down, per render set."""

Point = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class TrueSurface:
    """The surface of a character to be measured; `verts` − `loc_origin` is in `head_model`, metres.

    Attributes:
        verts: (V, 3) float32. Bind pose: the file's positions, not shifted, on which inner surfaces are found.
            Rendered pose: already in `head_model`.
        faces: (F, 3) int64.
        loc_origin: (3,) float64; zero for the rendered pose.
    """

    verts: NDArray[np.float32]
    faces: NDArray[np.int64]
    loc_origin: NDArray[np.float64]

    def head_model(self) -> Mesh:
        """The whole surface in `head_model`, float64, before anything is cut."""
        return Mesh(self.verts.astype(np.float64) - self.loc_origin, self.faces)


def read_head_mesh(
    path: Path,
    *,
    shading: Literal["paper", "corrected"],
    paper_pose: float = PAPER_POSES["rutileE"],
    fit: bool = False,
    head_position: Point | None = None,
) -> HeadMesh:
    """Read a character as `shading` draws it: posed, in `head_model`, parts in draw order.

    Args:
        path: a .vrm, .glb or .gltf file.
        shading: ``paper`` reads as the original does, ``corrected`` as the file means.
        paper_pose: degrees by which ``paper`` turns the upper arms down; ``corrected`` measures the arms instead.
        fit: ``corrected`` only: shrink a head that is larger than the working cube into it.
        head_position: head joint in `model` (metres; the character faces −z) for files without a head bone.

    Raises:
        FormatError: the file is damaged, or something that the shading needs is not in it.
        InputError: the file cannot be read, or an argument is wrong.
    """
    _check_arguments(shading, paper_pose, fit, head_position)
    document = read_document(Path(path))
    with naming(document.path):
        if shading == "paper":
            return paper_head_mesh(document, paper_pose)
        return corrected_head_mesh(document, fit=fit, head_position=head_position)


def read_true_surface(
    path: Path,
    *,
    pose: Literal["bind", "rendered"],
    shading: Literal["paper", "corrected"] = "corrected",
    paper_pose: float = PAPER_POSES["rutileE"],
    fit: bool = False,
    head_position: Point | None = None,
) -> TrueSurface:
    """Read the surface that predictions are measured against.

    Args:
        path: a .vrm, .glb or .gltf file.
        pose: ``bind``: all primitives in file order, unposed, no nodes (VRM 0.x only, as the original's);
            ``rendered``: the surface that `shading` draws (that of ``corrected`` is read without its images).
        shading, paper_pose, fit, head_position: as for `read_head_mesh`; used by ``rendered``.

    Raises:
        FormatError, InputError: as for `read_head_mesh`.
    """
    if pose not in ("bind", "rendered"):
        raise InputError(f"Expected the pose bind or rendered, found {pose!r}.")
    _check_arguments(shading, paper_pose, fit, head_position)
    document = read_document(Path(path))
    with naming(document.path):
        if pose == "bind":
            return TrueSurface(*bind_surface(document), paper_loc_origin(document))
        if shading == "paper":
            drawn = paper_head_mesh(document, paper_pose).surface()
        else:
            drawn = corrected_head_mesh(document, fit=fit, head_position=head_position, with_looks=False).surface()
    return TrueSurface(drawn.verts.astype(np.float32), drawn.faces.astype(np.int64), np.zeros(3))


def _check_arguments(shading: str, paper_pose: float, fit: bool, head_position: Point | None) -> None:
    if shading not in ("paper", "corrected"):
        raise InputError(f"Expected the shading paper or corrected, found {shading!r}.")
    if shading == "paper" and fit:
        raise InputError("Expected fit with corrected shading, found it with paper, which never scales.")
    if not math.isfinite(paper_pose):
        raise InputError(f"Expected a finite angle of the arms, found {paper_pose}.")
    if head_position is not None and not (len(head_position) == 3 and all(map(math.isfinite, head_position))):
        raise InputError(f"Expected three finite numbers as the position of the head, found {head_position}.")


def read_attribution(path: Path) -> Mapping[str, str]:
    """Author, title and licence fields of a file's meta block: its own keys, and `title`, `author`, `licence`.

    Raises:
        FormatError, InputError: as for `read_head_mesh`.
    """
    return read_document(Path(path)).humanoid.attribution
