"""From the tensors of a line filler's checkpoint to its networks.

Depths, widths, normalisation and the use of the hull are read from the tensors. That lines are blackened in the
generator's input, and that its output replaces masked pixels only, no tensor tells: as in the published model, both
are taken for granted, unless hyper-parameters say otherwise. Source: spec/linefill.md §4, §7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from _exchange.errors import InputError
from torch_utils.checkpoint import Checkpoint
from torch_utils.checkpoint.errors import one_line
from training.linefill_networks import COLOURS, PATCH_SIDE, LineFiller, StackShape
from training.state_dicts import load_checked, shape_of

_UNSEEN_IN_TENSORS = {"gen_mask_input": True, "lerp_output": True, "patch_size": PATCH_SIDE}


def linefill_from_checkpoint(checkpoint: Checkpoint) -> LineFiller:
    """The line filler of a checkpoint file.

    Raises:
        InputError: its hyper-parameters ask for another procedure; or as `linefill_from_state_dict`.
        CheckpointError: it has no main group of tensors.
    """
    settings = checkpoint.main.init_kwargs.get("model")
    for name, expected in _UNSEEN_IN_TENSORS.items():
        found = settings.get(name, expected) if isinstance(settings, Mapping) else expected
        if found != expected:
            raise InputError(f"Expected a line filler with {name} = {expected}, found {one_line(repr(found))}.")
    return linefill_from_state_dict(checkpoint.main.state_dict)


def linefill_from_state_dict(state_dict: Mapping[str, Tensor]) -> LineFiller:
    """The line filler with these weights, in evaluation mode, float32 on the CPU.

    Args:
        state_dict: tensors named ``generator.{position}.…`` and ``discriminator.{position}.…``.

    Raises:
        InputError: no shape of the networks fits, or tensors are missing, too many, misshapen or not finite; the
            sentence names them.
    """
    with torch.device("meta"):
        model = LineFiller(_stack_shape(state_dict, "generator"), _stack_shape(state_dict, "discriminator"))
    load_checked(model, state_dict, "a line filler")
    return model.eval()


def _stack_shape(state_dict: Mapping[str, Tensor], network: str) -> StackShape:
    """What the convolutions of one network say about it."""
    pattern = re.compile(rf"{network}\.(\d{{1,4}})\.weight")
    convolutions: dict[int, tuple[int, ...]] = {}
    for name, tensor in state_dict.items():
        match, shape = pattern.fullmatch(name), shape_of(tensor)
        if match and shape is not None and len(shape) == 4 and 0 not in shape:
            convolutions[int(match[1])] = shape
    if not convolutions:
        raise InputError(
            f"Expected a line filler with weights of convolutions such as {network}.0.weight (32, 4, 3, 3), "
            f"found none among {len(state_dict)} tensors."
        )
    shapes = [convolutions[position] for position in sorted(convolutions)]
    width, inputs = shapes[0][:2]
    if inputs not in (COLOURS, COLOURS + 1):
        raise InputError(
            f"Expected {network}.0.weight of a line filler to take {COLOURS} channels, or {COLOURS + 1} with the face "
            f"hull, found {inputs}."
        )
    return StackShape(
        depth=len(shapes),
        width=width,
        outputs=shapes[-1][0],
        normalised=any(name.startswith(f"{network}.") and name.endswith(".running_mean") for name in state_dict),
        use_hull=inputs == COLOURS + 1,
    )
