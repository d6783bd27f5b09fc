"""Pasting the front image onto a rendered view where the view shows what the front camera saw.

Pictures are (B, C, P, P) with P the width of the front image, maps of the render (B, C, r, r). Surface positions X are
metres in the display frame. Masks are 0 to 1 and carry no gradient. Source: spec/generator.md §7.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, max_pool2d, pad

from _exchange.errors import InputError
from torch_utils.ops.resize import bilinear
from training.engine.interface import Rays
from training.march import turned
from training.rays import as_image
from training.settings import finite_number

SOLID_IN_FRONT = 0.5
"""Opacity above which the front render counts as covered, before erosion."""

_NUMBERS = ("thresh_weight", "thresh_edges", "thresh_occ", "offset_occ", "thresh_dxyz")


@dataclass(frozen=True, eq=False)
class PasteParams:
    """Thresholds of pasting.

    Attributes:
        mode: accepted and ignored.
        thresh_weight: least opacity.
        thresh_edges: largest gradient of the positions, metres per pixel.
        thresh_occ: least opacity in front of a surface point that hides it.
        offset_occ: how far in front of the surface the search for occluders begins, metres.
        thresh_dxyz: largest distance of a surface point from its ray, metres.
        front_weight_erosion: side of the square that erodes the front silhouette, pixels of the render; 0: none.
        grad_sample: let gradients flow through the looked-up picture into the positions.
        force_image: (B, 3, P, P) picture to look up instead of the front image, in the range of the pictures returned.
    """

    mode: str = "default"
    thresh_weight: float = 0.95
    thresh_edges: float = 0.02
    thresh_occ: float = 0.05
    offset_occ: float = 0.01
    thresh_dxyz: float = 0.01
    front_weight_erosion: int = 0
    grad_sample: bool = False
    force_image: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Surface:
    """What a render says of the surface, and the rays that saw it.

    Attributes:
        opacity: (B, 1, r, r).
        xyz: (B, 3, r, r) display frame, metres.
        rays: (B, r · r, 3).
    """

    opacity: Tensor
    xyz: Tensor
    rays: Rays


@dataclass(frozen=True, eq=False)
class Pasted:
    """A picture with the front image pasted in, and why where.

    Attributes:
        image: (B, 3, P, P), the picture after pasting.
        paste: (B, 3, P, P), the front image as seen from the view.
        mask: (B, 1, P, P), product of the following five masks.
        mask_weights, mask_edges, mask_dxyz: 0 or 1.
        mask_occ, mask_frontweight: soft at borders.
        frontweight: (B, 1, r, r) opacity of the front render; None without erosion.
    """

    image: Tensor
    paste: Tensor
    mask: Tensor
    mask_weights: Tensor
    mask_edges: Tensor
    mask_occ: Tensor
    mask_dxyz: Tensor
    mask_frontweight: Tensor
    frontweight: Tensor | None


def paste_params_of(given: Mapping[str, object]) -> PasteParams:
    """The thresholds of a ``paste_params`` dict; what is left out takes its default.

    Raises:
        InputError: a key is unknown, or a value is of the wrong kind.
    """
    known = [field.name for field in fields(PasteParams)]
    for key, value in given.items():
        if key not in known:
            raise InputError(f"Expected paste_params with keys out of {', '.join(known)}, found {key!r}.")
        if key in _NUMBERS:
            finite_number(key, value)
    erosion = given.get("front_weight_erosion", 0)
    if not isinstance(erosion, int) or erosion < 0:
        raise InputError(f"Expected front_weight_erosion to be a whole number of at least 0, found {erosion!r:.80}.")
    return PasteParams(**given)  # type: ignore[arg-type]


def weights_mask(opacity: Tensor, size: int, thresh_weight: float) -> Tensor:
    """Where the view is opaque."""
    return (bilinear(opacity, size) > thresh_weight).to(opacity.dtype)


def sobel_norm(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, 1, H, W): norm over the channels of the lengths of their gradients; 0.0017 where flat.

    The length of a channel's gradient is (gx² + gy² + 10⁻⁶)^½, with borders repeated and kernels divided by 8.
    """
    padded = pad(x, (1, 1, 1, 1), mode="replicate")
    down = (padded[:, :, :-2] + padded[:, :, 2:] + 2 * padded[:, :, 1:-1]) / 8
    across = (padded[..., :-2] + padded[..., 2:] + 2 * padded[..., 1:-1]) / 8
    gx, gy = down[..., 2:] - down[..., :-2], across[:, :, 2:] - across[:, :, :-2]
    return (gx.square() + gy.square() + 1e-6).sum(1, keepdim=True).sqrt()


def edges_mask(xyz_full: Tensor, thresh_edges: float) -> Tensor:
    """Where the (B, 3, P, P) positions change little from pixel to pixel."""
    return (sobel_norm(xyz_full) < thresh_edges).to(xyz_full.dtype)


