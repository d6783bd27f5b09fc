"""The field at single points, in lanes: twenty-four texels, the mean of three planes, hidden units, raw density.

A texel's channels lie side by side, its slices behind one another, so that a point reads four short runs of each
plane. Points are decoded one at a time and their numbers do not depend on their neighbours. Source: spec/generator.md
§5.1, §6.1; the plain twins are `training.planes` and `training.decoder`.
"""

# ruff: noqa: PLR0917 - calls inside compiled loops cannot take records

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from _render.compiling import LEAF, kernel
from training.engine.cpu_lanes import (
    LANES,
    add,
    fma,
    larger,
    load,
    load_place,
    load_spread,
    lower_whole,
    multiply,
    sigmoid_lanes,
    smaller,
    softplus_lanes,
    spread,
    store,
    store_multiples,
    subtract,
    total,
    where_less,
)

Floats = NDArray[np.float32]
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_THIRD = np.float32(1 / 3)
HIDDEN_STEP = 4 * LANES
"""Hidden units summed up together, and the multiple to which they are filled up."""
FEATURE_STEP = 2 * LANES
"""Features summed up together, and the multiple to which they are filled up."""


class PackedField(NamedTuple):
    """The field of one character, laid out for lanes. Channels, units and features are filled up with zeros.

    Attributes:
        texels: flat (3, R, R, depth, C).
        hidden_weights: flat (C, H).
        hidden_bias: (H,).
        sigma_weights: (H,).
        feature_weights: flat (H, F).
        feature_bias: (F,).
        sigma_bias: of the raw density.
        scale: 2 / box_warp.
        channels: C.
        side: R.
        depth: slices of a plane.
        use_triplane: plane 2 is read at (y, z), slice x, or at (z, x), slice y.
        feature_gain, feature_offset: applied to the sigmoid.
    """

    texels: Floats
    hidden_weights: Floats
    hidden_bias: Floats
    sigma_weights: Floats
    feature_weights: Floats
    feature_bias: Floats
    sigma_bias: np.float32
    scale: np.float32
    channels: int
    side: int
    depth: int
    use_triplane: bool
    feature_gain: np.float32
    feature_offset: np.float32


class Scratch(NamedTuple):
    """Room for sixteen points on their way.

    Attributes:
        points: flat (3, 16) `head_world`, metres.
        places: flat int32 (24, 16) offsets in a plane: for each axis two of columns, then two of slices; from
            `SECOND_STEP` on for each axis two of rows.
        shares: flat (12, 16), how much each of the first twelve counts.
        samples: flat (16, C) means of plane samples.
        hidden: (H,) units.
    """

    points: Floats
    places: NDArray[np.int32]
    shares: Floats
    samples: Floats
    hidden: Floats


SECOND_STEP = 12 * LANES
"""Where offsets of rows begin among the places."""


def scratch_for(field: PackedField) -> Scratch:
    """Room for points of this field. Planes of one slice count it whole."""
    shares = np.zeros((12, LANES), np.float32)
    shares[6::2] = 1
    return Scratch(
        np.zeros(3 * LANES, np.float32),
        np.zeros(24 * LANES, np.int32),
        shares.ravel(),
        np.zeros(LANES * field.channels, np.float32),
        np.zeros(field.hidden_bias.size, np.float32),
    )


