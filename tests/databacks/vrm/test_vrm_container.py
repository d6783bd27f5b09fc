"""The container: literal GLB bytes, JSON that is none, and URIs that must stay inside the folder."""

from __future__ import annotations

import base64
import os
import struct
from pathlib import Path

import pytest

from _databacks.vrm import read_document
from _databacks.vrm.container import read_container
from _exchange.errors import FormatError, InputError
from tests.databacks.vrm.handmade import pack_glb, write

SMALLEST = b'{"asset":{"version":"2.0"}}'


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as problem:
        read_document(path)
    assert "\n" not in str(problem.value)
    assert str(problem.value).startswith(path.name)
    return str(problem.value)


def test_a_glb_of_literal_bytes_is_taken_apart(tmp_path: Path) -> None:
    octets = b"glTF\x02\0\0\0\x40\0\0\0" + b"\x1c\0\0\0JSON" + SMALLEST + b" " + b"\x08\0\0\0BIN\0" + b"abcdefgh"
    assert len(octets) == 0x40
    container = read_container(write(tmp_path, octets, "a.glb"))
    assert container.root.value == {"asset": {"version": "2.0"}}
    assert bytes(container.binary) == b"abcdefgh"
    assert container.notes == ()


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "header: expected at least the 12 bytes"),
        (b"glTF" + bytes(4), "found 8 bytes"),
        (b"PK\x03\x04" + bytes(8), "header.magic"),
        (struct.pack("<4sII", b"glTF", 1, 12), "header.version: expected 2, found 1"),
        (struct.pack("<4sII", b"glTF", 2, 13), "header.length: expected at most the 12 bytes"),
        (struct.pack("<4sII", b"glTF", 2, 12), "expected a JSON chunk"),
        (struct.pack("<4sIII4s", b"glTF", 2, 20, 0, b"BIN\0"), "chunks[0].type: expected JSON"),
        (struct.pack("<4sIII4s", b"glTF", 2, 20, 1, b"JSON"), "chunks[0].length: expected at most the 0 bytes left"),
        (struct.pack("<4sIIH", b"glTF", 2, 14, 0), "8 bytes of chunk header, found 2 bytes"),
    ],
)
def test_a_damaged_container_is_refused_with_the_place(tmp_path: Path, octets: bytes, words: str) -> None:
    assert words in refusal(write(tmp_path, octets, "a.glb"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[1]", "expected an object"),
        (b"{]", "valid JSON"),
        (b'{"asset":\xff}', "the byte 0xff"),
        (b'{"asset":{"version":"2.0"},"nodes":[{"scale":[NaN,1,1]}]}', "the token NaN"),
        (b'{"a":' + b"9" * 6000 + b"}", "thousands of digits"),
        (b'{"a":' + b"[" * 200_000, "moderate depth"),
    ],
)
def test_text_that_is_no_gltf_json_is_refused(tmp_path: Path, text: bytes, words: str) -> None:
    assert words in refusal(write(tmp_path, text, "a.gltf"))


def test_a_second_json_chunk_is_refused(tmp_path: Path) -> None:
    chunk = struct.pack("<I4s", 28, b"JSON") + SMALLEST + b" "
    octets = struct.pack("<4sII", b"glTF", 2, 12 + 2 * len(chunk)) + 2 * chunk
    assert "chunks[1].type" in refusal(write(tmp_path, octets, "a.glb"))


def test_trailing_bytes_and_unknown_chunks_are_noted(tmp_path: Path) -> None:
    text = SMALLEST + b" "
    body = struct.pack("<I4s", 28, b"JSON") + text + struct.pack("<I4s4s", 4, b"XTRA", b"abcd")
    octets = struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body + b"tail"
    notes = read_document(write(tmp_path, octets, "a.glb")).notes
    assert notes == (
        "header.length: 4 bytes after the declared end were ignored.",
        "chunks[1].type: the unknown chunk b'XTRA' was ignored.",
    )


def test_a_vrm_file_needs_a_vrm_block_and_a_glb_does_not(tmp_path: Path) -> None:
    octets = pack_glb(SMALLEST)
    assert read_document(write(tmp_path, octets, "a.glb")).humanoid.version == ""
    assert "VRM (0.x) or VRMC_vrm (1.0)" in refusal(write(tmp_path, octets, "a.vrm"))


def gltf_with_buffer(uri: str, length: int = 4) -> bytes:
    return b'{"asset":{"version":"2.0"},"buffers":[{"byteLength":%d,"uri":"%s"}]}' % (length, uri.encode())


def test_a_data_uri_is_decoded(tmp_path: Path) -> None:
    uri = "data:application/octet-stream;base64," + base64.b64encode(b"wxyz").decode()
    path = write(tmp_path, gltf_with_buffer(uri)[:-1] + b',"bufferViews":[{"buffer":0,"byteLength":3}]}', "a.gltf")
    assert bytes(read_document(path).accessors.views[0].data) == b"wxy"


def test_a_percent_coded_data_uri_is_decoded(tmp_path: Path) -> None:
    path = write(tmp_path, gltf_with_buffer("data:,a%20bc"), "a.gltf")
    assert read_document(path).path == path


def test_a_buffer_beside_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "my data.bin").write_bytes(b"wxyz")
    path = write(
        tmp_path, gltf_with_buffer("my%20data.bin")[:-1] + b',"bufferViews":[{"buffer":0,"byteLength":2}]}', "a.gltf"
    )
    assert bytes(read_document(path).accessors.views[0].data) == b"wx"


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.org/a.bin",
        "HTTP://example.org/a.bin",
        "file:///etc/passwd",
        "/etc/passwd",
        "../secret.bin",
        "%2e%2e/secret.bin",
        "inner/../../secret.bin",
        "..\\\\secret.bin",
        "link.bin",
        "data:application/octet-stream;base64,@@@@",
        "data:application/octet-stream",
        "folder",
        "missing.bin",
        "%00",
        "",
    ],
)
def test_nothing_outside_the_folder_is_read(tmp_path: Path, uri: str) -> None:
    folder = tmp_path / "model"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "secret.bin").write_bytes(b"secret")
    os.symlink(tmp_path / "secret.bin", folder / "link.bin")
    assert "buffers[0].uri: expected" in refusal(write(folder, gltf_with_buffer(uri), "a.gltf"))


def test_an_external_buffer_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc")
    words = refusal(write(tmp_path, gltf_with_buffer("a.bin"), "a.gltf"))
    assert "buffers[0].byteLength: expected at most the 3 bytes of its uri, found 4" in words


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.glb")
    assert "something that is no file" in refusal(tmp_path / "a.glb")


def test_an_absent_file_is_one_sentence(tmp_path: Path) -> None:
    assert "none of that name" in refusal(tmp_path / "nobody.vrm")


def test_the_error_keeps_its_place_and_file(tmp_path: Path) -> None:
    path = write(tmp_path, pack_glb({"asset": {"version": "2.0"}, "nodes": [{"mesh": 3}]}), "a.glb")
    with pytest.raises(FormatError) as problem:
        read_document(path)
    assert (problem.value.place, problem.value.file) == ("nodes[0].mesh", path)
    assert str(problem.value) == "a.glb: nodes[0].mesh: expected an index into meshes (length 0), found 3."
