"""A generator ready to use, from what a checkpoint holds. Source: spec/generator.md §0."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from _exchange.errors import InputError
from torch_utils.checkpoint.record import GENERATOR, Checkpoint, ModuleRecord
from torch_utils.checkpoint.tensors import TensorSource
from training.memory import memory_explained
from training.parts import GeneratorParts
from training.request import render_size
from training.state_dicts import load_checked
from training.triplane import TriPlaneGenerator

NOTE, TRAINED_WITHOUT = "note", "trained_without"
"""Attributes of checkpoints that we write: a sentence that must stand beside their results, and a list of the parts
around the generator (``line_filler``) that the model never saw."""


def generator_from(
    init_kwargs: Mapping[str, Any],
    state_dict: Mapping[str, Tensor],
    *,
    rendering_kwargs: Mapping[str, Any] | None = None,
    neural_rendering_resolution: int | None = None,
    force_sigmoid: bool = True,
) -> TriPlaneGenerator:
    """A generator in evaluation mode, without gradients.

    Args:
        init_kwargs: constructor arguments.
        state_dict: tensors under exactly the names of the generator, without ``dataset_label_std``.
        rendering_kwargs: replaces the live settings, e.g. ``{**stored, **EVALUATION_DEPTHS}``; None: those of the
            constructor.
        neural_rendering_resolution: pixels a side of a render; None: 64, as after construction.
        force_sigmoid: features are plain sigmoids, as in the published evaluation.

    Raises:
        InputError: arguments are missing or unknown, or tensors are missing, too many, of another shape or not finite.
        SuiteError: out of memory.
    """
    parameters = inspect.signature(GeneratorParts).parameters.values()
    missing = [p.name for p in parameters if p.name not in init_kwargs and _is_required(p)]
    if missing:
        raise InputError(
            f"Expected constructor arguments {', '.join(missing)}, found {', '.join(init_kwargs) or 'none'}."
        )
    with memory_explained("the widths and resolutions among its constructor arguments"):
        generator = TriPlaneGenerator(**init_kwargs)
    generator.fit_published_styles(state_dict)
    load_checked(generator, state_dict, "this generator")
    if rendering_kwargs is not None:
        generator.rendering_kwargs = dict(rendering_kwargs)
    if neural_rendering_resolution is not None:
        generator.neural_rendering_resolution = render_size(neural_rendering_resolution)
    generator.set_force_sigmoid(force_sigmoid)
    return generator.eval().requires_grad_(False)


def checkpoint_of(
    generator: GeneratorParts, init_kwargs: Mapping[str, Any], attributes: Mapping[str, Any] | None = None
) -> Checkpoint:
    """The checkpoint of a generator made with `init_kwargs`, as `torch_utils.checkpoint.write_safetensors` takes it.

    Args:
        generator: its tensors, live settings and render size are kept.
        init_kwargs: what it was constructed with.
        attributes: further JSON values to keep beside them.
    """
    kept = {
        "neural_rendering_resolution": generator.neural_rendering_resolution,
        "rendering_kwargs": dict(generator.rendering_kwargs),
        **(attributes or {}),
    }
    sources = {name: TensorSource.of(tensor) for name, tensor in generator.state_dict().items()}
    record = ModuleRecord(GENERATOR, sources, type(generator).__name__, dict(init_kwargs), kept)
    return Checkpoint("safetensors", {GENERATOR: record})


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
