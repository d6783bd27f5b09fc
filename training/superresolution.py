"""From the rendered features to the final image (spec/generator.md §6.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from _exchange.errors import InputError
from torch_utils.ops.resize import bilinear, bilinear_antialiased
from training.blocks import SynthesisBlock
from training.layers import Noise, is_whole, require_counts, require_power_of_two
from training.synthesis import block_options_from

GROWTH = 4
CLAMP = 256


class SuperresolutionHybrid8XDC(nn.Module):
    """Two upsampling blocks from a feature image to an image four times as large.

    The published module makes 512 pixels from 128. Other sizes keep its shape: input of a quarter of the output, the
    same two blocks and widths, so that only the buffers of constant noise differ between sizes.

    Args:
        channels: channels of the feature image.
        img_resolution: side of the final image, a power of two from 64 to 1024.
        sr_num_fp16_res: above 0 the blocks run in half precision on CUDA, and clamp at 256 everywhere.
        sr_antialias: low-pass the feature image where it is larger than the input of the blocks.
        channels_hidden: channels after the first block; after the second half as many.
        w_dim: width of a style.
        img_channels: channels of the final image, the first of the feature image.
        num_fp16_res, conv_clamp, channel_base, channel_max: found in checkpoints, without effect.
        block_options: other options of `training.blocks.BlockOptions`.

    Raises:
        InputError: values that no module can have.
    """

    def __init__(
        self,
        channels: int,
        img_resolution: int,
        *,
        sr_num_fp16_res: int,
        sr_antialias: bool,
        channels_hidden: int = 256,
        w_dim: int = 512,
        img_channels: int = 3,
        num_fp16_res: int | None = None,  # noqa: ARG002
        conv_clamp: float | None = None,  # noqa: ARG002
        channel_base: int | None = None,  # noqa: ARG002
        channel_max: int | None = None,  # noqa: ARG002
        **block_options: Any,
    ) -> None:
        super().__init__()
        img_resolution = require_power_of_two("img_resolution", img_resolution, 64, 1024)
        require_counts(channels=channels, w_dim=w_dim, img_channels=img_channels)
        if not is_whole(channels_hidden) or channels_hidden < 2:
            raise InputError(
                f"Expected sr_channels_hidden of at least 2, as the last block has half of it, found {channels_hidden}."
            )
        if not is_whole(sr_num_fp16_res):
            raise InputError(f"Expected sr_num_fp16_res to be a whole number, found {sr_num_fp16_res!r:.80}.")
        half = sr_num_fp16_res > 0
        options = block_options_from({**block_options, "conv_clamp": CLAMP if half else None})
        self.img_resolution, self.input_resolution = img_resolution, img_resolution // GROWTH
        self.w_dim, self.channels, self.img_channels, self.sr_antialias = w_dim, channels, img_channels, sr_antialias
        widths = (channels, channels_hidden, channels_hidden // 2)
        for index in range(2):
            block = SynthesisBlock(
                widths[index],
                widths[index + 1],
                w_dim,
                resolution=self.input_resolution << (index + 1),
                img_channels=img_channels,
                options=options,
                use_fp16=half,
            )
            self.add_module(f"block{index}", block)

    def blocks(self) -> Iterator[SynthesisBlock]:
        """The two blocks, the smaller first."""
        for index in range(2):
            block = self.get_submodule(f"block{index}")
            assert isinstance(block, SynthesisBlock)
            yield block

    def resized(self, image: Tensor) -> Tensor:
        """(B, ·, r, r) at the size that the first block takes, float32."""
        image = image.to(torch.float32)
        if image.shape[-1] == self.input_resolution:
            return image
        return (bilinear_antialiased if self.sr_antialias else bilinear)(image, self.input_resolution)

    def check_styles(self, ws: Tensor, batch: int) -> None:
        """Refuse styles that are not (batch, n, w_dim).

        Raises:
            InputError: naming what was expected.
        """
        if ws.ndim != 3 or ws.shape[0] != batch or ws.shape[1] == 0 or ws.shape[2] != self.w_dim:
            raise InputError(f"Expected styles of shape ({batch}, n, {self.w_dim}), found {tuple(ws.shape)}.")

    def check_call(self, rgb: Tensor, x: Tensor, ws: Tensor) -> None:
        """Refuse shapes that do not fit.

        Raises:
            InputError: naming what was expected.
        """
        size = x.shape[-1]
        if x.shape[1:] != (self.channels, size, size) or rgb.shape != (len(x), self.img_channels, size, size):
            raise InputError(
                f"Expected square images (B, {self.img_channels}, r, r) and (B, {self.channels}, r, r), "
                f"found {tuple(rgb.shape)} and {tuple(x.shape)}."
            )
        self.check_styles(ws, len(x))

    def forward(self, rgb: Tensor, x: Tensor, ws: Tensor, noise: Noise) -> Tensor:
        """The final image.

        Args:
            rgb: (B, 3, r, r) float32, nominally in [-1, 1].
            x: (B, channels, r, r) float32 feature image.
            ws: (B, n, w_dim) styles, of which the last is used.
            noise: with the prefix of this module, ``superresolution.``.

        Returns:
            (B, 3, img_resolution, img_resolution) float32, nominally in [-1, 1], not clipped.

        Raises:
            InputError: shapes that do not fit.
        """
        self.check_call(rgb, x, ws)
        styles = [ws[:, -1]] * 3
        x, rgb = self.resized(x), self.resized(rgb)
        for index, block in enumerate(self.blocks()):
            x, rgb = block(x, rgb, styles, noise.below(f"block{index}"))
        return rgb
