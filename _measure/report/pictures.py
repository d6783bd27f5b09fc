"""The files of one character's page: scored pictures, error maps, turntable and the model for the viewer.

Everything is made from files alone, in a worker process, and kept while its inputs stay the same: `made.json` beside
the pictures names the digest of the inputs and of every file made.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from _exchange import atomic
from _exchange.digest import sha256_of_bytes, sha256_of_file, sha256_of_value
from _exchange.errors import FormatError, InputError, SuiteError
from _exchange.items import SCORED_CAMERAS, ItemId
from _exchange.pictures import composite_on_white, read_picture
from _exchange.run_folder import ItemFolder
from _exchange.run_record import read_json_object
from _measure.report.colour_map import error_picture, mean_difference
from _measure.report.pages import model_script
from _measure.report.turning import SIDE as TURN_SIDE
from _measure.report.turning import turning_frames
from _render.turntable import turntable_bytes

MADE_VERSION = 1
"""Raised whenever equal inputs would give other files."""
SIDE = 384
"""Height and width of the pages' pictures, pixels; they are scored at 512."""
_QUALITY = 86
_SECONDS_OF_TURN = 4.0
_MAX_MODEL_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Job:
    """What the files of one item are made from.

    Attributes:
        item: whose page.
        report: folder of the report.
        ours: folder of the item in the run.
        truth: true pictures by camera; empty where there is no truth.
        portrait: (512, 512, 4) uint8, or None where the dataset is gone.
    """

    item: ItemId
    report: Path
    ours: ItemFolder
    truth: Mapping[str, Path]
    portrait: NDArray[np.uint8] | None

    @property
    def folder(self) -> str:
        """Folder of the item's pictures, relative to the report."""
        return f"pictures/{self.item}"

    @property
    def record(self) -> Path:
        """What is known about the files made."""
        return self.report / self.folder / "made.json"

    @property
    def key(self) -> str:
        """Digest of everything that decides the files."""
        sources = [self.ours.mesh, *(self.ours.render(camera) for camera in SCORED_CAMERAS)]
        return sha256_of_value(
            {
                "version": [MADE_VERSION, Image.__version__, features.version("webp")],
                "ours": [_digest(path) for path in sources],
                "truth": {camera: _digest(path) for camera, path in self.truth.items()},
                "portrait": None if self.portrait is None else sha256_of_bytes(self.portrait.tobytes()),
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
        model_bytes: size of the GLB; 0 without one.
    """

    key: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    mean_errors: Mapping[str, float] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    model_bytes: int = 0


def make_files(job: Job) -> Made:
    """Make what is not there yet; failures become problems."""
    key = job.key
    known = _known(job)
    if known is not None and known.key == key and _intact(job.report, known):
        return known
    making = _Making(job)
    making.portrait()
    for camera in SCORED_CAMERAS:
        making.view(camera)
    making.model()
    making.turntable()
    made = Made(key, making.files, making.digests, making.mean_errors, making.problems, making.model_bytes)
    atomic.write_json(job.record, asdict(made))
    return made


def webp(picture: NDArray[np.uint8], side: int = SIDE) -> bytes:
    """A (H, W, 3) picture, made smaller where it is larger than `side`, as WebP; equal pictures give equal bytes."""
    stream = io.BytesIO()
    Image.fromarray(_resized(picture, side)).save(stream, "WEBP", quality=_QUALITY, method=4)
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
        self.spin: list[NDArray[np.uint8]] = []

    def portrait(self) -> None:
        if self.job.portrait is not None:
            self._picture("portrait", composite_on_white(self.job.portrait))

    def view(self, camera: str) -> None:
        ours = self._read(camera, self.job.ours.render(camera))
        truth = self._read(camera, self.job.truth[camera]) if camera in self.job.truth else None
        if ours is not None:
            self._picture(f"ours/{camera}", ours)
            if camera.startswith("rgb60"):
                self.spin.append(_resized(ours, TURN_SIDE))
        if truth is not None:
            self._picture(f"truth/{camera}", truth)
        if ours is None or truth is None:
            return
        if ours.shape != truth.shape:
            self.problems[camera] = f"Expected two pictures of one size, found {ours.shape[:2]} and {truth.shape[:2]}."
            return
        difference = mean_difference(ours, truth)
        self.mean_errors[camera] = float(difference.mean())
        self._picture(f"error/{camera}", error_picture(difference))

    def model(self) -> None:
        path = self.job.ours.mesh
        try:
            glb = _read_glb(path)
        except SuiteError as error:
            self.problems["geom"] = self._sentence(error, path)
            return
        packed = base64.b64encode(gzip.compress(glb, 6, mtime=0)).decode("ascii")
        self.model_bytes = len(glb)
        self._write("model", f"models/{self.job.item}.js", model_script(packed, "gzip").encode("utf-8"))

    def turntable(self) -> None:
        """A turn of the mesh; where there is none, the twelve scored pictures around the head."""
        try:
            frames = turning_frames(self.job.ours.mesh)
        except SuiteError as error:
            self.problems.setdefault("geom", self._sentence(error, self.job.ours.mesh))
            frames = self.spin
        if len({frame.shape for frame in frames}) == 1:
            content = turntable_bytes(frames, _SECONDS_OF_TURN)
            self._write("turntable", f"{self.job.folder}/turntable.webp", content)

    def _read(self, camera: str, path: Path) -> NDArray[np.uint8] | None:
        try:
            return composite_on_white(read_picture(path, "RGBA"))
        except SuiteError as error:
            self.problems[camera] = self._sentence(error, path)
            return None

    def _sentence(self, error: SuiteError, path: Path) -> str:
        """The error without the folders that lead to the run or the dataset: it is kept with the files made."""
        run = self.job.report.parent
        shown = path.relative_to(run) if path.is_relative_to(run) else Path(path.name)
        return str(error).replace(str(path), str(shown))

    def _picture(self, name: str, picture: NDArray[np.uint8]) -> None:
        self._write(name, f"{self.job.folder}/{name.replace('/', '-')}.webp", webp(picture))

    def _write(self, name: str, relative: str, content: bytes) -> None:
        atomic.write_bytes(self.job.report / relative, content)
        self.files[name] = relative
        self.digests[name] = sha256_of_bytes(content)


def _resized(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    share = min(1.0, side / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


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