def occlusion_rays(xyz: Tensor, ray_start: float, offset_occ: float) -> Rays:
    """Rays (B, r · r, 3) whose samples begin `offset_occ` in front of the surface and run towards the front camera."""
    surface = turned(xyz.flatten(2).mT)
    towards = surface.new_tensor([0.0, 0.0, 1.0])
    return Rays(surface - (ray_start - offset_occ) * towards, towards.expand_as(surface))


def occlusion_mask(opacity_in_front: Tensor, size: int, thresh_occ: float) -> Tensor:
    """Where nothing lies between the surface and the front camera, of (B, 1, r, r) opacity; soft at borders."""
    return bilinear((opacity_in_front < thresh_occ).to(opacity_in_front.dtype), size)


def xyz_discrepancy(points: Tensor, rays: Rays) -> Tensor:
    """(B, M, 1) distances of (B, M, 3) `head_world` points from their rays, metres."""
    away = points - rays.origins
    along = (away * rays.directions).sum(-1, keepdim=True)
    return (away - along * rays.directions).norm(dim=-1, keepdim=True)


def discrepancy_mask(xyz: Tensor, rays: Rays, size: int, thresh_dxyz: float) -> Tensor:
    """Where the mean position lies on its ray, which demands practically full opacity."""
    distances = as_image(xyz_discrepancy(turned(xyz.flatten(2).mT), rays))
    return (interpolate(distances, size=(size, size), mode="nearest") < thresh_dxyz).to(xyz.dtype)


def eroded(mask: Tensor, size: int) -> Tensor:
    """(B, 1, H, W) minimum over a square whose anchor has index size // 2; pixels outside the picture are ignored."""
    before, after = size // 2, size - 1 - size // 2
    return -max_pool2d(pad(-mask, (before, after, before, after), value=-torch.inf), size, 1)


def sample_orthofront(front: Tensor, xyz_full: Tensor, box_warp: float) -> Tensor:
    """(B, C, h, w) values of a (B, C, n, n) front view at the pixels where it shows (B, 3, h, w) positions."""
    grid = torch.stack([-2 * xyz_full[:, 0] / box_warp, -2 * xyz_full[:, 1] / box_warp], -1)
    return grid_sample(front, grid, padding_mode="border", align_corners=False)


def front_weight_mask(front_opacity: Tensor, xyz_full: Tensor, box_warp: float, size: int) -> Tensor:
    """Where the front view shows something `size` pixels inside its silhouette, of (B, 1, r, r); soft at borders."""
    covered = eroded((front_opacity > SOLID_IN_FRONT).to(front_opacity.dtype), size)
    return sample_orthofront(covered, xyz_full, box_warp)


def paste_front(
    picture: Tensor,
    front: Tensor,
    surface: Surface,
    params: PasteParams,
    *,
    box_warp: float,
    ray_start: float,
    occlusion: Callable[[Rays], Tensor],
    front_opacity: Callable[[], Tensor],
) -> Pasted:
    """Paste the front image.

    Args:
        picture: (B, 3, P, P) to paste into.
        front: (B, 3, P, P) front image in the range of `picture`, first row on top.
        surface: what the render of the view says.
        params: thresholds.
        box_warp: side of the cube, metres.
        ray_start: depth of the first sample of a ray, metres.
        occlusion: (B, M, 3) rays → (B, M, 1) opacity; called first.
        front_opacity: (B, 1, r, r) opacity of the orthographic front view; called after, only with erosion.
    """
    size = picture.shape[-1]
    with torch.no_grad():
        xyz_full = bilinear(surface.xyz, size)
        hidden = as_image(occlusion(occlusion_rays(surface.xyz, ray_start, params.offset_occ)))
        frontweight = front_opacity() if params.front_weight_erosion else None
        masks = {
            "mask_weights": weights_mask(surface.opacity, size, params.thresh_weight),
            "mask_edges": edges_mask(xyz_full, params.thresh_edges),
            "mask_occ": occlusion_mask(hidden, size, params.thresh_occ),
            "mask_dxyz": discrepancy_mask(surface.xyz, surface.rays, size, params.thresh_dxyz),
            "mask_frontweight": torch.ones_like(picture[:, :1])
            if frontweight is None
            else front_weight_mask(frontweight, xyz_full, box_warp, params.front_weight_erosion),
        }
        mask = torch.stack(list(masks.values())).prod(0)
    with torch.set_grad_enabled(torch.is_grad_enabled() and params.grad_sample):
        source = front if params.force_image is None else params.force_image
        looked_up = sample_orthofront(source, bilinear(surface.xyz, size), box_warp)
    return Pasted(
        image=torch.lerp(picture, looked_up, mask), paste=looked_up, mask=mask, frontweight=frontweight, **masks
    )
