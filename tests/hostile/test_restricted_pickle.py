"""Pickles are read, never unpickled: data survives, everything else is refused by name and nothing runs."""

from __future__ import annotations

import collections
import os
import pickle
import pickletools
import random
import struct
import subprocess
import time
from pathlib import Path

import addict
import numpy as np
import pytest

from _exchange.errors import FormatError
from _exchange.restricted_pickle import NUMPY_ENTRIES, loads
from tests.parity.fixtures import measure_files

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def read(data: bytes):
    return loads(data, NUMPY_ENTRIES)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1,
        1 << 80,
        1.5,
        "ä",
        b"\x00\xff",
        [1, [2, (3,)]],
        {"a": {1: (2, 3, 4, 5)}, None: [], 2.5: ()},
    ],
    ids=repr,
)
def test_plain_data_survives(value, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


def test_byte_arrays_are_data_from_protocol_5_on_and_a_call_before() -> None:
    assert read(pickle.dumps(bytearray(b"xy"), 5)) == b"xy"
    with pytest.raises(FormatError, match=r"builtins\.bytearray"):
        read(pickle.dumps(bytearray(b"xy"), 4))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "i4", "u1", "?", "U3", "i8"])
def test_arrays_survive(dtype: str, protocol: int) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)
    empty = [array[:0]] if protocol >= 3 else []  # empty bytes are a call of `bytes` in older protocols
    for original in (array, np.asfortranarray(array), array[:, ::2], array[0, 0], *empty):
        copy = read(pickle.dumps({"x": original}, protocol))["x"]
        np.testing.assert_array_equal(copy, original)
        assert copy.dtype == original.dtype


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_dictionaries_of_addict_survive(protocol: int) -> None:
    value = addict.Dict(a=addict.Dict(b=1, c=[addict.Dict(d=np.float64(2))]), e="x")
    copy = read(pickle.dumps(value, protocol))
    assert copy == {"a": {"b": 1, "c": [{"d": 2.0}]}, "e": "x"}
    assert type(copy) is dict


def test_shared_values_stay_shared() -> None:
    array = np.arange(3.0)
    first, second = read(pickle.dumps([array, array]))
    assert first is second


@pytest.mark.parametrize("path", measure_files("e2e*/**/*.pkl"))
def test_files_of_the_original_are_read(path: Path) -> None:
    value = read(path.read_bytes())
    assert isinstance(value, dict)
    assert value


class Attack:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


class WithState(Attack):
    def __reduce__(self):
        return (*self.call, {"shell": True})


def text(opcodes: str) -> bytes:
    """A protocol 0 pickle from readable opcodes."""
    return opcodes.encode()


