"""Styles from latents and labels. Source: spec/generator.md §2.1."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from _exchange.errors import InputError
from training.mapping import MappingNetwork


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_hand(network: MappingNetwork, z: Tensor, c: Tensor) -> Tensor:
    """The formulas of the spec on the raw state dict."""
    stored = network.state_dict()

    def normalised(v: Tensor) -> Tensor:
        return v / (v.square().mean(1, keepdim=True) + 1e-8).sqrt()

    label = c @ stored["embed.weight"].T / math.sqrt(c.shape[1]) + stored["embed.bias"]
    h = torch.cat([normalised(z), normalised(label)], 1)
    for i in range(network.num_layers):
        h = h @ stored[f"fc{i}.weight"].T * 0.01 / math.sqrt(h.shape[1]) + 0.01 * stored[f"fc{i}.bias"]
        h = torch.where(h < 0, 0.2 * h, h) * math.sqrt(2)
    return h


@pytest.fixture
def network() -> MappingNetwork:
    torch.manual_seed(0)
    network = MappingNetwork(6, 5, 4, 7, num_layers=3, embed_features=9, layer_features=8)
    network.w_avg.copy_(randn(4, seed=3))
    for name, parameter in network.named_parameters():
        if "bias" in name:
            torch.nn.init.normal_(parameter)
    return network.eval()


@torch.no_grad()
def test_widths_may_all_differ(network: MappingNetwork) -> None:
    z, c = randn(3, 6, seed=1), randn(3, 5, seed=2)
    ws = network(z, c)
    assert ws.shape == (3, 7, 4)
    torch.testing.assert_close(ws, by_hand(network, z, c)[:, None].expand(3, 7, 4))


@torch.no_grad()
def test_truncation_moves_towards_the_mean_up_to_the_cutoff(network: MappingNetwork) -> None:
    z, c = randn(3, 6, seed=1), randn(3, 5, seed=2)
    ws, mean = network(z, c), network.w_avg
    torch.testing.assert_close(network(z, c, 0.3), mean + 0.3 * (ws - mean))
    cut = network(z, c, 0.3, 2)
    torch.testing.assert_close(cut[:, :2], mean + 0.3 * (ws[:, :2] - mean))
    assert torch.equal(cut[:, 2:], ws[:, 2:])
    assert torch.equal(network(z, c, 0.3, 0), ws)


def test_the_mean_follows_in_training_when_asked(network: MappingNetwork) -> None:
    z, c, before = randn(3, 6, seed=1), randn(3, 5, seed=2), network.w_avg.clone()
    batch = by_hand(network, z, c).mean(0)
    network(z, c, update_emas=True)
    assert torch.equal(network.w_avg, before)
    network.train()
    network(z, c)
    assert torch.equal(network.w_avg, before)
    network(z, c, update_emas=True)
    torch.testing.assert_close(network.w_avg, 0.998 * before + 0.002 * batch)
    assert not network.w_avg.requires_grad


@torch.no_grad()
def test_without_labels_without_latents_without_mean() -> None:
    assert MappingNetwork(6, 0, 4, 3)(randn(2, 6), None).shape == (2, 3, 4)
    embedding = MappingNetwork(0, 5, 4, None, w_avg_beta=None)
    assert embedding(None, randn(2, 5)).shape == (2, 4)
    assert "w_avg" not in embedding.state_dict()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda n: n(torch.zeros(2, 5), torch.zeros(2, 5)), r"latents z of shape \(B, 6\), found shape \(2, 5\)"),
        (lambda n: n(torch.zeros(2, 6), None), r"labels c of shape \(B, 5\), found none"),
        (lambda n: n(torch.zeros(2, 6), torch.zeros(3, 5)), r"as many latents as labels, found 2 and 3"),
        (lambda n: MappingNetwork(0, 0, 4, 3), r"a latent or a label to map"),
        (lambda n: MappingNetwork(3, 3, 0, 3), r"w_dim to be a whole number of at least 1, found 0"),
        (lambda n: MappingNetwork("3", 3, 4, 3), r"a latent or a label to map, found z_dim '3'"),  # type: ignore[arg-type]
        (lambda n: MappingNetwork(3, 3, 4, 3, activation="no"), r"activation out of"),
        (lambda n: MappingNetwork(3, 3, 4, 3, lr_multiplier=0), r"lr_multiplier above 0, .*found 0"),
        (lambda n: MappingNetwork(3, 3, 4, 3, lr_multiplier=math.nan), r"lr_multiplier to be a number of at least 0"),
        (lambda n: MappingNetwork(3, 3, 4, 3, w_avg_beta=1.5), r"w_avg_beta to be a number from 0 to 1, found 1.5"),
        (lambda n: MappingNetwork(3, 3, 4, 3, layer_features=0), r"features to be a whole number of at least 1"),
        (lambda n: MappingNetwork(3, 0, 4, 2, w_avg_beta=None)(torch.ones(1, 3), None, 0.5), r"without a mean style"),
    ],
)
def test_what_does_not_fit_is_refused(call, sentence: str, network: MappingNetwork) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=sentence):
        call(network)
