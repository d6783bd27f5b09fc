"""A radiance field laid out for the CPU kernels. Source: spec/generator.md §5.1, §6.1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from _exchange.errors import InputError
from training.engine.checks import check_planes
from training.engine.cpu_lanes import LANES
from training.engine.cpu_points import FEATURE_STEP, HIDDEN_STEP, Floats, PackedField
from training.engine.interface import Field

_LARGEST_PLACE = 2**31 - 1


@dataclass(frozen=True, eq=False)
class PreparedField(Field):
    """A field with its layout for the CPU kernels: one entry per character."""

    characters: tuple[PackedField, ...]


def prepared(field: Field) -> PreparedField:
    """The field with its layout; errors as `packed_characters`."""
    given = {part.name: getattr(field, part.name) for part in fields(Field)}
    return PreparedField(**given, characters=tuple(packed_characters(field)))


def packed_characters(field: Field) -> Iterator[PackedField]:
    """The field of each character in turn. Planes that several share (`expand`) are laid out once.

    Raises:
        InputError: the planes do not fit the decoder, or are too large to index.
    """
    if isinstance(field, PreparedField):
        yield from field.characters
        return
    check_planes(field)
    batch, _, _, side, _ = field.planes.shape
    hidden, channels = field.decoder.w0.shape
    room = _filled_up(channels, LANES)
    if side * side * field.triplane_depth * room > _LARGEST_PLACE:
        raise InputError(
            f"Expected planes of fewer than 2³¹ numbers, found {side} x {side} texels of {room} channels and "
            f"{field.triplane_depth} slices.",
            next_step="Lower backbone_resolution.",
        )
    shared = field.planes.stride(0) == 0
    texels = _texels(field.planes[0], field.triplane_depth, room) if shared or batch == 0 else None
    for planes in field.planes:
        own = _texels(planes, field.triplane_depth, room) if texels is None else texels
        yield _packed(field, own, room, _filled_up(hidden, HIDDEN_STEP))


def _packed(field: Field, texels: Floats, channels: int, hidden: int) -> PackedField:
    decoder = field.decoder
    features = _filled_up(len(decoder.b2) - 1, FEATURE_STEP)
    return PackedField(
        texels=texels,
        hidden_weights=_padded(decoder.w0.T, (channels, hidden)).ravel(),
        hidden_bias=_padded(decoder.b0, (hidden,)),
        sigma_weights=_padded(decoder.w2[0], (hidden,)),
        feature_weights=_padded(decoder.w2[1:].T, (hidden, features)).ravel(),
        feature_bias=_padded(decoder.b2[1:], (features,)),
        sigma_bias=np.float32(decoder.b2[0].item()),
        scale=np.float32(2 / field.box_warp),
        channels=channels,
        side=field.planes.shape[-1],
        depth=field.triplane_depth,
        use_triplane=bool(field.use_triplane),
        feature_gain=np.float32(1 if decoder.plain_sigmoid else 1.002),
        feature_offset=np.float32(0 if decoder.plain_sigmoid else -0.001),
    )


def _texels(planes: Tensor, depth: int, channels: int) -> Floats:
    """Flat (3, R, R, depth, channels) of (3, C · depth, R, R) planes."""
    by_slice = planes.detach().unflatten(1, (-1, depth)).permute(0, 3, 4, 2, 1)
    # NumPy asks for huge pages, and rays cross thousands of small ones.
    laid_out = np.empty((*by_slice.shape[:-1], channels), np.float32)
    torch.from_numpy(laid_out)[..., : by_slice.shape[-1]] = by_slice
    laid_out[..., by_slice.shape[-1] :] = 0
    return laid_out.ravel()


def _filled_up(count: int, step: int) -> int:
    return -(-count // step) * step


def _padded(values: Tensor, shape: tuple[int, ...]) -> Floats:
    found = np.zeros(shape, np.float32)
    found[tuple(slice(size) for size in values.shape)] = values.detach().numpy()
    return found
