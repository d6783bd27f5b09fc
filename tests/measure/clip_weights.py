"""Random weights of CLIP's image tower under the published names, and files that hold them."""

from __future__ import annotations

import io
from collections.abc import Mapping

import torch
from torch import nn


def random_tower(
    width: int = 128, depth: int = 2, patch: int = 8, grid: int = 3, embedding: int = 16
) -> dict[str, torch.Tensor]:
    """Parameters of a tower of these sizes; those of ViT-B/32 are 768, 12, 32, 7, 512."""
    generator = torch.Generator().manual_seed(0)
    weights: dict[str, torch.Tensor] = {}

    def add(name: str, *shape: int, mean: float = 0.0, scale: float = 0.1) -> None:
        weights[f"visual.{name}"] = mean + scale * torch.randn(shape, generator=generator)

    def add_norm(name: str) -> None:
        add(f"{name}.weight", width, mean=1.0)
        add(f"{name}.bias", width)

    def add_linear(name: str, outputs: int, inputs: int) -> None:
        add(f"{name}.weight", outputs, inputs, scale=inputs**-0.5)
        add(f"{name}.bias", outputs)

    add("class_embedding", width)
    add("positional_embedding", grid**2 + 1, width)
    add("proj", width, embedding, scale=width**-0.5)
    add("conv1.weight", width, 3, patch, patch, scale=(3 * patch**2) ** -0.5)
    for name in ("ln_pre", "ln_post"):
        add_norm(name)
    for layer in range(depth):
        block = f"transformer.resblocks.{layer}"
        add(f"{block}.attn.in_proj_weight", 3 * width, width, scale=width**-0.5)
        add(f"{block}.attn.in_proj_bias", 3 * width)
        add_linear(f"{block}.attn.out_proj", width, width)
        add_linear(f"{block}.mlp.c_fc", 4 * width, width)
        add_linear(f"{block}.mlp.c_proj", width, 4 * width)
        add_norm(f"{block}.ln_1")
        add_norm(f"{block}.ln_2")
    return weights


class _Holder(nn.Module):
    """Parameters at dotted names."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def torchscript_bytes(weights: Mapping[str, torch.Tensor]) -> bytes:
    """A TorchScript archive with these parameters, as CLIP is published."""
    root = _Holder()
    for name, tensor in weights.items():
        *path, last = name.split(".")
        module: nn.Module = root
        for part in path:
            if part not in module._modules:
                module.add_module(part, _Holder())
            module = module._modules[part]  # type: ignore[assignment]
        module.register_parameter(last, nn.Parameter(tensor, requires_grad=False))
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(root), stream)
    return stream.getvalue()