@njit(**LEAF)
def _locate_axis(scaled: Any, count: int, steps: Any, place: int, scratch: Any) -> None:
    """Write the two texels beside a coordinate in [−1, 1], times each of two steps, and their weights.

    Texels outside weigh nothing; their place is that of the nearest one inside.
    """
    one, zero, last = spread(_ONE), spread(_ZERO), spread(np.float32(count - 1))
    at = multiply(subtract(multiply(add(scaled, one), spread(np.float32(count))), one), spread(_HALF))
    lower = lower_whole(at)
    upper = add(lower, one)
    upper_weight = subtract(at, lower)
    lower_weight = subtract(one, upper_weight)
    lower_weight = where_less(lower, zero, zero, where_less(last, lower, zero, lower_weight))
    upper_weight = where_less(upper, zero, zero, where_less(last, upper, zero, upper_weight))
    lower, upper = smaller(larger(zero, lower), last), smaller(larger(zero, upper), last)
    first = place * LANES
    store(scratch.shares, first, lower_weight)
    store(scratch.shares, first + LANES, upper_weight)
    store_multiples(scratch.places, first, lower, steps[0])
    store_multiples(scratch.places, first + LANES, upper, steps[0])
    store_multiples(scratch.places, first + SECOND_STEP, lower, steps[1])
    store_multiples(scratch.places, first + SECOND_STEP + LANES, upper, steps[1])


@njit(**LEAF)
def locate_points(field: Any, scratch: Any) -> None:
    """Work out which texels the sixteen points of `scratch` read, and how much each counts."""
    side, slices, channels = field.side, field.depth, field.channels
    for axis in range(3):
        scaled = multiply(load(scratch.points, axis * LANES), spread(field.scale))
        _locate_axis(scaled, side, (slices * channels, side * slices * channels), 2 * axis, scratch)
        if slices > 1:
            _locate_axis(scaled, slices, (channels, channels), 6 + 2 * axis, scratch)


@njit(**LEAF)
def _texel(texels: Any, at: int, near: int, far: int, near_share: Any, far_share: Any) -> Any:
    """Sixteen channels between the two slices of a texel."""
    return fma(far_share, load(texels, at + far), multiply(near_share, load(texels, at + near)))


@njit(**LEAF)
def _plane_sample(texels: Any, start: int, axes: Any, point: int, scratch: Any) -> Any:
    """Sixteen channels of a plane's trilinear sample; `axes` of the point are its column, row and slice."""
    places, shares = scratch.places, scratch.shares
    column, row, depth = 2 * axes[0] * LANES + point, 2 * axes[1] * LANES + point, (6 + 2 * axes[2]) * LANES + point
    near, far = load_place(places, depth), load_place(places, depth + LANES)
    near_share, far_share = load_spread(shares, depth), load_spread(shares, depth + LANES)
    left, right = load_place(places, column), load_place(places, column + LANES)
    top, bottom = start + load_place(places, row + SECOND_STEP), start + load_place(places, row + SECOND_STEP + LANES)
    left_share, right_share = load_spread(shares, column), load_spread(shares, column + LANES)
    upper = multiply(left_share, _texel(texels, top + left, near, far, near_share, far_share))
    upper = fma(right_share, _texel(texels, top + right, near, far, near_share, far_share), upper)
    lower = multiply(left_share, _texel(texels, bottom + left, near, far, near_share, far_share))
    lower = fma(right_share, _texel(texels, bottom + right, near, far, near_share, far_share), lower)
    return fma(load_spread(shares, row + LANES), lower, multiply(load_spread(shares, row), upper))


@njit(**LEAF)
def sample_point(field: Any, point: int, scratch: Any) -> None:
    """Write the mean of a located point's three plane samples."""
    channels, plane = field.channels, field.side * field.side * field.depth * field.channels
    for start in range(0, channels, LANES):
        sums = _plane_sample(field.texels, start, (0, 1, 2), point, scratch)
        sums = add(sums, _plane_sample(field.texels, start + plane, (0, 2, 1), point, scratch))
        if field.use_triplane:
            last = _plane_sample(field.texels, start + 2 * plane, (1, 2, 0), point, scratch)
        else:
            last = _plane_sample(field.texels, start + 2 * plane, (2, 0, 1), point, scratch)
        store(scratch.samples, point * channels + start, multiply(add(sums, last), spread(_THIRD)))


