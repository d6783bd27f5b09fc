"""The mean surface of made-up averages with closed forms, and averages whose arrays are not what they should be."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from _exchange.errors import FormatError, MissingComponent
from _methods import mean_head
from _methods.average_heads import ASSET, VIEWS, AverageHead, read_average, write_average
from _methods.interface import MethodSettings
from _methods.mean_head import MeanHead, mean_surface

CELLS = 32
CELL_M = 0.7 / CELLS
COLORS = {"front": (250, 0, 0), "back": (0, 250, 0), "left": (0, 0, 250), "right": (250, 250, 0), "top": (0, 250, 250)}
TOWARDS = {"front": (2, 1), "back": (2, -1), "left": (0, 1), "right": (0, -1), "top": (1, 1)}
"""View → axis and sign of the direction in `head_world` in which its camera stands: the face looks along +z."""


def _average_of_balls(*radii: float) -> AverageHead:
    """Balls around the centre, metres; each view shows one colour all over."""
    centres = (np.arange(CELLS) + 0.5) * CELL_M - 0.35
    away = np.sqrt(centres[:, None, None] ** 2 + centres[None, :, None] ** 2 + centres**2)
    filled = [away <= radius for radius in radii]
    pictures = {view: np.full((CELLS, CELLS, 4), (*color, 255), np.uint8) for view, color in COLORS.items()}
    counts = np.array([inside.sum() for inside in filled], np.int64)
    total = np.sum(filled, axis=0).astype(np.uint8)
    return AverageHead(total, pictures, np.arange(len(radii), dtype=np.int64), counts, "1.0.0")


@pytest.mark.parametrize("resolution", [24, 32, 64, 96])
def test_a_ball_is_found_again_at_every_resolution(resolution: int) -> None:
    surface = mean_surface(_average_of_balls(0.2), resolution)
    radii = np.linalg.norm(surface.verts, axis=1)
    # Cells of 22 mm, smoothed over one.
    assert np.abs(radii - 0.2).max() < 0.6 * CELL_M
    assert radii.mean() == pytest.approx(0.2, abs=0.15 * CELL_M)
    mesh = trimesh.Trimesh(surface.verts, surface.faces, process=False)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.2**3, rel=0.08)


def test_the_surface_is_where_half_of_the_heads_end() -> None:
    of_three = mean_surface(_average_of_balls(0.1, 0.2, 0.3), 64)
    assert np.linalg.norm(of_three.verts, axis=1).mean() == pytest.approx(0.2, abs=0.2 * CELL_M)


def test_a_body_that_the_cube_cuts_is_closed_at_its_faces() -> None:
    surface = mean_surface(_average_of_balls(0.45), 32)
    assert trimesh.Trimesh(surface.verts, surface.faces, process=False).is_watertight
    assert np.abs(surface.verts).max() == pytest.approx(0.35)


@pytest.mark.parametrize("view", VIEWS)
def test_each_side_wears_the_picture_that_looks_at_it(view: str) -> None:
    surface = mean_surface(_average_of_balls(0.2), 48)
    assert surface.colors is not None
    axis, sign = TOWARDS[view]
    nearest = (surface.verts[:, axis] * sign).argmax()
    np.testing.assert_allclose(surface.colors[nearest, :3], COLORS[view], atol=12)


def test_what_the_pictures_do_not_show_is_grey() -> None:
    average = _average_of_balls(0.2)
    for picture in average.pictures.values():
        picture[..., 3] = 0
    surface = mean_surface(average, 32)
    assert surface.colors is not None
    assert (surface.colors == [128, 128, 128, 255]).all()


def test_the_mean_head_without_its_asset_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mean_head, "ASSET", tmp_path / "mean_head.npz")
    with pytest.raises(MissingComponent, match=r"python3 -m _methods\.average_heads"):
        MeanHead(MethodSettings())


# -- damaged averages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "place", "found"),
    [
        ({"filled": np.zeros((4, 4, 5), np.uint8)}, "filled", r"\(4, 4, 5\)"),
        ({"filled": np.zeros((), np.uint8)}, "filled", r"shape \(\)"),
        ({"filled": np.zeros((CELLS,) * 3, np.float32)}, "filled", "float32"),
        ({"seeds": np.zeros(3)}, "seeds", "float64"),
        ({"seeds": np.zeros(0, np.int64), "cells_filled": np.zeros(0, np.int64)}, "seeds", r"\(0,\)"),
        ({"cells_filled": np.zeros(2, np.int64)}, "cells_filled", r"\(2,\)"),
    ],
    ids=["no cube", "a number", "floats", "seeds of floats", "no heads", "other count"],
)
def test_arrays_of_another_form_are_named(tmp_path: Path, changes: dict, place: str, found: str) -> None:
    write_average(replace(_average_of_balls(0.2), **changes), tmp_path / "a.npz")
    with pytest.raises(FormatError, match=rf"a\.npz: {place}: expected .*found .*{found}"):
        read_average(tmp_path / "a.npz")


def test_a_picture_of_another_size_is_named(tmp_path: Path) -> None:
    average = _average_of_balls(0.2)
    average.pictures["left"] = np.zeros((CELLS, CELLS, 3), np.uint8)
    write_average(average, tmp_path / "a.npz")
    with pytest.raises(FormatError, match=r"picture_left: expected uint8 of shape \(32, 32, 4\)"):
        read_average(tmp_path / "a.npz")


def _saved(save, *arrays, **named) -> bytes:
    stream = io.BytesIO()
    save(stream, *arrays, **named)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        _saved(np.save, np.zeros(3)),
        _saved(np.savez, seeds=np.zeros(3)),
        _saved(np.savez, filled=np.array([{}], dtype=object), allow_pickle=True),
        ASSET.read_bytes()[:-5000],
    ],
    ids=["a bare array", "an array missing", "pickled objects", "cut short"],
)
def test_other_files_are_refused_as_no_average(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.npz: expected an average head"):
        read_average(tmp_path / "a.npz")


def test_one_wrong_byte_in_the_middle_is_noticed(tmp_path: Path) -> None:
    content = bytearray(ASSET.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FormatError, match="an average head"):
        read_average(tmp_path / "a.npz")


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"gone\.npz"):
        read_average(tmp_path / "gone.npz")
