"""Generators of seeded random weights whose fields hold solid blobs in empty space, for trying and timing things.

What they make of a portrait means nothing; what it costs is what a trained model of the same configuration costs, up to
the share of the box that is solid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from torch_utils.checkpoint import Checkpoint
from training.character import LATENT_SEED
from training.clearing import limit
from training.engine.plain import PlainEngine
from training.loading import NOTE, TRAINED_WITHOUT, checkpoint_of
from training.request import read_request
from training.triplane import TriPlaneGenerator

SENTENCE = "Random weights: pictures and numbers mean nothing."
"""What must stand beside everything that such a model makes."""
_NOISE_STRENGTH = 0.05
_SPREAD_OF_SIGMA = 300.0
"""Standard deviation of the raw densities: as steep as trained fields."""
_SOLID_SHARE = 0.3
"""Share of the box whose density is above ½."""
_SURFACE = 0.5
_PROBES = 20000


def random_generator(init_kwargs: Mapping[str, Any], seed: int = 0) -> TriPlaneGenerator:
    """A generator in evaluation mode whose every weight follows from the seed; features are plain sigmoids.

    Weights are those of a new network, with some noise. The density row of the decoder is rescaled so that, before an
    empty front image, raw densities have a standard deviation of 300 and three tenths of the box are solid.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        generator = TriPlaneGenerator(**init_kwargs).eval().requires_grad_(False)
        generator.set_force_sigmoid(True)
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.copy_(_NOISE_STRENGTH * torch.randn(()))
        rescale_density(generator, empty_conditions(generator))
    return generator


def random_checkpoint(init_kwargs: Mapping[str, Any], render_size: int, seed: int = 0) -> Checkpoint:
    """`random_generator` as a checkpoint that says what it is, and that it knows no line filler."""
    generator = random_generator(init_kwargs, seed)
    generator.neural_rendering_resolution = render_size
    return checkpoint_of(generator, init_kwargs, {NOTE: SENTENCE, TRAINED_WITHOUT: ["line_filler"]})


@torch.no_grad()
def rescale_density(generator: TriPlaneGenerator, cond: Mapping[str, Tensor]) -> None:
    """Change the density row of the decoder so that, under these conditions, the field is as above."""
    sigma = _probed(generator, cond)
    density = generator.decoder.net[2]
    weight, bias = density.get_parameter("weight"), density.get_parameter("bias")
    scale = _SPREAD_OF_SIGMA / float(sigma.std())
    weight[0] *= scale
    bias[0] = limit(_SURFACE) - scale * float(torch.quantile(sigma, 1 - _SOLID_SHARE) - bias[0])


def _probed(generator: TriPlaneGenerator, cond: Mapping[str, Tensor]) -> Tensor:
    """Raw densities at random points of the box, for the latent of every character."""
    box = generator.box_warp
    points = box * torch.rand((1, _PROBES, 3), generator=torch.Generator().manual_seed(0)) - box / 2
    inputs = {"cond": cond, "seeds": [LATENT_SEED], "elevations": [0.0], "azimuths": [0.0]}
    ws = generator.styles(read_request(inputs, generator.expected()))
    return PlainEngine().sigma(generator.field(generator.planes(ws, cond, generator.noise("const"))), points)


def empty_conditions(generator: TriPlaneGenerator) -> dict[str, Tensor]:
    """A white front image and no features, in the shapes that the model's condition mode asks for."""
    mode, size = generator.backbone.synthesis.cond_mode, generator.img_resolution
    cond = {"image_ortho_front": torch.ones(1, 3, size, size)}
    if mode.reschonk_add:
        cond["resnet_chonk"] = torch.zeros(1, mode.reschonk_add, 8, 8)
    if mode.resnetcond:
        cond["resnet_feats"] = torch.zeros(1, mode.resnetcond)
    return cond
