"""The dict that `TriPlaneGenerator.f` takes, read and checked; nothing is ever written into it.

Source: spec/generator.md §7.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from _exchange.camera import ORTHOGRAPHIC
from _exchange.errors import InputError
from training.engine.interface import Clearing, Rays
from training.layers import require_known
from training.paste import PasteParams, paste_params_of
from training.rays import cameras_of, is_orthographic, labels_of, orthographic_rays, rays_from_images, rays_of_labels
from training.settings import finite_number

KEYS = (
    *("cond", "seeds", "z", "zs", "ws", "elevations", "azimuths", "distances", "fovs", "camera_params", "force_rays"),
    *("neural_rendering_resolution", "triplane_crop", "cull_clouds", "binarize_clouds", "paste_params"),
    *("normalize_images", "latent_injection", "update_emas"),
)
"""What the dict may hold; a value None is the same as no entry."""
LABEL_SIZE = 25
DEFAULT_FOV = 30.0
_BATCH_FROM = ("ws", "camera_params", "elevations", "zs", "z", "seeds")


@dataclass(frozen=True, eq=False)
class Angles:
    """Where cameras stand: (B,) float32 degrees, degrees, metres and degrees (negative: orthographic)."""

    elevations: Tensor
    azimuths: Tensor
    distances: Tensor
    fovs: Tensor


@dataclass(frozen=True, eq=False)
class Request:
    """A checked call for pictures of B characters.

    Attributes:
        batch: B.
        device: that of the generator; what is given moves there.
        cond: image conditions.
        z: (B, z_dim) latents, None where others are given.
        zs: (B, num_ws, z_dim) latents per style, likewise.
        ws: (B, num_ws, w_dim) styles, likewise.
        distances: (B,) metres.
        labels: (B, 25) camera labels; None where nothing tells them.
        rays: (B, r · r, 3); None where nothing tells them.
        clearing: which densities are emptied.
        paste: thresholds of pasting; None: no pasting.
        normalize_images: pictures stay in [-1, 1].
        injection: of the main render.
        injection_of_masks: of the mask renders of pasting: only what the dict itself holds.
        update_emas: move the mean style, in training mode.
    """

    batch: int
    device: torch.device
    cond: Mapping[str, Tensor]
    z: Tensor | None
    zs: Tensor | None
    ws: Tensor | None
    distances: Tensor
    labels: Tensor | None
    rays: Rays | None
    clearing: Clearing
    paste: PasteParams | None
    normalize_images: bool
    injection: Mapping[str, Tensor]
    injection_of_masks: Mapping[str, Tensor]
    update_emas: bool

    def known_rays(self) -> Rays:
        """The rays.

        Raises:
            InputError: nothing tells them.
        """
        if self.rays is None:
            raise InputError("Expected inputs with elevations and azimuths, camera_params or force_rays, found none.")
        return self.rays


@dataclass(frozen=True)
class Expected:
    """What a generator expects of a request: widths, the size of a render, the side of the box, and its device."""

    z_dim: int
    w_dim: int
    num_ws: int
    render_size: int
    box_warp: float
    device: torch.device


def read_request(
    inputs: Mapping[str, Any],
    expected: Expected,
    *,
    normalize_images: bool = False,
    latent_injection: Mapping[str, Tensor] | None = None,
    force_rays: Mapping[str, Tensor] | None = None,
) -> Request:
    """Read the dict; `latent_injection` and `force_rays` stand behind what the dict says of them.

    Raises:
        InputError: a key is unknown or missing, or a value has the wrong kind or shape.
    """
    require_known("inputs of the generator", inputs, KEYS)
    given = {key: value for key, value in inputs.items() if value is not None}
    if "cond" not in given:
        raise InputError(f"Expected inputs with cond, the dict of conditions, found the keys {sorted(given)}.")
    batch, device = _batch(given), expected.device
    z, zs, ws = _latents(given, batch, device, expected)
    distances = _numbers(given, "distances", batch, device, default=1.0)
    angles = _angles(given, batch, device, distances)
    labels = _labels(given, batch, device, angles)
    size = render_size(given.get("neural_rendering_resolution", expected.render_size))
    argument, in_dict = (_moved(part, device) for part in (latent_injection, _mapping(given, "latent_injection")))
    return Request(
        batch=batch,
        device=device,
        cond=_mapping(given, "cond"),
        z=z,
        zs=zs,
        ws=ws,
        distances=distances,
        labels=labels,
        rays=_rays(
            _moved(_mapping(given, "force_rays") or force_rays, device),
            labels,
            angles,
            size=size,
            batch=batch,
            box_warp=expected.box_warp,
        ),
        clearing=clearing_of(given),
        paste=paste_params_of(_mapping(given, "paste_params")) if "paste_params" in given else None,
        normalize_images=bool(given.get("normalize_images", normalize_images)),
        injection={**argument, **in_dict},
        injection_of_masks=in_dict,
        update_emas=bool(given.get("update_emas", False)),
    )


def clearing_of(inputs: Mapping[str, Any]) -> Clearing:
    """The options of a dict that empty densities; absent, None and 0 switch each off.

    Raises:
        InputError: one is no finite number.
    """
    values = {name: inputs.get(name) or 0.0 for name in ("triplane_crop", "cull_clouds", "binarize_clouds")}
    crop, cull, binarize = (finite_number(name, value) for name, value in values.items())
    return Clearing(triplane_crop=crop, cull_clouds=cull, binarize_clouds=binarize)


def render_size(value: object) -> int:
    """Pixels a side of a render.

    Raises:
        InputError: no whole number of at least 1.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"Expected neural_rendering_resolution to be a whole number above 0, found {value!r:.80}.")
    return value


