"""The files of one character's page: scored pictures, error maps, turntable, the mesh, and surfaces for the viewer.

Everything is made from files alone, in a worker process, and kept while its inputs stay the same: `made.json` beside
the pictures names the digest of the inputs and of every file made.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from _exchange import atomic
from _exchange.digest import sha256_of_bytes, sha256_of_file, sha256_of_value
from _exchange.errors import FormatError, InputError, SuiteError
from _exchange.glb import mesh_glb
from _exchange.items import SCORED_CAMERAS, ItemId, TruthFiles
from _exchange.mesh import Mesh
from _exchange.pictures import composite_on_white, read_picture
from _exchange.protocol import Protocol
from _exchange.run_folder import ItemFolder
from _exchange.run_record import read_json_object
from _measure.mesh_file import read_mesh_file
from _measure.predictions import Predictions, RunPredictions
from _measure.protocols import GEOMETRY
from _measure.report.colour_map import error_picture, mean_difference
from _measure.report.surfaces import distance_coloured, packed_script, shown_glb, thinned
from _measure.report.turning import SIDE as TURN_SIDE
from _measure.report.turning import turning_frames
from _measure.sentences import without_folders
from _render.turntable import turntable_bytes

MADE_VERSION = 4
"""Raised whenever equal inputs would give other files."""
SIDE = 384
"""Height and width of the pages' pictures, pixels; they are scored at 512."""
_QUALITY = 86
_SECONDS_OF_TURN = 4.0
_WHOLE_BYTES = 5 * 2**19
"""A larger model is thinned before it is shown, so that the page of a character stays below 3 MiB."""
_MAX_MODEL_BYTES = 512 * 2**20


@dataclass(frozen=True, eq=False)
class Job:
    """What the files of one item are made from.

    Attributes:
        item: whose page.
        report: folder of the report.
        home: folder of the predictions, which no sentence names.
        predictions: scored pictures and surface.
        ours: folder of the item in the run, with whatever else the method wrote.
        truth: where the truth lies; None where the dataset has none.
        portrait: (512, 512, 4) uint8, or None where the dataset is gone.
        protocol: decides which parts of the surfaces are compared.
        truth_cache: folder of visible true surfaces, which decides nothing; None keeps none.
    """

    item: ItemId
    report: Path
    home: Path
    predictions: Predictions
    ours: ItemFolder
    truth: TruthFiles | None
    portrait: NDArray[np.uint8] | None
    protocol: Protocol
    truth_cache: Path | None = None

    @property
    def folder(self) -> str:
        """Folder of the item's pictures, relative to the report."""
        return f"pictures/{self.item}"

    @property
    def record(self) -> Path:
        """What is known about the files made."""
        return self.report / self.folder / "made.json"

    def true_picture(self, camera: str) -> Path | None:
        """The true picture of a camera; None where there is none."""
        return self.truth.pictures.get(camera) if self.truth else None

    @property
    def key(self) -> str:
        """Digest of everything that decides the files."""
        ours = [self.ours.prepared_input]
        ours += [self.predictions.picture(self.item, camera) for camera in SCORED_CAMERAS]
        ours += [self.ours.unpasted_render(camera) for camera in SCORED_CAMERAS]
        truth = None
        if self.truth is not None:
            files = {camera: _digest(path) for camera, path in self.truth.pictures.items() if camera in SCORED_CAMERAS}
            rules = replace(self.truth, pictures={}, character=Path())
            truth = {"pictures": files, "character": _digest(self.truth.character), "rules": repr(rules)}
        return sha256_of_value(
            {
                "version": [MADE_VERSION, Image.__version__, features.version("webp")],
                "surface": [_digest(path) for path in self.predictions.mesh_files(self.item)],
                "ours": [_digest(path) for path in ours],
                "truth": truth,
                "portrait": None if self.portrait is None else sha256_of_bytes(self.portrait.tobytes()),
                "protocol": repr(self.protocol),
            }
        )


