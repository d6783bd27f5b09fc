"""Generators of seeded random weights, the configurations that they are made of, and their checkpoints."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from torch_utils.checkpoint import read_checkpoint, write_safetensors
from training.configurations import published, small
from training.engine.plain import PlainEngine
from training.loading import checkpoint_of, generator_from
from training.random_model import SENTENCE, empty_conditions, random_checkpoint, random_generator
from training.request import latents_of_seeds

TINY = {
    "backbone_resolution": 16,
    "channel_base": 256,
    "channel_max": 16,
    "img_resolution": 64,
    "z_dim": 16,
    "w_dim": 16,
}


def sigma_in_the_box(generator) -> torch.Tensor:
    ws = generator.mapping(latents_of_seeds([0], generator.z_dim), None)
    planes = generator.planes(ws, empty_conditions(generator), generator.noise("const"))
    points = torch.from_numpy(np.random.default_rng(0).uniform(-0.35, 0.35, (1, 20000, 3)).astype(np.float32))
    return PlainEngine().sigma(generator.field(planes), points)


@pytest.mark.parametrize("seed", [0, 1])
def test_three_tenths_of_the_box_are_solid_and_the_field_is_steep(seed: int) -> None:
    sigma = sigma_in_the_box(random_generator(small(), seed))
    assert float((sigma > 1).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert float(sigma.std()) == pytest.approx(300, rel=0.05)


def test_every_weight_follows_from_the_seed_and_the_global_stream_is_left_alone() -> None:
    before = torch.get_rng_state()
    one, same, other = (random_generator(small(**TINY), seed).state_dict() for seed in (4, 4, 5))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["decoder.net.0.weight"], other["decoder.net.0.weight"])


def test_configurations_are_fresh_and_changes_of_rendering_are_merged() -> None:
    changed = published(w_dim=8, rendering_kwargs={"box_warp": 1.0})
    assert (changed["w_dim"], changed["rendering_kwargs"]["box_warp"]) == (8, 1.0)
    assert changed["rendering_kwargs"]["triplane_depth"] == 3
    changed["rendering_kwargs"]["triplane_depth"] = 1
    changed["mapping_kwargs"]["num_layers"] = 7
    assert published()["rendering_kwargs"]["triplane_depth"] == 3
    assert published()["mapping_kwargs"] == {"num_layers": 2}


@pytest.mark.parametrize("mode", ["none", "ortho_front.concatfront.reschonk_add_4.resnetcond_5"])
def test_empty_conditions_are_what_the_mode_asks_for(mode: str) -> None:
    generator = random_generator(small(**TINY, cond_mode=mode))
    cond = empty_conditions(generator)
    assert ("resnet_chonk" in cond, "resnet_feats" in cond) == (mode != "none", mode != "none")
    ws = generator.mapping(torch.zeros(1, 16), torch.zeros(1, 25), cond)
    assert torch.isfinite(generator.planes(ws, cond, generator.noise("const"))).all()


def test_a_checkpoint_gives_the_same_generator_again(tmp_path) -> None:
    kwargs = small(**TINY)
    generator = random_generator(kwargs)
    generator.neural_rendering_resolution = 12
    generator.rendering_kwargs["depth_resolution"] = 7
    kept = copy.deepcopy(kwargs)
    write_safetensors(checkpoint_of(generator, kwargs, {"note": SENTENCE}), "G_ema", tmp_path / "g.safetensors")
    assert kwargs == kept
    checkpoint = read_checkpoint(tmp_path / "g.safetensors")
    weights = checkpoint.generator
    again = generator_from(
        weights.init_kwargs,
        weights.state_dict,
        rendering_kwargs=weights.rendering_kwargs,
        neural_rendering_resolution=weights.neural_rendering_resolution,
    )
    assert checkpoint.main.attributes["note"] == SENTENCE
    assert again.rendering_kwargs["depth_resolution"] == 7
    assert again.neural_rendering_resolution == 12
    assert list(again.state_dict()) == list(generator.state_dict())
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in generator.state_dict().items())


def test_a_checkpoint_says_what_it_is_and_what_it_never_saw(tmp_path) -> None:
    write_safetensors(random_checkpoint(small(**TINY), render_size=9), "G_ema", tmp_path / "r.safetensors")
    checkpoint = read_checkpoint(tmp_path / "r.safetensors")
    assert checkpoint.main.attributes["note"] == "Random weights: pictures and numbers mean nothing."
    assert checkpoint.main.attributes["trained_without"] == ["line_filler"]
    assert checkpoint.generator.neural_rendering_resolution == 9