def latents_of_seeds(seeds: Sequence[int], z_dim: int) -> Tensor:
    """(B, z_dim) float32 normal numbers, each row from NumPy's legacy generator with its own seed.

    Raises:
        InputError: a seed is no whole number from 0 to 2³² − 1.
    """
    rows = []
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
            raise InputError(f"Expected seeds as whole numbers from 0 to 2^32 - 1, found {seed!r:.80}.")
        rows.append(np.random.RandomState(int(seed)).randn(z_dim))
    return torch.from_numpy(np.stack(rows)).to(torch.float32)


def front_rays(request: Request, size: int, box_warp: float) -> Rays:
    """(B, r · r, 3) rays of the orthographic front view at the distances of the request."""
    zeros = [0.0] * request.batch
    cameras = cameras_of(zeros, zeros, request.distances, [ORTHOGRAPHIC] * request.batch)
    return orthographic_rays(cameras, size, box_warp, request.device)


def _batch(given: Mapping[str, Any]) -> int:
    for key in _BATCH_FROM:
        if key in given:
            value = given[key]
            is_single = not hasattr(value, "__len__") or isinstance(value, str) or getattr(value, "ndim", 1) == 0
            count = 0 if is_single else len(value)
            if not count:
                raise InputError(f"Expected {key} with one entry per character, found {value!r:.80}.")
            return count
    raise InputError(f"Expected inputs with one of {', '.join(_BATCH_FROM)}, found the keys {sorted(given)}.")


def _mapping(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The dict of this name; empty where there is none."""
    value = given.get(key, {})
    if not isinstance(value, Mapping):
        raise InputError(f"Expected {key} as a dict, found {value!r:.80}.")
    return value


def _moved(tensors: Mapping[str, Tensor] | None, device: torch.device) -> dict[str, Tensor]:
    return {key: value.to(device) for key, value in (tensors or {}).items()}


def _tensor(given: Mapping[str, Any], key: str, shape: tuple[int, ...], device: torch.device) -> Tensor | None:
    """The float32 tensor of this name; None where there is none."""
    if key not in given:
        return None
    value = given[key]
    if not isinstance(value, Tensor) or tuple(value.shape) != shape:
        found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise InputError(f"Expected {key} as a tensor of shape {shape}, found {found}.")
    return _finite(key, value.to(device, torch.float32))


def _finite(key: str, value: Tensor) -> Tensor:
    if not torch.isfinite(value).all():
        raise InputError(f"Expected finite numbers as {key}, found NaN or infinity.")
    return value


def _numbers(
    given: Mapping[str, Any], key: str, batch: int, device: torch.device, default: float | None = None
) -> Tensor:
    """(B,) float32 numbers, of a tensor or a list."""
    if key not in given:
        if default is None:
            raise InputError(f"Expected inputs with {key}, or camera_params, found the keys {sorted(given)}.")
        return torch.full((batch,), default, device=device)
    value = torch.as_tensor(given[key], dtype=torch.float32, device=device)
    if value.shape != (batch,):
        raise InputError(f"Expected {key} with {batch} numbers, found the shape {tuple(value.shape)}.")
    return _finite(key, value)


def _latents(
    given: Mapping[str, Any], batch: int, device: torch.device, expected: Expected
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """z, zs and ws: only the last one given, in this order, is used."""
    ws = _tensor(given, "ws", (batch, expected.num_ws, expected.w_dim), device)
    zs = None if ws is not None else _tensor(given, "zs", (batch, expected.num_ws, expected.z_dim), device)
    if ws is not None or zs is not None:
        return None, zs, ws
    z = _tensor(given, "z", (batch, expected.z_dim), device)
    if z is None and "seeds" in given:
        z = latents_of_seeds(given["seeds"], expected.z_dim).to(device)
        if len(z) != batch:
            raise InputError(f"Expected {batch} seeds, one per view, found {len(z)}.")
    if z is None:
        raise InputError(f"Expected inputs with seeds, z, zs or ws, found the keys {sorted(given)}.")
    return z, None, None


def _angles(given: Mapping[str, Any], batch: int, device: torch.device, distances: Tensor) -> Angles | None:
    if "elevations" not in given and "azimuths" not in given:
        return None
    elevations, azimuths = (_numbers(given, key, batch, device) for key in ("elevations", "azimuths"))
    return Angles(elevations, azimuths, distances, _numbers(given, "fovs", batch, device, DEFAULT_FOV))


def _labels(given: Mapping[str, Any], batch: int, device: torch.device, angles: Angles | None) -> Tensor | None:
    if "camera_params" in given or angles is None:
        return _tensor(given, "camera_params", (batch, LABEL_SIZE), device)
    cameras = cameras_of(angles.elevations, angles.azimuths, angles.distances, angles.fovs)
    return labels_of(cameras, device)


def _rays(
    forced: Mapping[str, Tensor],
    labels: Tensor | None,
    angles: Angles | None,
    *,
    size: int,
    batch: int,
    box_warp: float,
) -> Rays | None:
    """Given rays, or those of the labels; orthographic ones from the angles where they are known."""
    if forced:
        rays = rays_from_images(forced)
        if len(rays.origins) != batch:
            raise InputError(f"Expected force_rays for {batch} views, found {len(rays.origins)}.")
        return rays
    if labels is None:
        return None
    rays = rays_of_labels(labels, size, box_warp)
    if angles is None or not is_orthographic(labels).any():
        return rays
    cameras = cameras_of(angles.elevations, angles.azimuths, angles.distances, angles.fovs)
    parallel = orthographic_rays(cameras, size, box_warp, labels.device)
    chosen = is_orthographic(labels)[:, None, None]
    return Rays(
        torch.where(chosen, parallel.origins, rays.origins), torch.where(chosen, parallel.directions, rays.directions)
    )
