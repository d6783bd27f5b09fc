"""Pictures of other formats and modes, and hostile ones: read rightly, or refused in a sentence."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as photographs

from _exchange import pictures
from _exchange.errors import FormatError

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def read(tmp_path: Path, content: bytes, mode: pictures.Mode = "RGBA") -> np.ndarray:
    path = tmp_path / "odd.png"
    path.write_bytes(content)
    return pictures.read_picture(path, mode)


def png(header: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of raw chunks with right checksums."""
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    body = (struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def test_sixteen_bit_grey_keeps_its_high_byte(tmp_path: Path) -> None:
    content = encoded(Image.fromarray(RAMP.astype(np.uint16) << 8 | 0x7F), "PNG")
    assert (read(tmp_path, content, "L") == RAMP).all()
    assert (read(tmp_path, content)[..., 1] == RAMP).all()
    assert (read(tmp_path, content)[..., 3] == 255).all()


def test_sixteen_bit_colour_keeps_its_high_bytes(tmp_path: Path) -> None:
    pixels = bytes([0, 0x12, 0xFF, 0x34, 0x56, 0x78, 0x9A])  # filter none, then one pixel of 3 × 16 bits
    content = png(struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0), (b"IDAT", zlib.compress(pixels)))
    assert read(tmp_path, content, "RGB").tolist() == [[[0x12, 0x34, 0x78]]]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_spans_black_to_white(tmp_path: Path, bits: int) -> None:
    row = bytes([0, (2**bits - 1) << (8 - 2 * bits)])  # filter none, then two pixels: black, white
    content = png(struct.pack(">IIBBBBB", 2, 1, bits, 0, 0, 0, 0), (b"IDAT", zlib.compress(row)))
    assert read(tmp_path, content, "L").tolist() == [[0, 255]]


def test_transparency_of_a_palette_and_of_grey_becomes_alpha(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])
    assert read(tmp_path, encoded(palette, "PNG", transparency=0)).tolist() == [[[10, 20, 30, 0], [40, 50, 60, 255]]]
    grey = Image.fromarray(np.array([[0, 9]], np.uint8))
    assert read(tmp_path, encoded(grey, "PNG", transparency=9))[0, :, 3].tolist() == [255, 0]


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "GIF", "BMP", "TIFF", "TGA"])
def test_other_formats_hold_the_picture(tmp_path: Path, form: str) -> None:
    photograph = photographs.astronaut()[:64, 200:264]
    picture = read(tmp_path, encoded(Image.fromarray(photograph), form), "RGB")
    # lossy formats and GIF's palette stay within a few levels on average; another picture would differ by dozens
    assert np.abs(picture.astype(int) - photograph).mean() < 8


def test_postscript_is_no_picture_and_starts_no_program(tmp_path: Path) -> None:
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(touched) (w) file\n%%EOF\n"
    with pytest.raises(FormatError, match=r"odd\.png: expected a picture"):
        read(tmp_path, content)


def test_a_mode_that_cannot_be_converted_is_named(tmp_path: Path) -> None:
    content = encoded(Image.new("LAB", (3, 3)), "TIFF")
    with pytest.raises(FormatError, match=r"odd\.png: expected a picture that can be read as L, found mode LAB"):
        read(tmp_path, content, "L")


def test_every_cut_of_a_photograph_is_read_or_refused(tmp_path: Path) -> None:
    content = encoded(Image.fromarray(photographs.astronaut()[:48, :48]), "JPEG")
    for length in range(0, len(content) - 2, 37):
        with pytest.raises(FormatError, match=r"odd\.png: expected a"):
            read(tmp_path, content[:length])


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "TGA"])
def test_flipped_bytes_of_any_format_are_answered(form: str) -> None:
    content = encoded(Image.fromarray(RAMP).convert("RGB"), form)
    chance = random.Random(form)
    refused = 0
    for _ in range(150):
        mutated = bytearray(content)
        for _ in range(chance.randint(1, 4)):
            mutated[chance.randrange(min(len(mutated), chance.choice((30, 10**6))))] = chance.randrange(256)
        try:
            assert np.asarray(pictures.open_image(bytes(mutated), max_pixels=10**5)).size
        except FormatError:
            refused += 1
    assert refused > 5


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF"])
def test_a_header_that_promises_too_much_is_refused_without_its_memory(form: str) -> None:
    content = bytearray(encoded(Image.new("RGB", (21, 21)), form))
    little, big = struct.pack("<H", 21), struct.pack(">H", 21)
    huge = b"\xff\x7f" if form in ("GIF", "BMP", "TIFF") else b"\x7f\xff"
    if form == "PNG":
        content = bytearray(png(struct.pack(">IIBBBBB", 32767, 32767, 8, 2, 0, 0, 0), (b"IDAT", zlib.compress(b""))))
    else:
        side = little if form in ("GIF", "BMP", "TIFF") else big
        for _ in range(2 if form != "GIF" else 4):
            content = content.replace(side, huge, 1)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            pictures.open_image(bytes(content))
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


def test_text_that_unpacks_to_too_much_is_refused_or_left_out(tmp_path: Path) -> None:
    text = b"Comment\0\0" + zlib.compress(bytes(80 * 2**20), 9)
    pixels = zlib.compress(b"\0\1\2\3")
    content = png(struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0), (b"zTXt", text), (b"IDAT", pixels))
    try:
        assert read(tmp_path, content, "RGB").tolist() == [[[1, 2, 3]]]
    except FormatError as error:
        assert "odd.png" in str(error)  # noqa: PT017


def test_only_the_first_picture_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read(tmp_path, content, "RGB")[0, 0].tolist() == [255, 0, 0]


def test_a_file_beyond_the_limit_of_bytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with open(path, "wb") as stream:
        stream.truncate(pictures.MAX_FILE_BYTES + 1)  # a hole: takes no disk
    with pytest.raises(
        FormatError, match=rf"large\.png: expected a picture of at most {pictures.MAX_FILE_BYTES} bytes"
    ):
        pictures.read_picture(path)
