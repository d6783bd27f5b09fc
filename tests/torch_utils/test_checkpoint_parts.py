"""The parts of the checkpoint readers against what they stand in for: torch's strides, byte streams, zip archives."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from torch_utils.checkpoint.archive import read_archive
from torch_utils.checkpoint.errors import CheckpointError, one_line
from torch_utils.checkpoint.stream import Cursor
from torch_utils.checkpoint.tensors import Storage, StoredTensor, TensorSource

LAWS = settings(derandomize=True, deadline=None, max_examples=150)
AXES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=4)


@LAWS
@given(st.integers(0, 12), st.integers(0, 12), AXES)
def test_a_view_is_torch_s_or_refused(count: int, offset: int, axes: list[tuple[int, int]]) -> None:
    size, stride = tuple(side for side, _ in axes), tuple(step for _, step in axes)
    base = torch.arange(float(count))
    storage = Storage(torch.float32, count)
    storage.fill(memoryview(base.numpy().tobytes()))
    empty = 0 in size
    last = offset + sum((side - 1) * step for side, step in axes)
    if not empty and last >= count:
        with pytest.raises(ValueError, match="reaches element"):
            StoredTensor(storage, offset, size, stride, False, {})
        return
    source = StoredTensor(storage, offset, size, stride, False, {}).source()
    expected = torch.empty(size) if empty else base.as_strided(size, stride, offset)
    assert torch.equal(source.load(), expected)
    assert (source.count, source.nbytes) == (expected.numel(), 4 * expected.numel())


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6.0).reshape(2, 3).t(),
        torch.arange(48.0).reshape(1, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        torch.tensor(2.0).expand(3, 2),
        torch.nn.Parameter(torch.ones(2)),
    ],
    ids=["turned", "channels last", "expanded", "parameter"],
)
def test_tensors_in_memory_are_given_as_contiguous_copies(tensor: torch.Tensor) -> None:
    before = tensor.detach().tolist()
    found = TensorSource.of(tensor).load()
    assert found.is_contiguous()
    assert not found.requires_grad
    assert found.tolist() == before
    found.add_(1)
    assert tensor.tolist() == before


READS = st.lists(st.one_of(st.integers(0, 9000), st.none()), max_size=12)


@LAWS
@given(st.lists(st.integers(0, 700), max_size=20), READS)
def test_a_cursor_reads_as_a_byte_stream_does(lines: list[int], reads: list[int | None]) -> None:
    data = b"\n".join(b"x" * length for length in lines)
    ours, theirs = Cursor(memoryview(data)), io.BytesIO(data)
    for size in reads:
        if size is None:
            assert ours.readline() == theirs.readline()
        else:
            assert bytes(ours.read(size)) == theirs.read(size)
        assert ours.tell() == theirs.tell()


def test_a_cursor_ends_where_it_is_told() -> None:
    cursor = Cursor(memoryview(b"abc\ndef"), 1, 3)
    assert cursor.readline() == b"bc"
    assert cursor.read(5) == b""


def test_long_pieces_are_not_copied() -> None:
    data = memoryview(bytes(10_000))
    piece = Cursor(data).read(9000)
    assert isinstance(piece, memoryview)
    assert piece.obj is data.obj


COMMENTS = st.binary(max_size=30).filter(lambda comment: b"PK" not in comment)
"""A comment that looks like another end makes an archive ambiguous: it is refused."""
NAMES = st.from_regex(r"[a-z][a-z0-9_.]{0,9}[a-z](/[a-z0-9]{1,5}){0,3}", fullmatch=True)


@LAWS
@given(st.dictionaries(NAMES, st.binary(max_size=300), max_size=6), COMMENTS, st.booleans())
def test_stored_archives_are_read_as_the_standard_library_reads_them(
    entries: dict[str, bytes], comment: bytes, large: bool
) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for name, content in entries.items():
            with target.open(name, "w", force_zip64=large) as entry:
                entry.write(content)
        target.comment = comment
    found = read_archive(memoryview(stream.getvalue()))
    assert {name: bytes(content) for name, content in found.items()} == entries


def test_places_beyond_32_bits_stand_in_the_extra_field() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        target.writestr("a/b", b"12345")
    data = bytearray(stream.getvalue())
    entry = data.index(b"PK\1\2")
    wide = struct.pack("<HHQQQ", 1, 24, 5, 5, 0)
    data[entry + 20 : entry + 28] = b"\xff" * 8
    data[entry + 30 : entry + 32] = struct.pack("<H", len(wide))
    data[entry + 42 : entry + 46] = b"\xff" * 4
    data[entry + 49 : entry + 49] = wide
    end = data.index(b"PK\5\6")
    data[end + 12 : end + 16] = struct.pack("<I", end - entry)
    assert bytes(read_archive(memoryview(bytes(data)))["a/b"]) == b"12345"


def test_what_a_file_chose_is_shown_on_one_short_line() -> None:
    shown = one_line("a\nb\x1b[2Jc\u202ed\ud800é" + "x" * 10_000)
    assert shown.startswith(r"a\nb\x1b[2Jc\u202ed\ud800é")
    assert len(shown) < 400
    error = CheckpointError("a\nb", "c", "d\r").in_file("f.pkl")
    assert str(error) == r"f.pkl: a\nb: expected c, found d\r."
    assert isinstance(error, CheckpointError)
