"""Fringes and sidelocks: the hair that frames the face. Its tips end above or beside the eyes."""

from __future__ import annotations

from _databacks.characters.hair.atlas import LOCK_TILES
from _databacks.characters.hair.locks import BLUNT, POINTED, SOFT, Knots, hanging_guide, lock, spread_width
from _databacks.characters.hair.scalp import Scalp
from _databacks.characters.rng import Stream
from _databacks.characters.solids import Solid
from _databacks.characters.traits import HairTraits

_DRAPE = ((0.0, 1.0), (0.03, 0.985), (0.06, 0.96), (0.10, 0.95), (0.30, 0.97))
_ROOT_RUN = 0.028


def fringe_solids(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    """The locks over the forehead, as the kind of fringe asks."""
    makers = {"blunt": _blunt, "parted": _parted, "swept": _swept, "pointed": _pointed, "centre_lock": _centre_lock}
    return makers[traits.fringe](scalp, traits, stream)


def _front_lock(
    scalp: Scalp,
    stream: Stream,
    root_turn: float,
    tip_turn: float,
    tip_y: float,
    spacing: float,
    layer: int,
    widths: Knots = POINTED,
) -> Solid:
    lift = 0.0045 + 0.004 * layer
    guide = hanging_guide(scalp, (root_turn, _ROOT_RUN), (tip_turn, scalp.run_to(tip_y)), (lift, lift + 0.002), _DRAPE)
    half_widths = spread_width(scalp, guide, spacing, 1.45, widths)
    return lock(guide, half_widths, 0.0055, int(stream.uniform(0, LOCK_TILES)))


def _blunt(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    turns = (-0.84, -0.56, -0.28, 0.0, 0.28, 0.56, 0.84)
    return [
        _front_lock(scalp, stream, turn, turn, traits.fringe_y + stream.jitter(0.002) - 0.006 * turn * turn, 0.30,
                    index % 2, BLUNT)
        for index, turn in enumerate(turns)
    ]  # fmt: skip


def _parted(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    centre = 0.10 * traits.part_side
    solids = []
    for side in (-1, 1):
        for index, (root, tip, drop) in enumerate(((0.10, 0.42, 0.012), (0.30, 0.74, -0.014), (0.62, 0.98, -0.036))):
            tip_y = traits.fringe_y + drop + stream.jitter(0.004)
            solids.append(
                _front_lock(scalp, stream, centre + side * root, side * (tip + stream.jitter(0.03)), tip_y, 0.42,
                            2 - index)
            )  # fmt: skip
    return solids


def _swept(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    side, part = traits.part_side, 0.42 * traits.part_side
    places = ((0.30, 0.02, 0.010), (0.02, -0.30, 0.004), (-0.26, -0.60, -0.004), (-0.55, -0.88, -0.020))
    solids = []
    for index, (root, tip, drop) in enumerate(places):
        tip_y = traits.fringe_y + drop + stream.jitter(0.004)
        solids.append(_front_lock(scalp, stream, side * root, side * tip, tip_y, 0.44, 1 + index % 2))
    for root, tip, drop in ((0.08, 0.36, -0.006), (0.30, 0.72, -0.022)):
        tip_y = traits.fringe_y + drop + stream.jitter(0.004)
        solids.append(_front_lock(scalp, stream, part + side * root, side * (tip + 0.28), tip_y, 0.36, 1))
    return solids


def _pointed(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    solids = []
    count = 7
    for index in range(count):
        turn = -0.86 + 1.72 * index / (count - 1) + stream.jitter(0.05)
        tip_y = traits.fringe_y - 0.004 + stream.jitter(0.008) - 0.022 * turn * turn
        lean = 0.10 * traits.part_side + stream.jitter(0.06)
        solids.append(_front_lock(scalp, stream, turn * 0.9, turn + lean, tip_y, 0.36, (index * 2) % 3, POINTED))
    return solids


def _centre_lock(scalp: Scalp, traits: HairTraits, stream: Stream) -> list[Solid]:
    low = traits.fringe_y - 0.020
    solids = [_front_lock(scalp, stream, 0.05, -0.02, low + stream.jitter(0.006), 0.34, 2)]
    for side in (-1, 1):
        places = ((0.22, 0.34, 0.006), (0.48, 0.64, -0.004), (0.76, 0.94, -0.024))
        for index, (root, tip, drop) in enumerate(places):
            tip_y = traits.fringe_y + drop + stream.jitter(0.005)
            solids.append(
                _front_lock(scalp, stream, side * root, side * (tip + stream.jitter(0.04)), tip_y, 0.36, index % 2)
            )
    return solids


def sidelock_solids(scalp: Scalp, traits: HairTraits, stream: Stream, tip_y: float, blunt: bool) -> list[Solid]:
    """One full lock in front of each ear, with a thinner one beside it."""
    solids = []
    widths = BLUNT if blunt else SOFT
    for side in (-1, 1):
        for turn, spacing, drop, layer in ((1.06, 0.34, 0.0, 1), (1.26, 0.30, 0.012, 0)):
            tip = tip_y + (0.0 if blunt else drop + stream.jitter(0.008))
            sway = 0.0 if blunt else 0.05 * traits.curl
            guide = hanging_guide(
                scalp, (side * (turn - 0.12), 0.04), (side * turn, scalp.run_to(tip)),
                (0.004 + 0.004 * layer, 0.004), _DRAPE, sway=side * sway, waves=1.0,
            )  # fmt: skip
            half_widths = spread_width(scalp, guide, spacing, 1.2, widths)
            solids.append(lock(guide, half_widths, 0.007, int(stream.uniform(0, LOCK_TILES))))
    return solids


def ahoge_solid(scalp: Scalp, traits: HairTraits, stream: Stream) -> Solid:
    """The single hair that stands up from the crown."""
    from _databacks.characters.hair.tails import free_lock  # noqa: PLC0415

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
    points = [crown + [side * x * reach, y * reach, z * reach] for x, y, z in offsets]
    return free_lock(points, (0.0, 0.0, 1.0), 0.0065, 0.004, 0)
