"""Cameras: one frozen value with its matrices, labels, rays and pixels, and the standard lists of views.

A camera stands at distance `dist` from the origin of the head frames and looks at it. Angles are degrees:
azimuth 0 = in front of the character (+z of `head_world`), 90 = on its left (+x); elevation grows upwards.
Eye axes are OpenGL's (x right, y up, looks along −z); label axes are OpenCV's (x right, y down, z forward).
Source: spec/renderer.md §4, spec/measure.md §2.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError
from _exchange.frames import BOX_SIDE, IMAGE_SIZE

ORTHOGRAPHIC = -1.0
"""The value of `fov` that marks an orthographic camera."""
LABEL_ENTRIES_NEGATED_BY_MIRROR = (1, 2, 3, 4, 8)


@dataclass(frozen=True)
class Camera:
    """One view. `fov` is vertical, degrees, or `ORTHOGRAPHIC`; lengths are metres."""

    elev: float
    azim: float
    dist: float = 1.0
    fov: float = 30.0
    near: float = 0.5
    far: float = 1.5
    boxwarp: float = BOX_SIDE

    @property
    def is_orthographic(self) -> bool:
        """Whether this camera draws parallel rays through the box."""
        return self.fov < 0

    @property
    def render_params(self) -> dict[str, float]:
        """The `render_params` object of view metadata files (spec/data.md §2.1)."""
        return asdict(self)

    # -- matrices -----------------------------------------------------------------------------------------------

    def _axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Unit vectors right, down, and from the origin towards the camera, in `head_world`."""
        elev, azim = np.radians(float(self.elev)), np.radians(float(self.azim))
        sin_e, cos_e, sin_a, cos_a = np.sin(elev), np.cos(elev), np.sin(azim), np.cos(azim)
        right = np.array([cos_a, 0.0, -sin_a])
        down = np.array([sin_e * sin_a, -cos_e, sin_e * cos_a])
        outward = np.array([cos_e * sin_a, sin_e, cos_e * cos_a])
        return right, down, outward

    def head_world_from_opencv(self) -> NDArray[np.float32]:
        """(4, 4) camera-to-world matrix, columns right, down, forward, position."""
        right, down, outward = self._axes()
        matrix = np.eye(4)
        matrix[:3] = np.stack([right, down, -outward, self.dist * outward], axis=1)
        return matrix.astype(np.float32)

    def intrinsics(self) -> NDArray[np.float32]:
        """(3, 3) intrinsics in units of the image side; the orthographic flag goes through the formula (f ≈ −57.29)."""
        focal = 0.5 / np.tan(np.radians(self.fov) / 2)
        return np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]], np.float32)

    def label(self) -> NDArray[np.float32]:
        """(25,) network label: camera-to-world row-major, then intrinsics row-major."""
        return np.concatenate([self.head_world_from_opencv().ravel(), self.intrinsics().ravel()])

    def eye_from_head_model(self) -> NDArray[np.float32]:
        """(4, 4) `head_model` → eye. Sines in double, entries and products in float32, as the original's."""
        matrix = _translate(0, 0, -self.dist) @ _rotate_x(self.elev) @ _rotate_y(180.0 - float(self.azim))
        return matrix.astype(np.float32)

    def eye_from_model(self, loc_origin: NDArray) -> NDArray[np.float32]:
        """(4, 4) `model` → eye for a character whose head frames start at `loc_origin`."""
        return self.eye_from_head_model() @ _translate(*(-np.asarray(loc_origin, float)))

    def clip_from_eye(self) -> NDArray[np.float64]:
        """(4, 4) projection to OpenGL clip space: perspective, or the orthographic box of side `boxwarp`."""
        near, far = self.near, self.far
        matrix = np.zeros((4, 4))
        if self.is_orthographic:
            matrix[0, 0] = matrix[1, 1] = 2.0 / self.boxwarp
            matrix[2, 2], matrix[2, 3], matrix[3, 3] = -2.0 / (far - near), -(far + near) / (far - near), 1.0
        else:
            matrix[0, 0] = matrix[1, 1] = 1.0 / np.tan(np.radians(self.fov) / 2)
            matrix[2, 2], matrix[2, 3] = -(far + near) / (far - near), -2.0 * far * near / (far - near)
            matrix[3, 2] = -1.0
        return matrix

    # -- pixels and rays ----------------------------------------------------------------------------------------

    def pixels_from_head_model(self, points: NDArray, size: int = IMAGE_SIZE) -> NDArray[np.float64]:
        """Project (…, 3) `head_model` points to (…, 2) continuous (row, col) in a `size`² picture."""
        homogeneous = np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)
        clip = homogeneous @ (self.clip_from_eye() @ self.eye_from_head_model()).T
        ndc = clip[..., :2] / clip[..., 3:]
        return np.stack([(1 - ndc[..., 1]) / 2 * size, (ndc[..., 0] + 1) / 2 * size], axis=-1)

    def rays(self, size: int = IMAGE_SIZE) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Origins and unit directions of the pixel-centre rays, each (size, size, 3), `head_world`, [row, col]."""
        right, down, outward = self._axes()
        centred = (np.arange(size) + 0.5) / size - 0.5
        across = centred[None, :, None] * right + centred[:, None, None] * down
        if self.is_orthographic:
            origins = self.dist * outward + across * self.boxwarp
            return origins, np.broadcast_to(-outward, origins.shape)
        directions = across * 2 * np.tan(np.radians(self.fov) / 2) - outward
        directions = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
        return np.broadcast_to(self.dist * outward, directions.shape), directions


def camera_from_params(params: Mapping[str, float]) -> Camera:
    """The camera of a `render_params` object; keys that a camera does not have (such as `scale`) are left alone.

    Raises:
        InputError: elev or azim is missing, or a value is no finite number.
    """
    if "elev" not in params or "azim" not in params:
        raise InputError(f"Expected render_params with elev and azim, found the keys {sorted(params)}.")
    known = {name: params[name] for name in Camera.__dataclass_fields__ if name in params}
    for name, value in known.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
            raise InputError(f"Expected render_params with a finite number as {name}, found {value!r:.80}.")
    return Camera(**{name: float(value) for name, value in known.items()})


def mirrored_label(label: NDArray[np.float32]) -> NDArray[np.float32]:
    """(…, 25) labels of the horizontally mirrored pictures."""
    mirrored = label.copy()
    mirrored[..., LABEL_ENTRIES_NEGATED_BY_MIRROR] *= -1
    return mirrored


# -- standard views ---------------------------------------------------------------------------------------------

ORTHO = {
    "top": Camera(90.0, 0.0, fov=ORTHOGRAPHIC),
    "back": Camera(0.0, 180.0, fov=ORTHOGRAPHIC),
    "right": Camera(0.0, -90.0, fov=ORTHOGRAPHIC),
    "front": Camera(0.0, 0.0, fov=ORTHOGRAPHIC),
    "left": Camera(0.0, 90.0, fov=ORTHOGRAPHIC),
}
"""The orthographic views by name, in drawing order."""
CAM60 = tuple(Camera(float(elev), -180.0 + 30.0 * step) for elev in (60, 40, 20, 0, -20) for step in range(12))
"""The 60 fixed perspective views; the index is the file number in `rgb60` and `xyza60`."""
FRONT1 = (42,)
FRONT15 = (*range(28, 33), *range(40, 45), *range(52, 57))
SPIN12 = (*range(42, 48), *range(36, 42))
"""The evaluation's turn around the head, azimuth 0, 30, …, 330."""
_STANDARD = {
    **{f"ortho_{view}": camera for view, camera in ORTHO.items()},
    **{f"rgb60_{index:04d}": camera for index, camera in enumerate(CAM60)},
}


