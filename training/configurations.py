"""Configurations of the generator: the published model, how it was evaluated, and a small one of the same structure.

Source: spec/generator.md §0, §7.3.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_RENDERING: Mapping[str, Any] = MappingProxyType(
    {
        "image_resolution": 512,
        "disparity_space_sampling": False,
        "clamp_mode": "softplus",
        "superresolution_module": "training.superresolution.SuperresolutionHybrid8XDC",
        "superresolution_noise_mode": "none",
        "sr_antialias": True,
        "tanh_rgb_output": 0,
        "c_gen_conditioning_zero": True,
        "c_scale": 1.0,
        "gpc_reg_prob": None,
        "density_reg": 0.5,
        "density_reg_p_dist": 0.004,
        "reg_type": "l1",
        "decoder_lr_mul": 1.0,
        "white_back": True,
        "use_triplane": 1,
        "triplane_depth": 3,
        "box_warp": 0.7,
        "ray_start": 0.5,
        "ray_end": 1.5,
        "depth_resolution": 48,
        "depth_resolution_importance": 48,
        "avg_camera_radius": 1.0,
        "avg_camera_pivot": [0, 0, 0],
    }
)
_PUBLISHED: Mapping[str, Any] = MappingProxyType(
    {
        "z_dim": 512,
        "c_dim": 25,
        "w_dim": 512,
        "img_resolution": 512,
        "img_channels": 3,
        "cond_mode": "ortho_front.cond_img_norm_4.concatfront.crossavg_4.reschonk_add_512.inj_6b_4",
        "backbone_resolution": 256,
        "triplane_width": 16,
        "channel_base": 32768,
        "channel_max": 512,
        "num_fp16_res": 0,
        "conv_clamp": None,
        "fused_modconv_default": "inference_only",
        "mapping_kwargs": {"num_layers": 2},
        "sr_channels_hidden": 16,
        "sr_num_fp16_res": 4,
        "sr_kwargs": {"channel_base": 32768, "channel_max": 512, "fused_modconv_default": "inference_only"},
    }
)

RENDER_SIZE = 96
"""`neural_rendering_resolution` that the published model was trained and evaluated with."""
EVALUATION_DEPTHS: Mapping[str, int] = MappingProxyType({"depth_resolution": 96, "depth_resolution_importance": 96})
"""What the evaluation writes into the live `rendering_kwargs`."""
EVALUATION_CLEARING: Mapping[str, Any] = MappingProxyType({"triplane_crop": 0.1, "cull_clouds": 0.5})
"""What the evaluation removes from volumes and pictures."""
EVALUATION_PASTE: Mapping[str, float | int] = MappingProxyType(
    {
        "thresh_weight": 0.95,
        "thresh_edges": 0.02,
        "thresh_occ": 0.05,
        "offset_occ": 0.01,
        "thresh_dxyz": 0.000005,
        "front_weight_erosion": 0,
    }
)
"""`paste_params` of the evaluation."""


def published(**changes: Any) -> dict[str, Any]:
    """Constructor arguments of the published model, run ``ecrutileE_eclustrousC_n120``.

    `changes` replace arguments; those of ``rendering_kwargs`` are merged.
    """
    rendering = {**_RENDERING, **changes.pop("rendering_kwargs", {})}
    return copy.deepcopy({**_PUBLISHED, **changes, "rendering_kwargs": rendering})


def small(**changes: Any) -> dict[str, Any]:
    """Constructor arguments of a model of the published structure that runs in a second and needs no features.

    `changes` as for `published`.
    """
    reduced = {
        "cond_mode": "ortho_front.cond_img_norm_4.concatfront.crossavg_4.inj_6b_4",
        "backbone_resolution": 64,
        "channel_base": 1024,
        "channel_max": 64,
        "z_dim": 64,
        "w_dim": 64,
    }
    return published(**{**reduced, **changes})
