"""The hair texture: tiles side by side, each a lock from root (top) to tip (bottom).

Six tiles are locks with darker borders, one is plain for the cap, one is the dark inside. The painted highlight band
stands at one distance from the crown in all of them, which makes the ring of light around the head.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from _databacks.characters.curves import Floats, bump, smoothstep
from _databacks.characters.palette import HairColors, mix, rgb
from _databacks.characters.rng import Stream

TILES, TILE_WIDTH, HEIGHT = 8, 128, 512
LOCK_TILES = 6
PLAIN_TILE, INNER_TILE = 6, 7
_HEAD_RUN, _HEAD_V = 0.15, 0.45
_RING_V = 0.30
LONG_RUN = 0.5
"""Locks shorter than this keep part of the way to the colour of the tips, metres."""


def tile_u(tile: int, across: ArrayLike) -> Floats:
    """Texture u of positions −1…1 across a tile, kept off its neighbours."""
    inside = 0.5 + 0.46 * np.asarray(across, np.float64)
    return (tile + inside) / TILES


def v_of_run(run: ArrayLike, tip_run: float) -> Floats:
    """Texture v of metres of hair from the crown, for a lock that ends at `tip_run`."""
    run = np.asarray(run, np.float64)
    reach = 0.99 if tip_run > LONG_RUN else 0.70 + 0.29 * max(tip_run - 0.2, 0.0) / (LONG_RUN - 0.2)
    below = _HEAD_V + (reach - _HEAD_V) * (run - _HEAD_RUN) / max(tip_run - _HEAD_RUN, 0.04)
    return np.clip(np.where(run < _HEAD_RUN, _HEAD_V * run / _HEAD_RUN, below), 0.004, 0.996)


def hair_pixels(seed: int, colors: HairColors) -> NDArray[np.uint8]:
    """(512, 1024, 3) texture."""
    stream = Stream(seed, "streaks")
    columns = [_tile(stream, colors, tile) for tile in range(TILES)]
    pixels = np.concatenate(columns, axis=1)
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def _strands(stream: Stream, count: int, width: int = TILE_WIDTH) -> Floats:
    """(width,) smooth noise in about −1…1: `count` random values, interpolated."""
    values = stream.uniforms(count, -1.0, 1.0)
    place = np.linspace(0, count - 1, width)
    start = np.minimum(place.astype(np.int64), count - 2)
    share = smoothstep(place - start)
    return values[start] * (1 - share) + values[start + 1] * share


def _tile(stream: Stream, colors: HairColors, tile: int) -> Floats:
    v = ((np.arange(HEIGHT) + 0.5) / HEIGHT)[:, None]
    across = (((np.arange(TILE_WIDTH) + 0.5) / TILE_WIDTH - 0.5) / 0.46)[None, :]
    base, shadow = np.array(colors.base), np.array(colors.shadow)
    streaks = (0.55 * _strands(stream, 9) + 0.45 * _strands(stream, 23))[None, :]
    late = (0.55 * _strands(stream, 9) + 0.45 * _strands(stream, 23))[None, :]
    ragged = _strands(stream, 15)[None, :]
    ragged_low = _strands(stream, 15)[None, :]
    if tile == INNER_TILE:
        color = np.broadcast_to(np.array(mix(colors.shadow, rgb("2a1f38"), 0.18)), (HEIGHT, TILE_WIDTH, 3)).copy()
        return color + 0.02 * streaks[..., None]
    noise = streaks * (1 - smoothstep(v, 0.3, 0.8)) + late * smoothstep(v, 0.3, 0.8)
    color = np.broadcast_to(base, (HEIGHT, TILE_WIDTH, 3)).copy()
    tip = smoothstep(v, 0.60, 0.99)
    color = _toward(color, np.array(colors.tip), tip)
    color = _toward(color, shadow, 0.30 * (1 - smoothstep(v, 0.0, 0.16)))
    color = _toward(color, shadow, np.clip(-noise - 0.12, 0, 1) * 0.75)
    ring = bump((v - _RING_V - 0.022 * ragged) / (0.062 + 0.022 * ragged_low))
    strength = smoothstep(ring, 0.15, 0.5) * (0.75 + 0.25 * np.clip(noise, -1, 1))
    color = _toward(color, np.array(colors.light), 0.75 * strength)
    sheen = np.clip(noise, 0, 1) * smoothstep(v, 0.4, 0.6)
    color = _toward(color, np.array(colors.light), 0.22 * sheen)
    if tile != PLAIN_TILE:
        border = smoothstep(np.abs(across), 0.70, 1.0)
        color = _toward(color, shadow, 0.9 * border * (0.35 + 0.65 * smoothstep(v, 0.1, 0.5)))
    else:
        color = _toward(color, shadow, 0.45 * smoothstep(v, 0.42, 0.75))
    return color


def _toward(color: Floats, target: Floats, share: Floats) -> Floats:
    return color + (target - color) * np.broadcast_to(share, color.shape[:2])[..., None]
