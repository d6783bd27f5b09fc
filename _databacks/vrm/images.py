"""Images: encoded bytes → (H, W, 4) uint8, once per image, with the limits checked on the header.

Two readings: `paper` takes the raw components as the original does (grey becomes red), `corrected` converts to RGBA
the usual way. Source: spec/renderer.md §5 (texture details), §12.2.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from _databacks.vrm.accessors import Accessors
from _databacks.vrm.container import Container
from _databacks.vrm.json_path import JsonValue, optional_index
from _databacks.vrm.limits import MAX_IMAGE_PIXELS, MAX_TOTAL_PIXELS
from _exchange.errors import FormatError, InputError

Reading = Literal["paper", "corrected"]
_FORMATS = ("PNG", "JPEG")


@dataclass(frozen=True)
class ImageSource:
    """Where the encoded bytes of an image are: in a buffer view, or behind a URI."""

    place: str
    view: int | None
    uri: JsonValue | None


@dataclass(eq=False)
class Images:
    """The images of a document; `decode` keeps what it has decoded, so each is decoded once per reading."""

    sources: tuple[ImageSource, ...]
    container: Container
    accessors: Accessors
    _decoded: dict[tuple[int, Reading], NDArray[np.uint8]] = field(default_factory=dict)
    _spent_pixels: int = 0

    def __len__(self) -> int:
        return len(self.sources)

    def check(self, index: int, reading: Reading) -> None:
        """Open an image without decoding its pixels.

        Raises:
            FormatError: it is no PNG or JPEG, too large, or of a kind that the original cannot read.
        """
        self._open(index, reading).close()

    def decode(self, index: int, reading: Reading) -> NDArray[np.uint8]:
        """(H, W, 4) uint8 pixels, row 0 at v = 0.

        Raises:
            FormatError: the image is unreadable, damaged or too large.
        """
        known = self._decoded.get((index, reading))
        if known is not None:
            return known
        place = self.sources[index].place
        with self._open(index, reading) as image:
            self._spent_pixels += image.width * image.height
            if self._spent_pixels > MAX_TOTAL_PIXELS:
                raise FormatError(place, f"at most {MAX_TOTAL_PIXELS} pixels in all images", "more")
            try:
                pixels = raw_components(image, place) if reading == "paper" else rgba(image)
            except FormatError:
                raise
            except Exception as problem:  # Pillow's decoders raise many kinds of errors on damaged data
                raise FormatError(place, "a readable image", _reason(problem)) from problem
        pixels.setflags(write=False)
        self._decoded[index, reading] = pixels
        return pixels

    def _open(self, index: int, reading: Reading) -> PillowImage.Image:
        source = self.sources[index]
        if source.view is not None:
            octets = bytes(self.accessors.views[source.view].data)
        elif source.uri is not None:
            octets = self.container.resource(source.uri)
        else:
            raise FormatError(source.place, "a bufferView or a uri", "neither")
        try:
            image = PillowImage.open(io.BytesIO(octets), formats=_FORMATS)
        except Exception as problem:  # Pillow's readers raise many kinds of errors on damaged headers
            raise FormatError(source.place, "a PNG or JPEG image", _reason(problem)) from problem
        if image.width * image.height > MAX_IMAGE_PIXELS:
            found = f"{image.width} × {image.height}"
            image.close()
            raise FormatError(source.place, f"at most {MAX_IMAGE_PIXELS} pixels", found)
        if reading == "paper" and image.mode == "1":
            image.close()
            raise FormatError(source.place, "an image of at least one byte per pixel", "a 1-bit image")
        return image


def read_images(container: Container, accessors: Accessors) -> Images:
    """Sources of all images; nothing is opened yet.

    Raises:
        FormatError: a buffer view does not resolve or a uri is no text.
    """
    sources = []
    for entry in container.root.entries_of("images"):
        uri = entry.get("uri")
        if uri is not None and not isinstance(uri.value, str):
            uri.text()
        view = optional_index(entry, "bufferView", len(accessors.views), "bufferViews")
        sources.append(ImageSource(entry.place, view, uri))
    return Images(tuple(sources), container, accessors)


def raw_components(image: PillowImage.Image, place: str) -> NDArray[np.uint8]:
    """The original's reading: bytes / (W·H) components, missing ones (0, 0, 1), a palette as its RGB colours.

    Raises:
        FormatError: the bytes are no whole number of components.
    """
    if image.mode == "P":
        image.info.pop("transparency", None)
        image = image.convert("RGB")
    octets = np.frombuffer(image.tobytes(), np.uint8)
    count, rest = divmod(len(octets), image.width * image.height)
    if rest or not 1 <= count <= 4:
        raise FormatError(place, "an image of 1 to 4 whole bytes per pixel", f"mode {image.mode}")
    pixels = np.zeros((image.height, image.width, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[..., :count] = octets.reshape(image.height, image.width, count)
    return pixels


def rgba(image: PillowImage.Image) -> NDArray[np.uint8]:
    """The usual reading: every mode converted to RGBA, 16-bit grey by its high byte."""
    if image.mode.startswith("I"):
        stored = np.asarray(image).astype(np.uint32)
        grey = np.minimum(stored >> 8, 255).astype(np.uint8)
        alpha = np.where(stored == image.info.get("transparency", -1), 0, 255).astype(np.uint8)
        return np.stack([grey, grey, grey, alpha], axis=-1)
    return np.array(image.convert("RGBA"))


def _reason(problem: Exception) -> str:
    if isinstance(problem, InputError):
        return problem.message
    if isinstance(problem, PillowImage.UnidentifiedImageError):
        return "bytes that are neither"
    return f"what Pillow reports as {type(problem).__name__}: {str(problem)[:120]!r}"
