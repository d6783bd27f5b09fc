"""The discriminator of the training: sees the final image and the raw render together (spec/generator.md §1.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from _exchange.errors import InputError
from torch_utils.determinism import Draws
from torch_utils.ops.resize import bilinear_antialiased
from torch_utils.ops.upfirdn2d import setup_filter
from training.conditioning import CondMode, lengthened_label
from training.layers import (
    FILTER,
    Conv2dLayer,
    FullyConnectedLayer,
    channels_at,
    require_counts,
    require_known,
    require_number,
    require_power_of_two,
)
from training.mapping import MAPPING_OPTIONS, MappingNetwork
from training.synthesis import fp16_resolution

LAST_RESOLUTION = 4
SKIP_GAIN = math.sqrt(0.5)
BLOCK_OPTIONS = ("freeze_layers", "activation", "resample_filter", "fp16_channels_last")
EPILOGUE_OPTIONS = ("mbstd_group_size", "mbstd_num_channels", "activation")


def minibatch_std(x: Tensor, group_size: int | None, num_channels: int) -> Tensor:
    """x with the spread within groups of samples as further channels.

    Args:
        x: (B, C, H, W).
        group_size: samples of a group, at most B; None: the whole batch. Sample j goes with j + B / G, j + 2 B / G, ….
        num_channels: F channels, each the mean over C / F channels and all pixels.

    Returns:
        (B, C + F, H, W).

    Raises:
        InputError: the groups do not divide the batch, or the channels C.
    """
    batch, channels, height, width = x.shape
    size = batch if group_size is None else min(group_size, batch)
    if batch % size:
        raise InputError(f"Expected a batch that groups of {size} (mbstd_group_size) divide, found {batch}.")
    if channels % num_channels:
        raise InputError(f"Expected channels that mbstd_num_channels {num_channels} divides, found {channels}.")
    groups = x.reshape(size, -1, num_channels, channels // num_channels, height, width)
    spread = ((groups - groups.mean(dim=0)).square().mean(dim=0) + 1e-8).sqrt().mean(dim=[2, 3, 4])
    tiled = spread.repeat(size, 1)[:, :, None, None].expand(-1, -1, height, width)
    return torch.cat([x, tiled], dim=1)


class MinibatchStdLayer(nn.Module):
    """`minibatch_std` as a layer."""

    def __init__(self, group_size: int | None, num_channels: int) -> None:
        super().__init__()
        require_counts(mbstd_num_channels=num_channels, mbstd_group_size=1 if group_size is None else group_size)
        self.group_size, self.num_channels = group_size, num_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C + F, H, W)."""
        return minibatch_std(x, self.group_size, self.num_channels)


class DiscriminatorBlock(nn.Module):
    """A residual block that halves the size: (B, C(r), r, r) to (B, C(r / 2), r / 2, r / 2).

    Args:
        img_channels: channels of the image that the block starts from; 0: it takes features.
        channels: C(r).
        out_channels: C(r / 2).
        first_layer: number of its first convolution among those of all blocks.
        freeze_layers: convolutions of smaller number are not trained.
        use_fp16: run in half precision on CUDA.
        fp16_channels_last: memory layout then.
        activation: of the convolutions but the skip.
        resample_filter: taps.
        conv_clamp: limit of the results of convolutions; None: none.
    """

    def __init__(
        self,
        img_channels: int,
        channels: int,
        out_channels: int,
        *,
        first_layer: int,
        freeze_layers: int,
        use_fp16: bool,
        fp16_channels_last: bool,
        activation: str,
        resample_filter: Sequence[float],
        conv_clamp: float | None,
    ) -> None:
        super().__init__()
        self.use_fp16, self.fp16_channels_last = use_fp16, fp16_channels_last
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        active = {"activation": activation, "conv_clamp": conv_clamp}
        rows: list[tuple[str, int, int, int, dict[str, Any]]] = [
            ("conv0", channels, channels, 3, active),
            ("conv1", channels, out_channels, 3, {**active, "down": 2}),
            ("skip", channels, out_channels, 1, {"bias": False, "down": 2}),
        ]
        if img_channels:
            rows.insert(0, ("fromrgb", img_channels, channels, 1, active))
        self.layers = len(rows)
        for index, (name, before, after, kernel_size, options) in enumerate(rows):
            trainable = first_layer + index >= freeze_layers
            layer = Conv2dLayer(
                before, after, kernel_size, resample_filter=resample_filter, trainable=trainable, **options
            )
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """One block; on CUDA in half precision where it is meant to."""
        half = self.use_fp16 and x.device.type == "cuda"
        channels_last = half and self.fp16_channels_last
        x = x.to(
            dtype=torch.float16 if half else torch.float32,
            memory_format=torch.channels_last if channels_last else torch.contiguous_format,
        )
        if "fromrgb" in self._modules:
            x = self.get_submodule("fromrgb")(x)
        y = self.get_submodule("skip")(x, gain=SKIP_GAIN)
        return y + self.get_submodule("conv1")(self.get_submodule("conv0")(x), gain=SKIP_GAIN)


