"""The interface of every method: `set_item` once, then `render` and `mesh` as often as wanted.

    method = registry.find("inflate").load(MethodSettings())
    method.set_item(method_input)
    picture = method.render(ORTHO["front"])
    surface = method.mesh(resolution=192)

A method is a subclass of `Method` that implements `reconstruct`; what it learned about the item (planes, a surface)
lives in the `Reconstruction` which that returns, so nothing of one item can leak into the next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from _exchange.camera import Camera
from _exchange.errors import InputError
from _exchange.frames import IMAGE_SIZE
from _exchange.items import ItemId, MethodInput
from _exchange.mesh import Mesh
from _exchange.protocol import CORRECTED, Protocol
from _render import position_map
from _render.choose import Backend

DEFAULT_RESOLUTION = 192
"""Steps of a mesh along the side of the working cube: 3.6 mm."""
_RESOLUTIONS = (8, 1024)
_PORTRAIT_SHAPE = (IMAGE_SIZE, IMAGE_SIZE, 4)


@dataclass(frozen=True)
class MethodSettings:
    """What a method is loaded with; `options` and `seed` take part in the resolved configuration of a run.

    Attributes:
        seed: root of all random draws; see `seed_text`.
        device: where networks run: ``cpu`` or ``cuda``.
        back_end: rasteriser of methods that draw their mesh: ``cpu`` (bitwise repeatable), ``egl`` or ``auto``.
        protocol: of the run; its fields say which of the published system's quirks a method keeps.
        options: further settings by name, JSON values; a method refuses names that it does not know.
    """

    seed: int = 0
    device: str = "cpu"
    back_end: Backend = "cpu"
    protocol: Protocol = CORRECTED
    options: Mapping[str, object] = field(default_factory=dict)

    def seed_text(self, item: ItemId) -> str:
        """What seeds the draws of one item (`camera.seeded_random_state`): independent of the order of items.

        >>> MethodSettings(seed=3).seed_text(ItemId("genshin", "albedo"))
        '3/genshin/albedo'
        """
        return f"{self.seed}/{item}"

    def check_options(self, *known: str) -> None:
        """Raise InputError for an option that is not among `known`."""
        for name in self.options:
            if name not in known:
                listed = ", ".join(known) or "no option"
                raise InputError(f"Expected {listed} for this method, found the option {name!r}.")


@dataclass(frozen=True, eq=False)
class Rendering:
    """One picture of a reconstruction, [row, col], row 0 at the top.

    Attributes:
        image: (S, S, 3) uint8 sRGB, straight alpha; 0 where `alpha` is 0.
        alpha: (S, S) uint8, accumulated weight.
        position: (S, S, 3) float32 metres, `head_world`, the first surface met; NaN where the pixel's centre
            meets none.
        unpasted: (S, S, 4) uint8 RGBA, the picture before pixels of the portrait were pasted into it; None where
            nothing was pasted.

    Raises:
        InputError: a shape or dtype is another.
    """

    image: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    position: NDArray[np.float32]
    unpasted: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        shape = self.alpha.shape
        found = [(array.shape, array.dtype.name) for array in (self.image, self.alpha, self.position)]
        if found != [((*shape, 3), "uint8"), (shape, "uint8"), ((*shape, 3), "float32")] or len(shape) != 2:
            raise InputError(f"Expected uint8 image, uint8 alpha and float32 position of one size, found {found}.")
        if self.unpasted is not None and (self.unpasted.shape, self.unpasted.dtype) != ((*shape, 4), np.uint8):
            raise InputError(
                f"Expected an unpasted picture of shape {(*shape, 4)} and dtype uint8, "
                f"found {self.unpasted.shape} and {self.unpasted.dtype}."
            )

    def rgba(self) -> NDArray[np.uint8]:
        """(S, S, 4) uint8: the file ``renders/<camera>.png``."""
        return np.concatenate([self.image, self.alpha[..., None]], axis=-1)

    def position_map(self) -> NDArray[np.uint8]:
        """(S, S, 4) uint8: the file ``position/<camera>.png``: (xyz + 0.35)/0.7, alpha; 0 where no surface is met."""
        met = np.isfinite(self.position[..., 0])
        picture = np.zeros((*self.alpha.shape, 4), np.uint8)
        picture[met, :3] = position_map.encode(self.position[met])
        picture[met, 3] = self.alpha[met]
        return picture


class Reconstruction(ABC):
    """What a method made of one item."""

    @abstractmethod
    def render(self, camera: Camera) -> Rendering:
        """The picture from `camera`, (512, 512)."""

    @abstractmethod
    def mesh(self, resolution: int) -> Mesh:
        """The surface in `head_world`, metres, with vertex colours; about `resolution` steps along the cube's side."""

    def textured_glb(self) -> bytes:
        """A GLB file of the surface in `head_world`, metres, with a texture.

        Raises:
            InputError: this method makes none.
        """
        raise InputError("Expected a method that makes textured surfaces, such as panic3d, found another.")

    def prepared_input(self) -> NDArray[np.uint8] | None:
        """(512, 512, 4) RGBA: the portrait as the method took it, line-filled for one; None: it took it as it is."""
        return None


