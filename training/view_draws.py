"""Where the random numbers of the pictures of one character come from: a stream through its views, or a seed per view.

The published evaluation seeds the global generator of the device once and then draws its sixteen views one after the
other, so every view finds the stream where the view before left it (spec/generator.md Q19, §5.9). Here each view can
be asked for alone: what the earlier ones would have drawn is passed over, once for all characters.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from _exchange.camera import Camera
from _exchange.errors import InputError
from torch_utils.determinism import Draws, GeneratorDraws
from training.engine.interface import Rays
from training.layers import Noise
from training.parts import GeneratorParts
from training.ray_draws import draw_rays

RENDERS_OF_A_PASTED_VIEW = 2
"""The picture itself, and what hides its surface from the front camera."""
_SEEDS = 1 << 64


class ViewDraws:
    """Random numbers by camera.

    Args:
        generator: what draws; its settings decide how many numbers a view takes.
        way: ``stream``: the numbers of a view follow those of the views before it; views that are not on the list, and
            with ``camera`` all, have a stream of their own.
        cameras: the views in the order of the stream.
        seed: of the stream, and part of the seed of every other view.
        renders: of one view.

    Raises:
        InputError: a seed that no stream can have.
    """

    def __init__(
        self,
        generator: GeneratorParts,
        way: Literal["stream", "camera"],
        cameras: Sequence[Camera],
        seed: int = 0,
        renders: int = RENDERS_OF_A_PASTED_VIEW,
    ) -> None:
        if way == "stream" and not 0 <= seed < _SEEDS:
            raise InputError(f"Expected a seed from 0 to 2^64 - 1 for one stream through all views, found {seed}.")
        self._seed = seed
        self._device = generator.expected().device
        self._states: dict[Camera, Tensor] = {}
        if way == "stream":
            stream = torch.Generator(self._device).manual_seed(seed)
            for camera in cameras:
                self._states[camera] = stream.get_state()
                for _ in range(renders):
                    pass_over_render(generator, GeneratorDraws(stream))

    def of(self, camera: Camera, of_what: str) -> Draws:
        """The numbers of one view of one character, whose name plays no part in a stream."""
        source = torch.Generator(self._device)
        if camera in self._states:
            source.set_state(self._states[camera])
        else:
            angles = f"{camera.elev:g}/{camera.azim:g}/{camera.dist:g}/{camera.fov:g}"
            source.manual_seed(zlib.adler32(f"{self._seed}/{of_what}/{angles}".encode()))
        return GeneratorDraws(source)


def pass_over_render(generator: GeneratorParts, draws: Draws) -> None:
    """Draw what one render of one view draws, with backbone noise, and forget it (spec/generator.md §5.9)."""
    expected, sampling = generator.expected(), generator.sampling()
    noise = Noise("random", draws, "backbone.synthesis.")
    for _, block in generator.backbone.synthesis.blocks():
        block.noises(noise.below(f"b{block.resolution}"), 1)
    somewhere = torch.ones(1, expected.render_size**2, 3, device=expected.device)
    draw_rays(Rays(somewhere, somewhere), sampling, expected.box_warp, draws)
    generator.pass_over_pictures(draws, 1)
