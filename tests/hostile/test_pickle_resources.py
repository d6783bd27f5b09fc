"""Pickles that would take much time or memory for few bytes are refused, or cost what their bytes cost."""

from __future__ import annotations

import pickle
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _exchange import restricted_pickle
from _exchange.errors import FormatError
from _exchange.restricted_pickle import MAX_GROWTH, NUMPY_ENTRIES, loads

SECONDS = 5.0
"""Each attack below runs for minutes to years where it is not held; honest reading takes well under a second."""


def read(data: bytes):
    return loads(data, NUMPY_ENTRIES)


def seconds_to_refuse(data: bytes, sentence: str) -> float:
    started = time.process_time()
    with pytest.raises(FormatError, match=sentence) as caught:
        read(data)
    assert len(str(caught.value)) < 400
    return time.process_time() - started


def long4(value: int) -> bytes:
    """The opcode of a long whole number."""
    octets = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8b" + struct.pack("<i", len(octets)) + octets


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def call(module: str, name: str, arguments: bytes) -> bytes:
    return b"c" + f"{module}\n{name}\n".encode() + b"(" + arguments + b"tR"


BYTE_DTYPE = call("numpy", "dtype", text("u1") + b"\x89\x88")


def array_of(content: bytes, shape: bytes, dtype: bytes = BYTE_DTYPE) -> bytes:
    return call("numpy.core.numeric", "_frombuffer", content + dtype + shape + text("C"))


def test_marks_above_a_high_stack_cost_no_search_of_the_stack() -> None:
    data = b"\x80\x04" + b"N" * 200_000 + b"(t0" * 200_000 + b"."
    assert seconds_to_refuse(data, "values at the end") < SECONDS


def test_keys_made_to_collide_are_refused() -> None:
    modulus = 2**61 - 1  # hash(k * modulus) == 0 for every k: n keys would cost n²/2 comparisons
    assert {hash(k * modulus) for k in range(1, 5)} == {0}
    data = b"\x80\x04}(" + b"".join(long4(k * modulus) + b"N" for k in range(1, 50_000)) + b"u."
    assert seconds_to_refuse(data, "as a mapping key") < SECONDS


def test_short_whole_numbers_are_keys() -> None:
    value = {0: "a", -1: "b", 2**40: "c", -(2**59): "d", True: "e"}
    assert read(pickle.dumps(value)) == value


def test_floats_as_keys_collide_too_seldom_to_matter() -> None:
    value = {float(2.0 ** (61 * k)): k for k in range(17)}  # all of one hash; doubles end after 17 of them
    assert len({hash(key) for key in value}) == 1
    assert read(pickle.dumps(value)) == value


@pytest.mark.parametrize("kind", ["calls", "states", "encodings", "mappings"])
def test_shared_bytes_do_not_unfold_in_memory(kind: str) -> None:
    size, times = 1_000_000, 300
    content = b"B" + struct.pack("<I", size) + b"x" * size + b"q\x01"
    head = b"\x80\x04" + BYTE_DTYPE + b"q\x02"
    length = b"J" + struct.pack("<i", size) + b"\x85"
    state = b"(K\x01" + length + b"h\x02\x89h\x01tb"
    data = {
        "calls": head + content + array_of(b"h\x01", length, b"h\x02") * times,
        "states": head + content + (call("numpy.core.multiarray", "_reconstruct", b"") + state) * times,
        "encodings": b"\x80\x04" + text("x" * size) + b"q\x01"
        + call("_codecs", "encode", b"h\x01" + text("latin1")) * times,
        "mappings": b"\x80\x04}(" + b"".join(b"J" + struct.pack("<i", k) + b"N" for k in range(50_000)) + b"uq\x01"
        + b"}h\x01b" * 1000,
    }[kind]  # fmt: skip
    tracemalloc.start()
    try:
        assert seconds_to_refuse(data + b".", "times the bytes of the file") < SECONDS
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # unheld, each takes 300 MB or more; a mapping's entries take up to a hundred bytes of memory each
    assert peak < (MAX_GROWTH + 3) * len(data) + 2**20 + 100 * 2**20 * (kind == "mappings")


