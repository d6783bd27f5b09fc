"""The body below the head: neck, torso, arms with sleeves, and collars and bows."""

from __future__ import annotations

import numpy as np

from _databacks.characters.curves import Floats, profile, smoothstep
from _databacks.characters.hair.tails import free_lock
from _databacks.characters.head import PLAIN_SKIN
from _databacks.characters.skeleton import SHOULDER_X, SHOULDER_Y, SHOULDER_Z
from _databacks.characters.solids import Solid, ellipsoid, grid_faces, grid_solid, weighted, with_poles
from _databacks.characters.traits import ClothesTraits
from _databacks.characters.wardrobe import HEIGHT, SLEEVE_LEFT, SLEEVE_RIGHT, WIDTH, swatch_uv, torso_uv

BODY_Z = 0.020
_COLUMNS = 41
"""Points of a ring of neck or torso: the same for both, so that they meet in a clean line."""
_HALF_WIDTH = (
    (-0.56, 0.100), (-0.50, 0.094), (-0.42, 0.096), (-0.33, 0.110), (-0.26, 0.119), (-0.228, 0.118), (-0.210, 0.106),
    (-0.195, 0.082), (-0.182, 0.056), (-0.170, 0.041), (-0.155, 0.026),
)  # fmt: skip
_FRONT_DEPTH = (
    (-0.56, 0.070),
    (-0.42, 0.068),
    (-0.33, 0.082),
    (-0.26, 0.070),
    (-0.21, 0.056),
    (-0.18, 0.043),
    (-0.155, 0.026),
)
_BACK_DEPTH = ((-0.56, 0.065), (-0.42, 0.058), (-0.30, 0.068), (-0.22, 0.062), (-0.18, 0.046), (-0.155, 0.026))
_ELBOW_X, _WRIST_X = 0.320, 0.530
_BOW_LOOP = np.array([(0.0, 0.0, 0.0), (0.45, 0.14, 0.12), (0.95, 0.05, 0.02), (1.02, 0.0, 0.0)])
_BOW_END = np.array([(0.0, 0.0, 0.0), (0.25, -0.5, 0.08), (0.42, -1.25, 0.02)])
"""Middle lines of half a bow: to the side, up and outwards, in its size."""


def body_solids(traits: ClothesTraits) -> list[Solid]:
    """Neck, torso and arms with what they wear."""
    solids = [_neck(), _torso(), *_arms(traits)]
    makers = {"turtleneck": _roll_collar, "shirt": _shirt_collar, "hoodie": _hood_collar}
    if traits.outfit in makers:
        solids += makers[traits.outfit]()
    if traits.outfit in ("sailor", "shirt") and traits.bow:
        height = -0.268 if traits.outfit == "sailor" else -0.198
        solids += bow_solids(np.array([0.0, height, BODY_Z + _chest_depth(height)]), 0.045, "chest")
    return solids


def _chest_depth(height: float) -> float:
    return -float(profile(height, _FRONT_DEPTH)) - 0.006


def _rings(y: Floats, half_width: Floats, depths: tuple[Floats, Floats], centre_z: Floats, columns: int) -> Floats:
    """(R, columns, 3) horizontal rings of (R,) sizes; the first column is at the back; depths are front and back."""
    front, back = depths
    turn = np.linspace(-np.pi, np.pi, columns)[None, :]
    along = np.cos(turn)
    x = -half_width[:, None] * np.sin(turn)
    z = centre_z[:, None] - np.where(along > 0, front[:, None], back[:, None]) * along
    points = np.stack([x, np.broadcast_to(y[:, None], x.shape), z], axis=-1)
    points[:, -1] = points[:, 0]
    return points


def _neck() -> Solid:
    y = np.linspace(-0.065, -0.195, 12)
    share = np.linspace(0, 1, 12)
    radius = 0.0315 + 0.0095 * share**2
    points = with_poles(_rings(y, radius, (radius, radius), 0.014 + 0.006 * share, _COLUMNS))
    v = np.concatenate([[0.05], 0.05 + 0.9 * share, [0.95]])
    uv = np.stack(np.broadcast_arrays(np.array(0.22), v[:, None] * np.ones((1, _COLUMNS))), axis=-1)
    weight = smoothstep(-points[..., 1], 0.09, 0.13).ravel()
    chest = smoothstep(-points[..., 1], 0.16, 0.19).ravel() * weight
    weights = {"head": 1 - weight, "neck": weight - chest, "chest": chest}
    faces = grid_faces(*points.shape[:2])
    return weighted(points.reshape(-1, 3), uv.reshape(-1, 2), faces, "skin", weights)


