"""A radiance field laid out for the kernels: planes channels last, decoder split in its heads, sizes padded.

Source: spec/generator.md §5.1, §6.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from _exchange.errors import InputError
from training.engine.interface import Field

SMALLEST_TILE = 16
"""Sides of a matrix product on the GPU are powers of two of at least this."""
_LARGEST_INDEX = 2**31 - 1


@dataclass(frozen=True, eq=False)
class PackedField:
    """The field of one character, its C, H and F padded with zeros to C', H' and F', powers of two.

    Attributes:
        planes: (3, depth, R, R, C').
        w0: (C', H').
        b0: (H',).
        w_sigma: (H',) row of the raw density.
        b_sigma: (1,).
        w_features: (H', F').
        b_features: (F',).
        feature_count: F.
        box_warp: side of the cube, metres.
        use_triplane: see `Field`.
        plain_sigmoid: see `DecoderWeights`.
    """

    planes: Tensor
    w0: Tensor
    b0: Tensor
    w_sigma: Tensor
    b_sigma: Tensor
    w_features: Tensor
    b_features: Tensor
    feature_count: int
    box_warp: float
    use_triplane: bool
    plain_sigmoid: bool


def padded_size(count: int) -> int:
    """The smallest power of two that holds `count` and `SMALLEST_TILE`."""
    return max(SMALLEST_TILE, 1 << max(count - 1, 0).bit_length())


def pack(field: Field) -> list[PackedField]:
    """The field of each character; the planes are copied once, also where all views of a batch share them (`expand`).

    Raises:
        InputError: the planes are not (B, 3, C · depth, R, R) with the decoder's C, or too large to index.
    """
    decoder, shape = field.decoder, tuple(field.planes.shape)
    hidden, channels = decoder.w0.shape
    features = decoder.w2.shape[0] - 1
    c, h, f = padded_size(channels), padded_size(hidden), padded_size(features)
    expected = (3, channels * field.triplane_depth)
    if len(shape) != 5 or shape[1:3] != expected or shape[3] != shape[4]:
        raise InputError(f"Expected planes (B, {expected[0]}, {expected[1]}, R, R) for this decoder, found {shape}.")
    if 3 * field.triplane_depth * shape[3] * shape[4] * c > _LARGEST_INDEX:
        raise InputError(f"Expected planes of fewer than 2³¹ numbers a character, found {shape}.", next_step="Lower R.")
    planes = field.planes[:1] if field.planes.stride(0) == 0 else field.planes
    by_slice = planes.unflatten(2, (channels, field.triplane_depth)).permute(0, 1, 3, 4, 5, 2)
    packed = PackedField(
        planes=pad(by_slice, (0, c - channels)).contiguous(),
        w0=pad(decoder.w0.T, (0, h - hidden, 0, c - channels)).contiguous(),
        b0=pad(decoder.b0, (0, h - hidden)).contiguous(),
        w_sigma=pad(decoder.w2[0], (0, h - hidden)).contiguous(),
        b_sigma=decoder.b2[:1].contiguous(),
        w_features=pad(decoder.w2[1:].T, (0, f - features, 0, h - hidden)).contiguous(),
        b_features=pad(decoder.b2[1:], (0, f - features)).contiguous(),
        feature_count=features,
        box_warp=field.box_warp,
        use_triplane=bool(field.use_triplane),
        plain_sigmoid=bool(decoder.plain_sigmoid),
    )
    return [replace(packed, planes=each) for each in packed.planes.expand(shape[0], -1, -1, -1, -1, -1)]


def check_inputs(field: Field, *others: Tensor) -> None:
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
            "Expected tensors without gradients for the fast engine on CUDA, found one that requires them.",
            next_step="Use torch.no_grad(), or the plain engine to train.",
        )