@dataclass(frozen=True)
class Made:
    """The files of one item.

    Attributes:
        files: path relative to the report by what it shows: ``portrait``, ``ours/ortho_front``, …
        digests: SHA-256 by the same names.
        mean_errors: mean absolute difference over the whole picture by camera, in [0, 1].
        problems: what could not be made, by view.
        model_bytes: size of the run's GLB, which the page offers; 0 without one.
        model_remark: what the viewer shows less of; empty where it shows that file.
    """

    key: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    mean_errors: Mapping[str, float] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    model_bytes: int = 0
    model_remark: str = ""


def make_files(job: Job) -> Made:
    """Make what is not there yet; failures become problems."""
    key = job.key
    known = _known(job)
    if known is not None and known.key == key and _intact(job.report, known):
        return known
    making = _Making(job)
    making.inputs()
    for camera in SCORED_CAMERAS:
        making.view(camera)
    making.surfaces()
    made = making.made(key)
    atomic.write_json(job.record, asdict(made))
    return made


def webp(picture: NDArray[np.uint8], side: int = SIDE) -> bytes:
    """A (H, W, 3) picture, made smaller where it is larger than `side`, as WebP; equal pictures give equal bytes."""
    stream = io.BytesIO()
    Image.fromarray(_resized(picture, side)).save(stream, "WEBP", quality=_QUALITY, method=2)
    return stream.getvalue()


