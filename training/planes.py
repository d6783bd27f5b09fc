"""Looking up points in three feature planes, each a thin volume of slices. Source: spec/generator.md §5.1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

_AXES_OF_PLANES = {True: ((0, 1, 2), (0, 2, 1), (1, 2, 0)), False: ((0, 1, 2), (0, 2, 1), (2, 0, 1))}
"""Point axes read as (column, row, slice) of each plane; without `use_triplane` as EG3D had it, no plane of y and z."""


def sample_planes(planes: Tensor, points: Tensor, box_warp: float, triplane_depth: int, use_triplane: bool) -> Tensor:
    """Features of points on each plane: trilinear, or bilinear on planes of one slice; nothing outside the planes.

    Args:
        planes: (B, 3, C · depth, R, R); inside a plane the channel is feature · depth + slice.
        points: (B, M, 3) `head_world`, metres.
        box_warp: side of the cube that the planes span, metres.
        triplane_depth: slices of a plane.
        use_triplane: planes (x, y), (x, z), (y, z), or EG3D's (x, y), (x, z), (z, x).

    Returns:
        (B, 3, M, C).
    """
    batch, count, channels, rows, columns = planes.shape
    features = channels // triplane_depth
    scaled = points * (2 / box_warp)
    grid = torch.stack([scaled[..., axes] for axes in _AXES_OF_PLANES[bool(use_triplane)]], 1).flatten(0, 1)
    if triplane_depth == 1:
        maps = planes.reshape(batch * count, features, rows, columns)
        found = grid_sample(maps, grid[:, None, :, :2], padding_mode="zeros", align_corners=False)[:, :, 0]
    else:
        volumes = planes.reshape(batch * count, features, triplane_depth, rows, columns)
        found = grid_sample(volumes, grid[:, None, None], padding_mode="zeros", align_corners=False)[:, :, 0, 0]
    return found.reshape(batch, count, features, -1).transpose(2, 3)