def _torso() -> Solid:
    y = np.concatenate([np.linspace(-0.155, -0.235, 14), np.linspace(-0.25, -0.56, 12)])
    depths = profile(y, _FRONT_DEPTH), profile(y, _BACK_DEPTH)
    rings = _rings(y, profile(y, _HALF_WIDTH), depths, np.full_like(y, BODY_Z), _COLUMNS)
    points = with_poles(rings)
    halves = [points[:, 10:31], np.concatenate([points[:, 30:], points[:, 1:11]], axis=1)]
    positions = np.concatenate([half.reshape(-1, 3) for half in halves])
    uv = np.concatenate([torso_uv(half, np.array(front)).reshape(-1, 2) for half, front in zip(halves, (True, False))])
    rows, columns = halves[0].shape[:2]
    faces = np.concatenate([grid_faces(rows, columns), grid_faces(rows, columns, rows * columns)])
    chest = smoothstep(positions[:, 1], -0.44, -0.34)
    neck = 0.5 * smoothstep(positions[:, 1], -0.19, -0.155)
    weights = {"spine": 1 - chest, "chest": chest - neck, "neck": neck}
    return weighted(positions, uv, faces, "clothes", weights)


def _arms(traits: ClothesTraits) -> list[Solid]:
    sleeve_end = _WRIST_X - 0.01 if traits.long_sleeves else 0.19
    loose = 0.006 if traits.outfit == "hoodie" else 0.003
    solids = []
    for side, name in ((-1.0, "left"), (1.0, "right")):
        solids.append(_tube(side, (SHOULDER_X, sleeve_end), loose, "clothes"))
        if not traits.long_sleeves:
            solids.append(_tube(side, (sleeve_end - 0.03, _WRIST_X), 0.0, "skin"))
        centre = np.array([side * (_WRIST_X + 0.04), SHOULDER_Y - 0.003, SHOULDER_Z])
        radii = np.array([0.065, 0.014, 0.030])
        solids.append(ellipsoid(centre, radii, "skin", PLAIN_SKIN, f"{name}Hand"))
    return solids


def _tube(side: float, span: tuple[float, float], loose: float, material: str) -> Solid:
    """An arm or sleeve along x; a sleeve begins with half a ball around the shoulder."""
    (begin, end), name = span, "left" if side < 0 else "right"
    sleeve = material == "clothes"
    reach = np.linspace(begin, end, 14)
    radius = profile(reach, ((0.10, 0.034), (0.16, 0.032), (_ELBOW_X, 0.028), (_WRIST_X, 0.021))) + loose
    if sleeve:
        angle = np.linspace(0.12, 1.0, 6)[:-1] * np.pi / 2
        radius = np.concatenate([radius[0] * np.sin(angle), radius])
        reach = np.concatenate([begin - radius[5] * np.cos(angle), reach])
    turn = np.linspace(0, 2 * np.pi, 17)[None, :]
    y = SHOULDER_Y + radius[:, None] * np.cos(turn)
    z = SHOULDER_Z - radius[:, None] * np.sin(turn)
    points = np.stack([np.broadcast_to(side * reach[:, None], y.shape), y, z], axis=-1)
    points[:, -1] = points[:, 0]
    points = with_poles(points)
    along = np.abs(points[..., 0])
    if sleeve:
        middle, half = (SLEEVE_LEFT + SLEEVE_RIGHT) / 2, (SLEEVE_RIGHT - SLEEVE_LEFT) / 2 - 4
        below = np.abs(np.linspace(-1, 1, 17))[None, :] * -1 + 1
        u = (middle + half * below * np.ones_like(along)) / WIDTH
        uv = np.stack([u, np.clip((along - 0.06) * 1000 / HEIGHT, 0.01, 0.99)], axis=-1)
    else:
        uv = np.broadcast_to(np.array(PLAIN_SKIN), (*along.shape, 2))
    lower = smoothstep(along, _ELBOW_X - 0.025, _ELBOW_X + 0.025).ravel()
    weights = {f"{name}UpperArm": 1 - lower, f"{name}LowerArm": lower}
    return weighted(points.reshape(-1, 3), uv.reshape(-1, 2), grid_faces(*points.shape[:2]), material, weights)


