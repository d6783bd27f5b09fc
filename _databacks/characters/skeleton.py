"""The skeleton: every bone that VRM 0.x requires, in T-pose, in `model` and `head_model` coordinates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from _databacks.characters.curves import Floats
from _databacks.characters.traits import EyeTraits
from _exchange.frames import HEAD_OFFSET

HEAD_BONE = np.array([0.0, 1.40, 0.008])
"""The head joint in `model`, metres."""
LOC_ORIGIN = HEAD_BONE + np.array(HEAD_OFFSET)
"""Origin of `head_model` in `model`."""
SHOULDER_X, SHOULDER_Y, SHOULDER_Z = 0.100, -0.238, 0.018
"""The upper arm's joint in `head_model`; the character's left has negative x."""
_CENTRE = {
    "hips": (None, (0.0, 0.93, 0.012)),
    "spine": ("hips", (0.0, 0.99, 0.010)),
    "chest": ("spine", (0.0, 1.11, 0.012)),
    "neck": ("chest", (0.0, 1.325, 0.024)),
    "head": ("neck", tuple(HEAD_BONE)),
}
_LEFT = {
    "leftShoulder": ("chest", (-0.035, 1.295, 0.020)),
    "leftUpperArm": ("leftShoulder", (-SHOULDER_X, 1.50 + SHOULDER_Y, 0.008 + SHOULDER_Z)),
    "leftLowerArm": ("leftUpperArm", (-0.320, 1.50 + SHOULDER_Y, 0.008 + SHOULDER_Z)),
    "leftHand": ("leftLowerArm", (-0.530, 1.50 + SHOULDER_Y, 0.008 + SHOULDER_Z)),
    "leftUpperLeg": ("hips", (-0.075, 0.89, 0.012)),
    "leftLowerLeg": ("leftUpperLeg", (-0.070, 0.49, 0.012)),
    "leftFoot": ("leftLowerLeg", (-0.065, 0.08, 0.020)),
}


def joints(eyes: EyeTraits) -> Mapping[str, tuple[str | None, Floats]]:
    """Bone → (parent or None, position in `model`), parents before children."""
    bones: dict[str, tuple[str | None, Floats]] = {}
    for name, (parent, place) in _CENTRE.items():
        bones[name] = parent, np.array(place)
    eye = LOC_ORIGIN + np.array([-eyes.x, eyes.y, -0.075])
    left = {**_LEFT, "leftEye": ("head", tuple(eye))}
    for name, (parent, place) in left.items():
        bones[name] = parent, np.array(place)
        mirrored = parent.replace("left", "right")
        bones[name.replace("left", "right")] = mirrored, np.array(place) * [-1.0, 1.0, 1.0]
    return {name: (parent, np.rint(place * 1e5) / 1e5) for name, (parent, place) in bones.items()}
