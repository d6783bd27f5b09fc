"""Accessories worn on the head: cat ears, ribbon, clip, headband."""

from __future__ import annotations

import numpy as np

from _databacks.characters.clothes import bow_solids
from _databacks.characters.curves import unit
from _databacks.characters.hair.scalp import Scalp
from _databacks.characters.solids import Solid, ellipsoid, grid_solid, with_poles
from _databacks.characters.traits import AccessoryTraits
from _databacks.characters.wardrobe import swatch_uv


def accessory_solids(scalp: Scalp, traits: AccessoryTraits) -> list[Solid]:
    """The closed solids of the accessory; none for ``none``."""
    if traits.kind == "cat_ears":
        return [solid for side in (-1.0, 1.0) for solid in _cat_ear(scalp, side)]
    if traits.kind == "ribbon":
        place, outward = scalp.shell(traits.side * 1.0, 0.62, 0.010)
        return bow_solids(place + outward * 0.006, 0.048, "head")
    if traits.kind == "clip":
        return _clip(scalp, traits.side)
    if traits.kind == "headband":
        return [_headband(scalp)]
    return []


def _cat_ear(scalp: Scalp, side: float) -> list[Solid]:
    base, outward = scalp.shell(side * 1.45, 0.58, -0.004)
    up = unit(outward + np.array([0.0, 0.55, 0.0]))
    across = unit(np.cross(up, np.array([0.0, 0.0, 1.0])))
    front = np.cross(across, up)
    front = front if front[2] < 0 else -front
    solids = []
    for scale, swatch, shift in ((1.0, "hair", 0.0), (0.70, "pink", 0.0068)):
        share = np.linspace(0, 1, 8)[:, None, None]
        angle = np.linspace(0, 2 * np.pi, 17)[None, :, None]
        width = 0.034 * scale * (1 - share) ** 0.8
        depth = (0.015 if swatch == "hair" else 0.010) * scale * (1 - share) ** 0.8
        height = 0.066 * scale * share
        ring = up * height + across * width * np.cos(angle) + front * (depth * np.sin(angle) + shift)
        points = with_poles(ring + base)
        points[:, -1] = points[:, 0]
        rows = np.linspace(0.75, 0.0, len(points))[:, None] * np.ones((1, 17))
        solids.append(grid_solid(points, swatch_uv(swatch, rows), "clothes"))
    return solids


def _clip(scalp: Scalp, side: int) -> list[Solid]:
    solids = []
    for turn, tilt in ((0.80, 0.5), (0.86, -0.5)):
        place, outward = scalp.shell(side * turn, 1.12, 0.020)
        bar = ellipsoid(np.zeros(3), np.array([0.020, 0.0042, 0.0035]), "clothes", tuple(swatch_uv("accent", 0.1)))
        across = unit(np.cross(np.array([0.0, 1.0, 0.0]), outward))
        upward = np.cross(outward, across)
        first = across * np.cos(tilt) + upward * np.sin(tilt)
        second = upward * np.cos(tilt) - across * np.sin(tilt)
        local = bar.positions
        points = place + local[:, :1] * first + local[:, 1:2] * second + local[:, 2:] * outward
        solids.append(Solid(np.rint(points * 1e5) / 1e5, bar.uv, bar.faces, "clothes", bar.weights))
    return solids


def _headband(scalp: Scalp) -> Solid:
    angle = np.linspace(-1.45, 1.45, 33)
    turns, descents = np.where(angle > 0, 1.42, -1.42), np.abs(angle)
    points, outward = scalp.shell(turns, descents, 0.010)
    along = np.array([0.0, 0.0, 1.0])
    loop = 2 * np.pi * np.arange(9) / 8
    ring = points[:, None] + 0.011 * np.cos(loop)[None, :, None] * along
    ring = ring + 0.0045 * np.sin(loop)[None, :, None] * outward[:, None]
    ring[:, -1] = ring[:, 0]
    closed = with_poles(ring)
    shadow = np.broadcast_to(0.5 - 0.5 * np.sin(loop), closed.shape[:2])
    return grid_solid(closed, swatch_uv("accent", shadow), "clothes")
