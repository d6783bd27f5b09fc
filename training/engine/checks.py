"""What the fast engines ask of their inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from _exchange.errors import InputError
from training.engine.interface import Field


def check_tensors(field: Field, *others: Tensor) -> None:
    """Everything is float32, on one device, and nobody asks for gradients.

    Raises:
        InputError: it is not so.
    """
    decoder = field.decoder
    tensors = (field.planes, decoder.w0, decoder.b0, decoder.w2, decoder.b2, *others)
    devices, types = {str(tensor.device) for tensor in tensors}, {tensor.dtype for tensor in tensors}
    if len(devices) > 1:
        raise InputError(f"Expected planes, decoder and rays or points on one device, found {sorted(devices)}.")
    if types != {torch.float32}:
        raise InputError(f"Expected float32 planes, decoder and rays or points, found {sorted(map(str, types))}.")
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        raise InputError(
            "Expected tensors without gradients for the fast engine, found one that requires them.",
            next_step="Use torch.no_grad(), or the plain engine to train.",
        )


def check_planes(field: Field) -> None:
    """The planes fit the decoder.

    Raises:
        InputError: they are not (B, 3, C · depth, R, R) with the decoder's C.
    """
    shape = tuple(field.planes.shape)
    channels = field.decoder.w0.shape[1] * field.triplane_depth
    if len(shape) != 5 or shape[1:3] != (3, channels) or shape[3] != shape[4]:
        raise InputError(f"Expected planes (B, 3, {channels}, R, R) for this decoder, found {shape}.")
