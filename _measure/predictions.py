"""What was predicted: one interface over our run folders and the original's layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from _exchange.errors import InputError
from _exchange.items import SCORED_CAMERAS, ItemId
from _exchange.mesh import Mesh
from _exchange.original_layout import OriginalRun, is_original_run
from _exchange.run_folder import ItemFolder, RunFolder
from _exchange.run_record import ItemStatus
from _measure.mesh_file import read_mesh_file
from _measure.protocols import PictureKind


class Predictions(Protocol):
    """Where a run's results lie."""

    @property
    def pictures(self) -> PictureKind:
        """Which of its pictures are meant."""

    def picture(self, item: ItemId, camera: str) -> Path:
        """File of a scored picture."""

    def mesh(self, item: ItemId) -> Mesh:
        """The predicted surface, `head_world`; raises a `SuiteError` where there is none."""

    def mesh_files(self, item: ItemId) -> list[Path]:
        """Every file that decides the predicted surface and exists."""

    def failure(self, item: ItemId) -> str:
        """Why the method made nothing for the item; empty where it did not say."""

    def scorable_files(self, item: ItemId) -> list[Path]:
        """Every file of the item that any way of scoring reads and that exists: surfaces, pictures of both kinds."""


@dataclass(frozen=True)
class RunPredictions:
    """Predictions in one of our run folders."""

    run: RunFolder
    pictures: PictureKind = "pasted"

    def picture(self, item: ItemId, camera: str) -> Path:
        """``items/<item>/renders/<camera>.png``, or its twin in ``renders_unpasted``."""
        folder = self.run.item(item)
        return folder.render(camera) if self.pictures == "pasted" else folder.unpasted_render(camera)

    def mesh(self, item: ItemId) -> Mesh:
        """``items/<item>/mesh.glb``.

        Raises:
            InputError: there is no such file.
            FormatError: it is no GLB with triangles.
        """
        path = self.run.item(item).mesh
        if not path.is_file():
            raise InputError(f"Expected a predicted surface {path.name}, found none.")
        return read_mesh_file(path)

    def mesh_files(self, item: ItemId) -> list[Path]:
        """``mesh.glb``."""
        return _existing([self.run.item(item).mesh])

    def failure(self, item: ItemId) -> str:
        """The reason in ``status.json`` of an item that is not ``ok``."""
        path = self.run.item(item).status
        if not path.is_file():
            return ""
        status = ItemStatus.read(path)
        return "" if status.status == "ok" else f"{status.status}: {status.reason}"

    def scorable_files(self, item: ItemId) -> list[Path]:
        """``mesh.glb``, ``renders/`` and ``renders_unpasted/``."""
        folder = self.run.item(item)
        pictures = [of(camera) for of in (folder.render, folder.unpasted_render) for camera in SCORED_CAMERAS]
        return _existing([folder.mesh, *pictures])


@dataclass(frozen=True)
class OriginalPredictions:
    """Predictions in ``temp/eval/<run>/<renderset>/``."""

    run: OriginalRun
    pictures: PictureKind = "pasted"

    def picture(self, item: ItemId, camera: str) -> Path:
        """``ortho/…/front.png``, ``rgb60/…/0042.png``."""
        return self.run.picture(item, camera)

    def mesh(self, item: ItemId) -> Mesh:
        """``marching_cubes/…/front.npz`` or ``front.pkl``."""
        return self.run.mesh(item)

    def mesh_files(self, item: ItemId) -> list[Path]:
        """Whatever mesh files there are."""
        folder = self.run.path / "marching_cubes" / item.franch / item.idx
        return _existing([folder / "front.npz", folder / "front.pkl"])

    def failure(self, item: ItemId) -> str:
        """The original records no failures."""
        del item
        return ""

    def scorable_files(self, item: ItemId) -> list[Path]:
        """Mesh files and pictures, whatever there is of them."""
        return [*self.mesh_files(item), *_existing([self.picture(item, camera) for camera in SCORED_CAMERAS])]


def predictions_in(path: Path, pictures: PictureKind = "pasted") -> Predictions:
    """The predictions of a folder: a run of ours (it has ``items``), or one of the original.

    Raises:
        InputError: it is neither, or has no unpasted pictures where these are asked for.
    """
    ours = (path / "items").is_dir()
    if not ours and not is_original_run(path):
        raise InputError(
            f"Expected a run folder with items/, or an original one with rgb60/ and marching_cubes/, in {path}, "
            "found neither.",
            next_step="Run python3 -m _scripts.generate first.",
        )
    if pictures == "unpasted" and not has_unpasted_pictures(path):
        raise InputError(
            f"Expected pictures without pasted pixels in {path}, found none: its method pastes nothing, or kept none."
        )
    return RunPredictions(RunFolder(path), pictures) if ours else OriginalPredictions(OriginalRun(path))


def has_unpasted_pictures(path: Path) -> bool:
    """Whether any item of a run of ours has pictures without pasted pixels."""
    folders = map(ItemFolder, path.glob("items/*/*"))
    return any(folder.unpasted_render(camera).is_file() for folder in folders for camera in SCORED_CAMERAS)


def _existing(paths: list[Path]) -> list[Path]:
    return [path for path in paths if path.is_file()]
