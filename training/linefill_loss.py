"""The losses of the line filler's two alternating training steps.

Source: spec/linefill.md §6.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from _exchange.protocol import Way
from training.linefill_networks import LineFiller

LABEL_SMOOTHING = 0.8


@dataclass(frozen=True, eq=False)
class LinePatches:
    """Pairs of patches; in axis 1 the illustration comes first (label 0) and the render second (label 1).

    Attributes:
        image: (B, 2, 3, S, S) RGB in [0, 1].
        line_mask: (B, 2, 1, S, S) pixels to repaint, 0 or 1.
        face_hull: (B, 2, 1, S, S) protected pixels, 0 or 1.
    """

    image: Tensor
    line_mask: Tensor
    face_hull: Tensor


@dataclass(frozen=True, eq=False)
class LineFillLosses:
    """Means over the patches of a batch, scalars.

    Attributes:
        l1: mean |repainted − given| over all pixels and channels.
        adversarial: binary cross-entropy of the critic's logits against the smoothed labels.
    """

    l1: Tensor
    adversarial: Tensor

    @property
    def total(self) -> Tensor:
        """The sum, which is minimised."""
        return self.l1 + self.adversarial


def label_targets(labels: Tensor, smoothing: Way) -> Tensor:
    """What the critic should answer for labels 0 and 1: 0.4 and 1.2 in `paper`, 0.1 and 0.9 in `corrected`.

    A target of 1.2 has no best answer: logits of renders are pushed up for ever.
    """
    floor = LABEL_SMOOTHING / 2 if smoothing == "paper" else (1 - LABEL_SMOOTHING) / 2
    return labels * LABEL_SMOOTHING + floor


def generator_losses(model: LineFiller, patches: LinePatches, smoothing: Way) -> LineFillLosses:
    """Losses of repainted illustrations that should pass for renders.

    Only the generator's parameters are to be changed by them; in training mode the batch statistics of both networks
    are updated.
    """
    image, mask, hull = patches.image[:, 0], patches.line_mask[:, 0], patches.face_hull[:, 0]
    painted = model(image, mask, hull)
    labels = torch.ones(len(image), device=image.device)
    return _losses(model, image, painted, hull, label_targets(labels, smoothing))


def discriminator_losses(model: LineFiller, patches: LinePatches, smoothing: Way) -> LineFillLosses:
    """Losses of telling repainted illustrations from repainted renders.

    Both kinds pass through the generator, in one batch (illustration 0, render 0, illustration 1, …). No gradient
    reaches the generator, so `l1` is a constant; in training mode the batch statistics of both are updated.
    """
    image, mask, hull = (part.flatten(0, 1) for part in (patches.image, patches.line_mask, patches.face_hull))
    with torch.no_grad():
        painted = model(image, mask, hull)
    labels = torch.tensor([0.0, 1.0], device=image.device).repeat(len(patches.image))
    return _losses(model, image, painted, hull, label_targets(labels, smoothing))


def _losses(model: LineFiller, image: Tensor, painted: Tensor, hull: Tensor, targets: Tensor) -> LineFillLosses:
    adversarial = functional.binary_cross_entropy_with_logits(model.logits(painted, hull), targets)
    return LineFillLosses((painted - image).abs().mean(), adversarial)
