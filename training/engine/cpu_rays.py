"""Rays, one after the other from front to back: samples are decoded only where they can be seen.

Three things are left out, none of which reaches a result (spec/generator.md §10.2): samples that the crop empties,
samples behind `OPAQUE`, and features of samples that weigh less than `UNSEEN`. The plain twins are
`training.march`, `training.depths` and `training.clearing`. Source: spec/generator.md §5.3 to §5.6.
"""

# ruff: noqa: PLR0917 - calls inside compiled loops cannot take records

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from _render.compiling import CALLED_LEAF, LEAF, kernel
from training.engine.cpu_depths import draw_fine, merge_order
from training.engine.cpu_lanes import (
    LANES,
    exp_lanes,
    load,
    multiply,
    softplus_lanes,
    spread,
    store,
)
from training.engine.cpu_lanes import add as add_lanes
from training.engine.cpu_lanes import subtract as subtract_lanes
from training.engine.cpu_points import (
    Floats,
    PackedField,
    Scratch,
    add_features,
    decode_samples,
    locate_points,
    sample_point,
    scratch_for,
)

OPAQUE = 1e-8
"""Share of light below which nothing behind is decoded: all of it weighs less than this, a sixth of the distance
between 1 and the float32 below it. In the cumulated weights of the fine depths it is as small."""
UNSEEN = np.float32(1e-10)
"""Weight below which a sample's features are left out: a ray of 200 such samples changes by half a rounding step."""
_ZERO, _HALF, _ONE, _TINY = np.float32(0), np.float32(0.5), np.float32(1), np.float32(1e-10)
_EMPTY, _SOLID = np.float32(-1000), np.float32(1000)
_MARGIN = np.float32(1e-4)
_PENDING, _DECODED, _EMPTIED = 0, 1, 2
# Plain constants would make numba compile a function for each of them.
_NONE, _SINGLE = np.int64(0), np.int64(1)


class Rules(NamedTuple):
    """`Clearing` and what is known to be empty, in numbers.

    Attributes:
        crop: greatest |x| and |z| that stay, metres; infinity takes nothing.
        thin: samples of less raw density are emptied; −infinity empties none.
        solidify: all others are made solid.
        occupied: flat (n, n, n) of uint8, axes x, y, z of the cube: cells that may hold something; (0,) for all.
        cells: n.
    """

    crop: np.float32
    thin: np.float32
    solidify: bool
    occupied: NDArray[np.uint8]
    cells: int


class Bundle(NamedTuple):
    """Rays of one character: origins and directions (M, 3), coarse depths (M, S), numbers u (M, N)."""

    origins: Floats
    directions: Floats
    depths: Floats
    u: Floats


class Seen(NamedTuple):
    """Sums along rays: features (M, F), or (M, 0) where nobody asks for them, opacity and depth (M,), points (M, 3)."""

    features: Floats
    opacity: Floats
    depth: Floats
    xyz: Floats


class RayScratch(NamedTuple):
    """Room for the samples of one ray, coarse before fine, and for the same in the order of the march.

    Attributes:
        points: room for sixteen points that are being decoded.
        pending: (16,) the samples that they are.
        depths, sigma, state, hidden: of every sample; `hidden` is flat (S + N, H).
        order: samples in the order of the march.
        order_of_parts: coarse and fine ones by depth.
        sorted_depths, sorted_sigma, weights: in that order, with room for a register behind.
        sorted_u, cdf, counts: for fine depths.
        features: (F,) with the channels that were filled up.
        decoded: (2,) numbers of points and of features decoded so far.
    """

    points: Scratch
    pending: NDArray[np.int32]
    depths: Floats
    sigma: Floats
    state: NDArray[np.uint8]
    hidden: Floats
    order: NDArray[np.int32]
    order_of_parts: NDArray[np.int32]
    sorted_depths: Floats
    sorted_sigma: Floats
    weights: Floats
    sorted_u: Floats
    cdf: Floats
    counts: NDArray[np.int32]
    features: Floats
    decoded: NDArray[np.int64]


def ray_scratch_for(field: PackedField, coarse: int, fine: int) -> RayScratch:
    """Room for rays of `coarse` and `fine` samples."""
    count = coarse + fine
    room = count + 2 * LANES
    return RayScratch(
        scratch_for(field),
        np.zeros(LANES, np.int32),
        np.zeros(count, np.float32),
        np.zeros(count, np.float32),
        np.zeros(count, np.uint8),
        np.zeros(count * field.hidden_bias.size, np.float32),
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        np.zeros(room, np.float32),
        np.zeros(room, np.float32),
        np.zeros(room, np.float32),
        np.zeros(fine, np.float32),
        np.zeros(coarse, np.float32),
        np.zeros(fine + 1, np.int32),
        np.zeros(field.feature_bias.size, np.float32),
        np.zeros(2, np.int64),
    )


