"""Pictures: bytes and unit floats, the composite on white, and reading and writing PNG files.

Pictures are uint8 arrays [row, col] or [row, col, channel] in stored (sRGB) values with straight alpha; row 0 is the
top. Source: spec/measure.md §4.1.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _exchange import atomic
from _exchange.errors import FormatError, InputError

MAX_FILE_BYTES = 256 * 2**20
"""Picture files larger than this are refused unread."""
MAX_PIXELS = 2**26
"""Pictures with more pixels than this (8192²) are refused before decoding."""

Mode = Literal["L", "RGB", "RGBA"]
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "TGA")
"""Formats of Pillow that are read; others start programs (EPS) or are no pictures of characters."""
_DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, EOFError, OverflowError),
    *(AttributeError, AssertionError, RuntimeError, MemoryError, struct.error, zlib.error),
    Image.DecompressionBombError,
)
_PNG_COLOR_TYPES = {1: 0, 3: 2, 4: 6}
_FILTER_UP = 2


# -- numbers ----------------------------------------------------------------------------------------------------


def bytes_from_unit(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Floats to bytes as the original saves them: clip to [0, 1], × 255 in the values' own dtype, truncate."""
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)


def unit_from_bytes(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bytes to float32 in [0, 1]: value / 255."""
    return picture.astype(np.float32) / np.float32(255)


def composite_on_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(…, 4) straight-alpha bytes over opaque white as (…, 3): ⌊(v·a + 255·(255 − a))/255 + ½⌋, in whole numbers."""
    alpha = rgba[..., 3:].astype(np.uint16)
    weighted = rgba[..., :3] * alpha + 255 * (255 - alpha)  # at most 255²: 16 bits suffice
    return ((weighted + 127) // 255).astype(np.uint8)


def cut_out(composite: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(…, 4) straight-alpha bytes whose `composite_on_white` is exactly the (…, 3) picture given.

    Alpha is that given, (…), raised where a pixel is darker than it allows; colours are 0 where it is 0.
    """
    needed = np.maximum(alpha, 255 - composite.min(axis=-1)).astype(np.int64)[..., None]
    over_white = composite.astype(np.int64) - (255 - needed)
    color = (255 * over_white + needed // 2) // np.maximum(needed, 1)
    return np.concatenate([color, needed], axis=-1).astype(np.uint8)


# -- files ------------------------------------------------------------------------------------------------------


def png_bytes(picture: NDArray[np.uint8]) -> bytes:
    """A PNG file of a (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8 picture; equal pictures give equal bytes.

    Every row is stored as the difference from the row above and packed by run length and Huffman codes: for drawn
    characters as small as Pillow's fastest setting in half its time.

    Raises:
        InputError: not such a picture.
    """
    array = np.ascontiguousarray(picture)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in _PNG_COLOR_TYPES or 0 in array.shape:
        raise InputError(
            f"Expected a uint8 picture of shape (H, W), (H, W, 3) or (H, W, 4), "
            f"found {picture.dtype} of shape {picture.shape}."
        )
    height, width, channels = array.shape
    rows = array.reshape(height, width * channels)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    packed = packer.compress(filtered.data) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, _PNG_COLOR_TYPES[channels], 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name, content) for name, content in chunks)


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Replace `path` by the PNG of a picture (`png_bytes`, written atomically)."""
    atomic.write_bytes(path, png_bytes(picture))


def read_picture(path: Path, mode: Mode = "RGBA", *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The pixels of a picture file: (H, W, 4) for RGBA, (H, W, 3) for RGB, (H, W) for L.

    Of 16-bit grey the high byte counts.

    Raises:
        InputError: there is no such file.
        FormatError: the file is no picture, is damaged, or is beyond the limits.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise FormatError("", f"a picture of at most {MAX_FILE_BYTES} bytes", f"{size} bytes", file=path)
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"Expected a picture file {path}, found none ({error.strerror}).") from error
    try:
        return _converted(open_image(content, max_pixels=max_pixels), mode)
    except FormatError as error:
        raise error.in_file(path) from error


def open_image(content: bytes, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The decoded Pillow image of a picture file's bytes, in the file's own mode.

    Raises:
        FormatError: the bytes are no picture, are damaged, or hold more than `max_pixels` pixels (refused before
            decoding). Its place is empty: callers name the file or the place inside it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(content), formats=_FORMATS)
    except _DECODER_ERRORS as error:
        raise FormatError("", "a picture", f"{len(content)} bytes in no known picture format") from error
    if image.width * image.height > max_pixels:
        raise FormatError("", f"a picture of at most {max_pixels} pixels", f"{image.width} × {image.height}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
    except _DECODER_ERRORS as error:
        raise FormatError("", f"a complete {image.format} picture", f"damaged data ({error})") from error
    return image


def _converted(image: Image.Image, mode: Mode) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):  # Pillow would cut such values off at 255
        image = Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    try:
        return np.asarray(image.convert(mode))
    except ValueError as error:
        raise FormatError("", f"a picture that can be read as {mode}", f"mode {image.mode}") from error


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
