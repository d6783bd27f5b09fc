"""Cel shading: which pixels the light reaches, in two tones with a soft edge, and the tint of the shadow.

Arrays are (H, W) [row, col], row 0 at the top; eye axes are right, up, towards the viewer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from _exchange.camera import Camera
from _exchange.frames import IMAGE_SIZE
from _render.edge_preserving import smooth_within_edges
from _render.illustration_style import IllustrationStyle
from _render.scene import FAR, GeometryBuffers

COOL_TINT = np.array([0.72, 0.70, 0.85], np.float32)
WARM_TINT = np.array([0.90, 0.70, 0.72], np.float32)
SHADOW_SPREAD = 1.5
"""Standard deviation of the softening of cast shadows, pixels of the finished picture."""
CAST_STEPS = 28
FIRST_STEP = 0.004
"""Nearest caster that throws a shadow, metres along the light."""
THINNEST_CASTER, THICKNESS_PER_DISTANCE = 0.008, 0.5
"""How far behind its surface a caster still stops the light: metres, and share of its distance. Hair is hollow."""
OWN_SURFACE = 0.002
"""A caster stands at least this much before the ray of light, metres: else a surface would shade itself."""


def lit_share(
    buffers: GeometryBuffers, camera: Camera, style: IllustrationStyle, pixels_per_output: int
) -> NDArray[np.float32]:
    """How much light each pixel has: 1 lit, 0 in shadow. Where nothing is shown it is 1."""
    light = np.asarray(style.light, np.float64)
    light = light / np.linalg.norm(light)
    shown = buffers.part >= 0
    pose = camera.head_world_from_opencv().astype(np.float64)
    light_head_world = pose[:3, :3] @ (light * [1.0, -1.0, -1.0])
    normal = _large_scale_normals(buffers, shown, style.normal_smoothing * pixels_per_output)
    cosine = normal @ light_head_world.astype(np.float32)
    softness = max(style.shade_softness, 1e-4)
    lit = _smooth_step((cosine - style.shade_from + softness) / (2 * softness))
    if style.cast_shadow_reach > 0:
        metres_per_pixel = _metres_per_pixel(camera, IMAGE_SIZE * pixels_per_output)
        lit = np.minimum(lit, _not_shadowed(buffers, light, metres_per_pixel, style, pixels_per_output))
    return np.where(shown, lit, np.float32(1))


def shadow_colours(flat: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S, S, 3) colours 0..1 in full shadow: skin and other warm colours turn redder, the others bluer."""
    warmth = np.clip((flat[..., :1] - flat[..., 2:]) * np.float32(7), 0, 1)
    return flat * (COOL_TINT + (WARM_TINT - COOL_TINT) * warmth)


def _large_scale_normals(buffers: GeometryBuffers, shown: NDArray[np.bool_], reach: float) -> NDArray[np.float32]:
    """(H, W, 3) normals averaged over `reach` pixels, less across jumps of depth; their length is 1 or 0."""
    near = np.where(shown, buffers.depth, np.float32(0))
    across, down = np.ones(shown.shape, np.float32), np.ones(shown.shape, np.float32)
    across[:, 1:] += np.abs(near[:, 1:] - near[:, :-1]) * np.float32(JUMP_DISTANCE)
    across[:, 1:][shown[:, 1:] != shown[:, :-1]] = np.inf
    down[1:] += np.abs(near[1:] - near[:-1]) * np.float32(JUMP_DISTANCE)
    down[1:][shown[1:] != shown[:-1]] = np.inf
    normal = smooth_within_edges(buffers.normal, across, down, reach)
    length = np.sqrt((normal * normal).sum(axis=-1, keepdims=True))
    return np.divide(normal, length, out=np.zeros_like(normal), where=length > 1e-6)


JUMP_DISTANCE = 2000.0
"""Pixels of distance that one metre of depth counts for when normals are smoothed."""


def _metres_per_pixel(camera: Camera, size: int) -> float:
    """Size of a pixel at the origin of the head frames."""
    if camera.is_orthographic:
        return camera.boxwarp / size
    return float(2 * camera.dist * np.tan(np.radians(camera.fov) / 2) / size)


def _not_shadowed(
    buffers: GeometryBuffers,
    light: NDArray[np.float64],
    metres_per_pixel: float,
    style: IllustrationStyle,
    pixels_per_output: int,
) -> NDArray[np.float32]:
    """1 where a walk from each pixel towards the light meets nothing that is drawn, softened at the edges."""
    depth = buffers.finite_depth
    reach = max(style.cast_shadow_reach, FIRST_STEP)
    steps = np.linspace(FIRST_STEP, reach, CAST_STEPS)
    shadow = np.zeros(depth.shape, bool)
    for step in steps:
        right, up = (round(float(part * step / metres_per_pixel)) for part in light[:2])
        caster = _shifted(depth, -up, right)
        gap = depth - np.float32(light[2] * step) - caster
        thickness = THINNEST_CASTER + THICKNESS_PER_DISTANCE * step
        shadow |= (gap > OWN_SURFACE) & (gap < thickness)
    spread = SHADOW_SPREAD * pixels_per_output
    soft = ndimage.gaussian_filter(shadow.astype(np.float32), spread, truncate=2.5)
    return np.float32(1) - _smooth_step((soft - np.float32(0.3)) / np.float32(0.4))


def _shifted(depth: NDArray[np.float32], down: int, right: int) -> NDArray[np.float32]:
    """The value `down` rows below and `right` columns to the right of every pixel; `FAR` beyond the border."""
    height, width = depth.shape
    result = np.full_like(depth, FAR)
    if abs(down) < height and abs(right) < width:
        rows, cols = (slice(max(0, -by), min(size, size - by)) for by, size in ((down, height), (right, width)))
        from_rows, from_cols = (
            slice(max(0, by), min(size, size + by)) for by, size in ((down, height), (right, width))
        )
        result[rows, cols] = depth[from_rows, from_cols]
    return result


def _smooth_step(value: NDArray[np.float32]) -> NDArray[np.float32]:
    clipped = np.clip(value, 0, 1).astype(np.float32)
    return clipped * clipped * (np.float32(3) - np.float32(2) * clipped)
