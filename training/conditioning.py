"""How image conditions enter the backbone (spec/generator.md §2.5).

A condition mode is a text of flags between dots. The images: ``image_ortho_front`` (B, 3, H, W) floats in [0, 1], white
background, first row on top; ``resnet_chonk`` (B, ≥ n, 8, 8) floats; ``resnet_feats`` (B, ≥ n) floats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from _exchange.errors import InputError
from torch_utils.ops.resize import bilinear

PLAIN_FLAGS = ("ortho_front", "cond_img_norm_4", "concatfront", "crossavg_4", "inj_6b_4")
COUNTED_FLAGS = ("reschonk_add", "resnetcond")
CHONK_RESOLUTION = 8
INJECTION_GAIN = 4.0


@dataclass(frozen=True)
class CondMode:
    """What conditions a network uses.

    Attributes:
        ortho_front: the mode begins with ``ortho_front.``; the front image acts only then.
        image_gain: factor of the front image after the change to [-1, 1]: 4 with ``cond_img_norm_4``, otherwise 1.
        concatfront: the front image replaces the last 3 channels after every block but that of resolution 8.
        crossavg: two eighths of the channels become means over rows and columns, likewise.
        injects: the front image is added to the first 3 plane channels (``inj_6b_4``).
        reschonk_add: so many channels of ``resnet_chonk`` are added after the block of resolution 8; 0: none.
        resnetcond: so many entries of ``resnet_feats`` lengthen the label, in G and in D; 0: none.
    """

    ortho_front: bool = False
    image_gain: float = 1.0
    concatfront: bool = False
    crossavg: bool = False
    injects: bool = False
    reschonk_add: int = 0
    resnetcond: int = 0

    @classmethod
    def parse(cls, text: str) -> CondMode:
        """Read a mode, e.g. ``ortho_front.cond_img_norm_4.concatfront``; ``none`` is no condition at all.

        Raises:
            InputError: an unknown flag, two numbers for the same flag, or no text.
        """
        known = f"{', '.join(PLAIN_FLAGS)}, {', '.join(f'{flag}_<n>' for flag in COUNTED_FLAGS)}"
        if not isinstance(text, str):
            raise InputError(f"Expected cond_mode as text, 'none' for no conditions, found {text!r:.80}.")
        if text == "none":
            return cls()
        flags, counts = set(), dict.fromkeys(COUNTED_FLAGS, 0)
        for flag in text.split("."):
            counted = re.fullmatch(rf"({'|'.join(COUNTED_FLAGS)})_([1-9][0-9]{{0,5}})", flag)
            if counted:
                if counts[counted[1]] not in {0, int(counted[2])}:
                    raise InputError(f"Expected one number for {counted[1]} in cond_mode, found {text!r:.200}.")
                counts[counted[1]] = int(counted[2])
            elif flag in PLAIN_FLAGS:
                flags.add(flag)
            else:
                raise InputError(f"Expected flags of cond_mode out of {known}, or 'none' alone, found {flag!r:.80}.")
        front = text.startswith("ortho_front.")
        return cls(
            ortho_front=front,
            image_gain=4.0 if "cond_img_norm_4" in flags else 1.0,
            concatfront=front and "concatfront" in flags,
            crossavg="crossavg_4" in flags,
            injects=front and "inj_6b_4" in flags,
            **counts,
        )


@dataclass(frozen=True, eq=False)
class Conditions:
    """Checked conditions of a batch, as the blocks use them; None where the mode does not ask for it.

    Attributes:
        front: (B, 3, H, W) float32 in [-1, 1], flipped so that rows grow with world y.
        chonk: (B, n, 8, 8) float32.
    """

    front: Tensor | None
    chonk: Tensor | None

    def of_sample(self, index: int) -> Conditions:
        """Those of one sample, as a batch of one."""
        return Conditions(*(None if x is None else x[index : index + 1] for x in (self.front, self.chonk)))


def flipped_and_normalised(image: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 1] to [-1, 1], upside down."""
    return 2 * image.flip(2) - 1


