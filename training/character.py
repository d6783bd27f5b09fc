"""One character: styles, modulated weights and planes are made once, views and the mesh as often as wanted.

Views agree with `TriPlaneGenerator.f`, volumes and meshes with `training.volume`. With constant noise one run of the
backbone serves everything; with noise drawn for every render (the published evaluation) each view makes its own
planes, from weights that were modulated once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from _exchange.camera import ORTHO, Camera
from _exchange.errors import InputError
from _exchange.mesh import Mesh
from _exchange.protocol import Protocol
from torch_utils.determinism import Draws
from training.capped_grid import sigma_of_block
from training.clearing import limit
from training.engine.interface import Clearing, Composite, Engine, Field, Rays
from training.engine.occupancy import SigmaGrid, occupancy_of_grid
from training.layers import Noise
from training.march import turned
from training.memory import memory_explained
from training.parts import PLANES, GeneratorParts
from training.paste import PasteParams
from training.prepared import prepare_superresolution, prepare_synthesis
from training.rays import as_image, labels_of, orthographic_rays, perspective_rays_of_labels
from training.request import read_request
from training.surface import largest_component
from training.texture_bake import textured
from training.volume import Export, Search, closed_mesh, mesh_of_field

LATENT_SEED = 0
"""Seed of the latent that the published evaluation gives to every character."""
GRID_RESOLUTION = 256
"""Points along a side of the lattice that a mesh and views share: 2.7 mm apart, so that hardly a strand passes between
them, and that of the published meshes."""
LEAST_PLANES_TO_GAIN = 128
"""Side of planes below which views are drawn sooner than the grid would be."""
TEXTURED_RESOLUTION = 96
"""Lattice points along a side of the volume of a textured surface: the time to unwrap grows with its faces."""
_LOWER = "the resolution of the mesh or neural_rendering_resolution"


@dataclass(frozen=True, eq=False)
class View:
    """A picture of a character; n is the size of pictures, r that of renders.

    Attributes:
        image: (3, n, n) nominally in [0, 1], on white.
        unpasted: the same before the front image was pasted into it; `image` itself where nothing is pasted.
        opacity: (r, r) sum of the weights.
        weighted_position: (3, r, r) metres, `head_world`: mean position times opacity, without background.
    """

    image: Tensor
    unpasted: Tensor
    opacity: Tensor
    weighted_position: Tensor


@dataclass(frozen=True)
class Drawing:
    """How a character is drawn.

    Attributes:
        protocol: its fields `planes_noise`, `depth_clamp`, `lattice` and `mesh_cull` are read.
        clearing: which densities are emptied.
        paste: thresholds of pasting; None: nothing is pasted.
        largest_component: meshes are reduced to their largest connected piece.
        search: where closed surfaces are looked for, see `training.volume.Export`.
    """

    protocol: Protocol
    clearing: Clearing
    paste: PasteParams | None
    largest_component: bool = False
    search: Search = "everywhere"


def check_drawing(generator: GeneratorParts, drawing: Drawing) -> None:
    """Nothing if this model can be drawn like this, whatever the portrait.

    Raises:
        InputError: a setting of the model is wrong, or does not go with pasting, or styles depend on the camera where
            every view has planes of its own.
    """
    generator.check_settings()
    if drawing.paste is not None:
        generator.check_pasting()
    if _makes_planes_per_view(drawing) and not generator.rendering_kwargs.get("c_gen_conditioning_zero"):
        raise InputError(
            "Expected c_gen_conditioning_zero, styles that do not depend on the camera, found a model without it.",
            next_step="Use the protocol corrected.",
        )


def _makes_planes_per_view(drawing: Drawing) -> bool:
    return drawing.protocol.planes_noise == "per_render"


class Character:
    """See the module.

    Args:
        generator: in evaluation mode.
        cond: image conditions of one character, batch 1.
        engine: evaluates the field.
        drawing: how.

    Raises:
        InputError: the conditions do not fit, or see `check_drawing`.
    """

    def __init__(self, generator: GeneratorParts, cond: Mapping[str, Tensor], engine: Engine, drawing: Drawing) -> None:
        self.generator, self.engine, self.drawing = generator, engine, drawing
        check_drawing(generator, drawing)
        self._makes_planes_per_view = _makes_planes_per_view(drawing)
        front = {"elevations": [0.0], "azimuths": [0.0], "fovs": [ORTHO["front"].fov]}
        with torch.inference_mode(), memory_explained(_LOWER):
            request = read_request({"cond": cond, "seeds": [LATENT_SEED], **front}, generator.expected())
            ws = generator.styles(request)
            self._synthesis = prepare_synthesis(generator.backbone.synthesis, ws, cond)
            self._superresolution = prepare_superresolution(generator.superresolution, ws)
            self._device = request.device
            self._front = None
            if drawing.paste is not None:
                self._front = generator.front_for_pasting(cond, 1, request.device)

    @cached_property
    def field(self) -> Field:
        """The field of constant noise: that of the mesh, and of the views where they share it."""
        return self.engine.prepared(self._field_of(self.generator.noise("const")))

    @cached_property
    def _grid(self) -> NDArray[np.float32]:
        """Raw densities of `GRID_RESOLUTION`, for the mesh of that resolution and for views."""
        export = self._export(GRID_RESOLUTION)
        return sigma_of_block(self.engine, self.field, export.block(self.field), export.near)

    @cached_property
    def _clearing(self) -> Clearing:
        """What views empty: where they share the field and gain by it, also cells that the grid knows to be empty."""
        clearing = self.drawing.clearing
        knows = clearing.cull_clouds and not clearing.binarize_clouds and self._export(GRID_RESOLUTION).is_closed
        gains = self.engine.passes_over_empty and self.generator.backbone_resolution >= LEAST_PLANES_TO_GAIN
        if self._makes_planes_per_view or not knows or not gains:
            return clearing
        block = self._export(GRID_RESOLUTION).block(self.field)
        x, y, z = (block.axis(dimension) for dimension in range(3))
        grid = SigmaGrid(torch.from_numpy(self._grid), (x, y, z))
        found = occupancy_of_grid(grid, self.field.box_warp, limit(clearing.cull_clouds))
        return replace(clearing, occupancy=found)

    @torch.inference_mode()
    def view(self, camera: Camera, draws: Draws) -> View:
        """The picture from `camera`.

        Raises:
            SuiteError: out of memory.
        """
        with memory_explained(_LOWER):
            rays = self._rays(camera)
            sampling = self.generator.sampling(self.drawing.protocol.depth_clamp)
            field = self._field_of_view(draws)
            composite = self.engine.render(field, rays, sampling, self._clearing, draws)
            images = self._pictures(composite, draws)
            image = images["image"]
            if self.drawing.paste is not None and self._front is not None:
                image = self.generator.pasted(
                    images,
                    rays,
                    self._front,
                    self.drawing.paste,
                    occlusion=lambda seen: self._opacity(seen, draws.next_render()),
                    front_opacity=lambda: as_image(
                        self._opacity(self._rays(_front_of(camera)), draws.next_render().next_render())
                    ),
                ).image
            opacity = images["image_weights"][0]
            position = turned(images["image_xyz"][0].permute(1, 2, 0)).permute(2, 0, 1)
            if sampling.white_back:  # adds the background to positions too
                position = position - (1 - opacity)
            return View(image[0], images["image"][0], opacity[0], position)

    def mesh(self, resolution: int) -> Mesh:
        """The surface in `head_world`, metres, with vertex colours; see `training.volume.mesh_of_field`."""
        export = self._export(resolution)
        if export.is_closed and resolution == GRID_RESOLUTION:
            with memory_explained(_LOWER):
                mesh = closed_mesh(self.engine, self.field, export, self._grid)
        else:
            mesh = mesh_of_field(self.engine, self.field, export)
        return largest_component(mesh) if self.drawing.largest_component else mesh

    def textured_glb(self) -> bytes:
        """A GLB of a coarser surface, `TEXTURED_RESOLUTION` points a side, with a texture baked from the field."""
        return textured(self.engine, self.field, self.mesh(TEXTURED_RESOLUTION)).glb()

    # -- steps --------------------------------------------------------------------------------------------------

    def _export(self, resolution: int) -> Export:
        clearing, protocol = self.drawing.clearing, self.drawing.protocol
        options = {"triplane_crop": clearing.triplane_crop or None, "cull_clouds": clearing.cull_clouds or None}
        return replace(Export.of(options, resolution, protocol), search=self.drawing.search)

    @torch.inference_mode()
    def _field_of(self, noise: Noise) -> Field:
        image = self._synthesis.planes(noise)
        return self.generator.field(image.reshape(1, PLANES, -1, *image.shape[2:]))

    def _field_of_view(self, draws: Draws) -> Field:
        if self._makes_planes_per_view:
            return self._field_of(self.generator.noise("random", draws))
        return self.field

    def _rays(self, camera: Camera) -> Rays:
        size = self.generator.neural_rendering_resolution
        if camera.is_orthographic:
            return orthographic_rays([camera], size, self.generator.box_warp, self._device)
        return perspective_rays_of_labels(labels_of([camera], self._device), size)

    def _opacity(self, rays: Rays, draws: Draws) -> Tensor:
        """(1, M, 1) opacity of a mask render, which draws what a whole one would."""
        field = self._field_of_view(draws)
        sampling = self.generator.sampling(self.drawing.protocol.depth_clamp)
        opacity = self.engine.opacity(field, rays, sampling, self._clearing, draws)
        self.generator.pass_over_pictures(draws, 1)
        return opacity

    def _pictures(self, composite: Composite, draws: Draws) -> dict[str, Tensor]:
        return self.generator.pictures_by(self._superresolution.image, composite, draws)


def _front_of(camera: Camera) -> Camera:
    """The orthographic front view from the distance of `camera` (spec/generator.md Q22)."""
    front = ORTHO["front"]
    return Camera(front.elev, front.azim, camera.dist, front.fov)
