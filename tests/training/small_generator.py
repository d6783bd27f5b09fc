"""A generator small enough for tests, and inputs for it."""

from __future__ import annotations

from typing import Any

import torch

from training.triplane import TriPlaneGenerator

MODE = "ortho_front.cond_img_norm_4.concatfront.crossavg_4.reschonk_add_12.inj_6b_4"


def rendering_kwargs(**changes: Any) -> dict[str, Any]:
    """The published settings with few samples."""
    kwargs: dict[str, Any] = {
        "disparity_space_sampling": False,
        "clamp_mode": "softplus",
        "superresolution_module": "training.superresolution.SuperresolutionHybrid8XDC",
        "c_gen_conditioning_zero": True,
        "c_scale": 1.0,
        "superresolution_noise_mode": "none",
        "decoder_lr_mul": 1.0,
        "sr_antialias": True,
        "white_back": True,
        "triplane_depth": 3,
        "use_triplane": 1,
        "tanh_rgb_output": 0,
        "box_warp": 0.7,
        "ray_start": 0.5,
        "ray_end": 1.5,
        "depth_resolution": 8,
        "depth_resolution_importance": 8,
    }
    return {**kwargs, **changes}


def init_kwargs(**changes: Any) -> dict[str, Any]:
    """Constructor arguments of 64-pixel pictures from 16-pixel planes."""
    kwargs: dict[str, Any] = {
        "z_dim": 24,
        "c_dim": 25,
        "w_dim": 16,
        "img_resolution": 64,
        "img_channels": 3,
        "cond_mode": MODE,
        "backbone_resolution": 16,
        "triplane_width": 4,
        "channel_base": 256,
        "channel_max": 16,
        "num_fp16_res": 0,
        "conv_clamp": None,
        "fused_modconv_default": "inference_only",
        "sr_channels_hidden": 4,
        "sr_num_fp16_res": 4,
        "mapping_kwargs": {"num_layers": 2},
        "rendering_kwargs": rendering_kwargs(),
    }
    return {**kwargs, **changes}


def small_generator(**changes: Any) -> TriPlaneGenerator:
    """A seeded generator in evaluation mode whose field has solid parts and empty ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = TriPlaneGenerator(**init_kwargs(**changes)).eval().requires_grad_(False)
    generator.neural_rendering_resolution = 8
    generator.get_parameter("decoder.net.2.weight")[0] *= 100
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.1)
    return generator


def inputs(batch: int = 1, **changes: Any) -> dict[str, Any]:
    """Inputs of `f`: a turned perspective view per character, the first one orthographic if there are several."""
    generator = torch.Generator().manual_seed(1)
    size = changes.pop("size", 64)
    x = {
        "cond": {
            "image_ortho_front": torch.rand(batch, 3, size, size, generator=generator),
            "resnet_chonk": torch.randn(batch, 12, 8, 8, generator=generator),
        },
        "seeds": list(range(3, 3 + batch)),
        "elevations": torch.linspace(10, -20, batch),
        "azimuths": torch.linspace(20, 150, batch),
        "fovs": torch.tensor([-1.0, *[30.0] * (batch - 1)]) if batch > 1 else torch.tensor([30.0]),
    }
    return {**x, **changes}
