"""Checkpoints of tiny models for tests of the method `panic3d`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from torch_utils.checkpoint import write_safetensors
from training.configurations import small
from training.linefill_networks import LineFiller
from training.loading import checkpoint_of
from training.random_model import SENTENCE, random_generator

TINY = {"backbone_resolution": 16, "channel_base": 256, "channel_max": 16, "z_dim": 16, "w_dim": 16}


def write_generator(
    path: Path,
    *,
    note: str = SENTENCE,
    trained_without: tuple[str, ...] = (),
    render_size: int = 12,
    live: Mapping[str, Any] | None = None,
    filled: Mapping[str, float] | None = None,
    **changes: Any,
) -> Path:
    """A seeded random generator of 64-pixel pictures, then with other `live` settings and parameters `filled`."""
    kwargs = small(**{**TINY, "img_resolution": 64, **changes})
    generator = random_generator(kwargs)
    generator.neural_rendering_resolution = render_size
    generator.rendering_kwargs.update(live or {})
    for name, value in (filled or {}).items():
        generator.get_parameter(name).fill_(value)
    attributes = {"note": note, "trained_without": list(trained_without)}
    write_safetensors(checkpoint_of(generator, kwargs, attributes), "G_ema", path)
    return path


def write_line_filler(path: Path) -> Path:
    """A seeded random line filler in PyTorch Lightning's layout."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"epoch": 199, "state_dict": LineFiller().state_dict()}, path)
    return path