MARKER = "touched-by-an-attack"
CALLS = [
    Attack(os.system, f"touch {MARKER}"),
    Attack(eval, f"open({MARKER!r}, 'w')"),
    Attack(exec, f"open({MARKER!r}, 'w')"),
    Attack(open, MARKER, "w"),
    Attack(subprocess.Popen, ["touch", MARKER]),
    Attack(getattr, os, "system"),
    Attack(__import__, "os"),
    Attack(collections.OrderedDict, [("a", 1)]),
    Attack(np.load, "x.npy"),
    Attack(np.ndarray, (10**12,)),
    Attack(pickle.loads, b"cos\nsystem\n."),
    Attack(bytearray, 10**12),
    WithState(subprocess.Popen, ["true"]),
    [1, {"deep": (2, [Attack(os.system, f"touch {MARKER}")])}],
]
BY_HAND = {
    "dotted name": text("c_codecs\nencode.__globals__\n."),
    "dotted module": text("cnumpy.core\nmultiarray._reconstruct\n(tR."),
    "inst": text("(S'touch x'\nios\nsystem\n."),
    "obj": text("(cos\nsystem\nS'true'\no."),
    "extension": b"\x82\x01.",
    "persistent id": text("Pabc\n."),
    "binary persistent id": b"\x80\x02K\x01Q.",
    "next buffer": b"\x80\x05\x97.",
    "frozen set": pickle.dumps(frozenset({1}), 4),
    "set": pickle.dumps({1}, 4),
    "codec that runs code": text("c_codecs\nencode\n(S'a'\nS'zlib'\ntR."),
    "dtype of objects": text("cnumpy\ndtype\n(S'O'\nI0\nI1\ntR."),
    "dtype with fields": text("cnumpy\ndtype\n(S'i4,O'\nI0\nI1\ntR."),
    "enormous dtype": text("cnumpy\ndtype\n(S'S999999999'\nI0\nI1\ntR."),
    "state for a list": text("(lp0\n(dp1\nb."),
    "call of a string": text("S'os.system'\n(S'true'\ntR."),
    "call of an argument list": text("c_codecs\nencode\n(lR."),
    "a global as data": text("c_codecs\nencode\n."),
    "a global inside data": text("(lc_codecs\nencode\na."),
    "state for a global": text("c_codecs\nencode\n(dS'x'\nI1\nsb."),
    "mark at the end": b"(.",
    "two values": b"NN.",
    "empty stack": b".",
    "pop of nothing": b"0.",
    "tuple of nothing": b"\x80\x02\x85.",
    "append to a number": b"I1\nI2\na.",
    "odd items": b"}(K\x01u.",
    "absent memo": text("g7\n."),
    "no stop": b"\x80\x04N",
    "nothing": b"",
    "no pickle": b"\x89PNG\r\n\x1a\n",
    "later protocol": b"\x80\xffN.",
    "memo bomb": b"Nr" + struct.pack("<I", 0xFFFFFFFF) + b"\x8c.",
    "length bomb": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.",
    "frame bomb": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N.",
    "negative long": b"\x8b" + struct.pack("<i", -5) + b".",
    "shape bomb": text(
        "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1000000000000\ntcnumpy\ndtype\n"
        "(S'f8'\nI0\nI1\ntRI0\nS''\ntb."
    ),
    "negative shape": text(
        "cnumpy.core.numeric\n_frombuffer\n(S'ab'\ncnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I-2\ntS'C'\ntR."
    ),
    "unhashable key": b"}](K\x01K\x02eK\x03s.",
    "tuple key": b"}K\x01\x85K\x02s.",
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("attack", CALLS, ids=lambda value: type(value).__name__)
def test_calls_are_refused_and_nothing_runs(attack, protocol: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError, match=r"not on the list|ndarray called|plain data"):
        read(
            pickle.dumps(attack, protocol)
            if not _holds_module(attack)
            else text("cbuiltins\ngetattr\n(S'a'\nS'b'\ntR.")
        )
    assert list(tmp_path.iterdir()) == []


def _holds_module(attack) -> bool:
    return isinstance(attack, Attack) and os in attack.call[1]


@pytest.mark.parametrize("data", BY_HAND.values(), ids=BY_HAND.keys())
def test_hand_made_attacks_are_refused(data: bytes) -> None:
    if data == BY_HAND["frame bomb"]:
        # a frame only announces; the data in it are complete
        assert read(data) is None
        return
    with pytest.raises(FormatError):
        read(data)


def test_sharing_bombs_cost_nothing() -> None:
    doubling = b"\x80\x02]q\x00" + b"".join(b"0h\x00h\x00\x86q\x00" for _ in range(60)) + b"."
    assert list(pickletools.genops(doubling))
    started = time.process_time()
    value = read(doubling)
    assert isinstance(value, tuple)
    assert time.process_time() - started < 5.0  # doubling sixty times would never end


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(FormatError, match="nested deeper"):
        read(b"]" * 5000 + b"a" * 4999 + b".")


def test_lists_that_hold_themselves_end() -> None:
    value: list = []
    value.append(value)
    copy = read(pickle.dumps(value))
    assert copy[0] is copy


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # by the standard library, about mutated text
def test_mutated_pickles_crash_nothing() -> None:
    seeds = [
        pickle.dumps({"a": np.arange(6.0).reshape(2, 3), "b": [1, "x", (2.5, None)]}, protocol)
        for protocol in PROTOCOLS
    ]
    chance = random.Random(8)
    outcomes = collections.Counter()
    for _ in range(3000):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read(bytes(data[: chance.randint(1, len(data))] if chance.random() < 0.2 else data))
            outcomes["read"] += 1
        except FormatError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 300
    assert outcomes["read"] > 30
