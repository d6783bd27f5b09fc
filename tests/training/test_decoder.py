"""The decoder against NumPy in double, and its gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.decoder import OSGDecoder


@pytest.mark.parametrize("multiplier", [1.0, 0.5])
@pytest.mark.parametrize("plain", [True, False])
def test_the_decoder_is_mean_affine_softplus_affine_sigmoid(multiplier: float, plain: bool) -> None:
    torch.manual_seed(0)
    decoder = OSGDecoder(6, hidden=8, outputs=4, lr_multiplier=multiplier)
    decoder.set_force_sigmoid(plain)
    samples = torch.randn(2, 3, 5, 6)
    state = {key: value.double().numpy() for key, value in decoder.state_dict().items()}
    hidden = samples.double().numpy().mean(1) @ state["net.0.weight"].T * (multiplier / np.sqrt(6))
    hidden = np.logaddexp(0, hidden + state["net.0.bias"] * multiplier)
    out = hidden @ state["net.2.weight"].T * (multiplier / np.sqrt(8)) + state["net.2.bias"] * multiplier
    squashed = 1 / (1 + np.exp(-out[..., 1:]))
    decoded = decoder(samples)
    np.testing.assert_allclose(decoded.sigma.detach(), out[..., :1], atol=1e-5)
    expected = squashed if plain else 1.002 * squashed - 0.001
    np.testing.assert_allclose(decoded.features.detach(), expected, atol=1e-6)


def test_the_names_of_the_parameters() -> None:
    assert list(OSGDecoder(16).state_dict()) == ["net.0.weight", "net.0.bias", "net.2.weight", "net.2.bias"]


def test_gradients_reach_weights_and_samples() -> None:
    decoder = OSGDecoder(4, hidden=5, outputs=3).double()
    samples = torch.randn(1, 3, 2, 4, dtype=torch.float64, requires_grad=True)

    def decoded(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        found = torch.func.functional_call(decoder, {"net.0.weight": weight}, (x,))
        return torch.cat([found.sigma, found.features], -1)

    weight = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(decoded, (samples, weight))