class _Making:
    """The files of one item while they are made."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.files: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.mean_errors: dict[str, float] = {}
        self.problems: dict[str, str] = {}
        self.model_bytes = 0
        self.model_remark = ""
        self.spin: list[NDArray[np.uint8]] = []

    def made(self, key: str) -> Made:
        return Made(key, self.files, self.digests, self.mean_errors, self.problems, self.model_bytes, self.model_remark)

    def inputs(self) -> None:
        """The portrait, and how the method prepared it where it did."""
        if self.job.portrait is not None:
            self._picture("portrait", composite_on_white(self.job.portrait))
        if self.job.ours.prepared_input.is_file():
            prepared = self._read("prepared input", self.job.ours.prepared_input)
            if prepared is not None:
                self._picture("prepared", prepared)

    def view(self, camera: str) -> None:
        """A scored picture, its truth and their difference, and the twin without pasted pixels where there is one."""
        ours = self._read(camera, self.job.predictions.picture(self.job.item, camera))
        path = self.job.true_picture(camera)
        truth = None if path is None else self._read(camera, path)
        if truth is not None:
            self._picture(f"truth/{camera}", truth)
        if ours is not None:
            self._compared("ours", camera, ours, truth)
            if camera.startswith("rgb60"):
                self.spin.append(_resized(ours, TURN_SIDE))
        if self.job.ours.unpasted_render(camera).is_file():
            unpasted = self._read(camera, self.job.ours.unpasted_render(camera))
            if unpasted is not None:
                self._compared("unpasted", camera, unpasted, truth)

    def surfaces(self) -> None:
        """The model as the viewer takes it, a turn of it, and both compared surfaces coloured by their distance."""
        mesh = None
        try:
            glb, mesh = _surface_of(self.job)
            self._write("mesh", f"models/{self.job.item}/{self.job.item.idx}.glb", glb)
            self.model_bytes = len(glb)
            if len(glb) <= _WHOLE_BYTES:
                self._model("ours", glb)
            else:
                small = thinned(mesh)
                self._model("ours", shown_glb(small))
                counts = f"{len(small.verts)} of {len(mesh.verts)}"
                self.model_remark = f"The view shows {counts} vertices, the download all."
        except SuiteError as error:
            self.problems[GEOMETRY] = self._sentence(error, self.job.ours.mesh)
        self._turntable(mesh)
        if mesh is not None and self.job.truth is not None:
            self._distances(mesh, self.job.truth)

    def _turntable(self, mesh: Mesh | None) -> None:
        """A turn of the surface; where there is none, the twelve scored pictures around the head."""
        frames = self.spin if mesh is None else turning_frames(mesh)
        if len({frame.shape for frame in frames}) == 1:
            content = turntable_bytes(frames, _SECONDS_OF_TURN)
            self._write("turntable", f"{self.job.folder}/turntable.webp", content)

    def _distances(self, mesh: Mesh, truth: TruthFiles) -> None:
        try:
            coloured = distance_coloured(mesh, truth, self.job.protocol, self.job.truth_cache)
            self._model("distance", shown_glb(coloured.ours), shaded=True)
            self._model("truth", shown_glb(coloured.truth), shaded=True)
        except SuiteError as error:
            self.problems.setdefault(GEOMETRY, f"No distances: {self._sentence(error, truth.character)}")

    def _read(self, view: str, path: Path) -> NDArray[np.uint8] | None:
        try:
            return composite_on_white(read_picture(path, "RGBA"))
        except SuiteError as error:
            self.problems[view] = self._sentence(error, path)
            return None

    def _compared(self, side: str, camera: str, picture: NDArray[np.uint8], truth: NDArray[np.uint8] | None) -> None:
        """A picture of ours and, where there is a truth, its error map."""
        self._picture(f"{side}/{camera}", picture)
        if truth is None:
            return
        if picture.shape != truth.shape:
            shapes = f"{picture.shape[:2]} and {truth.shape[:2]}"
            self.problems[camera] = f"Expected two pictures of one size, found {shapes}."
            return
        difference = mean_difference(picture, truth)
        self.mean_errors[f"{side}/{camera}"] = float(difference.mean())
        self._picture(f"error-of-{side}/{camera}", error_picture(difference))

    def _sentence(self, error: SuiteError, path: Path) -> str:
        """The error without the folders that lead to the run or the dataset: it is kept with the files made."""
        home = self.job.home
        shown = path.relative_to(home) if path.is_relative_to(home) else Path(path.name)
        return without_folders(str(error).replace(str(path), str(shown)), [home])

    def _picture(self, name: str, picture: NDArray[np.uint8]) -> None:
        self._write(name, f"{self.job.folder}/{name.replace('/', '-')}.webp", webp(picture))

    def _model(self, name: str, glb: bytes, *, shaded: bool = False) -> None:
        script = packed_script(name, glb, shaded=shaded)
        self._write(f"model/{name}", f"models/{self.job.item}/{name}.js", script)

    def _write(self, name: str, relative: str, content: bytes) -> None:
        atomic.write_bytes(self.job.report / relative, content)
        self.files[name] = relative
        self.digests[name] = sha256_of_bytes(content)


def _resized(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    share = min(1.0, side / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def _surface_of(job: Job) -> tuple[bytes, Mesh]:
    """The surface as a GLB and as a mesh; that of a run of ours is taken as it lies there."""
    if isinstance(job.predictions, RunPredictions):
        return _read_glb(job.ours.mesh), read_mesh_file(job.ours.mesh)
    mesh = job.predictions.mesh(job.item)
    return mesh_glb(mesh), mesh


def _read_glb(path: Path) -> bytes:
    """The bytes of a GLB file; its header is looked at, the rest is the viewer's matter."""
    if not path.is_file():
        raise InputError("Expected a reconstructed surface mesh.glb, found none.")
    size = path.stat().st_size
    if size > _MAX_MODEL_BYTES:
        raise FormatError("", f"a model of at most {_MAX_MODEL_BYTES} bytes", f"{size} bytes", file=path)
    content = path.read_bytes()
    if content[:4] != b"glTF":
        raise FormatError("", "a GLB file (glTF at its start)", repr(content[:4]), file=path)
    return content


def _known(job: Job) -> Made | None:
    """What an earlier report made; None where there was none or its record is damaged."""
    if not job.record.is_file():
        return None
    try:
        return Made(**read_json_object(job.record))
    except (SuiteError, TypeError, json.JSONDecodeError):
        return None


def _intact(report: Path, made: Made) -> bool:
    return all(_digest(report / path) == made.digests.get(name) for name, path in made.files.items())


def _digest(path: Path) -> str:
    return sha256_of_file(path) if path.is_file() else ""
