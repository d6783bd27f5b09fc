"""PNG files that Pillow cannot write, packed by hand: depths, chunks of transparency, interlacing."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from _databacks.vrm import read_head_mesh
from _exchange.errors import FormatError
from tests.databacks.vrm.handmade import add_material, character, png, write

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""PNG colour types."""
PLTE = (b"PLTE", bytes([9, 8, 7, 60, 50, 40, 0, 0, 0, 255, 255, 255]))


def packed(
    width: int, colour: int, depth: int, row: bytes, *chunks: tuple[bytes, bytes], interlaced: bool = False
) -> bytes:
    """A PNG of one row, unfiltered."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, int(interlaced))
    body = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in body)


def drawn(folder: Path, encoded: bytes, shading: str) -> list[list[int]]:
    """The first row of the texture."""
    builder = character()
    for collection in ("materials", "textures", "images"):
        builder.gltf[collection].clear()
    add_material(builder, encoded)
    mesh = read_head_mesh(write(folder, builder), shading=shading)
    assert mesh.parts[0].material.texture is not None, mesh.notes
    return mesh.parts[0].material.texture.pixels[0].tolist()


@pytest.mark.parametrize(
    ("encoded", "paper", "corrected"),
    [
        pytest.param(
            packed(1, RGB, 16, b"\x12\x34\x56\x78\x9a\xbc"),
            [[0x12, 0x56, 0x9A, 255]],
            [[0x12, 0x56, 0x9A, 255]],
            id="16-bit colour keeps its high bytes",
        ),
        pytest.param(
            packed(1, RGBA, 16, b"\x12\x34\x56\x78\x9a\xbc\x80\xff"),
            [[0x12, 0x56, 0x9A, 0x80]],
            [[0x12, 0x56, 0x9A, 0x80]],
            id="16-bit colour with alpha",
        ),
        pytest.param(
            packed(2, GREY, 16, b"\x12\x34\xff\x00", (b"tRNS", b"\x12\x34")),
            [[0x34, 0x12, 0, 255], [0, 0xFF, 0, 255]],
            [[0x12, 0x12, 0x12, 0], [255, 255, 255, 255]],
            id="16-bit grey with a transparent value",
        ),
        pytest.param(
            packed(2, GREY, 8, b"\x12\x34", (b"tRNS", b"\x00\x12")),
            [[0x12, 0, 0, 255], [0x34, 0, 0, 255]],
            [[0x12, 0x12, 0x12, 0], [0x34, 0x34, 0x34, 255]],
            id="grey with a transparent value",
        ),
        pytest.param(
            packed(2, RGB, 8, b"\1\2\3\4\5\6", (b"tRNS", b"\0\1\0\2\0\3")),
            [[1, 2, 3, 255], [4, 5, 6, 255]],
            [[1, 2, 3, 0], [4, 5, 6, 255]],
            id="colour with a transparent colour",
        ),
        pytest.param(
            packed(4, GREY, 2, b"\x1b"),
            [[0, 0, 0, 255], [85, 0, 0, 255], [170, 0, 0, 255], [255, 0, 0, 255]],
            [[0, 0, 0, 255], [85, 85, 85, 255], [170, 170, 170, 255], [255, 255, 255, 255]],
            id="2-bit grey spans the range",
        ),
        pytest.param(
            packed(2, PALETTE, 1, b"\x40", PLTE),
            [[9, 8, 7, 255], [60, 50, 40, 255]],
            [[9, 8, 7, 255], [60, 50, 40, 255]],
            id="a 1-bit palette is a palette",
        ),
        pytest.param(
            packed(2, PALETTE, 4, b"\x10", PLTE, (b"tRNS", b"\x80")),
            [[60, 50, 40, 255], [9, 8, 7, 255]],
            [[60, 50, 40, 255], [9, 8, 7, 128]],
            id="4-bit palette with transparency",
        ),
    ],
)
def test_kinds_of_png(tmp_path: Path, encoded: bytes, paper: list[list[int]], corrected: list[list[int]]) -> None:
    assert drawn(tmp_path, encoded, "paper") == paper
    assert drawn(tmp_path, encoded, "corrected") == corrected


def test_an_interlaced_png_is_the_same_picture(tmp_path: Path) -> None:
    encoded = packed(1, RGB, 8, b"\1\2\3", interlaced=True)  # of one pixel, the first pass holds everything
    for shading in ("paper", "corrected"):
        assert drawn(tmp_path, encoded, shading) == [[1, 2, 3, 255]]


def test_colours_are_taken_as_stored_whatever_gamma_the_file_states(tmp_path: Path) -> None:
    plain = packed(1, RGB, 8, b"\x40\x80\xc0")
    marked = packed(1, RGB, 8, b"\x40\x80\xc0", (b"gAMA", struct.pack(">I", 100_000)))
    for shading in ("paper", "corrected"):
        assert drawn(tmp_path, marked, shading) == drawn(tmp_path, plain, shading) == [[0x40, 0x80, 0xC0, 255]]


def test_a_jpeg_that_states_an_orientation_is_not_turned(tmp_path: Path) -> None:
    # glTF: orientation marks of images are ignored
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, exif=exif)
    for shading in ("paper", "corrected"):
        row = drawn(tmp_path, stream.getvalue(), shading)
        assert len(row) == 16
        assert row[0][0] > 240
        assert row[15][0] < 15


def test_a_grey_jpeg_is_red_in_paper(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("L", (8, 8), 200).save(stream, "JPEG", quality=100)
    assert drawn(tmp_path, stream.getvalue(), "paper")[0] == [200, 0, 0, 255]
    assert drawn(tmp_path, stream.getvalue(), "corrected")[0] == [200, 200, 200, 255]


def test_the_media_type_of_an_image_is_not_believed(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["images"][0]["mimeType"] = "image/jpeg"  # it is a PNG
    mesh = read_head_mesh(write(tmp_path, builder), shading="corrected")
    assert mesh.parts[0].material.texture.pixels.shape == (2, 2, 4)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "WEBP"])
def test_other_formats_are_no_images_of_gltf(tmp_path: Path, kind: str) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (2, 2)).save(stream, kind)
    builder = character()
    for collection in ("materials", "textures", "images"):
        builder.gltf[collection].clear()
    add_material(builder, stream.getvalue())
    path = write(tmp_path, builder)
    assert "expected a PNG or JPEG image" in read_head_mesh(path, shading="corrected").notes[0]
    with pytest.raises(FormatError, match=r"images\[0\]: expected a PNG or JPEG image"):
        read_head_mesh(path, shading="paper")


def test_an_image_of_a_data_uri_and_one_beside_the_file(tmp_path: Path) -> None:
    encoded = png(np.array([[[1, 2, 3]]], np.uint8))
    (tmp_path / "skin colour.png").write_bytes(encoded)
    quoted = "data:image/png," + "".join(f"%{octet:02x}" for octet in encoded)
    for uri in ("skin%20colour.png", quoted):
        builder = character()
        builder.gltf["images"][0] = {"uri": uri}
        for shading in ("paper", "corrected"):
            mesh = read_head_mesh(write(tmp_path, builder), shading=shading)
            assert mesh.parts[0].material.texture.pixels.tolist() == [[[1, 2, 3, 255]]]


def test_an_image_without_bytes_or_address_is_refused_by_paper_only(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["images"][0] = {"mimeType": "image/png"}
    path = write(tmp_path, builder)
    assert read_head_mesh(path, shading="corrected").notes == (
        "images[0]: expected a bufferView or a uri, found neither; the texture counts as white.",
    )
    with pytest.raises(FormatError, match=r"images\[0\]: expected a bufferView or a uri"):
        read_head_mesh(path, shading="paper")


def test_a_part_whose_image_is_unreadable_has_no_coordinates(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["images"][0] = {"uri": "absent.png"}
    part = read_head_mesh(write(tmp_path, builder), shading="corrected").parts[0]
    assert part.material.texture is None
    assert not part.uv.any()
