"""A radiance field laid out for the kernels: planes channels last, decoder split in its heads, sizes padded.

Source: spec/generator.md §5.1, §6.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn.functional import pad

from _exchange.errors import InputError
from training.engine.checks import check_planes
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


def packed_characters(field: Field) -> Iterator[PackedField]:
    """The field of each character in turn. Planes that several share (`expand`) are laid out once.

    Raises:
        InputError: the planes do not fit the decoder, or are too large to index.
    """
    check_planes(field)
    batch, _, _, side, _ = field.planes.shape
    room = padded_size(field.decoder.w0.shape[1])
    if 3 * field.triplane_depth * side * side * room > _LARGEST_INDEX:
        raise InputError(
            f"Expected planes of fewer than 2³¹ numbers a character, found {side} x {side} texels of {room} channels "
            f"and {field.triplane_depth} slices.",
            next_step="Lower backbone_resolution.",
        )
    packed = _packed(field)
    for item in range(batch):
        if item and field.planes.stride(0):
            packed = replace(packed, planes=_texels(field, item))
        yield packed


def _packed(field: Field) -> PackedField:
    """The first character."""
    decoder = field.decoder
    hidden, channels = decoder.w0.shape
    features = decoder.w2.shape[0] - 1
    c, h, f = padded_size(channels), padded_size(hidden), padded_size(features)
    return PackedField(
        planes=_texels(field, 0),
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


def _texels(field: Field, item: int) -> Tensor:
    channels = field.decoder.w0.shape[1]
    by_slice = field.planes[item].unflatten(1, (channels, field.triplane_depth)).permute(0, 2, 3, 4, 1)
    return pad(by_slice, (0, padded_size(channels) - channels)).contiguous()
