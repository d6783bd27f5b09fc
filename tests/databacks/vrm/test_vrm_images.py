"""Images of every mode, read as the original does (raw components) and the usual way."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from _databacks.vrm import read_head_mesh
from _exchange.errors import FormatError
from tests.databacks.vrm.handmade import add_material, character, png, write


def drawn_pixels(folder: Path, encoded: bytes, shading: str, mime: str = "image/png") -> np.ndarray:
    builder = character()
    for collection in ("materials", "textures", "images"):
        builder.gltf[collection].clear()
    add_material(builder, encoded, mime)
    mesh = read_head_mesh(write(folder, builder), shading=shading)
    assert mesh.parts[0].material.texture is not None, mesh.notes
    return mesh.parts[0].material.texture.pixels


GREY = Image.fromarray(np.array([[10, 250]], np.uint8), "L")
GREY_ALPHA = Image.fromarray(np.array([[[10, 20], [250, 30]]], np.uint8), "LA")
GREY_16 = Image.fromarray(np.array([[0x1234, 0xFF00]], np.uint16))
COLOUR = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8), "RGB")
COLOUR_ALPHA = Image.fromarray(np.array([[[1, 2, 3, 4], [5, 6, 7, 8]]], np.uint8), "RGBA")


def palette() -> tuple[Image.Image, dict[str, bytes]]:
    image = Image.new("P", (2, 1))
    image.putpalette([9, 8, 7, 60, 50, 40])
    image.putdata([1, 0])
    return image, {"transparency": b"\xff\x80"}


@pytest.mark.parametrize(
    ("image", "paper", "corrected"),
    [
        (COLOUR, [[1, 2, 3, 255], [4, 5, 6, 255]], [[1, 2, 3, 255], [4, 5, 6, 255]]),
        (COLOUR_ALPHA, [[1, 2, 3, 4], [5, 6, 7, 8]], [[1, 2, 3, 4], [5, 6, 7, 8]]),
        (GREY, [[10, 0, 0, 255], [250, 0, 0, 255]], [[10, 10, 10, 255], [250, 250, 250, 255]]),
        (GREY_ALPHA, [[10, 20, 0, 255], [250, 30, 0, 255]], [[10, 10, 10, 20], [250, 250, 250, 30]]),
        (GREY_16, [[0x34, 0x12, 0, 255], [0, 0xFF, 0, 255]], [[0x12, 0x12, 0x12, 255], [255, 255, 255, 255]]),
    ],
    ids=["RGB", "RGBA", "grey is red", "grey and alpha", "16-bit grey"],
)
def test_modes(tmp_path: Path, image: Image.Image, paper: list[list[int]], corrected: list[list[int]]) -> None:
    np.testing.assert_array_equal(drawn_pixels(tmp_path, png(image), "paper")[0], paper)
    np.testing.assert_array_equal(drawn_pixels(tmp_path, png(image), "corrected")[0], corrected)


def test_a_transparent_palette_is_opaque_in_paper_only(tmp_path: Path) -> None:
    image, options = palette()
    encoded = png(image, **options)
    np.testing.assert_array_equal(drawn_pixels(tmp_path, encoded, "paper")[0], [[60, 50, 40, 255], [9, 8, 7, 255]])
    np.testing.assert_array_equal(drawn_pixels(tmp_path, encoded, "corrected")[0], [[60, 50, 40, 128], [9, 8, 7, 255]])


def test_a_cmyk_jpeg_is_four_raw_components_in_paper(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(stream, "JPEG", quality=100)
    raw = np.asarray(Image.open(io.BytesIO(stream.getvalue())))
    np.testing.assert_array_equal(drawn_pixels(tmp_path, stream.getvalue(), "paper", "image/jpeg"), raw)
    red, green, blue, alpha = drawn_pixels(tmp_path, stream.getvalue(), "corrected", "image/jpeg")[4, 4]
    assert red > 200
    assert max(green, blue) < 60
    assert alpha == 255


def test_a_one_bit_image_is_refused_by_paper_and_read_by_corrected(tmp_path: Path) -> None:
    encoded = png(Image.new("1", (3, 1), 1))
    with pytest.raises(FormatError, match=r"images\[0\]: expected an image of at least one byte per pixel"):
        drawn_pixels(tmp_path, encoded, "paper")
    np.testing.assert_array_equal(drawn_pixels(tmp_path, encoded, "corrected"), np.full((1, 3, 4), 255))


def test_row_zero_of_the_file_stays_row_zero(tmp_path: Path) -> None:
    rows = np.zeros((2, 2, 3), np.uint8)
    rows[0] = 255
    for shading in ("paper", "corrected"):
        assert drawn_pixels(tmp_path, png(rows), shading)[0, 0, 0] == 255


@pytest.mark.parametrize("encoded", [b"no image", png(np.zeros((32, 32, 3), np.uint8))[:60], b""])
def test_an_unreadable_image_is_white_with_a_note_or_refused(tmp_path: Path, encoded: bytes) -> None:
    builder = character()
    for collection in ("materials", "textures", "images"):
        builder.gltf[collection].clear()
    add_material(builder, encoded)
    path = write(tmp_path, builder)
    mesh = read_head_mesh(path, shading="corrected")
    assert mesh.parts[0].material.texture is None
    assert mesh.notes[0].startswith("images[0]: expected ")
    assert mesh.notes[0].endswith("; the texture counts as white.")
    with pytest.raises(FormatError, match=r"images\[0\]"):
        read_head_mesh(path, shading="paper")


def test_an_unreadable_image_that_nothing_uses_is_noted(tmp_path: Path) -> None:
    builder = character()
    builder.image(b"no image", "image/png")
    mesh = read_head_mesh(write(tmp_path, builder), shading="corrected")
    assert mesh.parts[0].material.texture is not None
    assert mesh.notes == (
        "images[1]: expected a PNG or JPEG image, found bytes that are neither; no base colour uses it.",
    )


def test_each_image_is_decoded_once(tmp_path: Path) -> None:
    builder = character()
    builder.append("nodes", {"mesh": 0, "skin": 0})
    builder.append("materials", builder.gltf["materials"][0])
    second = dict(builder.gltf["meshes"][0]["primitives"][0], material=1)
    builder.gltf["meshes"][0]["primitives"].append(second)
    for shading in ("paper", "corrected"):
        mesh = read_head_mesh(write(tmp_path, builder), shading=shading)
        textures = [part.material.texture for part in mesh.parts]
        assert len(textures) == 2
        assert textures[0].pixels is textures[1].pixels