@njit(**LEAF)
def _position(bundle: Bundle, ray: int, depth: Any) -> Any:
    """The `head_world` point at a depth, rounded as torch does."""
    origin, direction = bundle.origins, bundle.directions
    return (
        origin[ray, 0] + depth * direction[ray, 0],
        origin[ray, 1] + depth * direction[ray, 1],
        origin[ray, 2] + depth * direction[ray, 2],
    )


@njit(**LEAF)
def _cell(value: Any, scale: Any, cells: int) -> Any:
    """Cell of a coordinate along an axis of the cube; −1 outside."""
    at = (value * scale + _ONE) * _HALF * np.float32(cells)
    return int(at) if at >= _ZERO and at < np.float32(cells) else -1


@njit(**LEAF)
def _is_known_empty(field: Any, rules: Any, x: Any, y: Any, z: Any) -> Any:
    """Whether a point is emptied without a look at the field."""
    if not (abs(x) <= rules.crop and abs(z) <= rules.crop):
        return True
    if rules.occupied.size == 0:
        return False
    i, j, k = _cell(x, field.scale, rules.cells), _cell(y, field.scale, rules.cells), _cell(z, field.scale, rules.cells)
    if i < 0 or j < 0 or k < 0:
        return False
    return rules.occupied[(i * rules.cells + j) * rules.cells + k] == 0


@njit(**LEAF)
def _cleared(sigma: Any, rules: Any) -> Any:
    if sigma < rules.thin:
        return _EMPTY
    return _SOLID if rules.solidify else sigma


@njit(**LEAF)
def _put_pending(bundle: Any, ray: int, scratch: Any, sample: int, slot: int) -> None:
    point = _position(bundle, ray, scratch.depths[sample])
    for axis in range(3):
        scratch.points.points[axis * LANES + slot] = point[axis]
    scratch.pending[slot] = sample


@njit(**CALLED_LEAF)
def _decode_pending(field: Any, rules: Any, scratch: Any, count: int) -> None:
    """Raw densities and hidden units of the pending samples."""
    scratch.decoded[0] += count
    locate_points(field, scratch.points)
    for slot in range(count):
        sample_point(field, slot, scratch.points)
    for slot in range(count):
        sample = scratch.pending[slot]
        place = sample * field.hidden_bias.size
        sigma = decode_samples(field, scratch.points.samples, slot * field.channels, scratch.hidden, place)
        if scratch.state[sample] == _PENDING:
            scratch.sigma[sample] = _cleared(sigma, rules)
        scratch.state[sample] = _DECODED


@njit(**LEAF)
def _reveal(field: Any, rules: Any, bundle: Any, ray: int, scratch: Any, start: int, stop: int) -> None:
    """Raw densities of samples `start` to `stop` in the order of the march, after clearing."""
    count = _NONE
    for index in range(start, stop):
        sample = scratch.order[index]
        if scratch.state[sample] == _PENDING:
            x, y, z = _position(bundle, ray, scratch.depths[sample])
            if _is_known_empty(field, rules, x, y, z):
                scratch.sigma[sample] = _EMPTY
                scratch.state[sample] = _EMPTIED
            else:
                _put_pending(bundle, ray, scratch, sample, count)
                count += 1
                if count == LANES:
                    _decode_pending(field, rules, scratch, count)
                    count = _NONE
    if count > 0:
        _decode_pending(field, rules, scratch, count)
    for index in range(start, stop):
        scratch.sorted_sigma[index] = scratch.sigma[scratch.order[index]]


@njit(**LEAF)
def _store_alphas(scratch: Any, at: int) -> None:
    """Opacities of sixteen intervals, written to `weights`."""
    one, depths, sigma = spread(_ONE), scratch.sorted_depths, scratch.sorted_sigma
    middle = multiply(add_lanes(load(sigma, at), load(sigma, at + 1)), spread(_HALF))
    length = subtract_lanes(load(depths, at), load(depths, at + 1))
    passing = exp_lanes(multiply(softplus_lanes(subtract_lanes(middle, one)), length))
    store(scratch.weights, at, subtract_lanes(one, passing))


