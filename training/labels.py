"""What the mapping network is told of the camera. Source: spec/generator.md §2.1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from training.settings import finite_number, rendering_setting

FFHQ_FOCAL = 4.2647
FFHQ_DISTANCE = 2.7


def conditioning_label(labels: Tensor, rendering_kwargs: Mapping[str, Any]) -> Tensor:
    """(B, 25) camera labels as the mapping network gets them: zeroed, moved to the pose of FFHQ, or scaled.

    A missing ``c_scale`` is 0, so then the label is nothing at all.

    Raises:
        InputError: ``c_gen_conditioning_zero`` is missing, or ``c_scale`` is no finite number.
    """
    is_zeroed = bool(rendering_setting(rendering_kwargs, "c_gen_conditioning_zero"))
    if is_zeroed:
        labels = torch.zeros_like(labels)
    if rendering_kwargs.get("c_gen_conditioning_force_ffhq"):
        labels = _as_in_ffhq(labels, is_zeroed)
    return labels * finite_number("c_scale", rendering_kwargs.get("c_scale") or 0)


def _as_in_ffhq(labels: Tensor, fixed_pose: bool) -> Tensor:
    pose = labels[:, :16].reshape(-1, 4, 4)
    if fixed_pose:
        pose = torch.diag(pose.new_tensor([1.0, -1.0, -1.0, 1.0])).repeat(len(pose), 1, 1)
        pose[:, 2, 3] = FFHQ_DISTANCE
    else:
        position = pose[:, :3, 3:]
        moved = position / position.norm(dim=1, keepdim=True) * FFHQ_DISTANCE
        pose = torch.cat([torch.cat([pose[:, :3, :3], moved], 2), pose[:, 3:]], 1)
    intrinsics = labels.new_tensor([FFHQ_FOCAL, 0, 0.5, 0, FFHQ_FOCAL, 0.5, 0, 0, 1]).expand(len(labels), -1)
    return torch.cat([pose.flatten(1), intrinsics], 1)