class DiscriminatorEpilogue(nn.Module):
    """From the features of 4 × 4 pixels to one logit: (B, C, 4, 4) and label embeddings to (B, 1)."""

    def __init__(
        self,
        channels: int,
        cmap_dim: int,
        *,
        conv_clamp: float | None,
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
        activation: str = "lrelu",
    ) -> None:
        super().__init__()
        self.cmap_dim = cmap_dim
        if mbstd_num_channels:
            self.mbstd = MinibatchStdLayer(mbstd_group_size, mbstd_num_channels)
        self.conv = Conv2dLayer(
            channels + mbstd_num_channels, channels, 3, activation=activation, conv_clamp=conv_clamp
        )
        self.fc = FullyConnectedLayer(channels * LAST_RESOLUTION**2, channels, activation=activation)
        self.out = FullyConnectedLayer(channels, cmap_dim or 1)

    def forward(self, x: Tensor, cmap: Tensor | None) -> Tensor:
        """Logits; `cmap` (B, cmap_dim) is None where there are no labels."""
        x = x.to(dtype=torch.float32, memory_format=torch.contiguous_format)
        if "mbstd" in self._modules:
            x = self.mbstd(x)
        x = self.out(self.fc(self.conv(x).flatten(1)))
        return x if cmap is None else (x * cmap).sum(dim=1, keepdim=True) / math.sqrt(self.cmap_dim)


