"""Pictures: the number rules of spec/measure.md §4.1, and PNG files that other readers understand."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from _exchange import pictures
from _exchange.errors import FormatError, InputError


def _noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape).astype(np.uint8)


def test_floats_become_bytes_by_clipping_and_truncating():
    values = np.array([-0.5, 0.0, 0.00391, 0.5, 0.999, 1.0, 7.0], np.float32)
    assert pictures.bytes_from_unit(values).tolist() == [0, 0, 0, 127, 254, 255, 255]


def test_every_byte_survives_the_way_to_float64_and_back():
    levels = np.arange(256, dtype=np.uint8)
    assert (pictures.bytes_from_unit(levels.astype(np.float64) / 255) == levels).all()


def test_bytes_become_float32_in_unit_range():
    unit = pictures.unit_from_bytes(np.array([0, 51, 255], np.uint8))
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, [0, 0.2, 1], atol=1e-7)


def test_white_composite_equals_the_formula_in_exact_fractions_everywhere():
    alpha, value = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    rgba = np.stack([value, 255 - value, value // 2, alpha], axis=-1).astype(np.uint8)
    numerator = value * alpha + 255 * (255 - alpha)
    expected = (numerator // 255) + ((numerator % 255) * 2 >= 255)  # rounded to nearest, halves up
    assert (pictures.composite_on_white(rgba)[..., 0] == expected).all()


def test_white_composite_of_transparent_and_opaque_pixels():
    rgba = np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8)
    assert pictures.composite_on_white(rgba).tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_a_cut_out_gives_its_picture_again_on_white_whatever_the_alpha():
    value, alpha = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    picture = np.stack([value, 255 - value, np.full_like(value, 255)], axis=-1).astype(np.uint8)
    rgba = pictures.cut_out(picture, alpha.astype(np.uint8))
    assert (pictures.composite_on_white(rgba) == picture).all()
    assert (rgba[..., 3] == np.maximum(alpha, 255 - picture.min(axis=-1))).all()


def test_a_cut_out_of_white_is_as_transparent_as_asked():
    picture = np.full((1, 2, 3), 255, np.uint8)
    assert pictures.cut_out(picture, np.array([[0, 128]], np.uint8)).tolist() == [[[0, 0, 0, 0], [255, 255, 255, 128]]]


@pytest.mark.parametrize(
    ("shape", "mode"), [((9, 7), "L"), ((9, 7, 3), "RGB"), ((9, 7, 4), "RGBA"), ((1, 1, 4), "RGBA")]
)
def test_png_is_read_back_by_pillow(shape, mode):
    picture = _noise(shape)
    image = Image.open(io.BytesIO(pictures.png_bytes(picture)))
    assert image.mode == mode
    assert (np.asarray(image) == picture).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_png_round_trip_of_any_size(height, width, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 4)).astype(np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(pictures.png_bytes(picture)))) == picture).all()


def test_equal_pictures_give_equal_bytes_also_from_strided_memory():
    picture = _noise((20, 12, 4))
    assert pictures.png_bytes(picture[:, ::-1][:, ::-1]) == pictures.png_bytes(picture.copy())


@pytest.mark.parametrize("picture", [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 4)), np.zeros((0, 4, 4), np.uint8)])
def test_what_is_no_picture_is_not_written(picture):
    with pytest.raises(InputError, match="Expected a uint8 picture"):
        pictures.png_bytes(picture)


def test_written_file_is_read_in_each_mode(tmp_path: Path):
    picture = _noise((6, 5, 4))
    path = tmp_path / "new" / "folder" / "a.png"
    pictures.write_png(path, picture)
    assert (pictures.read_picture(path) == picture).all()
    assert (pictures.read_picture(path, "RGB") == picture[..., :3]).all()
    assert pictures.read_picture(path, "L").shape == (6, 5)
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"nothing\.png"):
        pictures.read_picture(tmp_path / "nothing.png")


def test_every_png_cut_inside_its_pixels_is_refused_with_the_file_name(tmp_path: Path):
    content = pictures.png_bytes(_noise((8, 8, 4)))
    path = tmp_path / "cut.png"
    for length in range(0, content.index(b"IEND") - 16, 7):
        path.write_bytes(content[:length])
        with pytest.raises(FormatError, match=r"cut\.png: expected a"):
            pictures.read_picture(path)


def test_flipped_bytes_never_escape_as_other_errors(tmp_path: Path):
    content = bytearray(pictures.png_bytes(_noise((8, 8, 4))))
    generator = np.random.default_rng(1)
    path = tmp_path / "flipped.png"
    for _ in range(200):
        mutated = content.copy()
        for position in generator.integers(0, len(content), 3):
            mutated[position] ^= int(generator.integers(1, 256))
        path.write_bytes(mutated)
        try:
            pictures.read_picture(path, max_pixels=4096)
        except FormatError as error:
            assert "flipped.png" in str(error)  # noqa: PT017


def test_picture_bomb_is_refused_before_decoding(tmp_path: Path):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 6, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    data = zlib.compress(b"")
    body = struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", zlib.crc32(b"IDAT" + data))
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + body)
    with pytest.raises(FormatError, match=r"bomb\.png: expected a picture"):
        pictures.read_picture(path)


def test_pixel_limit_says_what_it_found():
    with pytest.raises(FormatError, match="at most 10 pixels, found 4 × 3"):
        pictures.open_image(pictures.png_bytes(_noise((3, 4, 4))), max_pixels=10)


def test_palette_file_keeps_its_mode(tmp_path: Path):
    buffer = io.BytesIO()
    Image.fromarray(_noise((5, 5, 3))).quantize(8).save(buffer, "PNG")
    assert pictures.open_image(buffer.getvalue()).mode == "P"
