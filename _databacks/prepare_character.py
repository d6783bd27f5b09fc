"""One character: file → pictures, alignment and record in the dataset layout. Runs in a worker process.

Source: spec/renderer.md §12.4, §12.5.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _databacks.layout import PORTRAIT_KIND, DatasetLayout
from _databacks.names import OWN, VROID, PictureName
from _databacks.records import CharacterRecord
from _databacks.region import region_of_head
from _databacks.vrm import read_head_mesh
from _databacks.vroid import hub_attribution
from _exchange import atomic
from _exchange.camera import ORTHO
from _exchange.digest import sha256_of_bytes, sha256_of_file, sha256_of_value
from _exchange.errors import FormatError, InputError, MissingComponent, SuiteError
from _exchange.items import ItemId
from _exchange.mesh import HeadMesh
from _exchange.pictures import png_bytes
from _exchange.protocol import Way
from _render.choose import Backend, renderer
from _render.illustration import DEFAULT_STYLE, IllustrationStyle, draw_illustration
from _render.kinds import draw_kind, draw_kinds, views_of_kind
from _render.scene import Renderer
from _render.textures import Filter

DRAWING_VERSION = 3
"""Raised whenever the same file and settings give other pictures, so that cached ones are drawn again."""
_FAULTS_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE)


@dataclass(frozen=True)
class DrawSettings:
    """What decides the pictures besides the file.

    Attributes:
        renderset: set that is written.
        wanted: view names by kind; None for all views of the kind.
        shading: ``paper`` or ``corrected``.
        paper_pose: degrees by which ``paper`` turns the upper arms.
        fit: shrink heads that are larger than the box.
        head_position: for characters without a head bone, `model` metres.
        back_end: ``cpu`` or ``egl``.
        texture_filter: ``trilinear`` or ``mesa``.
        portrait_style: how portraits of the set `own` are drawn.
        version: `DRAWING_VERSION`.
    """

    renderset: str
    wanted: Mapping[str, tuple[str, ...] | None]
    shading: Way
    paper_pose: float
    back_end: Backend
    fit: bool = False
    head_position: tuple[float, float, float] | None = None
    texture_filter: Filter = "trilinear"
    portrait_style: IllustrationStyle = DEFAULT_STYLE
    version: int = DRAWING_VERSION

    def key(self, task: CharacterTask) -> str:
        """Digest of everything that decides the files of one character."""
        return sha256_of_value(asdict(self) | {"item": str(task.item), "file": task.file, "sha256": task.sha256})


@dataclass(frozen=True)
class CharacterTask:
    """One character to be done: its name, its file, the file's name in tables, and its SHA-256."""

    item: ItemId
    path: Path
    file: str
    sha256: str


@dataclass(frozen=True)
class CharacterAnswer:
    """What became of it: SHA-256 of the files written, by path relative to the set's folder; or why there are none."""

    files: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


def character_work(layout: DatasetLayout, settings: DrawSettings) -> Callable[[CharacterTask], CharacterAnswer]:
    """What a worker process does with each character; the back end is chosen once.

    A character's own fault is an answer; a missing component or a full disk is raised: it would fail every character.
    """
    drawing = renderer(settings.back_end)

    def work(task: CharacterTask) -> CharacterAnswer:
        try:
            return CharacterAnswer(prepare_character(layout, settings, drawing, task))
        except MissingComponent:
            raise
        except SuiteError as error:
            return CharacterAnswer(reason=str(error))
        except OSError as error:
            if error.errno in _FAULTS_OF_THE_MACHINE:
                raise InputError(f"Expected to write below {layout.root}, found: {error.strerror}.") from error
            return CharacterAnswer(reason=f"The system says: {error.strerror or error}.")
        except Exception as error:  # one file never stops the others
            return CharacterAnswer(reason=f"Unexpected {type(error).__name__}: {error}.")

    return work


