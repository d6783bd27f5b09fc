"""Archives of plain arrays: read as NumPy wrote them, or refused with one kind of error."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from _exchange.array_archive import read_array_archive
from _exchange.errors import FormatError

ARRAYS = {"b": np.arange(6.0).reshape(2, 3), "a": np.array("text"), "c.d": np.zeros((0, 3), np.int16)}
ENOUGH = 10_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "arrays.npz"


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_arrays_are_those_written_in_their_order(path: Path, write) -> None:
    write(path, **ARRAYS)
    found = read_array_archive(path, most_bytes=ENOUGH)
    assert list(found) == ["b", "a", "c.d"]
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found[name], array)


def test_only_the_named_arrays_are_read(path: Path) -> None:
    np.savez(path, plain=np.ones(2), objects=np.array([{}], object))
    assert list(read_array_archive(path, most_bytes=ENOUGH, names=("plain", "absent"))) == ["plain"]
    with pytest.raises(FormatError, match=r"^arrays\.npz: expected an \.npz archive of plain arrays, found Object"):
        read_array_archive(path, most_bytes=ENOUGH)


def test_what_unpacks_to_more_is_refused(path: Path) -> None:
    np.savez_compressed(path, zeros=np.zeros(ENOUGH))
    assert path.stat().st_size < ENOUGH
    with pytest.raises(FormatError, match=f"expected arrays of at most {ENOUGH} bytes, found 80"):
        read_array_archive(path, most_bytes=ENOUGH)


def test_torn_archives_are_refused_wherever_they_end(path: Path) -> None:
    np.savez(path, **ARRAYS)
    content = path.read_bytes()
    for end in range(0, len(content), 23):
        path.write_bytes(content[:end])
        with pytest.raises(FormatError, match=r"^arrays\.npz: expected an \.npz archive of plain arrays, found "):
            read_array_archive(path, most_bytes=ENOUGH)


def single_array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ones(3))
    return stream.getvalue()


@pytest.mark.parametrize("content", [single_array(), pickle.dumps([1]), b"text"], ids=["npy", "pickle", "text"])
def test_files_of_another_kind_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"^arrays\.npz: expected an \.npz archive of plain arrays, found "):
        read_array_archive(path, most_bytes=ENOUGH)


def test_a_missing_file_is_the_same_error(path: Path) -> None:
    with pytest.raises(FormatError, match=r"found .*No such file"):
        read_array_archive(path, most_bytes=ENOUGH)
