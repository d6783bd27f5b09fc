"""What was predicted: one interface over our run folders and the original's layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from _exchange.errors import InputError
from _exchange.items import SCORED_CAMERAS, ItemId
from _exchange.mesh import Mesh
from _exchange.original_layout import OriginalRun, is_original_run
from _exchange.run_folder import RunFolder
from _exchange.run_record import ItemStatus
from _measure.mesh_file import read_mesh_file


class Predictions(Protocol):
    """Where a run's results lie."""

    def picture(self, item: ItemId, camera: str) -> Path:
        """File of a scored picture."""

    def mesh(self, item: ItemId) -> Mesh:
        """The predicted surface, `head_world`; raises a `SuiteError` where there is none."""

    def files(self, item: ItemId) -> list[Path]:
        """Every file that decides the item's scores and exists."""

    def failure(self, item: ItemId) -> str:
        """Why the method made nothing for the item; empty where it did not say."""


@dataclass(frozen=True)
class RunPredictions:
    """Predictions in one of our run folders."""

    run: RunFolder

    def picture(self, item: ItemId, camera: str) -> Path:
        """``items/<item>/renders/<camera>.png``."""
        return self.run.item(item).render(camera)

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

    def files(self, item: ItemId) -> list[Path]:
        """Scored pictures and mesh."""
        folder = self.run.item(item)
        return _existing([*(folder.render(camera) for camera in SCORED_CAMERAS), folder.mesh])

    def failure(self, item: ItemId) -> str:
        """The reason in ``status.json`` of an item that is not ``ok``."""
        path = self.run.item(item).status
        if not path.is_file():
            return ""
        status = ItemStatus.read(path)
        return "" if status.status == "ok" else f"{status.status}: {status.reason}"


@dataclass(frozen=True)
class OriginalPredictions:
    """Predictions in ``temp/eval/<run>/<renderset>/``."""

    run: OriginalRun

    def picture(self, item: ItemId, camera: str) -> Path:
        """``ortho/…/front.png``, ``rgb60/…/0042.png``."""
        return self.run.picture(item, camera)

    def mesh(self, item: ItemId) -> Mesh:
        """``marching_cubes/…/front.npz`` or ``front.pkl``."""
        return self.run.mesh(item)

    def files(self, item: ItemId) -> list[Path]:
        """Scored pictures and whatever mesh files there are."""
        folder = self.run.path / "marching_cubes" / item.franch / item.idx
        meshes = [folder / "front.npz", folder / "front.pkl"]
        return _existing([*(self.run.picture(item, camera) for camera in SCORED_CAMERAS), *meshes])

    def failure(self, item: ItemId) -> str:
        """The original records no failures."""
        del item
        return ""


def predictions_in(path: Path) -> Predictions:
    """The predictions of a folder: a run of ours (it has ``items``), or one of the original.

    Raises:
        InputError: it is neither.
    """
    if (path / "items").is_dir():
        return RunPredictions(RunFolder(path))
    if is_original_run(path):
        return OriginalPredictions(OriginalRun(path))
    raise InputError(
        f"Expected a run folder with items/, or an original one with rgb60/ and marching_cubes/, in {path}, "
        "found neither.",
        next_step="Run python3 -m _scripts.generate first.",
    )


def _existing(paths: list[Path]) -> list[Path]:
    return [path for path in paths if path.is_file()]