class Method(ABC):
    """A reconstruction method: set the item once, query many."""

    default_resolution = DEFAULT_RESOLUTION
    """Resolution of the meshes of a run that asks for none."""
    makes_textured = False
    """Whether `textured_glb` gives a file."""

    def __init__(self) -> None:
        self._reconstruction: Reconstruction = _NothingSet()

    @abstractmethod
    def reconstruct(self, method_input: MethodInput) -> Reconstruction:
        """The work done once per item. The portrait is checked already."""

    def digests(self) -> Mapping[str, str]:
        """SHA-256 by name of every file whose content decides the results, such as weights."""
        return {}

    def note(self) -> str:
        """What must stand beside every number of this method as it is loaded; empty for nothing."""
        return ""

    def set_item(self, method_input: MethodInput) -> None:
        """Look at the portrait. Later queries are about this item; after an error they are refused.

        Raises:
            InputError: the portrait is not (512, 512, 4) uint8.
        """
        self._reconstruction = _NothingSet()
        portrait = method_input.portrait
        if portrait.shape != _PORTRAIT_SHAPE or portrait.dtype != np.uint8:
            raise InputError(
                f"Expected a portrait of shape {_PORTRAIT_SHAPE} and dtype uint8 for {method_input.item}, "
                f"found {portrait.shape} and {portrait.dtype}."
            )
        self._reconstruction = self.reconstruct(method_input)

    def render(self, camera: Camera) -> Rendering:
        """The picture of the item from `camera`.

        Raises:
            InputError: no item was set.
        """
        return self._reconstruction.render(camera)

    def mesh(self, resolution: int = DEFAULT_RESOLUTION) -> Mesh:
        """The item's surface in `head_world`, metres, with vertex colours.

        Raises:
            InputError: no item was set, or the resolution is not between 8 and 1024.
        """
        check_resolution(resolution)
        return self._reconstruction.mesh(resolution)

    def textured_glb(self) -> bytes:
        """The item's surface as a GLB file with a texture.

        Raises:
            InputError: no item was set, or this method makes none.
        """
        return self._reconstruction.textured_glb()

    def prepared_input(self) -> NDArray[np.uint8] | None:
        """(512, 512, 4) RGBA: the item's portrait as the method took it; None where it took it as it is.

        Raises:
            InputError: no item was set.
        """
        return self._reconstruction.prepared_input()


def check_resolution(resolution: int) -> None:
    """Raise InputError for steps along the cube's side that no method is asked for."""
    lowest, highest = _RESOLUTIONS
    if not lowest <= resolution <= highest:
        raise InputError(f"Expected a mesh resolution between {lowest} and {highest}, found {resolution}.")


class _NothingSet(Reconstruction):
    """Stands in until an item is set."""

    def render(self, camera: Camera) -> Rendering:  # noqa: ARG002
        self._refuse("render")

    def mesh(self, resolution: int) -> Mesh:  # noqa: ARG002
        self._refuse("mesh")

    def textured_glb(self) -> bytes:
        self._refuse("textured_glb")

    def prepared_input(self) -> NDArray[np.uint8] | None:
        self._refuse("prepared_input")

    def _refuse(self, query: str) -> NoReturn:
        raise InputError(f"Expected an item before {query}(…), found none.", next_step="Call set_item(…) first.")