def _band(turns: Floats, loop: Floats, swatch: str, shadow: Floats, bone: str = "neck") -> Solid:
    """A band around the neck, with ends or all around.

    Args:
        turns: (C,) radians, 0 = front.
        loop: (C, L, 2) closed outlines of the band as (distance from the neck's axis, y), metres.
        shadow: (L,) place in the swatch, 0 lit to 1 shadow.
    """
    radius, y = loop[..., 0], loop[..., 1]
    x = -np.sin(turns)[:, None] * radius * 1.06
    z = BODY_Z - 0.002 - np.cos(turns)[:, None] * radius
    rings = np.stack([x, y, z], axis=-1)
    rings = np.concatenate([rings, rings[:, :1]], axis=1)
    if np.allclose(rings[0], rings[-1]):
        rings[-1] = rings[0]
        points = rings
    else:
        points = with_poles(rings)
    shadows = np.concatenate([shadow, shadow[:1]])[None, :] * np.ones((len(points), 1))
    return grid_solid(points, swatch_uv(swatch, shadows), "clothes", bone)


def _roll_collar() -> list[Solid]:
    turns = np.linspace(-np.pi, np.pi, 33)
    tilt = 0.010 * np.cos(turns)[:, None]
    radius = np.array([0.036, 0.0385, 0.041, 0.043, 0.041, 0.036])
    y = np.array([-0.128, -0.125, -0.130, -0.150, -0.182, -0.185])
    loop = np.stack([np.broadcast_to(radius, (33, 6)), y - tilt * smoothstep(y, -0.18, -0.13)], axis=-1)
    rings_closed = _band(turns, loop, "cloth", np.array([0.9, 0.2, 0.15, 0.25, 0.7, 0.9]))
    return [rings_closed]


def _shirt_collar() -> list[Solid]:
    solids = []
    for side in (-1, 1):
        turns = side * np.linspace(0.10, np.pi, 17)
        share = np.linspace(0, 1, 17)[:, None]
        drop = 0.034 - 0.012 * smoothstep(share, 0.0, 0.45)
        top = -0.148 + 0.010 * share - 0.004 * (1 - smoothstep(share, 0, 0.3))
        radius = np.concatenate(
            [
                0.041 + 0 * share,
                0.0435 + 0 * share,
                0.0555 + 0.005 * (1 - share),
                0.053 + 0.004 * (1 - share),
                0.0415 + 0 * share,
            ],
            axis=1,
        )
        y = np.concatenate([top, top + 0.001, top - drop, top - drop - 0.002, top - 0.012], axis=1)
        solids.append(_band(turns, np.stack([radius, y], axis=-1), "white", np.array([0.7, 0.0, 0.25, 0.9, 0.9])))
    return solids


def _hood_collar() -> list[Solid]:
    turns = np.linspace(-np.pi, np.pi, 37)
    angle = np.linspace(0, 2 * np.pi, 11)[:-1]
    back = (1 - np.cos(turns)) / 2
    thick = (0.009 + 0.009 * back)[:, None]
    middle = (0.053 + 0.008 * back)[:, None]
    height = (-0.191 + 0.022 * back)[:, None]
    radius = middle + thick * np.cos(angle)[None, :]
    y = height + 1.15 * thick * np.sin(angle)[None, :]
    shadow = 0.5 - 0.5 * np.sin(angle)
    return [_band(turns, np.stack([radius, y], axis=-1), "cloth", shadow, "chest")]


def recolored(solid: Solid, swatch: str, bone: str) -> Solid:
    """A lock as a piece of cloth, with the swatch's shadow at its root."""
    run = solid.uv[:, 1]
    shadow = 0.95 - 0.9 * smoothstep(run, 0.0, 0.25)
    weights = {bone: np.ones(len(solid.positions))}
    return Solid(solid.positions, swatch_uv(swatch, shadow), solid.faces, "clothes", weights)


def bow_solids(centre: Floats, size: float, bone: str, swatch: str = "accent", outward: float = -1.0) -> list[Solid]:
    """A bow: two loops, two ends and a knot, `size` metres to each side; `outward` is the sign of z it faces."""
    normal = (0.0, 0.15, outward)
    solids = []
    for side in (-1.0, 1.0):
        stretch = np.array([side, 1.0, outward]) * size
        loop = [centre + stretch * step for step in _BOW_LOOP]
        solids.append(recolored(free_lock(loop, normal, 0.42 * size, 0.16 * size, 0), swatch, bone))
        end = [centre + stretch * step for step in _BOW_END]
        solids.append(recolored(free_lock(end, normal, 0.20 * size, 0.05 * size, 0), swatch, bone))
    knot = np.array([0.17, 0.20, 0.16]) * size
    place = centre + np.array([0.0, 0.0, 0.06 * size * outward])
    solids.append(ellipsoid(place, knot, "clothes", tuple(swatch_uv(swatch, 0.1)), bone))
    return solids