def condition(cond: Mapping[str, Tensor] | None, key: str, shape: str, batch: int, device: torch.device) -> Tensor:
    """The condition of this name as float32.

    Raises:
        InputError: it is missing, holds integers or numbers that are not finite, or is for another batch.
    """
    found = sorted(cond) if cond else []
    if not cond or key not in cond:
        raise InputError(f"Expected a condition {key} {shape}, found {', '.join(found) or 'no conditions'}.")
    value = cond[key]
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise InputError(f"Expected condition {key} as a tensor of floats, found {kind}.")
    if value.ndim != shape.count(",") + 1 or value.shape[0] != batch:
        raise InputError(f"Expected condition {key} of shape {shape} with B = {batch}, found {tuple(value.shape)}.")
    value = value.to(device, torch.float32)
    if not torch.isfinite(value).all():
        raise InputError(f"Expected finite numbers in condition {key}, found NaN or infinity.")
    return value


def conditions_of(
    mode: CondMode, cond: Mapping[str, Tensor] | None, batch: int, device: torch.device | str
) -> Conditions:
    """Check what the mode asks for, and bring it into the form that the blocks use.

    Raises:
        InputError: see `condition`; also an image without three channels or a feature map too small.
    """
    device = torch.device(device)
    front = chonk = None
    if mode.concatfront or mode.injects:
        image = condition(cond, "image_ortho_front", "(B, 3, H, W)", batch, device)
        if image.shape[1] != 3 or 0 in image.shape:
            raise InputError(f"Expected condition image_ortho_front of shape (B, 3, H, W), found {tuple(image.shape)}.")
        front = flipped_and_normalised(image)
    if mode.reschonk_add:
        chonk = condition(cond, "resnet_chonk", "(B, C, 8, 8)", batch, device)
        if chonk.shape[1] < mode.reschonk_add or chonk.shape[2:] != (CHONK_RESOLUTION, CHONK_RESOLUTION):
            raise InputError(
                f"Expected condition resnet_chonk of shape (B, at least {mode.reschonk_add}, 8, 8), "
                f"found {tuple(chonk.shape)}."
            )
        chonk = chonk[:, : mode.reschonk_add]
    return Conditions(front, chonk)


def lengthened_label(mode: CondMode, c: Tensor, cond: Mapping[str, Tensor] | None) -> Tensor:
    """(B, c_dim) labels followed by the first entries of ``resnet_feats`` where the mode asks for them."""
    if not mode.resnetcond:
        return c
    feats = condition(cond, "resnet_feats", "(B, C)", c.shape[0], c.device)
    if feats.shape[1] < mode.resnetcond:
        raise InputError(
            f"Expected condition resnet_feats of shape (B, at least {mode.resnetcond}), found {tuple(feats.shape)}."
        )
    return torch.cat([c, feats[:, : mode.resnetcond].to(c.dtype)], dim=1)


def concatenate_front(x: Tensor, front: Tensor) -> Tensor:
    """x with its last 3 channels replaced by the front image, both (B, ·, r, r)."""
    return torch.cat([x[:, :-3], front.to(x.dtype)], dim=1)


def cross_average(x: Tensor) -> Tensor:
    """x with the first eighth of its channels averaged over the width, the second over the height."""
    eighth = x.shape[1] // 8
    over_width = x[:, :eighth].mean(dim=3, keepdim=True).expand_as(x[:, :eighth])
    over_height = x[:, eighth : 2 * eighth].mean(dim=2, keepdim=True).expand_as(x[:, eighth : 2 * eighth])
    return torch.cat([over_width, over_height, x[:, 2 * eighth :]], dim=1)


def add_to_first(x: Tensor, added: Tensor) -> Tensor:
    """x with `added` (B, n, r, r) added to its first n channels."""
    count = added.shape[1]
    return torch.cat([x[:, :count] + added.to(x.dtype), x[:, count:]], dim=1)


def condition_features(mode: CondMode, conditions: Conditions, x: Tensor) -> Tensor:
    """Features (B, C, r, r) of a block after its conditioning."""
    resolution = x.shape[-1]
    if resolution == CHONK_RESOLUTION and mode.reschonk_add and conditions.chonk is not None:
        return add_to_first(x, conditions.chonk)
    if mode.concatfront and conditions.front is not None:
        x = concatenate_front(x, mode.image_gain * bilinear(conditions.front, resolution))
    return cross_average(x) if mode.crossavg else x


def inject_front(mode: CondMode, conditions: Conditions, img: Tensor) -> Tensor:
    """Plane images (B, K, R, R) of the last block after the injection of the front image."""
    resolution = img.shape[-1]
    suppressed = resolution == CHONK_RESOLUTION and mode.reschonk_add
    if not mode.injects or conditions.front is None or suppressed:
        return img
    return add_to_first(img, INJECTION_GAIN * bilinear(conditions.front, resolution))
