"""The decoder: plane samples of a point → raw density and features. Source: spec/generator.md §6.1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear, softplus

from training.engine.interface import Decoded, DecoderWeights


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
