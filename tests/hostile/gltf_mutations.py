"""Seeded damage to GLB and glTF files: bytes, lengths, and values of the JSON that stays JSON.

Mutant n of a set of files depends on the seed and n alone, so a failing number can be run again by itself.
"""

from __future__ import annotations

import copy
import json
import random
import struct
from collections.abc import Callable
from typing import Any

_NASTY: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 3, 255, 65_535, 2**31, 2**32, 2**53, 2**63, 10**40, 0.5, -0.0, 1e-320, 1e308, 1e39,
    "", "0", "\ud800", "POSITION", "data:,", "../x", "x" * 500, [], {}, [[]], [0], [1e38] * 3, [0] * 16, {"a": 1},
)  # fmt: skip


def mutate(original: bytes, seed: int) -> bytes:
    """One mutant of a file."""
    rng = random.Random(seed)
    kinds: list[Callable[[bytes, random.Random], bytes]] = [
        _flip_bytes, _truncate, _change_length, _splice, _mutate_json, _mutate_json, _mutate_json, _poison_binary,
    ]  # fmt: skip
    return rng.choice(kinds)(original, rng)


def _flip_bytes(octets: bytes, rng: random.Random) -> bytes:
    changed = bytearray(octets)
    for _ in range(rng.choice((1, 2, 8, 64))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _truncate(octets: bytes, rng: random.Random) -> bytes:
    return octets[: rng.randrange(len(octets) + 1)]


def _change_length(octets: bytes, rng: random.Random) -> bytes:
    """Overwrite one of the 32-bit numbers of the header or of a chunk header."""
    changed = bytearray(octets)
    places = [4, 8, 12, 16]
    if len(octets) >= 20:
        second = 20 + struct.unpack_from("<I", octets, 12)[0]
        places += [second, second + 4]
    place = rng.choice([place for place in places if place + 4 <= len(octets)] or [0])
    value = rng.choice((0, 1, 3, 12, 2**31 - 1, 2**31, 2**32 - 1, len(octets), len(octets) + 1, rng.randrange(2**32)))
    changed[place : place + 4] = struct.pack("<I", value)
    return bytes(changed)


def _splice(octets: bytes, rng: random.Random) -> bytes:
    """Move, repeat or remove a piece."""
    if not octets:
        return octets
    start = rng.randrange(len(octets))
    piece = octets[start : start + rng.choice((1, 4, 16, 200))]
    target = rng.randrange(len(octets))
    return octets[:target] + piece * rng.choice((0, 1, 3)) + octets[target + rng.choice((0, len(piece))) :]


def _poison_binary(octets: bytes, rng: random.Random) -> bytes:
    """Put special floats and indices into what follows the JSON."""
    changed = bytearray(octets)
    start = 20 + struct.unpack_from("<I", octets, 12)[0] if len(octets) >= 20 else 0
    for _ in range(rng.choice((1, 5, 100))):
        if start + 4 < len(octets):
            place = start + (rng.randrange(len(octets) - start - 4) & ~3)
            special = rng.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", b"\xff\xff\xff\xff", bytes(4)))
            changed[place : place + 4] = special
    return bytes(changed)


def _mutate_json(octets: bytes, rng: random.Random) -> bytes:
    """Change values in the JSON and pack it again, with sound lengths."""
    glb = octets[:4] == b"glTF" and len(octets) >= 20
    size = struct.unpack_from("<I", octets, 12)[0] if glb else len(octets)
    text, rest = (octets[20 : 20 + size], octets[20 + size :]) if glb else (octets, b"")
    try:
        root = json.loads(text)
    except ValueError:
        return _flip_bytes(octets, rng)
    for _ in range(rng.choice((1, 1, 2, 5))):
        _change_value(root, rng)
    packed = json.dumps(root).encode()
    if not glb:
        return packed
    packed += b" " * (-len(packed) % 4)
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(packed) + len(rest), len(packed), b"JSON") + packed + rest


def _change_value(root: Any, rng: random.Random) -> None:
    """Replace, remove, repeat, nudge or transplant one value somewhere in the tree."""
    slots = [(holder, key) for holder in _containers(root) for key in _keys(holder)]
    if not slots:
        return
    holder, key = rng.choice(slots)
    action = rng.randrange(6)
    value = holder[key]
    if action == 0:
        del holder[key]
    elif action == 1 and isinstance(value, list) and value:
        value.extend(copy.deepcopy(rng.choice(value)) for _ in range(rng.choice((1, 3, 50))))
    elif action == 2 and isinstance(value, int | float) and not isinstance(value, bool):
        holder[key] = rng.choice((value + 1, value - 1, -value, value * 1000, value * 1e30, value + 0.5))
    elif action == 3:
        other, other_key = rng.choice(slots)
        holder[key] = copy.deepcopy(other[other_key])
    else:
        holder[key] = copy.deepcopy(rng.choice(_NASTY))


def _containers(root: Any) -> list[Any]:
    found = [root]
    for holder in found:
        found.extend(holder[key] for key in _keys(holder) if isinstance(holder[key], dict | list))
    return found


def _keys(holder: Any) -> list[Any]:
    if isinstance(holder, dict):
        return list(holder)
    return list(range(len(holder))) if isinstance(holder, list) else []
