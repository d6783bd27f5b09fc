"""The backbone: from styles, conditions and noise to the image whose channels are planes (spec/generator.md §2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from _exchange.errors import InputError
from training.blocks import BlockOptions, SynthesisBlock
from training.conditioning import CHONK_RESOLUTION, CondMode, condition_features, conditions_of, inject_front
from training.layers import Noise, channels_at, is_whole, require_counts, require_known, require_power_of_two
from training.mapping import MAPPING_OPTIONS, MappingNetwork

FIRST_RESOLUTION = 4
LevelObserver = Callable[[int, Tensor, Tensor], None]
"""Called with the number of a level, its features (B, C, r, r) and image (B, K, r, r), both after the conditioning."""


class SynthesisNetwork(nn.Module):
    """Blocks of 4, 8, … up to the resolution of the planes, with image conditions between them.

    Args:
        w_dim: width of a style.
        img_resolution: side R of a plane, a power of two from 4 to 1024.
        img_channels: K, channels of all planes.
        cond_mode: flags of `CondMode`.
        channel_base: channels of a block times its resolution.
        channel_max: limit of that.
        num_fp16_res: so many of the highest resolutions run in half precision on CUDA.
        block_options: see `BlockOptions`.

    Raises:
        InputError: values that no network can have.
    """

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        cond_mode: str,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 4,
        **block_options: Any,
    ) -> None:
        super().__init__()
        img_resolution = require_power_of_two("the resolution of the backbone", img_resolution, FIRST_RESOLUTION, 1024)
        require_counts(w_dim=w_dim, img_channels=img_channels)
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.cond_mode = CondMode.parse(cond_mode)
        self.resolutions = [1 << power for power in range(2, img_resolution.bit_length())]
        self.num_ws = 2 * len(self.resolutions)
        channels = {r: channels_at(r, channel_base, channel_max) for r in self.resolutions}
        _require_room(self.cond_mode, channels, img_channels)
        options = block_options_from(block_options)
        first_fp16 = fp16_resolution(img_resolution, num_fp16_res)
        for r in self.resolutions:
            block = SynthesisBlock(
                0 if r == FIRST_RESOLUTION else channels[r // 2],
                channels[r],
                w_dim,
                resolution=r,
                img_channels=img_channels,
                options=options,
                use_fp16=r >= first_fp16,
            )
            self.add_module(f"b{r}", block)

    def blocks(self) -> Iterator[tuple[int, SynthesisBlock]]:
        """(level, block) from the lowest resolution."""
        for level, r in enumerate(self.resolutions):
            block = self.get_submodule(f"b{r}")
            assert isinstance(block, SynthesisBlock)
            yield level, block

    def styles_of(self, level: int, ws: Tensor) -> tuple[Tensor, ...]:
        """The styles of a block, each (B, w_dim): its image shares one with the next block's first convolution."""
        return ws[:, :2].unbind(1) if level == 0 else ws[:, 2 * level - 1 : 2 * level + 2].unbind(1)

    def check_call(self, ws: Tensor, injection: Mapping[str, Tensor] | None, stop_level: int | None) -> None:
        """Refuse styles, injections and levels that this network does not have.

        Raises:
            InputError: naming what was expected.
        """
        if ws.ndim != 3 or len(ws) == 0 or ws.shape[1:] != (self.num_ws, self.w_dim):
            raise InputError(f"Expected styles of shape (B, {self.num_ws}, {self.w_dim}), found {tuple(ws.shape)}.")
        levels = range(len(self.resolutions))
        known = {"dw", "dws", *(f"{kind}_{level}" for kind in ("da", "db") for level in levels)}
        unknown = [key for key in injection or {} if key not in known]
        if unknown:
            raise InputError(f"Expected latent_injection with keys out of {', '.join(sorted(known))}, found {unknown}.")
        if stop_level is not None and stop_level not in levels:
            raise InputError(f"Expected stop_level from 0 to {levels[-1]}, or None, found {stop_level}.")

    def forward(
        self,
        ws: Tensor,
        cond: Mapping[str, Tensor] | None,
        noise: Noise,
        latent_injection: Mapping[str, Tensor] | None = None,
        stop_level: int | None = None,
        *,
        levels: LevelObserver | None = None,
    ) -> Tensor:
        """The plane image.

        Args:
            ws: (B, num_ws, w_dim) float32.
            cond: images of the `cond_mode`, see `training.conditioning`.
            noise: with the prefix of this network, ``backbone.synthesis.``.
            latent_injection: ``da_<level>`` is added to the features, ``db_<level>`` to the image of a level; others,
                ``dw`` and ``dws``, belong to the styles and are passed over here.
            stop_level: the image of this level, upsampled, is the result; the noise of later levels is drawn still.
            levels: called after the conditioning of every level up to `stop_level`.

        Returns:
            (B, K, R, R) float32.

        Raises:
            InputError: styles, conditions or injections that do not fit.
        """
        self.check_call(ws, latent_injection, stop_level)
        ws, injection = ws.to(torch.float32), latent_injection or {}
        conditions = conditions_of(self.cond_mode, cond, ws.shape[0], ws.device)
        x = img = stopped = None
        for level, block in self.blocks():
            within = noise.below(f"b{block.resolution}")
            if stopped is not None:
                block.noises(within, ws.shape[0])
                stopped = block.upsampled(stopped)
                continue
            x, img = block(x, img, self.styles_of(level, ws), within)
            x = condition_features(self.cond_mode, conditions, x)
            if block.resolution == self.img_resolution:
                img = inject_front(self.cond_mode, conditions, img)
            if levels is not None:
                levels(level, x, img)
            if level == stop_level:
                stopped = img
            x = _injected(x, injection, f"da_{level}")
            img = _injected(img, injection, f"db_{level}")
        result = img if stopped is None else stopped
        assert result is not None
        return result


