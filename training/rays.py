"""Camera labels and rays of square pictures, as tensors.

Rays come in row-major pixel order with the centre of pixel (row i, column j) at ((j + ½) / r, (i + ½) / r).
Source: spec/generator.md §4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from _exchange.camera import ORTHOGRAPHIC, Camera
from _exchange.errors import InputError
from training.engine.interface import Rays

Numbers = Tensor | Sequence[float]


def cameras_of(elevations: Numbers, azimuths: Numbers, distances: Numbers, fovs: Numbers) -> list[Camera]:
    """One camera per entry: degrees, degrees, metres, degrees (negative: orthographic).

    Raises:
        InputError: the lists differ in length.
    """
    columns = [_as_floats(values) for values in (elevations, azimuths, distances, fovs)]
    if len({len(column) for column in columns}) != 1:
        raise InputError(
            "Expected as many elevations as azimuths, distances and fovs, found "
            f"{', '.join(str(len(column)) for column in columns)}."
        )
    return [Camera(elev, azim, dist, fov) for elev, azim, dist, fov in zip(*columns)]


def _as_floats(values: Numbers) -> list[float]:
    return torch.as_tensor(values, dtype=torch.float64).reshape(-1).tolist()


def labels_of(cameras: Sequence[Camera], device: torch.device | str = "cpu") -> Tensor:
    """(B, 25) labels: camera-to-world and intrinsics, row by row; computed in double, rounded once."""
    return torch.from_numpy(np.stack([camera.label() for camera in cameras])).to(device)


def is_orthographic(labels: Tensor) -> Tensor:
    """(B,) bool: labels whose focal length is negative."""
    return labels[:, 16] < 0


def perspective_rays(head_world_from_camera: Tensor, intrinsics: Tensor, size: int) -> Rays:
    """Rays through the pixels of pinhole cameras, origins at the camera.

    Args:
        head_world_from_camera: (B, 4, 4), columns right, down, forward, position.
        intrinsics: (B, 3, 3) in units of the image side, with skew.
        size: pixels a side.
    """
    centres = (torch.arange(size, dtype=torch.float32, device=intrinsics.device) + 0.5) / size
    v, u = (axis.reshape(1, -1) for axis in torch.meshgrid(centres, centres, indexing="ij"))
    focal_x, skew, centre_x = (intrinsics[:, 0, column, None] for column in range(3))
    focal_y, centre_y = intrinsics[:, 1, 1, None], intrinsics[:, 1, 2, None]
    x = (u - centre_x + centre_y * skew / focal_y - skew * v / focal_y) / focal_x
    y = (v - centre_y) / focal_y
    towards = torch.stack([x, y, torch.ones_like(x)], -1) @ head_world_from_camera[:, :3, :3].mT
    origins = head_world_from_camera[:, None, :3, 3].expand_as(towards)
    return Rays(origins, normalize(towards, dim=-1, eps=1e-12))


def orthographic_rays(
    cameras: Sequence[Camera], size: int, box_warp: float, device: torch.device | str = "cpu"
) -> Rays:
    """Parallel rays through a square of side `box_warp` metres at each camera, whatever its field of view."""
    pairs = [replace(camera, fov=ORTHOGRAPHIC, boxwarp=box_warp).rays(size) for camera in cameras]
    origins, directions = (np.stack(part).reshape(len(pairs), -1, 3).astype(np.float32) for part in zip(*pairs))
    return Rays(torch.from_numpy(origins).to(device), torch.from_numpy(directions).to(device))


def perspective_rays_of_labels(labels: Tensor, size: int) -> Rays:
    """`perspective_rays` of (B, 25) labels, also where the focal length is negative."""
    return perspective_rays(labels[:, :16].reshape(-1, 4, 4), labels[:, 16:].reshape(-1, 3, 3), size)


def rays_of_labels(labels: Tensor, size: int, box_warp: float) -> Rays:
    """Rays of (B, 25) labels: perspective, or parallel through a square of side `box_warp` where the focal is negative.

    The orthographic ones are read from the label's axes, so they carry its float32 rounding.
    """
    pose, rays = labels[:, :16].reshape(-1, 4, 4), perspective_rays_of_labels(labels, size)
    steps = (torch.arange(size, dtype=torch.float32, device=labels.device) + 0.5) / size * box_warp - box_warp / 2
    down, across = (axis.reshape(1, -1, 1) for axis in torch.meshgrid(steps, steps, indexing="ij"))
    axes = pose[:, None, :3]
    origins = axes[..., 3] + across * axes[..., 0] + down * axes[..., 1]
    parallel = is_orthographic(labels)[:, None, None]
    directions = torch.where(parallel, axes[..., 2], rays.directions)
    return Rays(torch.where(parallel, origins, rays.origins), directions)


def rays_from_images(images: Mapping[str, Tensor]) -> Rays:
    """Rays from ``ray_origins`` and ``ray_directions``, each (B, 3, r, r).

    Raises:
        InputError: a key is missing, or the shapes are not those of equal square pictures.
    """
    missing = [key for key in ("ray_origins", "ray_directions") if key not in images]
    if missing:
        raise InputError(f"Expected rays with ray_origins and ray_directions, found the keys {sorted(images)}.")
    origins, directions = images["ray_origins"], images["ray_directions"]
    is_square = origins.ndim == 4 and origins.shape[1] == 3 and origins.shape[2] == origins.shape[3]
    if not is_square or origins.shape != directions.shape:
        raise InputError(
            "Expected ray_origins and ray_directions of one shape (B, 3, r, r), found "
            f"{tuple(origins.shape)} and {tuple(directions.shape)}."
        )
    return Rays(origins.flatten(2).mT, directions.flatten(2).mT)


def as_image(values: Tensor) -> Tensor:
    """(B, r · r, C) numbers of rays → (B, C, r, r)."""
    size = round(values.shape[1] ** 0.5)
    return values.mT.reshape(values.shape[0], -1, size, size)
