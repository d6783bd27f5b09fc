"""The decoder: plane samples of a point → raw density and features. Source: spec/generator.md §6.1."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, softplus

from training.engine.interface import Decoded, DecoderWeights
from training.layers import FullyConnectedLayer


def decoder_outputs(weights: DecoderWeights, samples: Tensor) -> Tensor:
    """(B, M, 1 + F) raw density and features before the sigmoid, of (B, 3, M, C) plane samples."""
    return linear(softplus(linear(samples.mean(1), weights.w0, weights.b0)), weights.w2, weights.b2)


def squashed(weights: DecoderWeights, features: Tensor) -> Tensor:
    """Features (…, F) of outputs before the sigmoid: in (0, 1), or in (−0.001, 1.001)."""
    plain = torch.sigmoid(features)
    return plain if weights.plain_sigmoid else plain * 1.002 - 0.001


def decode(weights: DecoderWeights, samples: Tensor) -> Decoded:
    """Raw densities and features of (B, 3, M, C) plane samples."""
    outputs = decoder_outputs(weights, samples)
    return Decoded(outputs[..., :1], squashed(weights, outputs[..., 1:]))


class OSGDecoder(nn.Module):
    """The parameters of the decoder, ``net.0`` and ``net.2`` in the state dict.

    Args:
        n_features: C, width of a plane sample.
        hidden: width between the layers.
        outputs: F, features besides the density.
        lr_multiplier: of both layers.
    """

    def __init__(self, n_features: int, *, hidden: int = 64, outputs: int = 32, lr_multiplier: float = 1) -> None:
        super().__init__()
        first = FullyConnectedLayer(n_features, hidden, lr_multiplier=lr_multiplier)
        last = FullyConnectedLayer(hidden, 1 + outputs, lr_multiplier=lr_multiplier)
        self.net = nn.Sequential(first, nn.Softplus(), last)
        self.force_sigmoid = False

    def set_force_sigmoid(self, state: bool) -> None:
        """Make features plain sigmoids, or 1.002 · sigmoid − 0.001; not part of the state dict."""
        self.force_sigmoid = bool(state)

    def weights(self) -> DecoderWeights:
        """The parameters with their gains applied; gradients flow to the parameters."""
        stored = dict(self.net.named_parameters())
        layers = {index: layer for index, layer in enumerate(self.net) if isinstance(layer, FullyConnectedLayer)}
        return DecoderWeights(
            w0=stored["0.weight"] * layers[0].weight_gain,
            b0=stored["0.bias"] * layers[0].bias_gain,
            w2=stored["2.weight"] * layers[2].weight_gain,
            b2=stored["2.bias"] * layers[2].bias_gain,
            plain_sigmoid=self.force_sigmoid,
        )

    def forward(self, samples: Tensor) -> Decoded:
        """See `decode`."""
        return decode(self.weights(), samples)
