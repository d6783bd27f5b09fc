"""Picture kinds: at which size each is drawn, what becomes of it, and which views it has.

Source: spec/renderer.md §4.2, §4.3, §6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _exchange.camera import CAM60, ORTHO, Camera, random_views
from _exchange.errors import InputError
from _exchange.frames import IMAGE_SIZE
from _render.framebuffer import on_white, reduced, reduced_on_white
from _render.scene import Scene, What


@dataclass(frozen=True)
class Kind:
    """How one kind of picture is made; all are saved as `IMAGE_SIZE`² RGBA.

    Attributes:
        what: colour or position.
        draw_size: side of the drawing, pixels; twice `IMAGE_SIZE` where it is reduced.
        on_white: composited on white after the reduction.
        views: which list of views: the five `ortho`, the 60 fixed `cam60`, or eight `random` ones per character.
    """

    what: What
    draw_size: int
    on_white: bool
    views: str


KINDS: Mapping[str, Kind] = {
    "ortho": Kind("colour", 2 * IMAGE_SIZE, False, "ortho"),
    "ortho_xyza": Kind("position", 2 * IMAGE_SIZE, False, "ortho"),
    "rgb": Kind("colour", 2 * IMAGE_SIZE, True, "random"),
    "xyza": Kind("position", IMAGE_SIZE, False, "random"),
    "rgb60": Kind("colour", 2 * IMAGE_SIZE, True, "cam60"),
    "xyza60": Kind("position", IMAGE_SIZE, False, "cam60"),
}


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture as it is saved: (512, 512, 4) uint8 `pixels` of a kind and view."""

    kind: str
    view: str
    camera: Camera
    pixels: NDArray[np.uint8]


def kind_named(name: str) -> Kind:
    """The entry of `KINDS`.

    Raises:
        InputError: there is no such kind.
    """
    if name not in KINDS:
        raise InputError(f"Expected a picture kind out of {', '.join(KINDS)}, found {name!r}.")
    return KINDS[name]


def views_of_kind(kind: str, seed_text: str = "") -> dict[str, Camera]:
    """View names (file stems) and cameras of a kind, in drawing order.

    Args:
        kind: a key of `KINDS`.
        seed_text: the character's id, which seeds the views of `rgb` and `xyza`; the other kinds ignore it.

    Raises:
        InputError: there is no such kind, or it needs an id and got none.
    """
    views = kind_named(kind).views
    if views == "ortho":
        return dict(ORTHO)
    if views == "random" and not seed_text:
        raise InputError(f"Expected the character's id for the random views of {kind}, found none.")
    cameras = CAM60 if views == "cam60" else random_views(seed_text)
    return {f"{index:04d}": camera for index, camera in enumerate(cameras)}


def draw_kind(scene: Scene, kind: str, camera: Camera) -> NDArray[np.uint8]:
    """The (512, 512, 4) uint8 picture of one view, as saved.

    Raises:
        InputError: there is no such kind.
    """
    entry = kind_named(kind)
    return finished(entry, scene.draw(camera, entry.what, entry.draw_size))


def finished(kind: Kind, drawing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What becomes of a drawing before it is saved: reduction and background."""
    if kind.draw_size == 2 * IMAGE_SIZE:
        return reduced_on_white(drawing) if kind.on_white else reduced(drawing)
    return on_white(drawing) if kind.on_white else drawing


def draw_kinds(scene: Scene, wanted: Mapping[str, Sequence[str] | None], seed_text: str = "") -> Iterator[Picture]:
    """Draw several kinds of one character; kinds that share size and camera are drawn together.

    Args:
        scene: the loaded character.
        wanted: view names per kind; None for all views of the kind.
        seed_text: the character's id (see `views_of_kind`).

    Raises:
        InputError: a kind or a view is unknown.
    """
    jobs: dict[tuple[Camera, int], list[tuple[str, str]]] = {}
    for name, views in wanted.items():
        cameras = views_of_kind(name, seed_text)
        for view in cameras if views is None else views:
            if view not in cameras:
                raise InputError(f"Expected a view of {name} such as {next(iter(cameras))}, found {view!r}.")
            jobs.setdefault((cameras[view], KINDS[name].draw_size), []).append((name, view))
    for (camera, size), pictures in jobs.items():
        asked = {KINDS[name].what for name, _ in pictures}
        if len(asked) == 2:
            both = scene.draw_both(camera, size)
            drawings = {"colour": both.colour, "position": both.position}
        else:
            drawings = {what: scene.draw(camera, what, size) for what in asked}
        for name, view in pictures:
            yield Picture(name, view, camera, finished(KINDS[name], drawings[KINDS[name].what]))
