"""Fringes and sidelocks: the hair that frames the face. Its tips end above or beside the eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from _databacks.characters.hair.atlas import LOCK_TILES
from _databacks.characters.hair.locks import BLUNT, POINTED, SOFT, Knots, hanging_guide, lock, spread_width
from _databacks.characters.hair.scalp import Scalp
from _databacks.characters.hair.tails import free_lock
from _databacks.characters.rng import Stream
from _databacks.characters.solids import Solid
from _databacks.characters.traits import HairTraits

_DRAPE = ((0.0, 1.0), (0.02, 0.985), (0.06, 0.955), (0.10, 0.95), (0.30, 0.97))
_ROOT_RUN = 0.028


@dataclass(frozen=True)
class _Strand:
    """One lock over the forehead: turn of the root, turn and height of the tip, radians covered, layer from below."""

    root: float
    tip: float
    tip_y: float
    spacing: float
    layer: float
    widths: Knots = POINTED


def fringe_solids(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    """The locks over the forehead, as the kind of fringe asks."""
    makers = {"blunt": _blunt, "parted": _parted, "swept": _swept, "pointed": _pointed, "centre_lock": _centre_lock}
    return [_front_lock(scalp, strand, stream) for strand in makers[traits.fringe](traits, stream)]


def _front_lock(scalp: Scalp, strand: _Strand, stream: Stream) -> Solid:
    lift = 0.003 + 0.005 * strand.layer
    end = strand.tip, scalp.run_to(strand.tip_y)
    guide = hanging_guide(scalp, (strand.root, _ROOT_RUN), end, (lift, lift + 0.002), _DRAPE)
    half_widths = spread_width(scalp, guide, strand.spacing, 1.45, strand.widths)
    return lock(guide, half_widths, 0.0045, int(stream.uniform(0, LOCK_TILES)), depth=lift)


def _blunt(traits: HairTraits, stream: Stream) -> list[_Strand]:
    strands = []
    for index, turn in enumerate((-0.84, -0.56, -0.28, 0.0, 0.28, 0.56, 0.84)):
        tip_y = traits.fringe_y + stream.jitter(0.002) - 0.006 * turn * turn
        strands.append(_Strand(turn, turn, tip_y, 0.30, index % 2, BLUNT))
    return strands


def _parted(traits: HairTraits, stream: Stream) -> list[_Strand]:
    centre = 0.10 * traits.part_side
    strands = []
    for side in (-1, 1):
        for index, (root, tip, drop) in enumerate(((0.10, 0.42, 0.012), (0.30, 0.74, -0.014), (0.62, 0.98, -0.036))):
            tip_y = traits.fringe_y + drop + stream.jitter(0.004)
            strands.append(_Strand(centre + side * root, side * (tip + stream.jitter(0.03)), tip_y, 0.42, 2 - index))
    return strands


def _swept(traits: HairTraits, stream: Stream) -> list[_Strand]:
    side = traits.part_side
    strands = []
    places = ((0.30, 0.02, 0.010), (0.02, -0.30, 0.004), (-0.26, -0.60, -0.004), (-0.55, -0.88, -0.020))
    for index, (root, tip, drop) in enumerate(places):
        tip_y = traits.fringe_y + drop + stream.jitter(0.004)
        strands.append(_Strand(side * root, side * tip, tip_y, 0.44, 1 + index % 2))
    for root, tip, drop in ((0.50, 0.64, -0.006), (0.72, 1.0, -0.022)):
        tip_y = traits.fringe_y + drop + stream.jitter(0.004)
        strands.append(_Strand(side * root, side * tip, tip_y, 0.36, 1))
    return strands


def _pointed(traits: HairTraits, stream: Stream) -> list[_Strand]:
    strands = []
    for index in range(7):
        turn = -0.86 + 1.72 * index / 6 + stream.jitter(0.05)
        tip_y = traits.fringe_y - 0.004 + stream.jitter(0.008) - 0.022 * turn * turn
        lean = 0.10 * traits.part_side + stream.jitter(0.06)
        strands.append(_Strand(turn * 0.9, turn + lean, tip_y, 0.36, (index * 2) % 3))
    return strands


def _centre_lock(traits: HairTraits, stream: Stream) -> list[_Strand]:
    strands = [_Strand(0.05, -0.02, traits.fringe_y - 0.020 + stream.jitter(0.006), 0.34, 1.2)]
    for side in (-1, 1):
        places = ((0.22, 0.34, 0.006), (0.48, 0.64, -0.004), (0.76, 0.94, -0.024))
        for index, (root, tip, drop) in enumerate(places):
            tip_y = traits.fringe_y + drop + stream.jitter(0.005)
            strands.append(_Strand(side * root, side * (tip + stream.jitter(0.04)), tip_y, 0.36, 0.6 * (index % 2)))
    return strands


def sidelock_solids(scalp: Scalp, traits: HairTraits, stream: Stream, tip_y: float, blunt: bool) -> list[Solid]:
    """One full lock in front of each ear, with a thinner one beside it."""
    solids = []
    widths = BLUNT if blunt else SOFT
    for side in (-1, 1):
        for turn, spacing, drop, layer in ((1.06, 0.34, 0.0, 1), (1.26, 0.30, 0.012, 0)):
            tip = tip_y + (0.0 if blunt else drop + stream.jitter(0.008))
            sway = 0.0 if blunt else 0.05 * traits.curl
            lift = 0.007 + 0.004 * layer
            guide = hanging_guide(
                scalp, (side * (turn - 0.12), 0.04), (side * turn, scalp.run_to(tip)),
                (lift, 0.006), _DRAPE, sway=side * sway, waves=1.0,
            )  # fmt: skip
            half_widths = spread_width(scalp, guide, spacing, 1.2, widths)
            solids.append(lock(guide, half_widths, 0.007, int(stream.uniform(0, LOCK_TILES)), depth=0.005))
    return solids


def ahoge_solid(scalp: Scalp, traits: HairTraits, stream: Stream) -> Solid:
    """The single hair that stands up from the crown."""
    side = traits.part_side
    crown, _ = scalp.shell(0.3 * side, 0.12)
    reach = stream.uniform(0.8, 1.15)
    offsets = (
        (0, -0.008, 0),
        (0.002, 0.018, -0.006),
        (0.016, 0.040, -0.014),
        (0.040, 0.044, -0.022),
        (0.058, 0.026, -0.03),
    )
    points = [crown + np.array([side * x, y, z]) * reach for x, y, z in offsets]
    return free_lock(points, (0.0, 0.0, -1.0), 0.0055, 0.003, 0)