def prepare_character(
    layout: DatasetLayout, settings: DrawSettings, drawing: Renderer, task: CharacterTask
) -> dict[str, str]:
    """Draw one character and write its files, its record last.

    Returns:
        SHA-256 by path relative to the set's folder.

    Raises:
        SuiteError: the file cannot be read or drawn.
    """
    files = _Files(layout, layout.render_set(settings.renderset).path)
    character = _own_copy(files, task) if settings.renderset == OWN else task.path
    mesh = _read(character, settings)
    scene = drawing.load(mesh, settings.shading, settings.texture_filter)
    views: dict[str, list[str]] = {}
    for kind, names in settings.wanted.items():
        views[kind] = list(views_of_kind(kind, task.item.idx) if names is None else names)
    front: NDArray[np.uint8] | None = None
    for picture in draw_kinds(scene, settings.wanted, task.item.idx):
        if (picture.kind, picture.view) == ("ortho", "front"):
            front = picture.pixels
        files.write_picture(_name(settings, picture.kind, task.item, picture.view), picture.pixels)
    region: list[list[float]] = []
    if settings.renderset == OWN:
        if front is None:
            front = draw_kind(scene, "ortho", ORTHO["front"])
        region = region_of_head(front, mesh.neck_height).to_corners()
        portrait = draw_illustration(scene, ORTHO["front"], settings.portrait_style)
        files.write_picture(_name(settings, PORTRAIT_KIND, task.item, "front"), portrait)
        views[PORTRAIT_KIND] = ["front"]
    record = _record(
        settings, task, mesh, character=character.relative_to(layout.root).as_posix(), views=views, region=region
    )
    files.add(record.write(layout.render_set(settings.renderset)))
    return files.digests


def _read(character: Path, settings: DrawSettings) -> HeadMesh:
    try:
        return read_head_mesh(
            character,
            shading=settings.shading,
            paper_pose=settings.paper_pose,
            fit=settings.fit,
            head_position=settings.head_position,
        )
    except FormatError as error:
        if character.suffix == ".gltf" and error.place.endswith(".uri"):
            error.next_step = "A .gltf file is taken alone: pack it with its buffers and images into one .glb file."
        raise


def _own_copy(files: _Files, task: CharacterTask) -> Path:
    """Copy the user's file into the dataset, so that it can be measured wherever the dataset goes."""
    try:
        content = task.path.read_bytes()
    except OSError as error:
        raise InputError(f"Expected to read {task.file}, found: {error.strerror}.") from error
    if sha256_of_bytes(content) != task.sha256:
        raise InputError(f"Expected {task.file} to stay as it is while it is read, found it changed.")
    target = files.layout.own_character(task.item, task.path.suffix.lower())
    if target.resolve() != task.path.resolve():
        atomic.write_bytes(target, content)
    files.digests[files.relative(target)] = task.sha256
    return target


def _name(settings: DrawSettings, kind: str, item: ItemId, view: str) -> PictureName:
    return PictureName(settings.renderset, kind, item.franch, item.idx, view)


def _record(
    settings: DrawSettings,
    task: CharacterTask,
    mesh: HeadMesh,
    *,
    character: str,
    views: Mapping[str, list[str]],
    region: list[list[float]],
) -> CharacterRecord:
    attribution = {**mesh.attribution, **_of_the_hub(settings, task)}
    return CharacterRecord(
        franch=task.item.franch,
        idx=task.item.idx,
        file=task.file,
        sha256=task.sha256,
        character=character,
        shading=settings.shading,
        paper_arm_degrees=settings.paper_pose,
        fit=settings.fit,
        scale=mesh.scale,
        head_position=settings.head_position or (),
        neck_height=mesh.neck_height,
        region=region,
        views=views,
        arms={side: dict(angles) for side, angles in mesh.arm_angles_deg.items()},
        vrm_version=mesh.vrm_version,
        triangles=mesh.triangle_count,
        attribution={_text(key): _text(value) for key, value in attribution.items()},
        notes=tuple(_text(note) for note in mesh.notes),
    )


def _of_the_hub(settings: DrawSettings, task: CharacterTask) -> Mapping[str, str]:
    """What VRoid Hub's record beside a character says about its author and licence."""
    record = task.path.with_suffix(".json")
    return hub_attribution(record) if settings.renderset == VROID and record.is_file() else {}


def _text(text: str) -> str:
    """Text that can be written as UTF-8: JSON can hold halves of characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True)
class _Files:
    """Files of one character as they are written."""

    layout: DatasetLayout
    folder: Path
    digests: dict[str, str] = field(default_factory=dict)

    def relative(self, path: Path) -> str:
        """Relative to the set's folder, also for files beside it."""
        return Path(os.path.relpath(path, self.folder)).as_posix()

    def write_picture(self, name: PictureName, pixels: NDArray[np.uint8]) -> None:
        content = png_bytes(pixels)
        path = self.layout.picture(name)
        atomic.write_bytes(path, content)
        self.digests[self.relative(path)] = sha256_of_bytes(content)

    def add(self, path: Path) -> None:
        self.digests[self.relative(path)] = sha256_of_file(path)