def standard_camera(name: str) -> Camera:
    """The camera called ``ortho_front``, ``rgb60_0042`` and so on: the names of files in run folders.

    Raises:
        InputError: no standard view has that name.
    """
    if name not in _STANDARD:
        raise InputError(f"Expected a camera such as ortho_front or rgb60_0042, found {name!r}.")
    return _STANDARD[name]


def random_views(seed_text: str, count: int = 8) -> list[Camera]:
    """The training views of one character; view i has the seed ``{seed_text}/{i}`` (spec/renderer.md §4.3)."""
    views = []
    for index in range(count):
        normals = seeded_random_state(f"{seed_text}/{index}").standard_normal(4)
        views.append(Camera(elev=20.0 * normals[0], azim=100000.0 * normals[1]))
    return views


def seeded_random_state(text: str) -> np.random.RandomState:
    """The project's seed rule: Adler-32 of the UTF-8 bytes seeds a legacy generator (spec/measure.md §6.3)."""
    return np.random.RandomState(zlib.adler32(text.encode("utf-8")))


def _translate(x: float, y: float, z: float) -> NDArray[np.float32]:
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix.astype(np.float32)


def _rotate_x(degrees: float) -> NDArray[np.float32]:
    angle = np.radians(float(degrees))
    matrix = np.eye(4)
    matrix[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return matrix.astype(np.float32)


def _rotate_y(degrees: float) -> NDArray[np.float32]:
    angle = np.radians(float(degrees))
    matrix = np.eye(4)
    matrix[0, [0, 2]] = np.cos(angle), np.sin(angle)
    matrix[2, [0, 2]] = -np.sin(angle), np.cos(angle)
    return matrix.astype(np.float32)
