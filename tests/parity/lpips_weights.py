"""AlexNet weights that the fixtures name by a seed only (README of the fixtures, `lpips.npz`)."""

from __future__ import annotations

import numpy as np
import torch

CONVOLUTIONS = {
    0: (64, 3, 11, 11),
    3: (192, 64, 5, 5),
    6: (384, 192, 3, 3),
    8: (256, 384, 3, 3),
    10: (256, 256, 3, 3),
}


def seeded_alexnet(seed: int) -> dict[str, torch.Tensor]:
    """Backbone and heads under the names that `LpipsNetwork` expects."""
    weights = {}
    for index, (layer, shape) in enumerate(CONVOLUTIONS.items()):
        weight = np.random.RandomState(seed + index).standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        bias = np.random.RandomState(seed + 50 + index).standard_normal(shape[0]) * 0.05
        head = np.random.RandomState(seed + 100 + index).uniform(0, 1, (1, shape[0], 1, 1))
        weights[f"features.{layer}.weight"] = torch.tensor(weight.astype(np.float32))
        weights[f"features.{layer}.bias"] = torch.tensor(bias.astype(np.float32))
        weights[f"lin{index}.model.1.weight"] = torch.tensor(head.astype(np.float32))
    return weights
