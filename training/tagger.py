"""The feature extractor: a tag classifier whose last feature map, reduced by a PCA, is added inside the generator.

Tensors are (B, C, H, W) float32, row 0 at the top of the picture. Source: spec/features.md §1–§3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from _exchange.errors import InputError
from torch_utils.checkpoint import Checkpoint
from training.feature_picture import SHORT_SIDE, feature_picture, resized_size
from training.resnet50 import CHANNELS, ResNet50
from training.state_dicts import load_checked, refuse_keys, shape_of

CHONK_CHANNELS = 512
"""Channels of the map that is added to the generator's 8 × 8 activations."""
MAP_SIDE = 8
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
_LAST_LAYER = "resnet.fc.weight"


@dataclass(frozen=True, eq=False)
class Pca:
    """A principal component analysis of pooled feature vectors.

    Attributes:
        components: (K, 2048) float32, one component per row, K ≥ 512.
        mean: (2048,) float32.

    Raises:
        InputError: another shape or kind of numbers, or numbers that are not finite.
    """

    components: NDArray[np.float32]
    mean: NDArray[np.float32]

    def __post_init__(self) -> None:
        rows = len(self.components) if self.components.ndim == 2 else 0
        if rows < CHONK_CHANNELS or self.components.shape[1] != CHANNELS or self.mean.shape != (CHANNELS,):
            raise InputError(
                f"Expected a PCA of at least {CHONK_CHANNELS} components of {CHANNELS} numbers and a mean of as many, "
                f"found shapes {self.components.shape} and {self.mean.shape}."
            )
        if self.components.dtype != np.float32 or self.mean.dtype != np.float32:
            raise InputError(f"Expected a PCA in float32, found {self.components.dtype} and {self.mean.dtype}.")
        if not (np.isfinite(self.components).all() and np.isfinite(self.mean).all()):
            raise InputError("Expected a PCA of finite numbers, found NaN or infinity.")


class Tagger(nn.Module):
    """The classifier and the PCA of its features; `state_dict` has the published names and leaves the PCA out.

    Args:
        resnet: the classifier.
        pca: fitted on pooled features.
    """

    components: Tensor
    mean: Tensor
    picture_mean: Tensor
    picture_deviation: Tensor

    def __init__(self, resnet: ResNet50, pca: Pca) -> None:
        super().__init__()
        self.resnet = resnet
        self.register_buffer("components", torch.tensor(pca.components), persistent=False)
        self.register_buffer("mean", torch.tensor(pca.mean), persistent=False)
        self.register_buffer("picture_mean", torch.tensor(MEAN), persistent=False)
        self.register_buffer("picture_deviation", torch.tensor(DEVIATION), persistent=False)

    def normalised(self, pictures: Tensor) -> Tensor:
        """(B, 3, h, w) in [0, 1] → what the network takes."""
        return (pictures - self.picture_mean[:, None, None]) / self.picture_deviation[:, None, None]

    def feature_map(self, pictures: Tensor) -> Tensor:
        """(B, 2048, h / 32, w / 32) features of (B, 3, h, w) pictures in [0, 1], sides rounded up."""
        return self.resnet.feature_map(self.normalised(pictures))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, classes) logits of (B, 3, h, w) pictures in [0, 1]; tags above 0 are predicted."""
        return self.resnet(self.normalised(pictures))

    def projected(self, features: Tensor, count: int) -> Tensor:
        """(B, 2048, …) features → (B, count, …) coordinates along the first components; not whitened."""
        centred = features.flatten(2) if features.ndim > 2 else features[..., None]
        coordinates = self.components[:count] @ (centred - self.mean[:, None])
        return coordinates.reshape(len(features), count, *features.shape[2:])

    def chonk(self, pictures: Tensor) -> Tensor:
        """(B, 512, h / 32, w / 32): the PCA coordinates at every position."""
        return self.projected(self.feature_map(pictures), CHONK_CHANNELS)

    def feats(self, pictures: Tensor, count: int) -> Tensor:
        """(B, count) PCA coordinates of the mean feature: the mean over the positions of `chonk`'s first channels."""
        return self.projected(self.feature_map(pictures).mean(dim=(2, 3)), count)


def tagger_from_state_dict(state_dict: Mapping[str, Tensor], pca: Pca) -> Tagger:
    """The feature extractor with these weights, in evaluation mode, float32 on the CPU.

    Args:
        state_dict: tensors named ``resnet.…``; the last layer says how many tags there are.
        pca: fitted on pooled features.

    Raises:
        InputError: tensors are missing, too many, misshapen or not finite; the sentence names them.
    """
    last = shape_of(state_dict.get(_LAST_LAYER))
    if last is None or last[1:] != (CHANNELS,) or last[0] < 1:
        raise InputError(
            f"Expected a tagger with {_LAST_LAYER} of shape (tags, {CHANNELS}), found {last or 'none'} "
            f"among {len(state_dict)} tensors."
        )
    with torch.device("meta"):
        resnet = ResNet50(last[0])
    tagger = Tagger(resnet, pca)
    load_checked(tagger, state_dict, "a tagger")
    return tagger.eval()


def pca_from_checkpoint(checkpoint: Checkpoint) -> Pca:
    """The PCA of a checkpoint file, from its tensors `components_` and `mean_`.

    Raises:
        InputError: they are missing, or as `Pca`.
        CheckpointError: the file has no main group of tensors.
    """
    tensors = checkpoint.main.state_dict
    refuse_keys("a PCA", "none of the tensors", [name for name in ("components_", "mean_") if name not in tensors])
    components, mean = tensors["components_"], tensors["mean_"]
    if {components.dtype, mean.dtype} != {torch.float32}:
        raise InputError(f"Expected a PCA in float32, found {components.dtype} and {mean.dtype}.")
    return Pca(components.numpy(), mean.numpy())


def tagger_from_checkpoints(weights: Checkpoint, pca: Checkpoint) -> Tagger:
    """The feature extractor of two checkpoint files; errors as `tagger_from_state_dict` and `pca_from_checkpoint`."""
    return tagger_from_state_dict(weights.main.state_dict, pca_from_checkpoint(pca))


@torch.no_grad()
def portrait_features(tagger: Tagger, rgba: NDArray[np.uint8]) -> Tensor:
    """(1, 512, 8, 8) float32 map of an aligned drawing with its lines, on the tagger's device; not flipped.

    Args:
        tagger: in evaluation mode.
        rgba: (H, W, 4) uint8, straight alpha, square: 512 × 512 in practice.

    Raises:
        InputError: no such picture, one that is not square, or the tagger is in training mode.
    """
    if tagger.training:
        raise InputError("Expected a tagger in evaluation mode, found one in training mode; call eval() first.")
    if rgba.ndim == 3 and 0 not in rgba.shape and resized_size(*rgba.shape[:2]) != (SHORT_SIDE, SHORT_SIDE):
        raise InputError(
            f"Expected a square portrait, whose features are a map of {MAP_SIDE} × {MAP_SIDE}, "
            f"found {rgba.shape[0]} × {rgba.shape[1]} pixels; align it first."
        )
    return tagger.chonk(feature_picture(rgba).to(tagger.mean.device))
