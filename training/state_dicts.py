"""State dicts checked against a module: what is missing, too much, of another shape or not finite, in one sentence.

Precision is not part of the check: a half-precision file fills a float32 module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from _exchange.errors import InputError
from torch_utils.checkpoint.errors import one_line

_SHOWN = 5


def load_checked(module: nn.Module, state_dict: Mapping[str, Tensor], what: str) -> None:
    """Fill a module with copies, on the CPU, of a state dict that has exactly its keys and shapes, and finite numbers.

    Args:
        module: is filled; on an error it is as before. It may lie on the device ``meta``: then it takes no memory
            before the state dict is known to fit, and no random numbers are drawn for it.
        state_dict: tensors by name.
        what: the model in words, for errors, e.g. ``a line filler``.

    Raises:
        InputError: keys are missing or too many, a value is no tensor, has another shape, or holds NaN, infinity or
            numbers beyond the precision of the module.
    """
    expected = module.state_dict()
    refuse_keys(f"all tensors of {what}", "none of the names", [name for name in expected if name not in state_dict])
    refuse_keys(f"only tensors of {what}", "also", [name for name in state_dict if name not in expected])
    wrong = [
        f"{name} {_described(state_dict[name])} for {_described(tensor)}"
        for name, tensor in expected.items()
        if _described(state_dict[name]) != _described(tensor)
    ]
    refuse_keys(f"the shapes of {what}", "", wrong)
    copies = {
        name: state_dict[name].detach().to("cpu", tensor.dtype, copy=True, memory_format=torch.contiguous_format)
        for name, tensor in expected.items()
    }
    refuse_keys(
        f"finite numbers in {what}",
        "NaN or infinity in",
        [name for name, tensor in copies.items() if not bool(torch.isfinite(tensor).all())],
    )
    module.load_state_dict(copies, strict=True, assign=True)


def shape_of(value: object) -> tuple[int, ...] | None:
    """The shape of a tensor; None of anything else."""
    return tuple(value.shape) if isinstance(value, Tensor) else None


def _described(value: object) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    kind = "" if value.is_floating_point() else "complex " if value.is_complex() else "whole "
    return f"{kind}{tuple(value.shape)}"


def refuse_keys(expected: str, found: str, names: Sequence[str]) -> None:
    """Nothing if there are no names.

    Raises:
        InputError: with the first few of them.
    """
    if names:
        shown = one_line(", ".join(map(str, names[:_SHOWN])))
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise InputError(f"Expected {expected}, found {found} {shown}{more}.".replace("  ", " "))
