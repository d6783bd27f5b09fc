"""Flat colours: a colour picture without fine texture, its outlines kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from _render.edge_preserving import smooth_within_edges
from _render.illustration_style import IllustrationStyle

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def flat_colours(colour: NDArray[np.uint8], style: IllustrationStyle, pixels_per_output: int) -> NDArray[np.float32]:
    """(H, W, 3) float32 colours 0..1 of a (H, W, 4) uint8 picture, smoothed inside edges of colour and alpha."""
    rgb = colour[..., :3].astype(np.float32) / np.float32(255)
    reach = style.flattening * pixels_per_output
    weight = np.float32(reach / max(style.flattening_contrast, 1e-3))
    drawn = colour[..., 3] > 0
    across, down = np.ones(drawn.shape, np.float32), np.ones(drawn.shape, np.float32)
    across[:, 1:] += weight * np.abs(rgb[:, 1:] - rgb[:, :-1]).sum(axis=-1)
    across[:, 1:][drawn[:, 1:] != drawn[:, :-1]] = np.inf
    down[1:] += weight * np.abs(rgb[1:] - rgb[:-1]).sum(axis=-1)
    down[1:][drawn[1:] != drawn[:-1]] = np.inf
    flat = smooth_within_edges(rgb, across, down, reach)
    return np.clip(saturated(flat, style.saturation), 0, 1)


def luma(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """(…) brightness of (…, 3) stored colours, Rec. 601 weights."""
    return rgb @ LUMA


def saturated(rgb: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """(…, 3) colours moved away from the grey of their brightness by a factor."""
    grey = luma(rgb)[..., None]
    return grey + (rgb - grey) * np.float32(factor)