@njit(**LEAF)
def decode_samples(field: Any, samples: Any, start: int, hidden: Any, at: int) -> Any:
    """Raw density of a point from its plane samples (C,); its hidden units are written to `hidden` from `at` on."""
    weights, units = field.hidden_weights, field.hidden_bias.size
    sums = spread(_ZERO)
    for unit in range(0, units, HIDDEN_STEP):
        first, second = load(field.hidden_bias, unit), load(field.hidden_bias, unit + LANES)
        third, fourth = load(field.hidden_bias, unit + 2 * LANES), load(field.hidden_bias, unit + 3 * LANES)
        for channel in range(field.channels):
            value = load_spread(samples, start + channel)
            row = channel * units + unit
            first = fma(value, load(weights, row), first)
            second = fma(value, load(weights, row + LANES), second)
            third = fma(value, load(weights, row + 2 * LANES), third)
            fourth = fma(value, load(weights, row + 3 * LANES), fourth)
        first, second = softplus_lanes(first), softplus_lanes(second)
        third, fourth = softplus_lanes(third), softplus_lanes(fourth)
        store(hidden, at + unit, first)
        store(hidden, at + unit + LANES, second)
        store(hidden, at + unit + 2 * LANES, third)
        store(hidden, at + unit + 3 * LANES, fourth)
        sums = fma(first, load(field.sigma_weights, unit), sums)
        sums = fma(second, load(field.sigma_weights, unit + LANES), sums)
        sums = fma(third, load(field.sigma_weights, unit + 2 * LANES), sums)
        sums = fma(fourth, load(field.sigma_weights, unit + 3 * LANES), sums)
    return total(sums) + field.sigma_bias


@njit(**LEAF)
def add_features(field: Any, hidden: Any, at: int, weight: Any, features: Any) -> None:
    """Add `weight` times the features of the hidden units that begin at `at` to `features` (F,)."""
    units, count, weights = field.hidden_bias.size, field.feature_bias.size, field.feature_weights
    gain, offset, share = spread(field.feature_gain), spread(field.feature_offset), spread(weight)
    for feature in range(0, count, FEATURE_STEP):
        left, right = load(field.feature_bias, feature), load(field.feature_bias, feature + LANES)
        more_left, more_right = spread(_ZERO), spread(_ZERO)
        for unit in range(0, units, 2):
            row = unit * count + feature
            value, next_value = load_spread(hidden, at + unit), load_spread(hidden, at + unit + 1)
            left = fma(value, load(weights, row), left)
            right = fma(value, load(weights, row + LANES), right)
            more_left = fma(next_value, load(weights, row + count), more_left)
            more_right = fma(next_value, load(weights, row + count + LANES), more_right)
        left = fma(sigmoid_lanes(add(left, more_left)), gain, offset)
        right = fma(sigmoid_lanes(add(right, more_right)), gain, offset)
        store(features, feature, fma(share, left, load(features, feature)))
        store(features, feature + LANES, fma(share, right, load(features, feature + LANES)))


@njit(**LEAF)
def _fetch(field: Any, scratch: Any, points: Any, start: int) -> Any:
    """Sample up to sixteen points from row `start` on; their number."""
    count = min(LANES, points.shape[0] - start)
    for index in range(count):
        for axis in range(3):
            scratch.points[axis * LANES + index] = points[start + index, axis]
    locate_points(field, scratch)
    for index in range(count):
        sample_point(field, index, scratch)
    return count


@kernel
def points_kernel(field: Any, scratch: Any, points: Any, sigma: Any, features: Any) -> None:
    """Raw densities (M,) at points (M, 3), and features (M, F), which come filled with zeros, or (M, 0) for none."""
    for start in range(0, points.shape[0], LANES):
        for index in range(_fetch(field, scratch, points, start)):
            sigma[start + index] = decode_samples(field, scratch.samples, index * field.channels, scratch.hidden, 0)
            if features.shape[1] > 0:
                add_features(field, scratch.hidden, 0, _ONE, features[start + index])
