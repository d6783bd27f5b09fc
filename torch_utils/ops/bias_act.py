"""Bias, activation, gain and clamp in one step (spec/generator.md §3.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from _exchange.errors import InputError


@dataclass(frozen=True)
class Activation:
    """One activation: the function of a tensor and alpha, and the defaults of alpha and of the gain."""

    function: Callable[[Tensor, float], Tensor]
    alpha: float
    gain: float


ACTIVATIONS = MappingProxyType(
    {
        "linear": Activation(lambda x, _: x, 0.0, 1.0),
        "relu": Activation(lambda x, _: torch.relu(x), 0.0, math.sqrt(2)),
        "lrelu": Activation(functional.leaky_relu, 0.2, math.sqrt(2)),
        "tanh": Activation(lambda x, _: torch.tanh(x), 0.0, 1.0),
        "sigmoid": Activation(lambda x, _: torch.sigmoid(x), 0.0, 1.0),
        "elu": Activation(lambda x, _: functional.elu(x), 0.0, 1.0),
        "selu": Activation(lambda x, _: functional.selu(x), 0.0, 1.0),
        "softplus": Activation(lambda x, _: functional.softplus(x), 0.0, 1.0),
        "swish": Activation(lambda x, _: torch.sigmoid(x) * x, 0.0, math.sqrt(2)),
    }
)


def activation_named(name: str) -> Activation:
    """The activation of this name.

    Raises:
        InputError: nothing has this name.
    """
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise InputError(f"Expected an activation out of {', '.join(ACTIVATIONS)}, found {name!r}.")
    return ACTIVATIONS[name]


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    *,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Add a bias, activate, multiply, clamp.

    Args:
        x: any shape, any floating dtype.
        b: (x.shape[dim],) bias, cast to the dtype of x; None adds nothing.
        dim: the axis of x that the bias runs along.
        act: a name out of `ACTIVATIONS`.
        alpha: slope of ``lrelu`` below zero; None: 0.2.
        gain: factor after the activation; None: the activation's own.
        clamp: limit of the absolute value; None: no limit, and 0 gives zeros.

    Returns:
        Shape and dtype of x.

    Raises:
        InputError: unknown activation, a bias of the wrong shape, a negative clamp.
    """
    chosen = activation_named(act)
    if clamp is not None and clamp < 0:
        raise InputError(f"Expected a clamp of at least 0, or None, found {clamp}.")
    if b is not None:
        if not -x.ndim <= dim < x.ndim:
            raise InputError(f"Expected an axis below {x.ndim} for the bias, found {dim}.")
        if b.shape != (x.shape[dim],):
            raise InputError(f"Expected a bias of shape {(x.shape[dim],)} for axis {dim}, found {tuple(b.shape)}.")
        x = x + b.to(x.dtype).reshape([-1 if axis == dim % x.ndim else 1 for axis in range(x.ndim)])
    x = chosen.function(x, chosen.alpha if alpha is None else alpha)
    factor = chosen.gain if gain is None else gain
    if factor != 1:
        x = x * factor
    return x if clamp is None else x.clamp(-clamp, clamp)
