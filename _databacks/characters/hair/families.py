"""Families of hair: everything behind the fringe. Each maker returns closed solids; `hair_solids` joins them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from _databacks.characters.hair.atlas import LOCK_TILES, LONG_RUN
from _databacks.characters.hair.fringe import ahoge_solid, fringe_solids, sidelock_solids
from _databacks.characters.hair.locks import (
    BLUNT,
    POINTED,
    SOFT,
    Knots,
    combed_guide,
    hanging_guide,
    lock,
    spread_width,
)
from _databacks.characters.hair.scalp import Drape, Scalp
from _databacks.characters.hair.tails import tail_solids
from _databacks.characters.rng import Stream
from _databacks.characters.solids import Solid, ellipsoid
from _databacks.characters.traits import HairTraits
from _databacks.characters.wardrobe import swatch_uv

_BACK_FROM = 1.30
"""|turn| where the hair at the back begins, just in front of the ears."""
_BEHIND_EAR = 1.75
"""|turn| where hair begins that only hangs behind the shoulders."""
_PARTING = ((3.04, 1.75), (3.06, 1.4), (3.05, 1.05), (3.02, 0.75), (2.9, 0.45), (1.6, 0.2), (0.45, 0.35), (0.75, 0.55))
"""Places beside the middle from which twin tails are combed: (|turn|, descent)."""
TIE_SWATCH = (float(swatch_uv("accent", 0.1)[0]), float(swatch_uv("accent", 0.1)[1]))
"""Texture coordinates of the accent colour in the texture of the clothes."""


def hair_solids(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    """All hair of a head."""
    makers: dict[str, Callable[[Scalp, HairTraits, Stream], list[Solid]]] = {
        "bob": _bob,
        "long": _long,
        "spiky": _spiky,
        "ponytail": _ponytail,
        "twin_tails": _twin_tails,
        "hime": _hime,
        "wavy": _wavy,
        "wolf": _wolf,
    }
    solids = [scalp.cap(), *makers[traits.family](scalp, traits, stream), *fringe_solids(scalp, traits, stream)]
    if traits.ahoge:
        solids.append(ahoge_solid(scalp, traits, stream))
    return solids


def _curtain(
    scalp: Scalp,
    stream: Stream,
    tips: Callable[[float], float],
    drape: Drape,
    *,
    count: int = 15,
    widths: Knots = SOFT,
    ragged: float = 0.008,
    lift: float = 0.003,
    tip_lift: float = 0.003,
    root: float = 0.03,
    overlap: float = 1.5,
    sway: float = 0.0,
    waves: float = 0.0,
    begin: float = _BACK_FROM,
) -> list[Solid]:
    """Locks side by side around the back of the head; `tips` gives the height of the tips by |turn|."""
    spacing = 2 * (np.pi - begin) / (count - 1)
    solids = []
    for index in range(count):
        turn = begin + spacing * index
        away = min(turn, 2 * np.pi - turn)
        run = scalp.run_to(tips(away) + stream.jitter(ragged))
        wrapped = turn if turn <= np.pi else turn - 2 * np.pi
        layer = lift + 0.0035 * (index % 2)
        guide = hanging_guide(
            scalp, (wrapped, root), (wrapped + stream.jitter(0.02), run), (layer, layer + tip_lift), drape,
            sway=sway * (1 if index % 2 else 0.7), waves=waves, rows=12 if run < 0.4 else 18,
        )  # fmt: skip
        half_widths = spread_width(scalp, guide, spacing, overlap, widths)
        solids.append(lock(guide, half_widths, 0.007, int(stream.uniform(0, LOCK_TILES))))
    return solids


def _bob(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    end = -0.125 + 0.018 * traits.length
    drape = ((0.0, 1.0), (0.05, 1.02), (0.09, 0.99), (0.13, 0.88), (0.17, 0.74))
    under = ((0.0, 0.97), (0.06, 0.96), (0.12, 0.84), (0.17, 0.72))
    solids = _curtain(scalp, stream, lambda _: end + 0.006, under, lift=-0.004, widths=BLUNT, count=13)
    solids += _curtain(scalp, stream, lambda _: end, drape, widths=BLUNT if traits.curl > 0.5 else SOFT, ragged=0.004)
    return solids + sidelock_solids(scalp, traits, stream, end - 0.004, blunt=traits.curl > 0.5)


def _long(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    end = -0.36 + 0.07 * traits.length
    drape = ((0.0, 1.0), (0.08, 1.0), (0.16, 0.97), (0.3, 1.02), (0.5, 1.10))
    under = ((0.0, 0.96), (0.10, 0.93), (0.3, 0.95), (0.5, 1.0))
    solids = _curtain(
        scalp, stream, lambda _: end + 0.01, under, begin=_BEHIND_EAR, lift=-0.003, widths=BLUNT, count=13
    )
    solids += _curtain(scalp, stream, lambda _: end, drape, ragged=0.022)
    if traits.sidelocks:
        solids += sidelock_solids(scalp, traits, stream, -0.21 - 0.03 * traits.length, blunt=False)
    return solids


def _hime(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    end = -0.38 + 0.05 * traits.length
    drape = ((0.0, 1.0), (0.10, 0.98), (0.3, 0.99), (0.5, 1.0))
    under = ((0.0, 0.96), (0.10, 0.93), (0.5, 0.95))
    solids = _curtain(scalp, stream, lambda _: end, under, begin=_BEHIND_EAR, lift=-0.003, widths=BLUNT, count=13)
    solids += _curtain(scalp, stream, lambda _: end, drape, widths=BLUNT, ragged=0.003)
    return solids + sidelock_solids(scalp, traits, stream, -0.105 + 0.012 * traits.curl, blunt=True)


def _wavy(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    end = -0.27 + 0.06 * traits.length
    drape = ((0.0, 1.0), (0.06, 1.05), (0.14, 1.06), (0.25, 1.14), (0.4, 1.2))
    under = ((0.0, 0.96), (0.10, 0.95), (0.3, 1.0))
    solids = _curtain(scalp, stream, lambda _: end + 0.02, under, begin=_BEHIND_EAR, lift=-0.003, count=13)
    solids += _curtain(
        scalp, stream, lambda _: end, drape, ragged=0.02, sway=0.10, waves=2.0 + traits.curl, overlap=1.7, lift=0.004
    )
    return solids + sidelock_solids(scalp, traits, stream, -0.19 - 0.02 * traits.length, blunt=False)


def _wolf(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    end = -0.185 + 0.03 * traits.length
    lower = ((0.0, 0.98), (0.08, 0.90), (0.13, 0.72), (0.18, 0.78), (0.25, 0.92))
    upper = ((0.0, 1.0), (0.06, 1.08), (0.12, 1.12))
    solids = _curtain(
        scalp, stream, lambda away: end + 0.05 * max(0.0, 1.9 - away), lower, lift=-0.002, ragged=0.014, count=15
    )
    solids += _curtain(
        scalp, stream, lambda _: -0.070, upper, widths=POINTED, ragged=0.016, lift=0.004, tip_lift=0.010, count=13
    )
    return solids + sidelock_solids(scalp, traits, stream, -0.135, blunt=False)


def _spiky(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    nape = ((0.0, 0.97), (0.05, 0.84), (0.10, 0.60), (0.14, 0.55))

    def nape_tips(away: float) -> float:
        return -0.055 - 0.045 * min(1.0, max(0.0, (away - 1.6) / 0.9))

    solids = _curtain(scalp, stream, nape_tips, nape, widths=POINTED, ragged=0.008, lift=0.001, count=15)
    middle = ((0.0, 1.0), (0.05, 1.02), (0.1, 1.0))
    solids += _curtain(
        scalp, stream, lambda _: -0.030, middle, widths=POINTED, ragged=0.014, lift=0.005, tip_lift=0.016, count=13,
        overlap=1.7,
    )  # fmt: skip
    solids += _curtain(
        scalp, stream, lambda _: 0.040, middle, widths=POINTED, ragged=0.014, lift=0.007, tip_lift=0.024, count=11,
        overlap=1.8, root=0.01, begin=1.0,
    )  # fmt: skip
    return solids + sidelock_solids(scalp, traits, stream, -0.062 - 0.015 * traits.curl, blunt=False)


def _combed(scalp: Scalp, stream: Stream, starts: list[tuple[float, float]], tie: tuple[float, float]) -> list[Solid]:
    """Locks combed over the cap from places at its edge to a tie."""
    solids = []
    for index, start in enumerate(starts):
        guide = combed_guide(scalp, start, tie, 0.004 + 0.002 * (index % 2))
        share = np.linspace(0, 1, len(guide.points))
        widths = 0.017 * (1 - 0.62 * share)
        solids.append(lock(guide, widths, 0.005, int(stream.uniform(0, LOCK_TILES)), tip_run=LONG_RUN))
    return solids


def _edge_starts(scalp: Scalp, low: float, high: float, count: int) -> list[tuple[float, float]]:
    turns = np.linspace(low, high, count)
    return [(float(turn), float(scalp.hairline(turn)) * 0.97) for turn in turns]


def _ponytail(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    tie = (np.pi, 0.80 + 0.30 * traits.curl)
    starts = _edge_starts(scalp, 0.95, 2 * np.pi - 0.95, 21)
    starts += [(turn, 0.45) for turn in (-0.9, -0.45, 0.0, 0.45, 0.9)]
    solids = _combed(scalp, stream, starts, tie)
    place, outward = scalp.shell(tie[0], tie[1], 0.004)
    length = 0.30 + 0.07 * traits.length
    y, z = place[1], place[2]
    curve = [
        [*(place - outward * 0.006)],
        [*(place + outward * 0.022)],
        [0.004 * traits.part_side, y - 0.014, z + 0.056],
        [0.012 * traits.part_side, y - 0.55 * length, z + 0.072],
        [0.024 * traits.part_side, y - length, z + 0.040],
    ]
    solids += tail_solids(np.array(curve), (1.0, 0.0, 0.0), 0.036, stream, 10)
    solids.append(ellipsoid(place + outward * 0.010, np.array([0.019, 0.019, 0.017]), "clothes", TIE_SWATCH))
    if traits.sidelocks:
        solids += sidelock_solids(scalp, traits, stream, -0.125 - 0.03 * traits.length, blunt=False)
    return solids


def _twin_tails(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    solids: list[Solid] = []
    descent = 0.85 + 0.35 * traits.curl
    length = 0.30 + 0.07 * traits.length
    for side in (-1, 1):
        tie = (side * 1.95, descent)
        starts = _edge_starts(scalp, side * 1.0, side * 3.0, 11)
        starts += [(side * turn, down) for turn, down in _PARTING]
        solids += _combed(scalp, stream, starts, tie)
        place, outward = scalp.shell(tie[0], tie[1], 0.004)
        x, y, z = place
        right = 1.0 if x > 0 else -1.0
        curve = [
            [*(place - outward * 0.005)],
            [*(place + outward * 0.028)],
            [x + right * 0.062, y - 0.05, z + 0.012],
            [x + right * 0.070, y - 0.6 * length, z + 0.015],
            [x + right * 0.045, y - length, z],
        ]
        solids += tail_solids(np.array(curve), (0.0, 0.0, 1.0), 0.034, stream, 9)
        solids.append(ellipsoid(place + outward * 0.008, np.array([0.017, 0.017, 0.017]), "clothes", TIE_SWATCH))
    if traits.sidelocks:
        solids += sidelock_solids(scalp, traits, stream, -0.125 - 0.03 * traits.length, blunt=False)
    return solids
