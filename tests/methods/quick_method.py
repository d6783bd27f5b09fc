"""A method of another distribution, for runs that need no renderer: it paints flat pictures and can be told to fail.

Options: ``fails`` names an item that it refuses, ``breaks`` one on which it has a bug, ``dies`` one that kills its
process, ``interrupts`` one during which the user presses Ctrl-C. With ``pastes`` its pictures have unpasted twins, all
of zeros. With ``prepares`` it says that it took a portrait of that grey. Its note is the protocol's name and the option
``says``.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from _exchange.camera import Camera
from _exchange.errors import InputError
from _exchange.items import MethodInput
from _exchange.mesh import Mesh
from _methods.interface import Method, MethodSettings, Reconstruction, Rendering
from _methods.registry import MethodEntry

ENTRY = MethodEntry(
    name="quick",
    task="portrait → flat colour",
    licence="CC0-1.0",
    paper="",
    published=(),
    loader="tests.methods.quick_method:Quick",
)


class FlatColour(Reconstruction):
    """Its pictures hold the number of opaque pixels of the portrait, and the azimuth."""

    def __init__(self, opaque_pixels: int, pastes: bool, grey: int | None = None) -> None:
        self.opaque_pixels = opaque_pixels
        self.pastes = pastes
        self.grey = grey

    def render(self, camera: Camera) -> Rendering:
        image = np.zeros((512, 512, 3), np.uint8)
        image[:] = self.opaque_pixels % 251, self.opaque_pixels % 241, int(camera.azim) % 256
        alpha, position = np.full((512, 512), 255, np.uint8), np.full((512, 512, 3), np.nan, np.float32)
        return Rendering(image, alpha, position, np.zeros((512, 512, 4), np.uint8) if self.pastes else None)

    def mesh(self, resolution: int) -> Mesh:
        corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]) / resolution
        return Mesh(corners, np.array([[0, 1, 2]]), np.full((3, 4), 255, np.uint8))

    def prepared_input(self) -> np.ndarray | None:
        return None if self.grey is None else np.full((512, 512, 4), self.grey, np.uint8)


class Quick(Method):
    """See the module."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__()
        settings.check_options("fails", "breaks", "dies", "interrupts", "pastes", "prepares", "says")
        self.options = settings.options
        self.protocol = settings.protocol

    def digests(self) -> dict[str, str]:
        return {"weights": "of a file that decides the results"}

    def note(self) -> str:
        return f"{self.protocol.name}: {self.options['says']}" if "says" in self.options else ""

    def reconstruct(self, method_input: MethodInput) -> Reconstruction:
        name = str(method_input.item)
        if self.options.get("fails") == name:
            raise InputError(f"Expected another item than {name}.")
        if self.options.get("breaks") == name:
            raise ZeroDivisionError("a bug")
        if self.options.get("dies") == name:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.options.get("interrupts") == name:
            raise KeyboardInterrupt
        opaque = int((method_input.portrait[..., 3] > 0).sum())
        return FlatColour(opaque, "pastes" in self.options, self.options.get("prepares"))


def write_distribution(folder: Path, entry_point: str, name: str = "quick") -> None:
    """A fake installed distribution in `folder` with one entry point of the group of methods."""
    info = folder / "fake_methods-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-methods\nVersion: 1.0\n")
    with open(info / "entry_points.txt", "a") as stream:
        if stream.tell() == 0:
            stream.write("[anime3d.methods]\n")
        stream.write(f"{name} = {entry_point}\n")


def install_quick_method(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the method `quick` known in this process and in the workers that it starts."""
    write_distribution(folder, "tests.methods.quick_method:ENTRY")
    monkeypatch.syspath_prepend(str(folder))
