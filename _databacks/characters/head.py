"""The head: a closed skull with a flat face, chin and small nose, its texture coordinates, and ears.

The skull is a stack of horizontal rings. A point of it has a turn θ (0 = front, positive towards the character's left,
π = back of the head) and a descent α (0 = crown, π/2 = widest ring, π = chin), both radians.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from _databacks.characters.curves import Floats, bump, profile, smoothstep
from _databacks.characters.solids import Solid, ellipsoid, grid_solid
from _databacks.characters.traits import EyeTraits, FaceTraits, MouthTraits

CROWN_Y = 0.112
"""Height of the skull above the origin of `head_model`, which is also the height of the widest ring, metres."""
FRONT_DEPTH, BACK_DEPTH = 0.100, 0.112
FACE_WINDOW = 0.28
"""Side of the square of the face texture, metres."""
FACE_WINDOW_CENTRE_Y = -0.015
UNFOLDED_FROM = 0.085
"""Beyond this distance from the middle the texture is compressed, metres along the surface."""
PLAIN_SKIN = (0.75, 0.85)
"""Texture coordinates of plain skin in the skin texture."""
EAR_CENTRE, EAR_RADII = (0.75, 0.35), (0.21, 0.28)
"""Where the skin texture holds the ear as seen from the side: the front of the head to the left."""


@dataclass(frozen=True)
class Skull:
    """The head's surface as a function of θ and α."""

    face: FaceTraits
    eyes: EyeTraits
    mouth: MouthTraits

    def descent_at(self, y: ArrayLike) -> Floats:
        """The α at which the skull has this height."""
        y = np.asarray(y, np.float64)
        cosine = np.where(y >= 0, y / CROWN_Y, y / -self.face.chin_y)
        return np.arccos(np.clip(cosine, -1.0, 1.0))

    def points(self, turn: ArrayLike, descent: ArrayLike) -> Floats:
        """(…, 3) `head_model` points of (…) turns and descents."""
        turn, descent = np.broadcast_arrays(np.asarray(turn, np.float64), np.asarray(descent, np.float64))
        cosine, sine = np.cos(descent), np.sin(np.clip(descent, 0.0, np.pi))
        sine = np.maximum(sine, 1e-9)
        lower = np.maximum(-cosine, 0.0)
        y = np.where(cosine >= 0, CROWN_Y * cosine, -self.face.chin_y * cosine)
        taper = 1 - (0.10 + 0.16 * self.face.jaw_taper) * lower**2
        half_width = self.face.half_width * np.where(cosine >= 0, sine**0.92, sine**0.84) * taper
        centre = -0.055 * smoothstep(lower)
        front_edge = -FRONT_DEPTH + 0.011 * lower**2
        back_edge = profile(lower, ((0, BACK_DEPTH), (0.35, 0.094), (0.6, 0.060), (0.85, 0.020), (1, 0.0)))
        front = (centre - front_edge) * np.where(cosine >= 0, sine**0.95, sine**0.42)
        back = (back_edge - centre) * np.where(cosine >= 0, sine, sine**0.8)
        across, along = np.sin(turn), np.cos(turn)
        squareness = np.where(along > 0, 0.86, 1.0)
        x = -half_width * np.sign(across) * np.abs(across) ** squareness
        reach = np.abs(along) ** squareness
        z = centre + np.where(along > 0, -front * reach, back * reach)
        return np.stack([x, y, z + np.where(along > 0, self._relief(x, y), 0.0)], axis=-1)

    def _relief(self, x: Floats, y: Floats) -> Floats:
        """Nose, lips and eye sockets as displacements along z, metres."""
        ridge = profile(y, ((-0.089, 0.0), (-0.0825, 0.75), (-0.0785, 1.0), (-0.070, 0.62), (-0.052, 0.0)))
        nose = -self.face.nose * ridge * bump(x / 0.0125)
        mouth_y = self.face.chin_y + self.mouth.y
        lips = -0.0018 * bump(x / 0.018) * bump((y - mouth_y) / 0.012)
        under_lip = 0.0015 * bump(x / 0.02) * bump((y - mouth_y + 0.012) / 0.009)
        sockets = 0.005 * bump((np.abs(x) - self.eyes.x) / 0.034) * bump((y - self.eyes.y) / 0.034)
        return nose + lips + under_lip + sockets


def face_uv(picture_x: ArrayLike, y: ArrayLike) -> Floats:
    """(…, 2) texture coordinates of picture positions: x to the right of the front view, unfolded at the sides."""
    x = np.asarray(picture_x, np.float64)
    beyond = np.maximum(np.abs(x) - UNFOLDED_FROM, 0.0)
    folded = np.sign(x) * (np.minimum(np.abs(x), UNFOLDED_FROM) + beyond * 0.2)
    v = 0.5 - (np.asarray(y, np.float64) - FACE_WINDOW_CENTRE_Y) / FACE_WINDOW
    return np.stack([0.5 + folded / FACE_WINDOW, v], axis=-1)


def head_solid(skull: Skull) -> Solid:
    """The closed head with its face texture coordinates."""
    share = np.linspace(-1, 1, 69)
    turns = np.pi * (0.42 * share + 0.58 * share**3)
    heights = np.linspace(-0.092, -0.035, 20)
    upper = np.linspace(0, skull.descent_at(-0.03), 20)[:-1]
    low = skull.descent_at(-0.096)
    lower = np.pi - (np.pi - low) * np.linspace(1, 0, 14)
    descents = np.concatenate([upper, skull.descent_at(heights[::-1]), lower])
    points = skull.points(turns[None, :], descents[:, None])
    points[0], points[-1] = points[0].mean(axis=0), points[-1].mean(axis=0)
    points[:, -1] = points[:, 0]
    step = np.diff(points, axis=1)
    middle_x = np.abs(points[:, 1:, 0] + points[:, :-1, 0]) / 2
    sideways = smoothstep(middle_x, 0.05, 0.08)
    behind = points[:, 1:, 2] + points[:, :-1, 2] > 0
    share_of_depth = np.where(behind, 1.0, sideways)
    length = np.sqrt(step[..., 0] ** 2 + share_of_depth * step[..., 2] ** 2)
    along = np.concatenate([np.zeros((len(points), 1)), np.cumsum(length, axis=1)], axis=1)
    along -= along[:, len(turns) // 2, None]
    return grid_solid(points, face_uv(along, points[..., 1]), "face")


def ear_solids(skull: Skull) -> list[Solid]:
    """Two small ears."""
    ears = []
    for side in (-1.0, 1.0):
        base = skull.points(-side * 1.62, skull.descent_at(-0.042))
        ear = ellipsoid(np.zeros(3), np.array([0.0085, 0.025, 0.0155]), "skin", PLAIN_SKIN)
        lean, flare = 0.22, 0.45
        x, y, z = ear.positions.T
        y, z = y * np.cos(lean) - z * np.sin(lean), y * np.sin(lean) + z * np.cos(lean)
        x, z = x * np.cos(flare) + side * z * np.sin(flare), -side * x * np.sin(flare) + z * np.cos(flare)
        local = ear.positions / (0.0085, 0.025, 0.0155)
        uv = np.array(EAR_CENTRE) + np.array(EAR_RADII) * np.stack([local[:, 2], -local[:, 1]], axis=1)
        placed = np.stack([x, y, z], axis=1) + base + np.array([side * 0.001, 0.004, 0.008])
        ears.append(Solid(np.rint(placed * 1e5) / 1e5, np.rint(uv * 1e5) / 1e5, ear.faces, "skin", ear.weights))
    return ears
