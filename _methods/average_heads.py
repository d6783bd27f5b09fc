"""The average of procedural heads: which share of them fills each cell of the cube, and their mean colours.

    python3 -m _methods.average_heads

makes `mean_head.npz` anew, next to this file (about two minutes); needed when the generator's version is raised.
A head fills a cell where the cell lies between what its front and back views show, between what its left and right
views show, and below what its top view shows.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from _databacks.characters import FIRST_FREE_SEED, GENERATOR_VERSION, write_character
from _databacks.vrm.extract import read_head_mesh
from _exchange import atomic
from _exchange.camera import ORTHO
from _exchange.errors import FormatError, InputError
from _exchange.frames import BOX_SIDE, head_world_from_head_model
from _exchange.progress import progress
from _render.framebuffer import reduced
from _render.scene import Scene
from _render.scene_cpu import CpuRenderer

ASSET = Path(__file__).with_name("mean_head.npz")
ASSET_SEEDS = tuple(range(FIRST_FREE_SEED, FIRST_FREE_SEED + 100))
"""Characters of the average: none of the sample set."""
CELLS = 128
"""Cells along the side of the cube: 5.5 mm."""
VIEWS = tuple(ORTHO)


@dataclass(frozen=True, eq=False)
class AverageHead:
    """Sums over heads.

    Attributes:
        filled: (N, N, N) uint8 [x, y, z] along `head_world`: how many heads fill the cell.
        pictures: view of `VIEWS` → (N, N, 4) uint8 mean picture, straight alpha.
        seeds: (S,) int64, which heads.
        cells_filled: (S,) int64, how many cells each of them fills, to recognise them by.
        generator_version: of the characters.
    """

    filled: NDArray[np.uint8]
    pictures: dict[str, NDArray[np.uint8]]
    seeds: NDArray[np.int64]
    cells_filled: NDArray[np.int64]
    generator_version: str


def average_heads(seeds: Sequence[int], cells: int = CELLS) -> AverageHead:
    """Average the characters of these seeds.

    Raises:
        InputError: none, or more than 255 seeds.
    """
    if not 1 <= len(seeds) <= 255:
        raise InputError(f"Expected between 1 and 255 seeds, found {len(seeds)}.")
    total = np.zeros((cells, cells, cells), np.uint8)
    sums = {view: np.zeros((cells, cells, 4)) for view in VIEWS}
    counts = []
    with progress("average heads", len(seeds)) as shown:
        for seed in seeds:
            scene = _scene_of(seed)
            filled = filled_cells(scene, cells)
            total += filled
            counts.append(int(filled.sum()))
            for view, premultiplied in sums.items():
                picture = reduced(scene.draw(ORTHO[view], "colour", 2 * cells)) / 255.0
                premultiplied[..., :3] += picture[..., :3] * picture[..., 3:]
                premultiplied[..., 3] += picture[..., 3]
            shown.advance(str(seed))
    pictures = {view: _straight(premultiplied, len(seeds)) for view, premultiplied in sums.items()}
    return AverageHead(total, pictures, np.array(seeds, np.int64), np.array(counts, np.int64), GENERATOR_VERSION)


def filled_cells(scene: Scene, cells: int) -> NDArray[np.bool_]:
    """(N, N, N) [x, y, z]: which cells of the cube, by their centres, a drawn character fills."""
    seen = {}
    for view in VIEWS:
        buffers = scene.geometry_buffers(ORTHO[view], cells)
        position = head_world_from_head_model(buffers.position)
        seen[view] = np.where((buffers.face >= 0)[..., None], position, np.nan)
    # Columns and rows of the pictures turned into increasing x, y, z; NaN compares false: nothing is there.
    front, back = seen["front"][::-1, :, 2].T, seen["back"][::-1, ::-1, 2].T  # [x, y] → z
    left, right = seen["left"][::-1, ::-1, 0], seen["right"][::-1, :, 0]  # [y, z] → x
    top = seen["top"][:, :, 1].T  # [x, z] → y
    centres = ((np.arange(cells) + 0.5) / cells - 0.5) * BOX_SIDE
    x, y, z = centres[:, None, None], centres[None, :, None], centres[None, None, :]
    within_depth = (z <= front[:, :, None]) & (z >= back[:, :, None])
    within_width = (x <= left[None]) & (x >= right[None])
    return within_depth & within_width & (y <= top[:, None, :])


def write_average(average: AverageHead, path: Path) -> None:
    """Write atomically as a compressed `.npz` of plain arrays."""
    arrays: dict[str, Any] = {f"picture_{view}": picture for view, picture in average.pictures.items()}
    for name in ("filled", "seeds", "cells_filled", "generator_version"):
        arrays[name] = np.asarray(getattr(average, name))
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    atomic.write_bytes(path, stream.getvalue())


def read_average(path: Path) -> AverageHead:
    """Read what `write_average` wrote.

    Raises:
        FormatError: the file is absent, damaged or holds something else; names the array that is not as it should be.
    """
    try:
        # Opened as an archive first: np.load answers other files with other types.
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as arrays:
            average = AverageHead(
                filled=arrays["filled"],
                pictures={view: arrays[f"picture_{view}"] for view in VIEWS},
                seeds=arrays["seeds"],
                cells_filled=arrays["cells_filled"],
                generator_version=str(arrays["generator_version"]),
            )
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError("", "an average head", str(error), file=path) from error
    _check_arrays(average, path)
    return average


def _check_arrays(average: AverageHead, path: Path) -> None:
    def refuse(name: str, expected: str, found: NDArray) -> NoReturn:
        raise FormatError(name, expected, f"{found.dtype} of shape {found.shape}", file=path)

    cells, count = len(np.atleast_1d(average.filled)), np.size(average.seeds)
    if average.filled.shape != (cells, cells, cells) or average.filled.dtype != np.uint8:
        refuse("filled", "uint8 of shape (N, N, N)", average.filled)
    for view, picture in average.pictures.items():
        if picture.shape != (cells, cells, 4) or picture.dtype != np.uint8:
            refuse(f"picture_{view}", f"uint8 of shape {(cells, cells, 4)}", picture)
    for name in ("seeds", "cells_filled"):
        numbers = getattr(average, name)
        if numbers.shape != (count,) or numbers.dtype != np.int64 or not count:
            refuse(name, "int64 of one number per head", numbers)


def _scene_of(seed: int) -> Scene:
    """The character of a seed, read from its file as any character is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "character.vrm"
        write_character(seed, path)
        return CpuRenderer().load(read_head_mesh(path, shading="corrected"))


def _straight(premultiplied: NDArray[np.float64], count: int) -> NDArray[np.uint8]:
    alpha = premultiplied[..., 3:]
    color = np.divide(premultiplied[..., :3], alpha, out=np.zeros_like(premultiplied[..., :3]), where=alpha > 0)
    return np.rint(np.concatenate([color, alpha / count], axis=-1) * 255).astype(np.uint8)


if __name__ == "__main__":
    write_average(average_heads(ASSET_SEEDS), ASSET)
