"""What a checkpoint holds, whatever file it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import Tensor

from torch_utils.checkpoint.errors import CheckpointError
from torch_utils.checkpoint.tensors import TensorSource

SET_ASIDE = ("dataset_label_std",)
"""Buffers that only training snapshots carry and no network declares."""
GENERATOR = "G_ema"
RENDERING, RENDER_SIZE = LIVE_SETTINGS = ("rendering_kwargs", "neural_rendering_resolution")
"""Attributes that training changes after construction."""
SHOWN_KEYS = 8


@dataclass(frozen=True)
class ModuleRecord:
    """One network, or one other group of named tensors.

    Attributes:
        name: ``G``, ``D``, ``G_ema``, ``augment_pipe`` in snapshots; the key of the mapping in PyTorch files
            (``state_dict``); ``pca``.
        sources: the tensors by state-dict name, in the file's order, unread.
        class_name: the class that the file names; empty where it names none.
        init_kwargs: constructor arguments as JSON values; hyper-parameters in Lightning files.
        attributes: the object's other plain attributes as JSON values (``neural_rendering_resolution``,
            the live ``rendering_kwargs``, ``training`` …). What is no plain data is left out.
        module_src: the source text that the file embeds, never executed; empty where there is none.
    """

    name: str
    sources: Mapping[str, TensorSource]
    class_name: str = ""
    init_kwargs: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    module_src: str = field(default="", repr=False)

    @cached_property
    def state_dict(self) -> dict[str, Tensor]:
        """CPU tensors in their stored types, contiguous, by name, in the file's order; read at first use."""
        return {name: source.load() for name, source in self.sources.items()}


@dataclass(frozen=True)
class GeneratorWeights:
    """All that builds a generator.

    Attributes:
        state_dict: for strict loading; without what is set aside.
        set_aside: `SET_ASIDE` buffers that the file carries.
        init_kwargs: constructor arguments.
        rendering_kwargs: the live ones, which may differ from the constructor's.
        neural_rendering_resolution: of the raw picture, in pixels; None where the file does not say.
    """

    state_dict: Mapping[str, Tensor] = field(repr=False)
    set_aside: Mapping[str, Tensor] = field(repr=False)
    init_kwargs: Mapping[str, Any]
    rendering_kwargs: Mapping[str, Any]
    neural_rendering_resolution: int | None


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file.

    Attributes:
        kind: ``snapshot``, ``torch``, ``torchscript``, ``pca`` or ``safetensors``.
        modules: by name, in the file's order.
        training_set_kwargs: of the data that a snapshot was trained on; otherwise empty.
    """

    kind: str
    modules: Mapping[str, ModuleRecord]
    training_set_kwargs: Mapping[str, Any] = field(default_factory=dict)

    def module(self, name: str) -> ModuleRecord:
        """A module by name.

        Raises:
            CheckpointError: the file has none of this name.
        """
        if name not in self.modules:
            raise CheckpointError("", f"a module named {name}", _some(self.modules))
        return self.modules[name]

    @property
    def main(self) -> ModuleRecord:
        """The module that inference needs: ``G_ema``, Lightning's ``state_dict``, or the only one.

        Raises:
            CheckpointError: there are several and none is it.
        """
        for name in (GENERATOR, "state_dict"):
            if name in self.modules:
                return self.modules[name]
        if len(self.modules) != 1:
            raise CheckpointError("", f"one module, or one named {GENERATOR}", _some(self.modules))
        return next(iter(self.modules.values()))

    @property
    def generator(self) -> GeneratorWeights:
        """The generator that `main` describes.

        Raises:
            CheckpointError: there is none, or the file does not say how it was constructed.
        """
        record = self.main
        if not record.init_kwargs:
            raise CheckpointError(record.name, "a generator's constructor arguments", "none")
        live = record.attributes.get(RENDERING, record.init_kwargs.get(RENDERING, {}))
        resolution = record.attributes.get(RENDER_SIZE)
        if not isinstance(live, Mapping) or type(resolution) not in (int, type(None)):
            raise CheckpointError(record.name, "rendering_kwargs and a resolution", f"{type(live)}, {resolution!r}")
        state = record.state_dict
        return GeneratorWeights(
            state_dict={name: tensor for name, tensor in state.items() if name not in SET_ASIDE},
            set_aside={name: tensor for name, tensor in state.items() if name in SET_ASIDE},
            init_kwargs=record.init_kwargs,
            rendering_kwargs=live,
            neural_rendering_resolution=resolution,
        )


def _some(names: Mapping[str, Any]) -> str:
    """The first few names, for a sentence."""
    shown = ", ".join(list(names)[:SHOWN_KEYS])
    return (shown + (", …" if len(names) > SHOWN_KEYS else "")) or "none"
