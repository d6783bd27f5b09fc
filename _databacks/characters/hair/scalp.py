"""The scalp: the ellipsoid that hair lies on, how it hangs below its widest ring, and the closed cap.

A place on the scalp is a turn θ (0 = front, positive to the character's left) and a run s, metres of hair from the
crown: along the ellipsoid first, straight down after its widest ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from _databacks.characters.curves import Floats, profile, smoothstep, unit
from _databacks.characters.hair.atlas import LONG_RUN, PLAIN_TILE, tile_u, v_of_run
from _databacks.characters.head import Skull
from _databacks.characters.solids import Solid, grid_solid

RUN_PER_RADIAN = 0.122
WIDEST_RUN = RUN_PER_RADIAN * np.pi / 2
CENTRE = np.array([0.0, 0.004, 0.004])
_HAIRLINE_Y = (
    (0.0, 0.066), (0.5, 0.064), (0.85, 0.050), (1.08, 0.010), (1.25, -0.040), (1.42, -0.046),
    (1.55, -0.022), (1.75, -0.022), (1.95, -0.048), (2.3, -0.085), (3.15, -0.112),
)  # fmt: skip
"""Height of the edge of the hair by |θ|: forehead, temple, in front of the ear, above it, behind it, nape."""
_FRONT_TURN = 1.62
"""Hair with a smaller |θ| falls in front of the shoulder."""
_ABOVE_SHOULDERS_Y = -0.155
Drape = Sequence[tuple[float, float]]
"""Knots (metres below the widest ring, horizontal scale): how hanging hair flares or curls in."""


@dataclass(frozen=True)
class Scalp:
    """Hair surface of one head; `fullness` is the height of the hair over the skull, metres."""

    skull: Skull
    fullness: float

    @property
    def radii(self) -> tuple[float, float, float, float]:
        """Half axes: sideways, up, forwards, backwards."""
        full = self.fullness
        return self.skull.face.half_width + 0.85 * full, 0.111 + full, 0.103 + 0.45 * full, 0.110 + 0.85 * full

    def shell(self, turn: ArrayLike, descent: ArrayLike, lift: ArrayLike = 0.0) -> tuple[Floats, Floats]:
        """(…, 3) points on the ellipsoid, raised by `lift` metres, and unit normals."""
        turn, descent = np.broadcast_arrays(np.asarray(turn, np.float64), np.asarray(descent, np.float64))
        side, up, front, back = self.radii
        depth = np.where(np.cos(turn) > 0, front, back)
        ball = np.stack([-np.sin(turn) * np.sin(descent), np.cos(descent), -np.cos(turn) * np.sin(descent)], axis=-1)
        axes = np.stack([np.full_like(depth, side), np.full_like(depth, up), depth], axis=-1)
        outward = unit(ball / axes)
        return CENTRE + ball * axes + outward * np.asarray(lift)[..., None], outward

    def hairline(self, turn: ArrayLike) -> Floats:
        """Descent of the edge of the hair."""
        wrapped = np.abs((np.asarray(turn, np.float64) + np.pi) % (2 * np.pi) - np.pi)
        return self.descent_at(profile(wrapped, _HAIRLINE_Y))

    def descent_at(self, y: ArrayLike) -> Floats:
        """Descent of a height on the ellipsoid."""
        return np.arccos(np.clip((np.asarray(y, np.float64) - CENTRE[1]) / self.radii[1], -1, 1))

    def run_to(self, y: float) -> float:
        """Length of hair that reaches down to a height."""
        if y >= CENTRE[1]:
            return float(RUN_PER_RADIAN * self.descent_at(y))
        return float(WIDEST_RUN + CENTRE[1] - y)

    def drape(self, turn: ArrayLike, run: ArrayLike, lift: ArrayLike, drape: Drape) -> tuple[Floats, Floats]:
        """(N, 3) points of hair that follows the ellipsoid and then hangs, and unit normals."""
        turn, run, lift = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in (turn, run, lift)))
        points, outward = self.shell(turn, np.minimum(run / RUN_PER_RADIAN, np.pi / 2), lift)
        drop = np.maximum(run - WIDEST_RUN, 0.0)
        scale = profile(drop, drape)
        points[:, 0] = CENTRE[0] + (points[:, 0] - CENTRE[0]) * scale
        points[:, 2] = CENTRE[2] + (points[:, 2] - CENTRE[2]) * scale
        points[:, 1] -= drop
        return clear_of_body(points, turn), outward

    def cap_points(self, turn: ArrayLike, descent: ArrayLike, lift: float = 0.0) -> Floats:
        """(…, 3) points of the cap: the ellipsoid, coming down onto the skin towards the edge of the hair."""
        turn, descent = np.broadcast_arrays(np.asarray(turn, np.float64), np.asarray(descent, np.float64))
        shell, outward = self.shell(turn, descent, lift - 0.004)
        skin = self.skull.points(turn, self.skull.descent_at(np.minimum(shell[..., 1], 0.106)))
        on_skin = skin + outward * (0.0025 + lift)
        share = smoothstep(descent / self.hairline(turn), 0.55, 1.0)[..., None]
        return shell + (on_skin - shell) * share

    def cap(self) -> Solid:
        """The closed cap: an outer sheet from the crown to the edge of the hair, an inner one back inside the skull."""
        sectors, per_sector = 18, 4
        turns = np.linspace(-np.pi, np.pi, sectors * per_sector + 1)
        share = np.linspace(0, 1, 15)
        descents = share[:, None] * self.hairline(turns)[None, :]
        outer = self.cap_points(turns[None, :], descents)
        outer[0] = outer[0].mean(axis=0)
        inner = CENTRE + (outer[::-1] - CENTRE) * np.linspace(0.90, 0.6, len(share))[:, None, None]
        points = np.concatenate([outer, inner])
        points[:, -1] = points[:, 0]
        fold = np.abs((np.arange(len(turns)) / per_sector + 1) % 2 - 1)
        u = tile_u(PLAIN_TILE, fold * 2 - 1)
        v = v_of_run(descents * RUN_PER_RADIAN, LONG_RUN)
        v = np.concatenate([v, v[::-1]])
        uv = np.stack([np.broadcast_to(u, v.shape), v], axis=-1)
        return grid_solid(points, uv, "hair")


def clear_of_body(points: Floats, turn: Floats) -> Floats:
    """Lead hair that reaches the shoulders in front of the chest or behind the back, whichever side it comes from.

    The turn at the root decides. Below, locks lie side by side: the turn just behind the ear goes to the edge.
    """
    if points[:, 1].min() > _ABOVE_SHOULDERS_Y:
        return points
    below = smoothstep(-points[:, 1], 0.085, 0.235)
    wrapped = np.abs((turn + np.pi) % (2 * np.pi) - np.pi)
    side, front = np.sign(points[:, 0]), wrapped[0] < _FRONT_TURN
    front_x = 0.040 + 0.060 * np.clip((wrapped - 0.9) / (_FRONT_TURN - 0.9), 0.0, 1.0)
    back_x = 0.122 * np.clip((np.pi - wrapped) / (np.pi - _FRONT_TURN), 0.0, 1.0)
    wide = np.abs(points[:, 0])
    x = side * (np.minimum(wide, front_x) if front else np.maximum(wide, back_x))
    z = np.minimum(points[:, 2], -0.088) if front else np.maximum(points[:, 2], 0.106)
    moved = points.copy()
    moved[:, 0] += below * (x - points[:, 0])
    moved[:, 2] += below * (z - points[:, 2])
    return moved
