"""Items: one character of one dataset, its names, its alignment and the files that hold its truth.

Names follow spec/data.md: an item of a benchmark is ``franch/idx`` (the lines of its list); a picture is named by five
parts, ``renderset/dtype/franch/idx/view``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _exchange.camera import SPIN12
from _exchange.errors import FormatError, InputError
from _exchange.protocol import Way

SCORED_CAMERAS = ("ortho_front", "ortho_back", *(f"rgb60_{index:04d}" for index in SPIN12))
"""The fourteen pictures of an item that are compared with the truth, in the order of the published evaluation."""
RENDERED_CAMERAS = ("ortho_front", "ortho_left", "ortho_right", "ortho_back", *SCORED_CAMERAS[2:])
"""The sixteen pictures that a reconstruction draws."""


@dataclass(frozen=True, order=True)
class ItemId:
    """``franch/idx``; both parts are plain file names.

    Raises:
        InputError: a part is empty, would leave its folder, holds a line end, or is no valid Unicode text.
    """

    franch: str
    idx: str

    def __post_init__(self) -> None:
        for part in (self.franch, self.idx):
            is_text = part.isascii() or not any(0xD800 <= ord(sign) < 0xE000 for sign in part)
            if not part or not is_text or part in (".", "..") or any(sign in part for sign in "/\\\0\n\r"):
                raise InputError(f"Expected an item name such as genshin/albedo, found {self.franch!r}/{self.idx!r}.")

    def __str__(self) -> str:
        return f"{self.franch}/{self.idx}"

    @classmethod
    def parse(cls, text: str) -> ItemId:
        """The item called ``franch/idx``."""
        franch, separator, idx = text.partition("/")
        if not separator:
            raise InputError(f"Expected an item name such as genshin/albedo, found {text!r}.")
        return cls(franch, idx)


@dataclass(frozen=True)
class Region:
    """Region of interest in the 512² front picture, pixels, possibly fractional (`area_of_interest`)."""

    row: float
    col: float
    height: float
    width: float

    def __post_init__(self) -> None:
        values = (self.row, self.col, self.height, self.width)
        if not all(math.isfinite(value) for value in values) or self.height <= 0 or self.width <= 0:
            raise InputError(f"Expected a finite region with a positive height and width, found {values}.")

    @classmethod
    def from_corners(cls, area_of_interest: object, place: str = "area_of_interest") -> Region:
        """From ``((row, col), (height, width))`` as stored in alignment files.

        Raises:
            FormatError: the value has another shape or is no region.
        """
        try:
            corner, size = np.asarray(area_of_interest, np.float64).tolist()
            return cls(*map(float, corner), *map(float, size))
        except (TypeError, ValueError, OverflowError, InputError) as error:
            found = f"{area_of_interest!r:.80}"
            raise FormatError(place, "((row, col), (height, width)) with a positive size", found) from error

    def to_corners(self) -> list[list[float]]:
        """``[[row, col], [height, width]]``, the form of alignment files."""
        return [[self.row, self.col], [self.height, self.width]]


@dataclass(frozen=True, eq=False)
class Alignment:
    """How one illustration was brought into the dataset frame (spec/data.md §6.3).

    Attributes:
        source: where the illustration comes from.
        transformation: (3, 3) float64, source pixel → aligned pixel, (row, col, 1) convention.
        region: what the evaluation looks at.
        keypoints: (28, 3) float64 row, col, score in the source illustration; shape (0, 3) where none are known.
    """

    source: str
    transformation: NDArray[np.float64]
    region: Region
    keypoints: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MethodInput:
    """What a method may look at: never the truth.

    Attributes:
        item: the character's name; also the root of every seed.
        portrait: (512, 512, 4) uint8 RGBA, aligned, alpha = the person.
        alignment: how the portrait was aligned.
    """

    item: ItemId
    portrait: NDArray[np.uint8]
    alignment: Alignment


@dataclass(frozen=True)
class TruthFiles:
    """Where the truth of one item lies.

    Attributes:
        bn: five-part name of the portrait, e.g. ``daredemoE/fandom_align/genshin/albedo/front``; seeds use it.
        pictures: file by camera name (`SCORED_CAMERAS`).
        character: the VRM or GLB file.
        region: what is compared.
        shading: how the pictures were drawn, which is also how the character was posed.
        paper_arm_degrees: rotation of the upper arms in `paper` renders (60 Vroid, 15 AnimeRecon).
        head_position: (3,) `model` metres, for plain GLB characters without humanoid bones; empty otherwise.
        fit: whether the pictures were drawn with the character scaled into the box.
    """

    bn: str
    pictures: Mapping[str, Path]
    character: Path
    region: Region
    shading: Way
    paper_arm_degrees: float
    head_position: tuple[float, ...] = ()
    fit: bool = False