@njit(**LEAF)
def _march(field: Any, rules: Any, bundle: Any, ray: int, scratch: Any, count: int) -> None:
    """Weights of the count − 1 intervals between samples in `order`; 0 behind what is `OPAQUE`."""
    for index in range(count):
        scratch.sorted_depths[index] = scratch.depths[scratch.order[index]]
    for index in range(count, count + LANES):
        scratch.sorted_depths[index] = scratch.sorted_depths[count - 1]
        scratch.sorted_sigma[index] = _EMPTY
    light: Any = 1.0
    known, at = 0, 0
    while at < count - 1:
        until = min(at + LANES + 1, count)
        _reveal(field, rules, bundle, ray, scratch, known, until)
        known = until
        _store_alphas(scratch, at)
        for index in range(at, min(at + LANES, count - 1)):
            alpha = scratch.weights[index]
            scratch.weights[index] = alpha * np.float32(light)
            light *= np.float64(_ONE - alpha + _TINY)
        at += LANES
        if light < OPAQUE:
            break
    for index in range(min(at, count - 1), count + LANES):
        scratch.weights[index] = _ZERO


@njit(**LEAF)
def _sum_up(field: Any, rules: Any, bundle: Any, ray: int, scratch: Any, count: int, seen: Any) -> None:
    """Composite the samples by their weights."""
    opacity: Any = 0.0
    depth: Any = 0.0
    x, y, z = 0.0, 0.0, 0.0
    for feature in range(scratch.features.size):
        scratch.features[feature] = _ZERO
    wants_features = seen.features.shape[1] > 0
    before = _ZERO
    for index in range(count):
        weight = scratch.weights[index] if index < count - 1 else _ZERO
        opacity += weight
        share = (before + weight) * _HALF
        before = weight
        if share == _ZERO:
            continue
        sample = scratch.order[index]
        along = scratch.depths[sample]
        point = _position(bundle, ray, along)
        depth += np.float64(share) * along
        x, y, z = x + np.float64(share) * point[0], y + np.float64(share) * point[1], z + np.float64(share) * point[2]
        if wants_features and abs(share) > UNSEEN:
            if scratch.state[sample] != _DECODED:
                _put_pending(bundle, ray, scratch, sample, 0)
                _decode_pending(field, rules, scratch, _SINGLE)
            add_features(field, scratch.hidden, sample * field.hidden_bias.size, share, scratch.features)
            scratch.decoded[1] += 1
    seen.opacity[ray], seen.depth[ray] = opacity, depth
    seen.xyz[ray, 0], seen.xyz[ray, 1], seen.xyz[ray, 2] = x, y, z
    for feature in range(seen.features.shape[1]):
        seen.features[ray, feature] = scratch.features[feature]


@njit(**LEAF)
def _misses(bundle: Any, ray: int, crop: Any) -> Any:
    """Whether the crop certainly empties all of a ray."""
    nearest, farthest = -np.inf, np.inf
    limit = np.float64(crop) + _MARGIN
    for axis in (0, 2):
        origin, direction = np.float64(bundle.origins[ray, axis]), np.float64(bundle.directions[ray, axis])
        if abs(direction) < 1e-9:
            if abs(origin) > limit + 1e-6:
                return True
        else:
            first, second = (-limit - origin) / direction, (limit - origin) / direction
            nearest, farthest = max(nearest, min(first, second)), min(farthest, max(first, second))
    return nearest > farthest


@kernel
def rays_kernel(field: Any, rules: Any, bundle: Any, scratch: Any, seen: Any) -> None:
    """Sums along rays. Every ray is computed alone."""
    coarse, fine = bundle.depths.shape[1], bundle.u.shape[1]
    for ray in range(bundle.origins.shape[0]):
        if _misses(bundle, ray, rules.crop):
            continue
        for sample in range(scratch.state.size):
            scratch.state[sample] = _PENDING
        for sample in range(coarse):
            scratch.depths[sample] = bundle.depths[ray, sample]
            scratch.order[sample] = sample
        _march(field, rules, bundle, ray, scratch, coarse)
        if fine > 0:
            draw_fine(scratch, bundle.u[ray], coarse)
            merge_order(scratch.depths, coarse, scratch.order, scratch.order_of_parts)
            _march(field, rules, bundle, ray, scratch, coarse + fine)
        _sum_up(field, rules, bundle, ray, scratch, coarse + fine, seen)