class DualDiscriminator(nn.Module):
    """Realness of a pair of images, given a camera label.

    Args:
        c_dim: width of a label; 0: there is none.
        img_resolution: side of the final image, a power of two from 64 to 1024.
        img_channels: channels of each image of the pair.
        cond_mode: flags of `CondMode`; only ``resnetcond`` acts.
        channel_base: channels of a block times its resolution.
        channel_max: limit of that.
        num_fp16_res: so many of the highest resolutions run in half precision on CUDA.
        conv_clamp: limit of the results of convolutions; None: none.
        cmap_dim: width of the label embedding; None: the channels of the last block. Without labels always 0.
        disc_c_noise: noise on labels, in standard deviations of each component over the batch.
        architecture: ``resnet``, the only one there is.
        block_kwargs: ``freeze_layers``, ``activation``, ``resample_filter``, ``fp16_channels_last``.
        mapping_kwargs: options of `MappingNetwork`.
        epilogue_kwargs: ``mbstd_group_size``, ``mbstd_num_channels``, ``activation``.

    Raises:
        InputError: values that no network can have.
    """

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        cond_mode: str,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 4,
        conv_clamp: float | None = 256,
        cmap_dim: int | None = None,
        disc_c_noise: float = 0,
        architecture: str = "resnet",
        block_kwargs: Mapping[str, Any] | None = None,
        mapping_kwargs: Mapping[str, Any] | None = None,
        epilogue_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        img_resolution = require_power_of_two("img_resolution", img_resolution, 64, 1024)
        require_counts(img_channels=img_channels)
        if architecture != "resnet":
            raise InputError(f"Expected architecture 'resnet', the only one there is, found {architecture!r}.")
        require_number("disc_c_noise", disc_c_noise)
        require_number("c_dim", c_dim)
        if conv_clamp is not None:
            require_number("conv_clamp", conv_clamp)
        require_known("block_kwargs", block_kwargs or {}, BLOCK_OPTIONS)
        require_known("mapping_kwargs", mapping_kwargs or {}, MAPPING_OPTIONS)
        require_known("epilogue_kwargs", epilogue_kwargs or {}, EPILOGUE_OPTIONS)
        self.c_dim, self.img_resolution, self.img_channels = c_dim, img_resolution, img_channels
        self.cond_mode, self.disc_c_noise = CondMode.parse(cond_mode), disc_c_noise
        self.resolutions = [1 << power for power in range(img_resolution.bit_length() - 1, 2, -1)]
        channels = {r: channels_at(r, channel_base, channel_max) for r in [*self.resolutions, LAST_RESOLUTION]}
        self.register_buffer("resample_filter", setup_filter(FILTER))
        self._add_blocks(channels, fp16_resolution(img_resolution, num_fp16_res), conv_clamp, **(block_kwargs or {}))
        if c_dim == 0:
            cmap_dim = 0
        elif cmap_dim is None:
            cmap_dim = channels[LAST_RESOLUTION]
        if c_dim > 0:
            options = {**(mapping_kwargs or {}), "w_avg_beta": None}
            self.mapping = MappingNetwork(0, c_dim + self.cond_mode.resnetcond, cmap_dim, None, **options)
        self.b4 = DiscriminatorEpilogue(
            channels[LAST_RESOLUTION], cmap_dim, conv_clamp=conv_clamp, **(epilogue_kwargs or {})
        )

    def _add_blocks(
        self,
        channels: Mapping[int, int],
        first_fp16: int,
        conv_clamp: float | None,
        *,
        freeze_layers: int = 0,
        activation: str = "lrelu",
        resample_filter: Sequence[float] = FILTER,
        fp16_channels_last: bool = False,
    ) -> None:
        require_number("freeze_layers", freeze_layers)
        first_layer = 0
        for r in self.resolutions:
            block = DiscriminatorBlock(
                2 * self.img_channels if r == self.img_resolution else 0,
                channels[r],
                channels[r // 2],
                first_layer=first_layer,
                freeze_layers=freeze_layers,
                use_fp16=r >= first_fp16,
                fp16_channels_last=fp16_channels_last,
                activation=activation,
                resample_filter=resample_filter,
                conv_clamp=conv_clamp,
            )
            self.add_module(f"b{r}", block)
            first_layer += block.layers

    def _pair(self, images: Mapping[str, Tensor]) -> Tensor:
        """(B, 2 · channels, R, R): the final image and the raw one at its size."""
        missing = [key for key in ("image", "image_raw") if key not in images]
        if missing:
            raise InputError(f"Expected images 'image' and 'image_raw', found no {' and no '.join(missing)}.")
        image, raw = images["image"], images["image_raw"]
        if not (image.is_floating_point() and raw.is_floating_point()):
            raise InputError(f"Expected images of floats in [-1, 1], found {image.dtype} and {raw.dtype}.")
        size = self.img_resolution
        if image.ndim != 4 or len(image) == 0 or image.shape[1:] != (self.img_channels, size, size):
            raise InputError(
                f"Expected image of shape (B, {self.img_channels}, {size}, {size}), found {tuple(image.shape)}."
            )
        if raw.ndim != 4 or raw.shape[:2] != image.shape[:2] or 0 in raw.shape:
            raise InputError(
                f"Expected image_raw of shape {tuple(image.shape[:2])} + (r, r), found {tuple(raw.shape)}."
            )
        return torch.cat([image, bilinear_antialiased(raw, size)], dim=1)

    def _label(self, c: Tensor | None, batch: int, cond: Mapping[str, Tensor] | None, draws: Draws | None) -> Tensor:
        if c is None or c.shape != (batch, self.c_dim):
            found = "none" if c is None else f"shape {tuple(c.shape)}"
            raise InputError(f"Expected labels c of shape ({batch}, {self.c_dim}), found {found}.")
        if self.disc_c_noise > 0:
            if draws is None or batch < 2:
                raise InputError(
                    "Expected a source of random numbers and at least 2 samples for disc_c_noise, "
                    f"found {'none' if draws is None else 'one'} and {batch}."
                )
            c = c + draws.normal("disc_c_noise", c.shape, c.device) * c.std(dim=0) * self.disc_c_noise
        return lengthened_label(self.cond_mode, c, cond)

    def forward(
        self,
        images: Mapping[str, Tensor],
        c: Tensor | None,
        cond: Mapping[str, Tensor] | None = None,
        draws: Draws | None = None,
    ) -> Tensor:
        """Logits.

        Args:
            images: ``image`` (B, 3, R, R) and ``image_raw`` (B, 3, r, r), both float32 in [-1, 1].
            c: (B, c_dim) labels; None where c_dim is 0. Not written to.
            cond: ``resnet_feats`` where the mode asks for it.
            draws: source of the noise on labels.

        Returns:
            (B, 1) float32; larger is more real.

        Raises:
            InputError: missing or misshapen images, labels or conditions.
        """
        x = self._pair(images)
        for r in self.resolutions:
            x = self.get_submodule(f"b{r}")(x)
        cmap = None if self.c_dim == 0 else self.mapping(None, self._label(c, len(x), cond, draws))
        return self.b4(x, cmap)