def test_an_honest_file_of_many_arrays_has_room_in_every_protocol() -> None:
    arrays = [np.full(50_000, index, np.uint8) for index in range(40)]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        np.testing.assert_array_equal(read(pickle.dumps(arrays, protocol)), arrays)


def test_sides_too_long_for_any_file_are_refused_before_they_are_multiplied() -> None:
    side = long4((1 << 8_000_000) - 1) + b"q\x03"
    data = b"\x80\x04" + array_of(b"C\x01x", b"(" + side + b"h\x03" * 31 + b"t") + b"."
    assert seconds_to_refuse(data, "no tuple of lengths") < SECONDS


@pytest.mark.parametrize("sides", [33, 100_000])
def test_arrays_of_too_many_axes_are_refused(sides: int) -> None:
    assert seconds_to_refuse(b"\x80\x04" + array_of(b"C\x01x", b"(" + b"K\x01" * sides + b"t") + b".", "bytes for") < 2


def test_an_empty_array_may_have_a_long_side_and_takes_no_room() -> None:
    shape = b"J" + struct.pack("<i", 10**9) + b"K\x00\x86"
    assert read(b"\x80\x04" + array_of(b"C\x00", shape) + b".").shape == (10**9, 0)


@pytest.mark.parametrize(
    "code", ["04<", "i4,i4", "(2,)f8", "(999999999,)f8", "M8[s]", "O", "V8", "", " f8", "f8\n", "{}"]
)
def test_array_types_are_single_codes(code: str) -> None:
    data = b"\x80\x04" + call("numpy", "dtype", text(code) + b"\x89\x88") + b"."
    with pytest.raises(FormatError, match="plain data"):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04" + text("x" * 10**6) + text("y") + b"\x93.",
        b"\x80\x04" + call("numpy", "dtype", text("f" * 10**6)) + b".",
        b"\x80\x04" + call("_codecs", "encode", text("a") + text("z" * 10**6)) + b".",
        b"\x80\x04" + call("_codecs", "encode", text("a") + long4(1 << 10**6)) + b".",
    ],
    ids=["a name", "a type", "an encoding", "a number"],
)
def test_long_wrong_values_do_not_make_long_sentences(data: bytes) -> None:
    assert seconds_to_refuse(data, "plain data") < SECONDS


def test_a_huge_tuple_costs_what_its_bytes_cost() -> None:
    count = 300_000
    started = time.process_time()
    assert len(read(b"\x80\x04(" + b"N" * count + b"t.")) == count
    assert time.process_time() - started < SECONDS


def test_too_many_operations_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(restricted_pickle, "MAX_OPERATIONS", 1000)
    assert read(b"N0" * 499 + b"N.") is None
    with pytest.raises(FormatError, match="more than 1000 operations"):
        read(b"N0" * 500 + b"N.")


@pytest.mark.parametrize("wrap", [b"\x85", b"]"], ids=["tuples", "lists"])
def test_nesting_beyond_the_limit_is_a_sentence_and_no_overflow(wrap: bytes) -> None:
    data = b"N" + wrap * 100_000 if wrap == b"\x85" else wrap * 100_000 + b"a" * 99_999
    assert seconds_to_refuse(data + b".", "nested deeper") < SECONDS


def test_tuples_and_lists_that_hold_each_other_end() -> None:
    lists: list[list] = [[] for _ in range(30)]
    knot = tuple(lists)
    for entry in lists:
        entry.append(knot)
    copy = read(pickle.dumps(knot))
    assert len(copy) == 30
    assert all(len(entry) == 1 and isinstance(entry[0], tuple) for entry in copy)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers(-(2**59), 2**59), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(PLAIN, st.integers(3, pickle.HIGHEST_PROTOCOL))
def test_plain_data_of_any_shape_is_what_the_standard_library_reads(value, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    assert read(data) == pickle.loads(data)
