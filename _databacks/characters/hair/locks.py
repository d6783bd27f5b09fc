"""Locks: closed lens-shaped solids swept along guide curves, and the guides that families share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from _databacks.characters.curves import Floats, profile, smoothstep, unit
from _databacks.characters.hair.atlas import INNER_TILE, tile_u, v_of_run
from _databacks.characters.hair.scalp import RUN_PER_RADIAN, Drape, Scalp
from _databacks.characters.solids import Solid, grid_faces, rigid

_OUTER = np.linspace(-1, 1, 5)
_INNER = np.linspace(1, -1, 3)
POINTED = ((0.0, 0.45), (0.25, 0.85), (0.5, 1.0), (0.75, 0.78), (0.92, 0.32), (1.0, 0.03))
BLUNT = ((0.0, 0.45), (0.3, 0.9), (0.6, 1.0), (1.0, 0.97))
SOFT = ((0.0, 0.45), (0.3, 0.9), (0.6, 1.0), (0.85, 0.72), (1.0, 0.12))
Knots = tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Guide:
    """The middle line of a lock: points and outward normals (N, 3), and metres of hair from the crown (N,)."""

    points: Floats
    normals: Floats
    runs: Floats


def lock(
    guide: Guide,
    half_widths: ArrayLike,
    thickness: float,
    tile: int,
    *,
    bend: float = 0.11,
    tip_run: float = 0.0,
    depth: float = 0.0,
) -> Solid:
    """A lock along a guide.

    Args:
        half_widths: (N,) metres.
        thickness: height of the lens above the guide, metres.
        tile: tile of the hair texture for the outside.
        bend: radius the cross-section is curved to, metres, so that wide locks follow the head.
        tip_run: metres of hair from the crown that count as the tip for its colour; 0 for the guide's own end.
        depth: how far the inside reaches below the guide, metres; at least a fifth of the thickness.
    """
    widths = np.broadcast_to(np.asarray(half_widths, np.float64), len(guide.points))
    tangent = unit(np.gradient(guide.points, axis=0))
    side = unit(np.cross(tangent, guide.normals))
    normal = np.cross(side, tangent)
    height = thickness * np.minimum(1.0, widths / max(widths.max(), 1e-9) + 0.15)
    across = np.concatenate([_OUTER, _INNER])
    inside = max(0.2, depth / thickness)
    lens = np.concatenate([1 - _OUTER**2, -inside * (1 - _INNER**2)])
    sagitta = -(across**2)[None, :] * (widths**2)[:, None] / (2 * bend)
    raised = lens[None, :] * height[:, None] + sagitta
    points = guide.points[:, None] + side[:, None] * (across * widths[:, None])[..., None]
    points = points + normal[:, None] * raised[..., None]
    rings = np.concatenate([points[:1], points, points[-1:]])
    rings[0], rings[-1] = guide.points[0], guide.points[-1]
    v = v_of_run(guide.runs, tip_run or float(guide.runs[-1]))
    v = np.concatenate([v[:1], v, v[-1:]])
    u = np.concatenate([tile_u(tile, _OUTER), tile_u(INNER_TILE, _INNER * 0.8)])
    uv = np.stack(np.broadcast_arrays(u[None, :], v[:, None]), axis=-1)
    return _two_sheets(rings, uv)


def _two_sheets(rings: Floats, uv: Floats) -> Solid:
    """Outer and inner sheet of a lock; they meet at shared edge positions, with texture coordinates of their own."""
    rows, outer = rings.shape[0], len(_OUTER)
    sheets = [(rings[:, :outer], uv[:, :outer]), (rings[:, outer:], uv[:, outer:])]
    positions = np.concatenate([points.reshape(-1, 3) for points, _ in sheets])
    coordinates = np.concatenate([part.reshape(-1, 2) for _, part in sheets])
    faces = np.concatenate([grid_faces(rows, outer), grid_faces(rows, len(_INNER), rows * outer)])
    return rigid(positions, coordinates, faces, "hair")


def hanging_guide(
    scalp: Scalp,
    start: tuple[float, float],
    end: tuple[float, float],
    lift: tuple[float, float],
    drape: Drape,
    *,
    sway: float = 0.0,
    waves: float = 0.0,
    rows: int = 14,
) -> Guide:
    """A guide from (turn, run) to (turn, run) over the scalp.

    Args:
        lift: height over the ellipsoid in the middle and at the tip, metres; the root dives into the cap.
        sway: sideways amplitude of waves, radians.
        waves: number of waves.
    """
    share = np.linspace(0, 1, rows)
    runs = start[1] + (end[1] - start[1]) * share
    turns = start[0] + (end[0] - start[0]) * smoothstep(share, -0.25, 1.05)
    turns = turns + sway * np.sin(2 * np.pi * waves * share) * smoothstep(share, 0.2, 0.6)
    lifts = profile(share, ((0.0, -0.008), (0.20, lift[0] - 0.001), (0.55, lift[0]), (1.0, lift[1])))
    lifts = lifts + 0.35 * abs(sway) * 0.11 * np.cos(2 * np.pi * waves * share) * smoothstep(share, 0.3, 0.7)
    points, normals = scalp.drape(turns, runs, lifts, drape)
    return Guide(points, normals, runs)


def combed_guide(
    scalp: Scalp, start: tuple[float, float], end: tuple[float, float], lift: float, rows: int = 12
) -> Guide:
    """A guide on the cap along a great circle between two places (turn, descent): hair combed to a tie."""
    first, last = (
        np.array([-np.sin(turn) * np.sin(descent), np.cos(descent), -np.cos(turn) * np.sin(descent)])
        for turn, descent in (start, end)
    )
    angle = np.arccos(np.clip((first * last).sum(), -1, 1))
    share = np.linspace(0, 1, rows)[:, None]
    ball = unit(first * np.sin((1 - share) * angle) + last * np.sin(share * angle))
    turns, descents = np.arctan2(-ball[:, 0], -ball[:, 2]), np.arccos(np.clip(ball[:, 1], -1, 1))
    rise = lift * np.sin(np.pi * np.clip(share[:, 0], 0.04, 0.96))
    cap = scalp.cap_points(turns, descents)
    normals = scalp.shell(turns, descents)[1]
    return Guide(cap + normals * rise[:, None], normals, RUN_PER_RADIAN * descents)


def spread_width(scalp: Scalp, guide: Guide, spacing: float, overlap: float, widths: Knots) -> Floats:
    """(N,) half widths of a lock that covers `spacing` radians of the head's circumference."""
    share = np.linspace(0, 1, len(guide.points))
    radius = np.sqrt(guide.points[:, 0] ** 2 + (guide.points[:, 2] - 0.004) ** 2)
    radius = np.clip(radius, 0.03, scalp.radii[0] * 1.15)
    return 0.5 * spacing * overlap * radius * profile(share, widths)
