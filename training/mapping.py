"""From latents and labels to styles (spec/generator.md §2.1)."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from _exchange.errors import InputError
from training.layers import FullyConnectedLayer, is_whole, normalize_2nd_moment, require_counts, require_number

MAPPING_OPTIONS = ("num_layers", "embed_features", "layer_features", "activation", "lr_multiplier", "w_avg_beta")


class MappingNetwork(nn.Module):
    """Latent and label, each normalised, through fully connected layers.

    Args:
        z_dim: width of the latent; 0: there is none.
        c_dim: width of the label; 0: there is none.
        w_dim: width of a style.
        num_ws: how often the result is repeated; None: not at all (the discriminator's label embedding).
        num_layers: fully connected layers after the embedding of the label.
        embed_features: width of the embedded label; None: `w_dim`.
        layer_features: width between the layers; None: `w_dim`.
        activation: of the layers.
        lr_multiplier: of the layers, not of the embedding.
        w_avg_beta: decay of the running mean of styles; None: no mean is kept, and truncation is impossible.

    Raises:
        InputError: widths that make no network.
    """

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        *,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float | None = 0.998,
    ) -> None:
        super().__init__()
        require_counts(w_dim=w_dim, num_layers=num_layers)
        if not (is_whole(z_dim) and is_whole(c_dim)) or min(z_dim, c_dim) < 0 or z_dim + c_dim == 0:
            raise InputError(f"Expected a latent or a label to map, found z_dim {z_dim!r} and c_dim {c_dim!r}.")
        if w_avg_beta is not None:
            require_number("w_avg_beta", w_avg_beta, high=1)
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.num_ws, self.num_layers, self.w_avg_beta = num_ws, num_layers, w_avg_beta
        embedded = 0 if c_dim == 0 else w_dim if embed_features is None else embed_features
        hidden = w_dim if layer_features is None else layer_features
        if c_dim > 0:
            self.embed = FullyConnectedLayer(c_dim, embedded)
        widths = [z_dim + embedded, *[hidden] * (num_layers - 1), w_dim]
        for index, (before, after) in enumerate(itertools.pairwise(widths)):
            layer = FullyConnectedLayer(before, after, activation=activation, lr_multiplier=lr_multiplier)
            self.add_module(f"fc{index}", layer)
        if w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        update_emas: bool = False,
    ) -> Tensor:
        """Styles.

        Args:
            z: (B, z_dim) float32; None where z_dim is 0.
            c: (B, c_dim) float32; None where c_dim is 0.
            truncation_psi: 1 keeps styles, 0 makes them the mean style.
            truncation_cutoff: only the first so many entries are truncated; None: all.
            update_emas: in training mode, move the mean style towards this batch's.

        Returns:
            (B, num_ws, w_dim) float32, or (B, w_dim) where nothing is repeated.

        Raises:
            InputError: shapes that do not fit, or truncation of a network that keeps no mean.
        """
        parts = []
        if self.z_dim > 0:
            parts.append(normalize_2nd_moment(_rows(z, self.z_dim, "latents z")))
        if self.c_dim > 0:
            parts.append(normalize_2nd_moment(self.embed(_rows(c, self.c_dim, "labels c"))))
        if len({len(part) for part in parts}) > 1:
            raise InputError(f"Expected as many latents as labels, found {len(parts[0])} and {len(parts[1])}.")
        x = torch.cat(parts, dim=1)
        for index in range(self.num_layers):
            x = self.get_submodule(f"fc{index}")(x)
        if update_emas and self.training and self.w_avg_beta is not None:
            self.w_avg.copy_(x.detach().mean(dim=0).lerp(self.w_avg, self.w_avg_beta))
        if self.num_ws is not None:
            x = x[:, None].repeat(1, self.num_ws, 1)
        return x if truncation_psi == 1 else self._truncated(x, truncation_psi, truncation_cutoff)

    def _truncated(self, ws: Tensor, psi: float, cutoff: int | None) -> Tensor:
        if self.w_avg_beta is None or self.num_ws is None:
            raise InputError(
                f"Expected truncation_psi 1 for a mapping network without a mean style (w_avg_beta None), found {psi}."
            )
        moved = self.w_avg.lerp(ws, psi)
        return moved if cutoff is None else torch.cat([moved[:, :cutoff], ws[:, cutoff:]], dim=1)


def _rows(x: Tensor | None, width: int, name: str) -> Tensor:
    """x as float32, checked to be (B, width)."""
    if x is None or x.ndim != 2 or x.shape[1] != width:
        found = "none" if x is None else f"shape {tuple(x.shape)}"
        raise InputError(f"Expected {name} of shape (B, {width}), found {found}.")
    return x.to(torch.float32)