class Backbone(nn.Module):
    """Synthesis and mapping network of the planes.

    Args:
        z_dim: width of a latent.
        c_dim: width of a label, the ``resnetcond`` entries included.
        w_dim: width of a style.
        img_resolution: side of a plane.
        img_channels: channels of all planes.
        cond_mode: flags of `CondMode`.
        mapping_kwargs: options of `MappingNetwork`.
        synthesis_kwargs: options of `SynthesisNetwork`.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        *,
        img_resolution: int,
        img_channels: int,
        cond_mode: str,
        mapping_kwargs: Mapping[str, Any],
        **synthesis_kwargs: Any,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        require_known("mapping_kwargs", mapping_kwargs, MAPPING_OPTIONS)
        self.synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, cond_mode, **synthesis_kwargs)
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, self.num_ws, **mapping_kwargs)


def block_options_from(options: Mapping[str, Any]) -> BlockOptions:
    """`BlockOptions` of keyword arguments.

    Raises:
        InputError: an option that blocks do not have.
    """
    require_known("options of blocks", options, BlockOptions.__dataclass_fields__)
    return BlockOptions(**options)


def fp16_resolution(img_resolution: int, num_fp16_res: int) -> int:
    """The lowest resolution that runs in half precision on CUDA."""
    if not is_whole(num_fp16_res) or num_fp16_res < 0:
        raise InputError(f"Expected num_fp16_res to be a whole number of at least 0, found {num_fp16_res}.")
    return max(2 * img_resolution >> int(num_fp16_res), 8)


def _injected(x: Tensor, injection: Mapping[str, Tensor], key: str) -> Tensor:
    """x (B, C, r, r) and what is injected under this key, if anything is."""
    if key not in injection:
        return x
    added = injection[key]
    if not isinstance(added, Tensor) or not _broadcasts(added.shape, x.shape):
        found = tuple(added.shape) if isinstance(added, Tensor) else type(added).__name__
        raise InputError(
            f"Expected latent_injection {key} of shape {tuple(x.shape)}, or 1 for a number, found {found}."
        )
    return x + added


def _broadcasts(shape: torch.Size, wanted: torch.Size) -> bool:
    """Whether a tensor of this shape can be added to one of the other, leaving its shape."""
    extra = len(wanted) - len(shape)
    return extra >= 0 and all(n in {1, m} for n, m in zip(shape, wanted[extra:], strict=True))


def _require_room(mode: CondMode, channels: Mapping[int, int], img_channels: int) -> None:
    """Conditions replace or fill channels, which must be there."""
    if mode.concatfront and min(channels.values()) < 3:
        raise InputError(
            f"Expected at least 3 channels in every block for concatfront, found {min(channels.values())}."
        )
    if mode.injects and img_channels < 3:
        raise InputError(f"Expected at least 3 plane channels for inj_6b_4, found {img_channels}.")
    room = channels.get(CHONK_RESOLUTION, mode.reschonk_add)
    if mode.reschonk_add > room:
        raise InputError(
            f"Expected reschonk_add of at most {room}, the channels at resolution 8, found {mode.reschonk_add}."
        )
