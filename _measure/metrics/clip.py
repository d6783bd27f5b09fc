"""CLIP similarity of one pair of pictures: preprocessing and cosine, for an image encoder handed in.

Source: spec/measure.md §5.1 (OpenAI CLIP ViT-B/32). No encoder is part of this file.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _exchange.errors import InputError
from _measure.metrics.description import Metric

CLIP = Metric("clip", "clip", "", "higher", -1.0, 1.0)
SIDE = 224
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def resize_and_crop(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shorter side to 224 (Pillow's bicubic, with antialiasing), then the central 224 × 224 square.

    Args:
        picture: (H, W, 3) uint8 RGB.

    Raises:
        InputError: it has another shape, or no pixel.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise InputError(f"Expected an RGB picture (H, W, 3), found {picture.shape}.")
    height, width = picture.shape[:2]
    if height <= width:
        new_height, new_width = SIDE, SIDE * width // height
    else:
        new_height, new_width = SIDE * height // width, SIDE
    resized = Image.fromarray(picture).resize((new_width, new_height), Image.Resampling.BICUBIC)
    top, left = round((new_height - SIDE) / 2), round((new_width - SIDE) / 2)
    return np.asarray(resized)[top : top + SIDE, left : left + SIDE]


def preprocess(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 3) uint8 RGB → (3, 224, 224) float32 as the encoder expects it, channel first."""
    unit = resize_and_crop(picture).astype(np.float32) / 255
    return np.ascontiguousarray(((unit - _MEAN) / _DEVIATION).transpose(2, 0, 1))


def cosine_similarity(a: NDArray, b: NDArray) -> float:
    """a·b/(‖a‖‖b‖) of two (D,) embeddings.

    Float16 embeddings are compared as they are on a GPU: the unit vectors and their product are rounded to float16, so
    that answers between 0.5 and 1 come in steps of 1/2048. All others are compared in float64.

    Raises:
        InputError: the shapes differ or an embedding is zero.

    >>> cosine_similarity(np.array([3.0, 4.0]), np.array([4.0, 3.0]))
    0.96
    >>> a, b = np.float16([3, 4]), np.float16([4, 3])  # the unit vectors hold 0.60010 and 0.79980
    >>> cosine_similarity(a, b) * 2048
    1966.0
    """
    a64, b64 = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a64.shape != b64.shape or a64.ndim != 1:
        raise InputError(f"Expected two embeddings (D,) of one length, found {a64.shape} and {b64.shape}.")
    norms = math.sqrt(float(a64 @ a64) * float(b64 @ b64))
    if norms == 0:
        raise InputError("Expected embeddings that are not zero, found zeros.")
    if np.asarray(a).dtype == np.asarray(b).dtype == np.float16:
        unit_a, unit_b = (_rounded_to_half(x / math.sqrt(float(x @ x))) for x in (a64, b64))
        return float(_rounded_to_half(unit_a @ unit_b))
    return float(a64 @ b64) / norms


def _rounded_to_half(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    return numbers.astype(np.float16).astype(np.float64)
