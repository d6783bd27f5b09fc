"""PAniC-3D: a portrait conditions a generator of radiance fields; line filler and feature extractor stand before it.

Source: spec/generator.md §7, §8; spec/linefill.md §1; spec/features.md §1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from _databacks.alignment import keypoints_through
from _exchange.camera import Camera, standard_camera
from _exchange.errors import InputError
from _exchange.frames import IMAGE_SIZE
from _exchange.items import RENDERED_CAMERAS, MethodInput
from _exchange.mesh import Mesh
from _exchange.pictures import bytes_from_unit, composite_on_white, cut_out, unit_from_bytes
from _methods.interface import Method, MethodSettings, Reconstruction, Rendering
from _methods.panic3d_files import PUBLISHED_NAMES
from _methods.panic3d_parts import errors_naming, read_parts
from torch_utils.determinism import single_threaded
from torch_utils.device import device_named, exact_float32, repeatable_cuda
from torch_utils.ops.resize import bilinear
from training.character import Character, Drawing, check_drawing
from training.configurations import EVALUATION_CLEARING, EVALUATION_PASTE
from training.engine.choose import ENGINES, engine_named
from training.engine.interface import Clearing
from training.linefill import fill_lines
from training.paste import paste_params_of
from training.tagger import portrait_features
from training.view_draws import ViewDraws
from training.volume import Search

_MET = 0.5
"""Least opacity of a pixel whose mean position counts as a surface."""


class Panic3d(Method):
    """The published system, with its own weights or others of the same family.

    Options: the files of `panic3d_files`; ``engine``, ``fast`` or ``plain``; ``surface_search``, see
    `training.volume.Export`; ``largest_component``, whether meshes are reduced to their largest piece.
    """

    default_resolution = 256
    makes_textured = True

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__()
        settings.check_options(*PUBLISHED_NAMES, "engine", "surface_search", "largest_component")
        engine = settings.options.get("engine") or "fast"
        if engine not in ENGINES:
            raise InputError(f"Expected an engine out of {', '.join(ENGINES)}, found {engine!r}.")
        device = device_named(settings.device)
        self._parts = read_parts(settings.options, device)
        self._engine = engine_named(engine, device)
        self._drawing = _drawing_of(settings)
        with errors_naming(self._parts.files["checkpoint"]):
            check_drawing(self._parts.generator, self._drawing)
        cameras = [standard_camera(name) for name in RENDERED_CAMERAS]
        with _repeatable():
            self._draws = ViewDraws(self._parts.generator, settings.protocol.view_draws, cameras, settings.seed)

    def digests(self) -> dict[str, str]:
        """SHA-256 of all weights."""
        return self._parts.digests()

    def note(self) -> str:
        """What the checkpoint says of itself."""
        return self._parts.note

    def reconstruct(self, method_input: MethodInput) -> Reconstruction:
        """Fill the lines, extract features, find styles and planes."""
        portrait = method_input.portrait
        with _repeatable():
            filled = self._filled(method_input)
            conditions = self._conditions(portrait, composite_on_white(portrait if filled is None else filled))
            character = Character(self._parts.generator, conditions, self._engine, self._drawing)
        return _Reconstruction(character, self._draws, str(method_input.item), filled)

    def _filled(self, method_input: MethodInput) -> NDArray[np.uint8] | None:
        """(512, 512, 4) the portrait without its lines; None where nothing fills them."""
        if self._parts.line_filler is None:
            return None
        portrait, alignment = method_input.portrait, method_input.alignment
        keypoints = keypoints_through(alignment.transformation, alignment.keypoints)
        front = fill_lines(self._parts.line_filler, portrait, keypoints).front
        return cut_out(front, portrait[..., 3])

    def _conditions(self, portrait: NDArray[np.uint8], front: NDArray[np.uint8]) -> dict[str, Tensor]:
        """What the generator is told: the (512, 512, 3) front, and features of the drawing with its lines."""
        parts = self._parts
        device = parts.generator.expected().device
        picture = unit_from_bytes(_resized(front, parts.generator.img_resolution))
        cond = {"image_ortho_front": torch.from_numpy(picture).permute(2, 0, 1)[None].to(device)}
        if parts.tagger is not None:
            cond["resnet_chonk"] = portrait_features(parts.tagger, portrait)
        return cond


class _Reconstruction(Reconstruction):
    """One character and where the random numbers of its views come from."""

    def __init__(self, character: Character, draws: ViewDraws, name: str, prepared: NDArray[np.uint8] | None) -> None:
        self._character, self._draws, self._name, self._prepared = character, draws, name, prepared

    def render(self, camera: Camera) -> Rendering:
        """The picture in 8 bits, truncated; its alpha is the opacity, raised where the picture is darker than it.

        Raises:
            InputError: the model makes no finite picture of this character.
        """
        with _repeatable():
            view = self._character.view(camera, self._draws.of(camera, self._name))
            if not all(bool(part.isfinite().all()) for part in (view.image, view.opacity, view.weighted_position)):
                raise InputError(
                    f"Expected finite colours and positions of {self._name}, found NaN or infinity.",
                    next_step="Use another checkpoint.",
                )
            opacity = bilinear(view.opacity[None, None], IMAGE_SIZE)[0, 0].cpu().numpy()
            weighted = bilinear(view.weighted_position[None], IMAGE_SIZE)[0].permute(1, 2, 0).cpu().numpy()
        alpha = np.rint(np.clip(opacity, 0, 1) * 255).astype(np.uint8)
        rgba = cut_out(_picture(view.image), alpha)
        position = np.where(
            opacity[..., None] < _MET, np.float32(np.nan), weighted / np.maximum(opacity, _MET)[..., None]
        )
        unpasted = cut_out(_picture(view.unpasted), alpha)
        return Rendering(np.ascontiguousarray(rgba[..., :3]), rgba[..., 3].copy(), position, unpasted)

    def mesh(self, resolution: int) -> Mesh:
        """See `Character.mesh`."""
        with _repeatable():
            return self._character.mesh(resolution)

    def textured_glb(self) -> bytes:
        """See `Character.textured_glb`."""
        with _repeatable():
            return self._character.textured_glb()

    def prepared_input(self) -> NDArray[np.uint8] | None:
        """The portrait with its lines filled; None without a line filler."""
        return self._prepared


def _drawing_of(settings: MethodSettings) -> Drawing:
    """How characters are drawn; raises InputError for a search that is unknown, or that the protocol has not."""
    search = settings.options.get("surface_search") or "everywhere"
    if search not in get_args(Search):
        raise InputError(f"Expected a surface search out of {', '.join(get_args(Search))}, found {search!r}.")
    if search == "near" and settings.protocol.lattice != "true":
        raise InputError("Expected the protocol corrected for the surface search near, found paper.")
    return Drawing(
        settings.protocol,
        Clearing(**EVALUATION_CLEARING),
        paste_params_of(dict(EVALUATION_PASTE)),
        largest_component=bool(settings.options.get("largest_component")),
        search=search,  # type: ignore[arg-type]
    )


@contextmanager
def _repeatable() -> Iterator[None]:
    """The same bytes whatever the number of cores and processes."""
    with ExitStack() as stack:
        for context in (single_threaded(), exact_float32(), repeatable_cuda()):
            stack.enter_context(context)
        yield


def _picture(image: Tensor) -> NDArray[np.uint8]:
    """(512, 512, 3) bytes of a (3, n, n) picture."""
    return _resized(bytes_from_unit(image.permute(1, 2, 0).cpu().numpy()), IMAGE_SIZE)


def _resized(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The (n, n, 3) picture in another size, with an antialiasing filter; itself where the size is right."""
    if picture.shape[0] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))
